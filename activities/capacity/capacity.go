// Package capacity lets attempts in as far as there is room for them, in the order in
// which they came.
package capacity

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"rlam/schemas"
)

// Room is what a worker has, or an attempt takes.
type Room struct {
	CPUs   int
	Memory schemas.Size
}

func (r Room) minus(o Room) Room { return Room{r.CPUs - o.CPUs, r.Memory - o.Memory} }
func (r Room) plus(o Room) Room  { return Room{r.CPUs + o.CPUs, r.Memory + o.Memory} }

// holds says whether o fits into r.
func (r Room) holds(o Room) bool { return o.CPUs <= r.CPUs && o.Memory <= r.Memory }

// TooLargeError says that what is needed doesn't fit even where nothing else is.
type TooLargeError struct{ Need, Total Room }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("it takes %s, and this worker has %s in all", e.Need.beside(e.Need), e.Total.beside(e.Need))
}

// beside spells those parts of r that need asks for: "4 cpus and 2 GiB".
func (r Room) beside(need Room) string {
	text := ""
	if need.CPUs > 0 {
		text = number(r.CPUs, "cpu")
	}
	if need.Memory > 0 {
		if text != "" {
			text += " and "
		}
		text += r.Memory.String()
	}
	return text
}

func number(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Pool is the room of one worker. Who came first is let in first: something small doesn't
// pass by something large that waits, which would else never get in.
type Pool struct {
	total Room

	mu   sync.Mutex
	free Room
	line []*waiter
}

type waiter struct {
	need Room
	in   chan struct{}
	say  func(string)
}

// NewPool is a pool with nobody in it.
func NewPool(total Room) *Pool { return &Pool{total: total, free: total} }

// Enter waits until there is room, or ctx ends. While it waits it says for what, whenever
// that changes. It is a *[TooLargeError] if there never will be room. Leave gives the room
// back, and may be called more than once.
func (p *Pool) Enter(ctx context.Context, need Room, say func(string)) (leave func(), err error) {
	if !p.total.holds(need) {
		return nil, &TooLargeError{Need: need, Total: p.total}
	}
	w := &waiter{need: need, in: make(chan struct{}), say: say}
	p.mu.Lock()
	p.line = append(p.line, w)
	p.admit()
	p.mu.Unlock()
	leave = sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.free = p.free.plus(need)
		p.admit()
	})
	select {
	case <-w.in:
		return leave, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	at := slices.Index(p.line, w)
	if at >= 0 {
		p.line = slices.Delete(p.line, at, at+1)
		p.admit()
	}
	p.mu.Unlock()
	if at < 0 { // let in at the last moment
		leave()
	}
	return nil, context.Cause(ctx)
}

// admit lets in from the front of the line what fits, and tells the rest what they wait for.
func (p *Pool) admit() {
	for len(p.line) > 0 && p.free.holds(p.line[0].need) {
		p.free = p.free.minus(p.line[0].need)
		close(p.line[0].in)
		p.line = p.line[1:]
	}
	for i, w := range p.line {
		text := fmt.Sprintf("waiting for %s: %s of %s free", w.need.beside(w.need), p.free.beside(w.need), p.total.beside(w.need))
		if i > 0 {
			text += fmt.Sprintf(", %d before it", i)
		}
		w.say(text)
	}
}

// Names lets one in at a time under each name. Its zero value is ready.
type Names struct {
	mu    sync.Mutex
	pools map[string]*Pool
}

// Enter is [Pool.Enter] for the one place that a name has.
func (n *Names) Enter(ctx context.Context, name string, say func(string)) (leave func(), err error) {
	n.mu.Lock()
	if n.pools == nil {
		n.pools = make(map[string]*Pool)
	}
	p := n.pools[name]
	if p == nil {
		p = NewPool(Room{CPUs: 1})
		n.pools[name] = p
	}
	n.mu.Unlock()
	return p.Enter(ctx, Room{CPUs: 1}, func(string) { say(InUse(name)) })
}

// InUse says that a name's place is taken.
func InUse(name string) string {
	return fmt.Sprintf("waiting for %q, which another attempt uses", name)
}
