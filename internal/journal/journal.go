// Package journal writes down what is about to be executed before it is, and what
// came of it after, so that an execution whose end nobody reported is known.
//
// A key names one thing to be done once: a call (the digest of its proposal's
// record and its id) or a planner's turn (Temporal run ID and step). Its
// executions are numbered from 1. The store's entries are
//
//	journal/<key>.<n>.intent     before execution n begins; holds a random id
//	journal/<key>.<n>.handle     where its work lives, once it has started
//	journal/<key>.<n>.outcome    after it ended
//	journal/<key>.completed      the first execution that completed: it wins
//
// Each is written once and never changed: the store's PutIfAbsent decides who
// was first, across processes and machines. An intent without an outcome is an
// execution in doubt, or one that is still going on elsewhere.
//
// What is claimed is one recorded effect a key; that the effect happened once in
// the world can be claimed only for work that honours an idempotency key.
package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rlam/internal/canon"
	"rlam/internal/store"
)

// CallKey is the key of a call.
func CallKey(proposal canon.Digest, call string) canon.Digest {
	return canon.Key("rlam.call.v1", proposal.String(), call)
}

// TurnKey is the key of a planner's turn. A reset has another Temporal run ID, so it asks anew.
func TurnKey(temporalRunID string, step int) canon.Digest {
	return canon.Key("rlam.plan.v1", temporalRunID, strconv.Itoa(step))
}

// Intent says that an execution is about to begin.
type Intent struct {
	ID       string       `json:"id"` // random
	Key      canon.Digest `json:"key"`
	N        int          `json:"n"`
	Kind     string       `json:"kind"` // "call" or "plan"
	Run      canon.Digest `json:"run"`  // the run's record
	Call     string       `json:"call,omitempty"`
	Step     int          `json:"step,omitempty"`
	Proposal canon.Digest `json:"proposal,omitzero"` // of a call
	Request  canon.Digest `json:"request,omitzero"`  // of a planner's turn: what is about to be asked
	Activity string       `json:"activity"`          // Temporal's activity ID
	Workflow string       `json:"workflow"`          // Temporal's run ID
	Worker   string       `json:"worker"`
	Started  string       `json:"started"`
	Binding  canon.Digest `json:"binding,omitzero"` // that is about to run a call, where its action has several
}

// Status is how an execution ended.
type Status string

// The ways an execution ends.
const (
	Completed   Status = "completed"
	Failed      Status = "failed"
	Cancelled   Status = "cancelled"
	Interrupted Status = "interrupted" // by a worker's shutdown: what it had done by then is unknown
)

// Outcome says how an execution ended. Body belongs to who executed.
type Outcome struct {
	Intent string          `json:"intent"` // its id
	Status Status          `json:"status"`
	Ended  string          `json:"ended"`
	Body   json.RawMessage `json:"body,omitempty"`
}

// Execution is what the journal holds of one.
type Execution struct {
	N       int
	Intent  Intent
	Handle  json.RawMessage // nil if none was written
	Outcome *Outcome        // nil if none was written
}

// InDoubt says whether it is unknown what the execution did.
func (e Execution) InDoubt() bool {
	return e.Outcome == nil || e.Outcome.Status == Interrupted
}

// Journal reads and writes the entries of a store.
type Journal struct{ Store store.Store }

