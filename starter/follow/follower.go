package follow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"rlam/worker/host"
)

const (
	// silence is how long a server may be gone before following it is given up.
	silence = 2 * time.Minute
	pause   = time.Second
)

// Follower reads the history of one run.
type Follower struct {
	Client   client.Client // asked for histories, unless they are Archived
	Contents Contents
	ID       string                        // workflow ID
	URL      func(id, runID string) string // where Temporal UI shows a run; optional

	// Archived are the run's histories by Temporal run ID, where no server is asked. Such
	// a run can be read, and not followed.
	Archived map[string]*historypb.History
}

// Follow tells what has happened, then [CaughtUp], then what happens until the run
// ends or ctx does. runID is the Temporal run to begin with; "" is the first.
func (f Follower) Follow(ctx context.Context, runID string, emit func(Event)) (*End, error) {
	a, err := f.read(ctx, runID, true, emit)
	if err != nil {
		return nil, err
	}
	return a.End, nil
}

// Account is all that a run's history tells at one moment.
type Account struct {
	End   *End // how it ended; of an open run, how it stands
	Turns []Turn
	// Runs are the IDs of the Temporal runs that it consists of, and of those that a
	// reset went back from, with what these had continued as.
	Runs []string
	// Rewound is what resets left, in the order of the line's resets.
	Rewound []Rewound
}

// Open says whether the run goes on.
func (a *Account) Open() bool { return a.End.Status == Running }

// Read tells what has happened so far.
func (f Follower) Read(ctx context.Context, emit func(Event)) (*Account, error) {
	return f.read(ctx, "", false, emit)
}

func (f Follower) read(ctx context.Context, runID string, wait bool, emit func(Event)) (*Account, error) {
	var line []string // that leads to the newest Temporal run, as far as it is known
	if runID == "" {
		var err error
		if line, err = f.line(ctx); err != nil {
			return nil, err
		}
		runID = line[0]
	}
	account := &Account{}
	t := f.tale(emit, false)
	for {
		account.Runs = append(account.Runs, runID)
		t.begin(runID)
		open, err := f.history(ctx, t, wait)
		if err != nil {
			return nil, err
		}
		switch {
		case open:
			account.End = t.standing(Running, t.clock.last)
		case t.next != "":
			// A reset may have taken the place of what it continued as.
			if i := slices.Index(line, runID); i >= 0 && i+1 < len(line) {
				t.next = line[i+1]
			}
			runID = t.next
			continue
		case t.end.Status == Unsealed:
			// Terminated by a reset, perhaps: then the ID belongs to another Temporal run.
			latest, err := f.latest(ctx)
			if err != nil {
				return nil, err
			}
			if latest != runID {
				if line, err = f.line(ctx); err != nil {
					return nil, err
				}
				told := t.told
				runID, t = line[0], f.tale(emit, true)
				t.told = told
				continue
			}
			account.End = t.end
		default:
			account.End = t.end
		}
		account.Turns = t.turns
		if account.Rewound, err = f.rewound(ctx, t); err != nil {
			return nil, err
		}
		for _, r := range account.Rewound {
			for _, id := range r.runs {
				if !slices.Contains(account.Runs, id) {
					account.Runs = append(account.Runs, id)
				}
			}
		}
		return account, nil
	}
}

func (f Follower) tale(emit func(Event), silent bool) *tale {
	return &tale{id: f.ID, url: f.URL, contents: f.Contents, payloads: host.DataConverter(), emit: emit, silent: silent, told: map[string]bool{}}
}

// latest is the newest Temporal run of the ID.
func (f Follower) latest(ctx context.Context) (string, error) {
	if f.Archived != nil {
		return f.newestArchived()
	}
	d, err := f.Client.DescribeWorkflowExecution(ctx, f.ID, "")
	if err != nil {
		return "", fmt.Errorf("looking up run %q: %w", f.ID, err)
	}
	return d.GetWorkflowExecutionInfo().GetExecution().GetRunId(), nil
}

// line is the Temporal runs that lead to the newest one, the first of them first.
func (f Follower) line(ctx context.Context) ([]string, error) {
	runID, err := f.latest(ctx)
	if err != nil {
		return nil, err
	}
	var line []string
	for runID != "" {
		line = append(line, runID)
		e, err := f.events(ctx, runID, false).Next()
		if err != nil {
			return nil, fmt.Errorf("reading the history of run %q: %w", f.ID, err)
		}
		runID = e.GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId()
	}
	slices.Reverse(line)
	return line, nil
}

// history tells one Temporal run's history. With wait, it returns when that is closed,
// and a server that is gone for a while is waited for.
func (f Follower) history(ctx context.Context, t *tale, wait bool) (open bool, err error) {
	var seen int64
	var goneSince time.Time
	for live := false; ; {
		got := false
		it := f.events(ctx, t.runID, live)
		for err = nil; err == nil && it.HasNext(); {
			e, next := it.Next()
			if err = next; err != nil || e.GetEventId() <= seen {
				continue
			}
			seen, got = e.GetEventId(), true
			if err := t.add(ctx, e); err != nil {
				return false, fmt.Errorf("reading event %d of run %q: %w", seen, f.ID, err)
			}
		}
		if got {
			goneSince = time.Time{}
		}
		switch {
		case t.end != nil || t.next != "":
			return false, nil
		case ctx.Err() != nil:
			return true, ctx.Err()
		case err != nil && (!wait || !passing(err) || !goneSince.IsZero() && time.Since(goneSince) > silence):
			return true, fmt.Errorf("reading the history of run %q: %w", f.ID, err)
		case err != nil:
			if goneSince.IsZero() {
				goneSince = time.Now()
				t.tell(Notice{Text: "the Temporal server does not answer; waiting for it"})
			}
			if !sleep(ctx, pause) {
				return true, ctx.Err()
			}
		case !wait:
			return true, nil
		case !live:
			live = true
			t.tell(CaughtUp{})
		}
	}
}

// passing says whether an error is of a server that may come back.
func passing(err error) bool {
	var unavailable *serviceerror.Unavailable
	var deadline *serviceerror.DeadlineExceeded
	return errors.As(err, &unavailable) || errors.As(err, &deadline) || errors.Is(err, context.DeadlineExceeded)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
