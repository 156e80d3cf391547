package history

import (
	"context"
	"errors"
	"fmt"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/proto"

	"rlam/internal/replay"
)

// Decisions replays a history, and counts the activities of r (what [Read] says of it)
// that the code asked for as recorded: all of them, or those before the first divergence.
// Divergent says what that was; "" is none. A history that can't be replayed has none.
func (r *Run) Decisions(ctx context.Context, code replay.Replayer, h *historypb.History) (made int, divergent string, err error) {
	_, err = code.History(ctx, h)
	var d *replay.Divergence
	switch {
	case ctx.Err() != nil:
		return 0, "", ctx.Err()
	case err == nil:
		return len(r.Activities), "", nil
	case errors.As(err, &d):
		made = r.ScheduledBefore(d.Event)
	}
	return made, fmt.Sprintf("Temporal run %s: %v", r.RunID, err), nil
}

// ScheduledBefore is the number of activities that were scheduled before an event.
func (r *Run) ScheduledBefore(event int64) int {
	n := 0
	for _, k := range r.Activities {
		if k.Scheduled < event {
			n++
		}
	}
	return n
}

// Replay is a replay of a history in protobuf: see [replay.Replayer.History].
func Replay(ctx context.Context, code replay.Replayer, protobuf []byte) error {
	h := &historypb.History{}
	if err := proto.Unmarshal(protobuf, h); err != nil {
		return fmt.Errorf("reading a history in protobuf: %w", err)
	}
	_, err := code.History(ctx, h)
	return err
}
