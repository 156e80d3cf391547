package executor

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"rlam/schemas"
)

// The failure types that executors give. They are stable: retries and policies name them.
const (
	TypeActionFailed  = "rlam.ActionFailed"  // the handler returned an error without a type of its own
	TypeExitStatus    = "rlam.ExitStatus"    // the program exited with a status other than 0
	TypeSignalled     = "rlam.Signalled"     // the program was ended by a signal that the engine didn't send
	TypeInvalidParams = "rlam.InvalidParams" // the parameters don't fit the handler or the command line
	TypeInvalidOutput = "rlam.InvalidOutput" // what came out is no output: no JSON, or a file outside of the folder
	TypePanic         = "rlam.Panic"         // the handler panicked
	TypeTimeout       = "rlam.Timeout"       // the attempt's time was up
	TypeCancelled     = "rlam.Cancelled"     // the attempt was cancelled
	TypeAbandoned     = "rlam.Abandoned"     // the handler didn't return when told to, and may still be running
	TypeNotStarted    = "rlam.NotStarted"    // there is no such program, or it can't be run
	TypeNoIsolation   = "rlam.NoIsolation"   // it must be kept apart more than this worker can: nothing has run
	TypeProbeFailed   = "rlam.ProbeFailed"   // a command that describes the program's environment failed
)

const (
	maxStderr  = 4 << 10 // bytes of the tail of stderr that a failure keeps
	maxMessage = 4 << 10
	maxCauses  = 20
)

// Failure is how an attempt failed. It is an error, and survives JSON unchanged.
type Failure struct {
	Type      string          `json:"type"`
	Message   string          `json:"message"` // never empty
	Causes    []string        `json:"causes,omitempty"`
	Exit      *int            `json:"exit,omitempty"`
	Signal    string          `json:"signal,omitempty"` // "SIGSEGV"
	Stderr    string          `json:"stderr,omitempty"` // its last 4 kB
	Partial   json.RawMessage `json:"partial,omitempty"`
	Artifacts []Artifact      `json:"artifacts,omitempty"`
	Log       Artifact        `json:"log,omitzero"`

	// RetryAfter is how long a service asked to wait before another attempt.
	RetryAfter schemas.Duration `json:"retry_after,omitzero"`
}

func (f *Failure) Error() string { return f.Type + ": " + f.Message }

func mayClaim(typ string) bool { return schemas.CheckFailureType(typ) == nil }

func notClaimable(typ string) string {
	return fmt.Sprintf("an action may not give the failure type %q", head(typ, 80))
}

// asFailure is what a handler's error says.
func asFailure(err error) *Failure {
	f := &Failure{Type: TypeActionFailed, Message: err.Error()}
	var made *Failure
	if errors.As(err, &made) {
		*f = *made
		if error(made) != err { // wrapped: the outer message says more
			f.Message = err.Error()
		}
	}
	return f.complete(err)
}

// complete bounds f, names the causes below err, and makes sure that a message is there:
// an error without one must still say something to a person and to the planner.
func (f *Failure) complete(err error) *Failure {
	if f.Type == "" {
		f.Type = TypeActionFailed
	}
	if err != nil {
		if _, own := err.(*Failure); !own {
			f.Causes = append(f.Causes, causes(err)...)
		}
	}
	if strings.TrimSpace(f.Message) == "" {
		f.Message = f.Type + " without a message"
		if err != nil {
			f.Message += fmt.Sprintf(" (%T)", err)
		}
	}
	f.Message = head(f.Message, maxMessage)
	if len(f.Causes) > maxCauses {
		f.Causes = f.Causes[:maxCauses]
	}
	for i, c := range f.Causes {
		f.Causes[i] = head(c, maxMessage)
	}
	return f
}

// causes lists the errors below err, outermost first.
func causes(err error) []string {
	var below []error
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			below = []error{inner}
		}
	case interface{ Unwrap() []error }:
		below = e.Unwrap()
	}
	var all []string
	for _, b := range below {
		text := b.Error()
		if strings.TrimSpace(text) == "" {
			text = fmt.Sprintf("%T without a message", b)
		}
		all = append(append(all, text), causes(b)...)
	}
	return all
}

// head is the first n bytes of text, whole characters only, and valid UTF-8.
func head(text string, n int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= n {
		return text
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
