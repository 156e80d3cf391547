package executor

import (
	"context"
	"fmt"
	"os/exec"

	"rlam/schemas"
)

// fence stands around no program here: see [walls.has].
type fence struct {
	level   schemas.Isolation
	program string // as in the command line
}

func (w walls) enclose(ctx context.Context, cmd *exec.Cmd, t Task) (*fence, error) {
	level, err := w.level(ctx, t)
	if err != nil {
		return nil, err
	}
	return &fence{level: level, program: cmd.Args[0]}, nil
}

func (f *fence) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return notStarted(f.program, err)
	}
	return nil
}

func (*fence) ran() (bool, error) { return true, nil }
func (*fence) close()             {}

func (*fence) exited(code int) string { return fmt.Sprintf("the program exited with status %d", code) }
