package main

import (
	"errors"
	"testing"
	"time"
)

// TestABackgroundWorkerEnds when there is nothing to wait for, and not before.
func TestABackgroundWorkerEnds(t *testing.T) {
	t.Parallel()
	start := time.Now()
	gone := errors.New("connection refused")
	i := idleness{idle: time.Minute, deaf: 5 * time.Minute, busy: start, heard: start}
	for _, look := range []struct {
		after time.Duration
		open  int64
		err   error
		ends  bool
	}{
		{after: 50 * time.Second, open: 1},
		{after: 100 * time.Second},
		{after: 105 * time.Second, err: gone},
		{after: 6*time.Minute + 30*time.Second, err: gone}, // restarted before it is given up:
		{after: 6*time.Minute + 35*time.Second, open: 2},
		{after: 7*time.Minute + 40*time.Second, err: gone},
		{after: 11 * time.Minute, err: gone},
		{after: 11*time.Minute + 36*time.Second, err: gone, ends: true},
	} {
		if why := i.look(start.Add(look.after), look.open, look.err); (why != "") != look.ends {
			t.Errorf("after %s with %d open runs and %v: %q", look.after, look.open, look.err, why)
		}
	}
	if why := i.look(start.Add(7*time.Minute+40*time.Second), 0, nil); why == "" {
		t.Error("idle for more than a minute, and it goes on")
	}
}
