package schemas

import (
	"time"
)

func (a *Attempts) setDefaults(attempts int) {
	if a.Max == 0 {
		a.Max = attempts
	}
	if a.Backoff.Initial == 0 {
		a.Backoff.Initial = Duration(time.Second)
	}
	if a.Backoff.Coefficient == 0 {
		a.Backoff.Coefficient = 2
	}
	if a.Backoff.Max == 0 {
		a.Backoff.Max = Duration(time.Minute)
	}
}

// setDefaults fills in what action.go documents; Idempotent is the loader's, which
// knows whether the file said "false".
func (a *Action) setDefaults() { a.Attempts.setDefaults(1) }

// setDefaults fills in what study.go documents.
func (s *Study) setDefaults() {
	p, l := &s.Planner, &s.Limits
	orElse(&p.Calls, "tools")
	orElse(&p.Context, 32_000)
	orElse(&p.MaxTokens, 4_096)
	p.Attempts.setDefaults(4)
	orElse(&l.Steps, 50)
	orElse(&l.Calls, 200)
	orElse(&l.Attempts, 400)
	orElse(&l.Repairs, 5)
	orElse(&l.Losses, 5)
	orElse(&l.Tokens, 2_000_000)
	orElse(&l.WallTime, Duration(24*time.Hour))
}

func orElse[T comparable](v *T, standard T) {
	var zero T
	if *v == zero {
		*v = standard
	}
}