// Time spells a time as the journal and the records do.
func Time(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func entry(key canon.Digest, n int, what string) string {
	return fmt.Sprintf("journal/%s.%d.%s", key.Hex(), n, what)
}

func completedEntry(key canon.Digest) string { return "journal/" + key.Hex() + ".completed" }

// Executions reads all executions of a key, in order.
func (j Journal) Executions(ctx context.Context, key canon.Digest) ([]Execution, error) {
	var all []Execution
	for n := 1; ; n++ {
		e, err := j.Execution(ctx, key, n)
		if errors.Is(err, store.ErrNotFound) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
}

// Execution reads one execution. It is store.ErrNotFound if there is no such intent.
func (j Journal) Execution(ctx context.Context, key canon.Digest, n int) (Execution, error) {
	e := Execution{N: n}
	if err := j.read(ctx, entry(key, n, "intent"), &e.Intent); err != nil {
		return e, err
	}
	if err := j.read(ctx, entry(key, n, "handle"), &e.Handle); err != nil && !errors.Is(err, store.ErrNotFound) {
		return e, err
	}
	var o Outcome
	switch err := j.read(ctx, entry(key, n, "outcome"), &o); {
	case err == nil:
		e.Outcome = &o
	case !errors.Is(err, store.ErrNotFound):
		return e, err
	}
	return e, nil
}

// Winner is the number of the execution of key that completed first; 0 if none did.
func (j Journal) Winner(ctx context.Context, key canon.Digest) (int, error) {
	var n int
	err := j.read(ctx, completedEntry(key), &n)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	return n, err
}

func (j Journal) read(ctx context.Context, key string, v any) error {
	b, err := j.Store.Entry(ctx, key)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("reading journal entry %q: %w", key, err)
	}
	return nil
}

// ErrTaken says that another worker began execution n in the meantime.
var ErrTaken = errors.New("another worker began this execution")

// ErrEnded says that an execution has another outcome already. What happened is not edited.
var ErrEnded = errors.New("the execution has another outcome already")

// Begin writes the intent of execution n, with the blobs that must be there before
// it begins. It is ErrTaken if another worker was first.
func (j Journal) Begin(ctx context.Context, in Intent, n int, blobs ...[]byte) (Intent, error) {
	id := make([]byte, 16)
	rand.Read(id)
	in.ID, in.N = hex.EncodeToString(id), n
	if !writesIntents {
		_, _, err := j.Store.Commit(ctx, store.Batch{Blobs: blobs})
		return in, err
	}
	value, err := canon.Marshal(in)
	if err != nil {
		return in, err
	}
	current, _, err := store.PutIfAbsent(ctx, j.Store, entry(in.Key, n, "intent"), value, blobs...)
	if err != nil {
		return in, fmt.Errorf("writing the intent of execution %d of %s: %w", n, in.Key, err)
	}
	if !bytes.Equal(current, value) { // the id in it is random: equal means that it is ours
		return in, fmt.Errorf("execution %d of %s: %w", n, in.Key, ErrTaken)
	}
	return in, nil
}

// SetHandle writes where the work of an execution lives.
func (j Journal) SetHandle(ctx context.Context, in Intent, handle any) error {
	value, err := canon.Marshal(handle)
	if err != nil {
		return err
	}
	if _, _, err := store.PutIfAbsent(ctx, j.Store, entry(in.Key, in.N, "handle"), value); err != nil {
		return fmt.Errorf("writing the handle of execution %d of %s: %w", in.N, in.Key, err)
	}
	return nil
}

// End writes an execution's outcome with the blobs that belong to it, and returns the
// number of the execution that completed first: another than in.N if this one came too late.
func (j Journal) End(ctx context.Context, in Intent, out Outcome, blobs ...[]byte) (winner int, err error) {
	return j.EndWith(ctx, in, out, store.Batch{Blobs: blobs})
}

// EndWith is [Journal.End] with entries besides, which are written in the same commit.
func (j Journal) EndWith(ctx context.Context, in Intent, out Outcome, with store.Batch) (winner int, err error) {
	out.Intent = in.ID
	value, err := canon.Marshal(out)
	if err != nil {
		return 0, err
	}
	// Only who holds the intent ends it, so nobody writes an outcome after this look.
	written, err := j.Store.Entry(ctx, entry(in.Key, in.N, "outcome"))
	if err == nil && !bytes.Equal(written, value) {
		return 0, fmt.Errorf("ending execution %d of %s: %w", in.N, in.Key, ErrEnded)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("ending execution %d of %s: %w", in.N, in.Key, err)
	}
	batch := store.Batch{Blobs: with.Blobs, Entries: []store.Entry{{Key: entry(in.Key, in.N, "outcome"), Value: value}}}
	if out.Status == Completed {
		batch.Entries = append(batch.Entries, store.Entry{Key: completedEntry(in.Key), Value: []byte(strconv.Itoa(in.N))})
	}
	batch.Entries = append(batch.Entries, with.Entries...)
	_, current, err := j.Store.Commit(ctx, batch)
	if err != nil {
		return 0, fmt.Errorf("writing the outcome of execution %d of %s: %w", in.N, in.Key, err)
	}
	if out.Status != Completed {
		return 0, nil
	}
	if err := json.Unmarshal(current[1], &winner); err != nil {
		return 0, fmt.Errorf("reading the winner of %s: %w", in.Key, err)
	}
	return winner, nil
}
