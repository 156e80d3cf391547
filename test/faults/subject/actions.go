package subject

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"rlam/activities/executor"
)

// Params are those of every action here. Its YAML files say which an action takes.
type Params struct {
	Label    string `json:"label"`              // unique among the calls of a test
	Hold     bool   `json:"hold,omitempty"`     // wait for the label's gate
	Times    int    `json:"times,omitempty"`    // fail so often
	How      string `json:"how,omitempty"`      // to fail
	Text     string `json:"text,omitempty"`     // to save
	Artifact string `json:"artifact,omitempty"` // to read
}

// Work is what every action returns.
type Work struct {
	Digits string `json:"digits"`         // a function of the label alone: see [Digits]
	File   string `json:"file,omitempty"` // handle of what was saved
	Text   string `json:"text,omitempty"` // that was read
}

// Digits is what an action of a label returns, whoever ran it and how often.
func Digits(label string) string {
	sum := sha256.Sum256([]byte(label))
	return hex.EncodeToString(sum[:6])
}

// Actions are the handlers, which count themselves outside.
func Actions(o Outside) []executor.Builtin {
	counted := func(name string, fn func(context.Context, Params) (Work, error)) executor.Builtin {
		return executor.Typed(name, func(ctx context.Context, p Params) (Work, error) {
			if err := o.Note(Effect{Event: "begin", Label: p.Label, PID: os.Getpid()}); err != nil {
				return Work{}, err
			}
			if p.Hold && !o.await(ctx.Done(), p.Label) {
				o.Note(Effect{Event: "end", Label: p.Label, PID: os.Getpid()})
				return Work{}, executor.Fail("fault.Interrupted", "told to stop", Work{Digits: Digits(p.Label)})
			}
			w, err := fn(ctx, p)
			if noted := o.Note(Effect{Event: "end", Label: p.Label, PID: os.Getpid()}); noted != nil {
				return Work{}, noted
			}
			w.Digits = Digits(p.Label)
			return w, err
		})
	}
	return []executor.Builtin{
		counted("fault.work", func(context.Context, Params) (Work, error) { return Work{}, nil }),
		counted("fault.flaky", func(_ context.Context, p Params) (Work, error) {
			// How often it was tried is known outside only: the handler keeps nothing.
			all, err := o.Effects()
			if err != nil {
				return Work{}, err
			}
			n := 0
			for _, e := range all {
				if e.Event == "begin" && e.Label == p.Label {
					n++
				}
			}
			if n <= p.Times {
				return Work{}, executor.Fail("rlam.Transient", fmt.Sprintf("failure %d of %d", n, p.Times), Work{Digits: fmt.Sprint(n)})
			}
			return Work{}, nil
		}),
		counted("fault.save", func(ctx context.Context, p Params) (Work, error) {
			handle, err := executor.Save(ctx, p.Label+".txt", "text/plain", []byte(p.Text))
			return Work{File: handle}, err
		}),
		counted("fault.read", func(ctx context.Context, p Params) (Work, error) {
			r, err := executor.Open(ctx, p.Artifact)
			if err != nil {
				return Work{}, err
			}
			defer r.Close()
			text, err := io.ReadAll(r)
			return Work{Text: string(text)}, err
		}),
		counted("fault.fail", fail),
		executor.Typed("fault.odd", func(_ context.Context, p Params) (any, error) {
			if err := o.Note(Effect{Event: "begin", Label: p.Label, PID: os.Getpid()}); err != nil {
				return nil, err
			}
			return odd(p.How), nil
		}),
		executor.Typed("fault.clock", func(_ context.Context, p Params) (Work, error) {
			err := o.Note(Effect{Event: "begin", Label: p.Label, PID: os.Getpid()})
			return Work{Digits: time.Now().Format(time.RFC3339Nano)}, err
		}),
	}
}

// silent is an error that says nothing, like an exception without arguments.
type silent struct{}

func (silent) Error() string { return "" }

func fail(_ context.Context, p Params) (Work, error) {
	switch p.How {
	case "silent":
		return Work{}, silent{}
	case "chain":
		return Work{}, fmt.Errorf("reducing the spectrum: %w", fmt.Errorf("reading line 7: %w", errors.New("no number")))
	case "partial":
		return Work{}, executor.Fail("lab.Drift", "the baseline drifted", map[string]int{"peaks": 3})
	case "panic":
		panic(errors.New("no peak was found"))
	}
	return Work{}, nil
}

// odd is what was never computed, or what JSON doesn't hold.
func odd(how string) any {
	switch how {
	case "function":
		return func() int { return 1 }
	case "channel":
		return make(chan int)
	case "nan":
		return map[string]float64{"digits": math.NaN()}
	case "infinity":
		return map[string]float64{"digits": math.Inf(1)}
	case "large":
		return map[string]int64{"digits": 1<<53 + 1}
	case "extra":
		return map[string]any{"digits": "ok", "undeclared": true}
	case "nothing":
		return nil
	}
	return map[string]string{"digits": Digits(how)}
}
