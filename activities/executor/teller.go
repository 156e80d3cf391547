package executor

import "sync"

// teller passes on how far work is to the attempt that follows it now: work is adopted where
// the attempt that began it lost contact.
type teller struct {
	mu   sync.Mutex
	last string
	to   func(message string) // may be nil
}

func (t *teller) tell(message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = message
	if t.to != nil {
		t.to(message)
	}
}

// follow has another attempt hear how far the work is, at once if it has said so.
func (t *teller) follow(to func(message string)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.to = to; to != nil && t.last != "" {
		to(t.last)
	}
}
