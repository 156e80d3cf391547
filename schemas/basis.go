package schemas

import (
	"encoding/hex"
	"strconv"
	"time"

	"rlam/internal/canon"
)

// callFacts are what the gates after references judge, the policy apart.
type callFacts struct {
	Spec    canon.Digest
	Params  canon.Digest // with references replaced
	Effects Effects
	Inputs  canon.Digest
	Narrow  canon.Digest // the study, where it narrows the parameters
	Seed    uint64
	Step    int
	Calls   canon.Digest // of the variable of that name
}

func (f callFacts) canonical() []byte {
	b := newBasis()
	b.digest("calls", f.Calls)
	b.word("effects", string(f.Effects))
	b.digest("inputs", f.Inputs)
	b.digest("narrow", f.Narrow)
	b.digest("params", f.Params)
	b.number("seed", int64(f.Seed))
	b.digest("spec", f.Spec)
	b.number("step", int64(f.Step))
	return b.close()
}

// limitFacts are what the limits gate judges.
type limitFacts struct {
	Attempts, MaxAttempts int
	Calls, MaxCalls       int
	Granted               int // calls of the step before this one
	Bytes, MaxBytes       int64
	Elapsed, MaxElapsed   Duration
	Action                string // one that has a limit of its own
	OfAction, MaxOfAction int
	Last                  string // the limit that is reached, of a last turn
}

func (f limitFacts) canonical() []byte {
	b := newBasis()
	b.word("action", f.Action)
	b.number("attempts", int64(f.Attempts))
	b.number("bytes", f.Bytes)
	b.number("calls", int64(f.Calls))
	b.word("elapsed", time.Duration(f.Elapsed).String())
	b.number("granted", int64(f.Granted))
	b.word("last", f.Last)
	b.number("max_attempts", int64(f.MaxAttempts))
	b.number("max_bytes", f.MaxBytes)
	b.number("max_calls", int64(f.MaxCalls))
	b.word("max_elapsed", time.Duration(f.MaxElapsed).String())
	b.number("max_of_action", int64(f.MaxOfAction))
	b.number("of_action", int64(f.OfAction))
	return b.close()
}

// basis writes canonical JSON of an object whose members come in the order of their
// names, which need no escapes, as little as their values do. What is zero is left out.
type basis struct{ text []byte }

func newBasis() *basis { return &basis{append(make([]byte, 0, 320), '{')} }

func (b *basis) name(name string) {
	if len(b.text) > 1 {
		b.text = append(b.text, ',')
	}
	b.text = append(append(append(b.text, '"'), name...), '"', ':')
}

func (b *basis) digest(name string, d canon.Digest) {
	if !d.IsZero() {
		b.name(name)
		b.text = append(hex.AppendEncode(append(b.text, `"sha256:`...), d[:]), '"')
	}
}

func (b *basis) word(name, word string) {
	if word != "" {
		b.name(name)
		b.text = append(append(append(b.text, '"'), word...), '"')
	}
}

func (b *basis) number(name string, n int64) {
	if n != 0 {
		b.name(name)
		b.text = strconv.AppendInt(b.text, n, 10)
	}
}

func (b *basis) close() []byte { return append(b.text, '}') }
