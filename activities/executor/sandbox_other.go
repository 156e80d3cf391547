//go:build !linux

package executor

import (
	"context"
	"errors"
)

func (walls) sandboxWorks(context.Context) error {
	return errors.New("there is no bubblewrap for this system; run a worker on Linux")
}
