package schemas_test

import (
	"syscall"
	"time"
)

// processorTime is what the calling thread has used of processors so far. What other
// processes and threads take in the meantime doesn't count.
func processorTime() time.Duration {
	const thisThread = 1 // RUSAGE_THREAD of getrusage(2)
	var used syscall.Rusage
	if err := syscall.Getrusage(thisThread, &used); err != nil {
		panic("asking for the time of a thread: " + err.Error())
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
