package journal

import (
	"context"
	"fmt"
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

func (x Index) add(name string) error {
	parts := strings.Split(strings.TrimPrefix(name, "journal/"), ".")
	key, err := canon.Parse("sha256:" + parts[0])
	if err != nil {
		return fmt.Errorf("reading the key of journal entry %q: %w", name, err)
	}
	if x[key] == nil {
		x[key] = map[int]Held{}
	}
	if len(parts) != 3 {
		return nil // completed: it says no more than the outcomes
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return fmt.Errorf("reading the number of journal entry %q: %w", name, err)
	}
	held := x[key][n]
	switch parts[2] {
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
