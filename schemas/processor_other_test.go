//go:build !linux

package schemas_test

import "time"

var begin = time.Now()

// processorTime is the time that has gone by, for want of the thread's own.
func processorTime() time.Duration { return time.Since(begin) }
