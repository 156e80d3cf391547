package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/ensemble"
	"rlam/worker/host"
)

// memberMessage says that a member of an ensemble has ended.
type memberMessage struct {
	Ensemble string             `json:"ensemble"`
	Member   string             `json:"member"`
	Run      string             `json:"run"`
	Status   record.Status      `json:"status"`
	Varied   []ensemble.Setting `json:"varied,omitempty"`
	Seed     uint64             `json:"seed"`
	Seal     canon.Digest       `json:"seal,omitzero"`
}

func (memberMessage) MessageType() string { return "member" }

// ensembleProgress says how far an ensemble is.
type ensembleProgress struct {
	Ensemble  string   `json:"ensemble"`
	Members   int      `json:"members"`
	Completed int      `json:"completed"`
	Others    int      `json:"others"` // members that ended otherwise
	Running   int      `json:"running"`
	Waiting   int      `json:"waiting"`                     // to begin
	Parallel  int      `json:"parallel,omitempty"`          // under way at once, at most
	Remaining *float64 `json:"remaining_seconds,omitempty"` // estimated from how long members took; absent before one has ended
}

func (ensembleProgress) MessageType() string { return "ensemble_progress" }

// ensembleEnd says how an ensemble ended, or that it hasn't.
type ensembleEnd struct {
	ensembleProgress
	Open   bool         `json:"open"`
	Record canon.Digest `json:"record"`
	Seal   canon.Digest `json:"seal,omitzero"`
	URL    string       `json:"url,omitempty"`
	Next   []string     `json:"next"`
}

func (ensembleEnd) MessageType() string { return "ensemble_end" }

// gauge knows how long members took.
type gauge struct {
	parallel int
	began    map[string]time.Time // of those under way, by workflow ID
	took     time.Duration        // of all that have ended
	ended    int
}

// note takes in an event that changed a member's standing.
func (g *gauge) note(m *host.Member, at time.Time) {
	began, is := g.began[m.RunID]
	switch {
	case m.Status == host.MemberRunning:
		g.began[m.RunID] = at
	case is:
		delete(g.began, m.RunID)
		g.took, g.ended = g.took+at.Sub(began), g.ended+1
	}
}

// remaining is about how long the rest takes: what a member took on average for each that
// waits, what is left of that for each under way, and so many of them at once. It is nil
// before a member has ended.
func (g *gauge) remaining(waiting int, now time.Time) *float64 {
	if g.ended == 0 {
		return nil
	}
	mean := g.took / time.Duration(g.ended)
	work := time.Duration(waiting) * mean
	for _, began := range g.began {
		work += max(mean-now.Sub(began), 0)
	}
	at := max(1, min(g.parallel, waiting+len(g.began)))
	seconds := (work / time.Duration(at)).Seconds()
	return &seconds
}

// standing counts the members of an ensemble.
func standing(r *host.Roster) ensembleProgress {
	p := ensembleProgress{Ensemble: r.Record.ID, Members: len(r.Members)}
	for _, m := range r.Members {
		switch m.Status {
		case host.MemberWaits:
			p.Waiting++
		case host.MemberRunning:
			p.Running++
		case record.Completed:
			p.Completed++
		default:
			p.Others++
		}
	}
	return p
}

// ensembleFollower follows an ensemble's workflow.
type ensembleFollower struct {
	*connection
	roster   *host.Roster
	gauge    gauge
	caughtUp time.Time // what is older has happened before
	runs     []string  // Temporal runs that were gone through
	said     time.Time // progress, last
}

// sayEvery is how often progress is said.
const sayEvery = time.Second

// follow goes through the workflow's events until it closes.
func (f *ensembleFollower) follow(ctx context.Context, runID string) error {
	for next := runID; next != ""; {
		f.runs = append(f.runs, next)
		last, err := f.goThrough(ctx, next)
		if err != nil {
			return err
		}
		next = last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
	}
	return nil
}

// goThrough tells of one Temporal run, whatever the server does meanwhile, and returns the
// event that closed it.
func (f *ensembleFollower) goThrough(ctx context.Context, runID string) (*historypb.HistoryEvent, error) {
	var last *historypb.HistoryEvent
	silent := time.Now()
	for {
		it := f.client.GetWorkflowHistory(ctx, f.roster.Record.ID, runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		var failed error
		for it.HasNext() {
			e, err := it.Next()
			if failed = err; err != nil {
				break
			}
			if silent = time.Now(); e.GetEventId() <= last.GetEventId() {
				continue
			}
			last = e
			if err := f.take(e); err != nil {
				return nil, err
			}
		}
		switch {
		case failed == nil:
			return last, nil
		case ctx.Err() != nil || time.Since(silent) > serverSilence:
			return nil, fmt.Errorf("following ensemble %q: %w", f.roster.Record.ID, failed)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// serverSilence is how long a server may be gone before following it is given up.
const serverSilence = 2 * time.Minute

func (f *ensembleFollower) take(e *historypb.HistoryEvent) error {
	m, err := f.roster.Take(e)
	if err != nil || m == nil {
		return err
	}
	at := e.GetEventTime().AsTime()
	f.gauge.note(m, at)
	if at.Before(f.caughtUp) {
		return nil
	}
	if m.Status != host.MemberRunning {
		f.words.Print(memberMessage{
			Ensemble: f.roster.Record.ID, Member: m.ID, Run: m.RunID, Status: m.Status,
			Varied: settingsOf(f.roster.Record, m.EnsembleMember), Seed: m.Seed, Seal: m.Head,
		})
	}
	if now := time.Now(); now.Sub(f.said) >= sayEvery {
		f.said = now
		f.words.Print(f.progress(now))
	}
	return nil
}

func (f *ensembleFollower) progress(now time.Time) ensembleProgress {
	p := standing(f.roster)
	p.Parallel, p.Remaining = f.gauge.parallel, f.gauge.remaining(p.Waiting, now)
	return p
}

// attachEnsemble follows an ensemble to its end, and says what its members show.
func (c *connection) attachEnsemble(ctx context.Context, id, runID string, s store.Store, files reportFiles) error {
	d, e, parallel, err := c.ensembleOf(ctx, id, runID, s)
	if err != nil {
		return err
	}
	f := &ensembleFollower{
		connection: c, roster: host.NewRoster(d, e), caughtUp: time.Now(),
		gauge: gauge{parallel: parallel, began: map[string]time.Time{}},
	}
	if err := f.follow(ctx, runID); err != nil {
		if errors.Is(context.Cause(ctx), errInterrupted) {
			c.words.Print(interrupted{Run: id, Next: []string{
				fmt.Sprintf("%s resume %s", c.program(), id), fmt.Sprintf("%s cancel %s", c.program(), id),
			}})
			return &codedError{code: exitInterrupted}
		}
		return err
	}
	f.words.Print(f.progress(time.Now()))
	for _, run := range f.runs {
		if err := host.Archive(ctx, c.client, s, d, id, run); err != nil {
			c.notef("The ensemble's history stays with the server alone: %v", err)
			break
		}
	}
	return allCompleted(c.sayEnsemble(ctx, c, s, host.ListedEnsemble{Digest: d, Record: e}, files, c.words))
}
