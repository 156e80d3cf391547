package journal

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"rlam/internal/canon"
)

// Held says which entries a journal has of one execution.
type Held struct{ Intent, Handle, Outcome bool }

// Index is the entries of a journal by key and number of execution, without what is in
// them. It is read by who audits: who executes knows the keys.
type Index map[canon.Digest]map[int]Held

// Index lists the journal. It takes as long as the store has entries, of all runs.
func (j Journal) Index(ctx context.Context) (Index, error) {
	all := Index{}
	for name, err := range j.Store.List(ctx, "journal/") {
		if err != nil {
			return nil, fmt.Errorf("listing the journal: %w", err)
		}
		if err := all.add(name); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Held is what the index has of one key, for who can't have the index of a whole journal
// in memory. It reads what the store lists of that key alone.
func (j Journal) Held(ctx context.Context, key canon.Digest) (map[int]Held, error) {
	one := Index{}
	for name, err := range j.Store.List(ctx, "journal/"+key.Hex()+".") {
		if err != nil {
			return nil, fmt.Errorf("listing the journal of %s: %w", key, err)
		}
		if err := one.add(name); err != nil {
			return nil, err
		}
	}
	return one[key], nil
}

func (x Index) add(name string) error {
	key, n, what, err := parseName(name)
	if err != nil {
		return err
	}
	if x[key] == nil {
		x[key] = map[int]Held{}
	}
	if what == "" {
		return nil // completed: it says no more than the outcomes
	}
	held := x[key][n]
	switch what {
	case "intent":
		held.Intent = true
	case "handle":
		held.Handle = true
	case "outcome":
		held.Outcome = true
	}
	x[key][n] = held
	return nil
}

// parseName takes the name of an entry apart: its key, the number of the execution, and what
// it has of that; "" of one that is of no execution.
func parseName(name string) (key canon.Digest, n int, what string, err error) {
	parts := strings.Split(strings.TrimPrefix(name, "journal/"), ".")
	if key, err = canon.Parse("sha256:" + parts[0]); err != nil {
		return key, 0, "", fmt.Errorf("reading the key of journal entry %q: %w", name, err)
	}
	if len(parts) != 3 {
		return key, 0, "", nil
	}
	if n, err = strconv.Atoi(parts[1]); err != nil {
		return key, 0, "", fmt.Errorf("reading the number of journal entry %q: %w", name, err)
	}
	return key, n, parts[2], nil
}

// Intents are the executions that have an intent, of all keys, in the order of the store's
// names: a key's stand together.
func (j Journal) Intents(ctx context.Context) iter.Seq2[Named, error] {
	return func(yield func(Named, error) bool) {
		for name, err := range j.Store.List(ctx, "journal/") {
			if err != nil {
				yield(Named{}, fmt.Errorf("listing the journal: %w", err))
				return
			}
			key, n, what, err := parseName(name)
			if (err != nil || what == "intent") && !yield(Named{key, n}, err) {
				return
			}
		}
	}
}

// Named is an execution by the key and its number.
type Named struct {
	Key canon.Digest
	N   int
}

// Outcome reads the outcome of an execution, whether or not it has an intent. It is
// store.ErrNotFound if there is none.
func (j Journal) Outcome(ctx context.Context, key canon.Digest, n int) (Outcome, error) {
	var o Outcome
	return o, j.read(ctx, entry(key, n, "outcome"), &o)
}

// Intent reads the intent of an execution. It is store.ErrNotFound if there is none.
func (j Journal) Intent(ctx context.Context, key canon.Digest, n int) (Intent, error) {
	var i Intent
	return i, j.read(ctx, entry(key, n, "intent"), &i)
}
