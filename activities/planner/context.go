package planner

import (
	"errors"
	"fmt"
	"slices"
)

// ErrContextFull says that a conversation does not fit its budget even with
// everything shortened that may be.
var ErrContextFull = errors.New("the conversation does not fit the planner's context")

// tokens estimates how many tokens n bytes are: a quarter, rounded up. It is near
// the truth for English and JSON, and low for scripts that need many bytes a sign.
func tokens(n int) int { return (n + 3) / 4 }

// Window fits a growing conversation into a budget of tokens: Add takes messages
// in, and Fit gives what to send. Tokens are counted of each message as [Body]
// encodes it in ModeTools, and of the tools: their bytes divided by 4, rounded up.
//
// What is shortened follows from a rule, applied as the conversation grew. Whenever
// a request would have been over the budget,
//
//  1. observations became their stubs, oldest first, until what was left was at
//     most three quarters of the budget;
//  2. where all of them but the last step's were stubs and that was not enough, the
//     oldest exchanges (what the planner said, and all up to what it said next) were
//     folded, oldest first, into one message of the user's after the system message.
//     It counts their calls, and lists the newest in a sixteenth of the budget.
//
// The system message and the last exchange are never shortened. So what is
// shortened changes once in many steps and only ever grows, servers can cache the
// beginning of the conversation, a tool call and its answers stay or go together,
// and the same messages give the same result however they were added.
//
// A Window holds what may still be sent, and the work of a step depends on that and
// not on the length of the run. It is not safe for concurrent use.
type Window struct {
	budget int

	system  *Message // the conversation's first message, if it is one
	entries []entry  // of the messages from base on
	base    int
	lines   []callLine // of the calls, without the oldest that are only counted
	dropped int        // how many those are
	first   int        // the first message of the planner's; -1 before there is one
	settled int        // messages before it belong to steps before the last

	sent fitted // as of the last request before what was added last
}

// entry is a message, and what it comes to in each of the forms it may be sent in.
type entry struct {
	message Message
	whole   int  // tokens
	stubbed int  // tokens as a stub; whole if it has none to send
	call    bool // an observation, which has a callLine
}

// callLine is what the observation of a call is folded to.
type callLine struct {
	message int // its index
	text    string
	size    int // bytes in a request
}

// fitted is a conversation as it is shortened.
type fitted struct {
	cut     Cut
	kept    int // tokens of the tools and of all messages that are not folded
	fold    int // tokens of the message that stands for the others
	calls   int // in folded messages
	counted int // the oldest of them, which are not listed
	listed  int // bytes of the lines of the others
}

func (f fitted) tokens() int { return f.kept + f.fold }

// NewWindow is a window on a conversation that offers these tools. budget 0 or less
// means no bound.
func NewWindow(tools []Tool, budget int) (*Window, error) {
	w := &Window{budget: budget, first: -1}
	definitions, err := wireTools(tools)
	if err != nil {
		return nil, fmt.Errorf("fitting a conversation: %w", err)
	}
	if len(definitions) > 0 {
		if w.sent.kept, err = estimate(definitions); err != nil {
			return nil, fmt.Errorf("fitting a conversation: %w", err)
		}
	}
	return w, nil
}

// Add appends messages to the conversation, in any portions. Its work is in
// proportion to what is added. It keeps the messages, which must not change.
func (w *Window) Add(messages ...Message) error {
	for _, m := range messages {
		e, l, err := newEntry(m)
		if err != nil {
			return fmt.Errorf("adding message %d to the conversation: %w", w.len(), err)
		}
		if m.Role == RoleAssistant {
			// Here a request was sent, with all the messages before this one.
			w.sent = w.shorten(w.sent)
			w.release()
			w.settled = w.len()
			if w.first < 0 {
				w.first = w.settled
			}
		}
		if w.len() == 0 && m.Role == RoleSystem {
			w.system = &m
		}
		if e.call {
			l.message = w.len()
			w.lines = append(w.lines, l)
		}
		w.entries = append(w.entries, e)
		w.sent.kept += e.whole
	}
	return nil
}

// With is a window on the conversation with these messages at its end. w stays as it is.
func (w *Window) With(messages ...Message) (*Window, error) {
	longer := *w
	longer.entries, longer.lines = slices.Clip(w.entries), slices.Clip(w.lines)
	return &longer, longer.Add(messages...)
}

