package devserver

import (
	"fmt"
	"os/exec"
	"runtime"
)

// startProcess starts the command and reaps it. The channel gets its end. A
// private process ends with this one where the system can do that.
func startProcess(cmd *exec.Cmd, private bool) (<-chan error, error) {
	started, exited := make(chan error), make(chan error, 1)
	cmd.SysProcAttr = detach()
	if private {
		cmd.SysProcAttr = attach()
	}
	go func() {
		if private {
			// On Linux the end of the starting thread, not of the process, is
			// what ends the child: keep the thread until the child is gone.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
		}
		err := cmd.Start()
		started <- err
		if err == nil {
			exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting the process: %w", err)
	}
	return exited, nil
}
