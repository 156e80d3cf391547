package test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"rlam/activities/executor"
	"rlam/test/lab"
)

// TestRandomRunsReplay has runs whose actions take and fail as chance has it, whose time is up
// or that are cancelled anywhere, and replays them: two things that happen in the same workflow
// task are told apart by nothing else. A build of another version can be tried with the
// histories of this one.
func TestRandomRunsReplay(t *testing.T) {
	t.Parallel()
	scripts := []string{"busy", "four", "parallel", "deferred", "recover", "refused", "last", "stubborn", "chained"}
	for i := range 16 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			draw := rand.New(rand.NewPCG(uint64(i), 7))
			l := lab.New(t, executor.Typed("lab.measure", moody))
			run := l.Begin("studies/study.yaml", merged(
				script(scripts[draw.IntN(len(scripts))]),
				limited("wall_time", fmt.Sprintf(`"%dms"`, 800+draw.IntN(1500))),
			))
			if draw.IntN(3) == 0 {
				cancel := time.AfterFunc(time.Duration(draw.IntN(1500))*time.Millisecond, func() {
					// The run may have ended by itself.
					_ = l.Client.CancelWorkflow(context.WithoutCancel(t.Context()), run.GetID(), run.GetRunID())
				})
				defer cancel.Stop()
			}
			// How it ends is chance's; that it ends isn't.
			if err := run.Get(t.Context(), nil); t.Context().Err() != nil {
				t.Fatal(err)
			}
			lab.Replay(t, l.History(run.GetID(), run.GetRunID()))
		})
	}
}

// moody measures, fails so that it is tried again, or fails for good.
func moody(ctx context.Context, in measureIn) (measureOut, error) {
	select {
	case <-ctx.Done():
		return measureOut{}, ctx.Err()
	case <-time.After(time.Duration(rand.IntN(500)) * time.Millisecond):
	}
	switch rand.IntN(4) {
	case 0:
		return measureOut{}, outOfRange()
	case 1:
		return measureOut{}, executor.Fail("lab.Busy", "the instrument is taken", nil)
	}
	return measure(ctx, in)
}