// Fit gives the messages to send, how they were shortened, and the tokens they come
// to with the tools. It changes nothing: asked again, it says the same, and what it
// gave stays as it is when messages are added. Where the conversation doesn't fit,
// sent is nil and the error wraps [ErrContextFull].
//
// Its work is in proportion to the number of messages that it gives.
func (w *Window) Fit() (sent []Message, cut Cut, tokens int, err error) {
	f := w.shorten(w.sent)
	if w.budget > 0 && f.tokens() > w.budget {
		return nil, f.cut, f.tokens(), fmt.Errorf("fitting %d messages into %d tokens: %d are left after shortening all before message %d: %w",
			w.len(), w.budget, f.tokens(), f.cut.Stubbed, ErrContextFull)
	}
	from := f.cut.Folded
	sent = make([]Message, 0, w.len()-from+2)
	if from > 0 {
		if w.system != nil {
			sent = append(sent, *w.system)
		}
		lines := make([]string, 0, f.calls-f.counted)
		for n := f.counted; n < f.calls; n++ {
			lines = append(lines, w.line(n).text)
		}
		sent = append(sent, foldMessage(f.counted, lines))
	}
	for i := from; i < w.len(); i++ {
		m := w.at(i).message
		if i < f.cut.Stubbed && m.stubs() {
			m.Content = m.Stub
		}
		sent = append(sent, m)
	}
	return sent, f.cut, f.tokens(), nil
}

// shorten applies the rule before a request with all messages there are. Applied
// twice it does the same as once.
func (w *Window) shorten(f fitted) fitted {
	if w.budget <= 0 || f.tokens() <= w.budget {
		return f
	}
	enough := w.budget * 3 / 4
	for ; f.tokens() > enough && f.cut.Stubbed < w.settled; f.cut.Stubbed++ {
		e := w.at(f.cut.Stubbed)
		f.kept += e.stubbed - e.whole
	}
	for f.tokens() > enough && max(f.cut.Folded, w.first) < w.settled {
		w.fold(&f)
	}
	return f
}

// fold folds the oldest exchange, with what may stand before the first one.
func (w *Window) fold(f *fitted) {
	from, to := f.cut.Folded, max(f.cut.Folded, w.first)+1
	if from == 0 && w.system != nil {
		from = 1
	}
	for w.at(to).message.Role != RoleAssistant { // the last exchange begins with one
		to++
	}
	for i := from; i < to; i++ {
		e := w.at(i)
		f.kept -= e.stubbed
		if e.call {
			f.listed += w.line(f.calls).size
			f.calls++
		}
	}
	f.cut.Folded = to
	for room := w.budget / 4; f.listed > room; f.counted++ { // bytes: 4 a token
		oldest := w.line(f.counted)
		f.listed -= oldest.size
		f.cut.Counted = oldest.message + 1
	}
	before, after := foldFrame(f.calls, f.counted)
	frame := Message{Role: RoleUser, Content: before + after}
	f.fold = tokens(len(line(wire(frame, true))) + f.listed)
}

// release lets go of what is never sent again. It waits until that is half of what
// is held, so that all copying together is no more work than adding was.
func (w *Window) release() {
	if n := w.sent.cut.Folded - w.base; n > len(w.entries)/2 {
		w.entries = slices.Clone(w.entries[n:])
		w.base += n
	}
	if n := w.sent.counted - w.dropped; n > len(w.lines)/2 {
		w.lines = slices.Clone(w.lines[n:])
		w.dropped += n
	}
}

func (w *Window) len() int { return w.base + len(w.entries) }

// at is message i.
func (w *Window) at(i int) *entry { return &w.entries[i-w.base] }

// line is the line of call n, counted from 0 over the whole conversation.
func (w *Window) line(n int) callLine { return w.lines[n-w.dropped] }

func newEntry(m Message) (e entry, l callLine, err error) {
	e = entry{message: m}
	if e.whole, err = estimate(wire(m, true)); err != nil {
		return e, l, err
	}
	e.stubbed = e.whole
	if m.stubs() {
		m.Content = m.Stub
		if e.stubbed, err = estimate(wire(m, true)); err != nil {
			return e, l, err
		}
	}
	if l.text, e.call = m.folded(); e.call {
		l.size = len(line("\n"+l.text)) - len(`""`)
	}
	return e, l, nil
}

func estimate(v any) (int, error) {
	b, err := encode(v)
	if err != nil {
		return 0, fmt.Errorf("counting tokens: %w", err)
	}
	return tokens(len(b)), nil
}
