package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"rlam/internal/store"
	"rlam/starter/follow"
)

// recap says that what follows has happened before, up to follow.CaughtUp.
type recap struct {
	Run string `json:"run"`
}

func (recap) MessageType() string { return "recap" }

// interrupted says that the command ends and the run does not.
type interrupted struct {
	Run  string   `json:"run"`
	Next []string `json:"next"`
}

func (interrupted) MessageType() string { return "interrupted" }

// resultMessage is a run's result, for people: the JSON itself.
type resultMessage struct {
	follow.Value
	Partial bool `json:"partial,omitempty"` // it lacks something that the study asks for
}

func (resultMessage) MessageType() string { return "result" }

// ticker is a printer that also speaks when nothing happens for a while.
type ticker interface{ Tick(now time.Time) }

// attach follows a run to its end and says how it ended.
func (c *connection) attach(ctx context.Context, id, runID string, s store.Store) error {
	end, err := c.followTo(ctx, id, runID, s, func(e follow.Event) { c.words.Print(e) })
	if err != nil {
		return err
	}
	return c.conclude(end)
}

// followTo follows a run to its end. When a signal ends ctx, it says how to go on.
func (c *connection) followTo(ctx context.Context, id, runID string, s store.Store, emit func(follow.Event)) (*follow.End, error) {
	stop := c.tick()
	defer c.watchProgress(ctx, id)()
	end, err := c.follower(id, s).Follow(ctx, runID, emit)
	stop()
	if err != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		c.words.Print(interrupted{Run: id, Next: []string{
			fmt.Sprintf("%s resume %s", c.program(), id), fmt.Sprintf("%s cancel %s", c.program(), id),
		}})
		return nil, &codedError{code: exitInterrupted}
	}
	return end, err
}

// progressMessage is what calls under way say of themselves: how far they are, or for
// what they wait.
type progressMessage struct {
	Progress map[string]string `json:"progress"` // by call
}

func (progressMessage) MessageType() string { return "progress" }

// progressEvery is how often the server is asked what the calls under way say.
const progressEvery = 2 * time.Second

// watchProgress tells what calls under way say, as it changes, until stop.
func (c *connection) watchProgress(ctx context.Context, id string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		every := time.NewTicker(progressEvery)
		defer every.Stop()
		said := map[string]string{}
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			now, err := c.progress(ctx, id)
			if err != nil {
				continue // who follows the history hears of it
			}
			fresh := maps.Clone(now)
			maps.DeleteFunc(fresh, func(call, text string) bool { return said[call] == text })
			if said = now; len(fresh) > 0 {
				c.words.Print(progressMessage{fresh})
			}
		}
	}()
	return func() { cancel(); <-ended }
}

// tick lets the printer speak up once a second, until stop.
func (c *connection) tick() (stop func()) {
	t, ok := c.words.(ticker)
	if !ok {
		return func() {}
	}
	every := time.NewTicker(time.Second)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case now := <-every.C:
				t.Tick(now)
			}
		}
	}()
	return func() { every.Stop(); close(done); <-ended }
}

// conclude prints a run's result, as data, and how the run ended.
func (a *app) conclude(end *follow.End) error {
	end.Next = a.next(end)
	if end.HasResult() && !a.json {
		a.printer.Print(resultMessage{end.Result, end.Partial})
	}
	a.words.Print(*end)
	return ended(end)
}

// next are commands worth a try now.
func (a *app) next(end *follow.End) []string {
	p := a.program()
	if end.Status == follow.Running {
		return []string{p + " resume " + end.Run, p + " cancel " + end.Run}
	}
	next := []string{fmt.Sprintf("%s show %s", p, end.Run)}
	if end.Reproduces != "" {
		return append([]string{fmt.Sprintf("%s reproduce %s --report %s", p, end.Reproduces, end.Run)}, next...)
	}
	if n := end.Counters.Steps; n > 0 {
		if end.Completed() {
			n = min(2, n) // the last holds only the result
		}
		next = append(next, fmt.Sprintf("%s show %s --step %d", p, end.Run, n))
	}
	if end.HasResult() {
		next = append(next, fmt.Sprintf("%s result %s > result.json", p, end.Run))
	}
	return next
}
