package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
)

// listJournal reads the keys of the store's journal, of all runs.
func (g *gathering) listJournal() error {
	for name, err := range g.store.List(g.ctx, journalDir) {
		if err != nil {
			return fmt.Errorf("listing the journal: %w", err)
		}
		hex, _, _ := strings.Cut(strings.TrimPrefix(name, journalDir), ".")
		g.journal[hex] = append(g.journal[hex], name)
	}
	return nil
}

// key takes in the journal of one key, and what its executions name.
func (g *gathering) key(hex string) error {
	names, err := g.unread(hex)
	if err != nil || len(names) == 0 {
		return err
	}
	for n := 1; slices.Contains(names, fmt.Sprintf("journal/%s.%d.intent", hex, n)); n++ {
		var in journal.Intent
		if err := g.entry(fmt.Sprintf("journal/%s.%d.intent", hex, n), &in); err != nil {
			return err
		}
		var out journal.Outcome
		if err := g.entry(fmt.Sprintf("journal/%s.%d.outcome", hex, n), &out); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := g.executed(in, out); err != nil {
			return err
		}
	}
	return nil
}

// unread are the names of a key's entries, the first time that it is asked for.
func (g *gathering) unread(hex string) ([]string, error) {
	if g.report == nil {
		names := g.journal[hex]
		if len(names) == 0 || g.entries[names[0]] {
			return nil, nil
		}
		for _, name := range names {
			g.entries[name] = true
		}
		return names, nil
	}
	d, err := canon.Parse("sha256:" + hex)
	if err != nil || !g.keys.Add(d) {
		return nil, nil // what is no key has no entries
	}
	var names []string
	for name, err := range g.store.List(g.ctx, journalDir+hex) {
		if err != nil {
			return nil, fmt.Errorf("listing the journal: %w", err)
		}
		if digits, _, _ := strings.Cut(strings.TrimPrefix(name, journalDir), "."); digits == hex {
			names = append(names, name)
		}
	}
	return names, nil
}

func (g *gathering) entry(key string, v any) error {
	b, err := g.store.Entry(g.ctx, key)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("reading journal entry %q: %w", key, err)
	}
	return nil
}

// executed takes in what the journal tells of an execution: also of one that no record
// has, because its outcome came too late or was reset away.
func (g *gathering) executed(in journal.Intent, out journal.Outcome) error {
	if in.Call != "" {
		var x record.Execution
		if len(out.Body) > 0 && json.Unmarshal(out.Body, &x) == nil {
			g.execution(in.Call, in.N, x)
		}
		return nil
	}
	g.prompt(in.Request, strconv.Itoa(in.Step))
	var turn record.TurnOutcome
	if len(out.Body) == 0 || json.Unmarshal(out.Body, &turn) != nil {
		return nil
	}
	if turn.Error != nil {
		g.add(Blob{Digest: turn.Error.Detail, Role: RoleError, Call: strconv.Itoa(in.Step), Attempt: in.N, Path: contentsDir + turn.Error.Detail.Hex() + ".json"})
	}
	return g.chain(turn.Proposal)
}
