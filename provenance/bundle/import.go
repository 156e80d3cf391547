package bundle

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/journal"
	"rlam/internal/record"
	"rlam/internal/store"
)

// Mark is what a store keeps of where an imported run comes from.
type Mark struct {
	Format    string       `json:"format"` // "rlam.imported.v1"
	Run       canon.Digest `json:"run"`
	Namespace string       `json:"namespace"`
	Manifest  string       `json:"tagmanifest"` // SHA-512 of the bundle's tag manifest, in hexadecimal
	Signed    bool         `json:"signed"`      // the bundle has a signature; nobody checked it
	Absent    []Absent     `json:"absent"`      // what the bundle hadn't got
	// Redacted are blobs with what is left of contents that the bundle withholds in part.
	Redacted []canon.Digest `json:"redacted,omitempty"`
	// Tools are those that requests offered: of withheld ones nothing else tells them.
	Tools []canon.Digest `json:"tools,omitempty"`
}

const markFormat = "rlam.imported.v1"

// DamagedError says that a bundle isn't what its manifests say. Nothing of it was taken in.
type DamagedError struct {
	First Fault
	More  int // faults besides
}

func (e *DamagedError) Error() string {
	s := "the bundle isn't what its manifests say: " + e.First.String()
	if e.More > 0 {
		s += fmt.Sprintf(", and %d more; starter verify names each", e.More)
	}
	return s
}

// Imported says what an import did.
type Imported struct {
	Run     canon.Digest `json:"record"`
	ID      string       `json:"run"`
	Own     bool         `json:"own"` // the store has made the run itself: nothing was done
	Blobs   int          `json:"blobs"`
	Bytes   int64        `json:"bytes"`
	Entries int          `json:"entries"`
	Signed  bool         `json:"signed"`
	Absent  []Absent     `json:"-"`
}

// Import takes what is in a bundle into a store: first the blobs, each verified, then
// journal and histories, and last the entry that lists the run. So a run that is listed is
// whole, and to import again after a crash, or for no reason, is safe. Nothing that the
// store has is replaced, and no entry is taken that belongs to another run.
//
// A bundle's bindings say what to execute, and come from whoever made it: the run is
// marked (see [ReadMark]), and who would execute them asks first.
func Import(ctx context.Context, b *Bundle, s store.Store) (*Imported, error) {
	im := &importing{ctx: ctx, bundle: b, store: s, owners: map[canon.Digest]canon.Digest{}, turns: map[string]int{}}
	if err := im.run(); err != nil {
		return nil, fmt.Errorf("importing %q: %w", b.Path, err)
	}
	return &im.done, nil
}

// ReadMark reads where a run was imported from; nil of one that wasn't.
func ReadMark(ctx context.Context, s store.Store, run canon.Digest) (*Mark, error) {
	raw, err := s.Entry(ctx, record.ImportKey(run))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	m := &Mark{}
	if err == nil {
		err = json.Unmarshal(raw, m)
	}
	if err != nil {
		return nil, fmt.Errorf("reading where run %s was imported from: %w", run, err)
	}
	return m, nil
}

// Recalling is a store that says of what an imported run lacks why that is so.
func (m *Mark) Recalling(s store.Store) store.Store {
	r := &recalling{Store: s, absent: map[canon.Digest]Absent{}, copies: m.Redacted, offered: m.Tools}
	for _, a := range m.Absent {
		r.absent[a.Digest] = a
	}
	return r
}

type recalling struct {
	store.Store
	absent  map[canon.Digest]Absent
	copies  []canon.Digest // see [Mark].Redacted
	offered []canon.Digest // see [Mark].Tools
}

func (r *recalling) tools() []canon.Digest { return r.offered }

func (r *recalling) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	f, err := r.Store.Get(ctx, d)
	if a, known := r.absent[d]; known && errors.Is(err, store.ErrNotFound) {
		return nil, &AbsentError{a}
	}
	return f, err
}

// importing is one import under way.
type importing struct {
	ctx    context.Context
	bundle *Bundle
	store  store.Store
	start  record.Run
	owners map[canon.Digest]canon.Digest // of records: the run that they belong to
	turns  map[string]int                // by Temporal run: up to which step the store was asked
	done   Imported
}

func (im *importing) run() error {
	run := im.bundle.Index.Run.Record
	if err := record.Load(im.ctx, im.bundle.Store, run, &im.start); err != nil {
		return err
	}
	im.done = Imported{Run: run, ID: im.start.ID, Absent: im.bundle.Index.Absent}
	own, err := im.own(run)
	if err != nil || own {
		im.done.Own = own
		return err
	}
	mark, err := im.check()
	if err != nil {
		return err
	}
	entries, err := im.entries()
	if err != nil {
		return err
	}
	if err := im.blobs(); err != nil {
		return err
	}
	if mark.Redacted, err = im.redacted(); err != nil {
		return err
	}
	if err := im.commit(entries); err != nil {
		return err
	}
	raw, err := canon.Marshal(mark)
	if err != nil {
		return err
	}
	im.done.Signed, im.done.Entries = mark.Signed, len(entries)
	return im.commit([]store.Entry{
		{Key: record.ImportKey(run), Value: raw},
		{Key: record.RunKey(im.start), Value: []byte(run.String())},
	})
}

// own says whether the store has made a run itself: then it has its secret.
func (im *importing) own(run canon.Digest) (bool, error) {
	_, err := im.store.Entry(im.ctx, record.SecretKey(run))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// check holds the bag against its manifests.
func (im *importing) check() (*Mark, error) {
	var faults []Fault
	if err := im.bundle.CheckBag(im.ctx, func(f Fault) { faults = append(faults, f) }); err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, &DamagedError{First: faults[0], More: len(faults) - 1}
	}
	signed, tags, err := im.bundle.Signature()
	if err != nil {
		return nil, err
	}
	sum := sha512.Sum512(tags)
	x := &im.bundle.Index
	return &Mark{
		Format: markFormat, Run: x.Run.Record, Namespace: x.Run.Namespace, Manifest: hex.EncodeToString(sum[:]),
		Signed: len(signed) > 0, Absent: x.Absent, Tools: im.tools(),
	}, nil
}

// tools are those that requests of the bundle offered, where some of what names them may
// not be here.
func (im *importing) tools() []canon.Digest {
	if k, is := im.bundle.Store.(toolsKeeper); is && len(im.bundle.Index.Absent) > 0 {
		return k.tools()
	}
	return nil
}

// batchBytes is about how many bytes are committed together.
const batchBytes = 4 << 20

// blobs copies all blobs.
func (im *importing) blobs() error {
	var batch [][]byte
	size := 0
	flush := func() error {
		_, _, err := im.store.Commit(im.ctx, store.Batch{Blobs: batch})
		batch, size = nil, 0
		return err
	}
	for b := range im.bundle.Blobs() {
		im.done.Blobs, im.done.Bytes = im.done.Blobs+1, im.done.Bytes+b.Size
		if b.Size > batchBytes/4 {
			if err := im.large(b); err != nil {
				return err
			}
			continue
		}
		raw, err := store.Read(im.ctx, im.bundle.Store, b.Digest, b.Size)
		if err != nil {
			return err
		}
		if batch, size = append(batch, raw), size+len(raw); size > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func (im *importing) large(b Blob) error {
	r, err := im.bundle.Store.Get(im.ctx, b.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	_, _, err = im.store.Put(im.ctx, r)
	return err
}

func (im *importing) commit(entries []store.Entry) error {
	const most = 1000
	for len(entries) > 0 {
		n := min(most, len(entries))
		if _, _, err := im.store.Commit(im.ctx, store.Batch{Entries: entries[:n]}); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return nil
}

// entries are the histories and the journal of the run. An entry of the journal decides
// what an execution came to, so that one that belongs to another run is refused, and one
// of a run that the store has made itself (whose beginning this one shares) is left out.
func (im *importing) entries() ([]store.Entry, error) {
	var all []store.Entry
	intents := map[string]journal.Intent{}
	for e := range im.bundle.Entries() {
		if strings.HasPrefix(e.Key, record.RunPrefix) {
			continue // it is listed by its own record
		}
		value, err := im.bundle.Store.Entry(im.ctx, e.Key)
		if err != nil {
			return nil, err
		}
		take := strings.HasPrefix(e.Key, record.HistoryKey(im.done.Run, ""))
		if !take {
			if take, err = im.belongs(e.Key, intents); err != nil {
				return nil, fmt.Errorf("entry %q: %w", e.Key, err)
			}
		}
		if take {
			all = append(all, store.Entry{Key: e.Key, Value: value})
		}
	}
	return all, nil
}

// belongs says whether an entry of the journal is to be taken in.
func (im *importing) belongs(key string, intents map[string]journal.Intent) (bool, error) {
	hex, rest, _ := strings.Cut(strings.TrimPrefix(key, journalDir), ".")
	in, read := intents[hex]
	if !read {
		raw, err := im.bundle.Store.Entry(im.ctx, journalDir+hex+".1.intent")
		if err == nil {
			err = json.Unmarshal(raw, &in)
		}
		if err != nil {
			return false, fmt.Errorf("whose it is can't be read: %w", err)
		}
		intents[hex] = in
	}
	if strings.HasSuffix(rest, ".intent") && rest != "1.intent" {
		raw, err := im.bundle.Store.Entry(im.ctx, key)
		if err == nil {
			err = json.Unmarshal(raw, &in)
		}
		if err != nil {
			return false, err
		}
	}
	switch {
	case in.Key.Hex() != hex:
		return false, errors.New("its intent is of another key")
	case in.Call != "" && in.Key == journal.CallKey(in.Proposal, in.Call):
		run, err := im.owner(in.Proposal)
		if err != nil {
			return false, err
		}
		own, err := im.own(run)
		return !own, err
	case in.Call == "" && in.Key == journal.TurnKey(in.Workflow, in.Step):
		return im.turn(in)
	}
	return false, errors.New("its key isn't made of what it is the key of")
}

// owner is the run that a record of the bundle belongs to.
func (im *importing) owner(d canon.Digest) (canon.Digest, error) {
	var way []canon.Digest
	for at := d; ; {
		if run, known := im.owners[at]; known {
			return im.owned(way, run), nil
		}
		rec, err := record.LoadAny(im.ctx, im.bundle.Store, at)
		if err != nil {
			return canon.Digest{}, err
		}
		way = append(way, at)
		if _, is := rec.(*record.Run); is {
			return im.owned(way, at), nil
		}
		at = record.Parent(rec)
	}
}

func (im *importing) owned(way []canon.Digest, run canon.Digest) canon.Digest {
	for _, d := range way {
		im.owners[d] = run
	}
	return run
}

// turn says whether the journal of a planner's turn is to be taken in. Its key is made of
// a Temporal run's ID, which the bundle could have from another run: a turn of which the
// store knows that it belongs to another is refused.
func (im *importing) turn(in journal.Intent) (bool, error) {
	own, err := im.own(in.Run)
	if err != nil || own {
		return false, err
	}
	j := journal.Journal{Store: im.store}
	if _, err := im.owner(in.Run); err != nil {
		return false, fmt.Errorf("it is of run %s, and the bundle hasn't that: %w", in.Run, err)
	}
	for ; im.turns[in.Workflow] < in.Step; im.turns[in.Workflow]++ {
		step := im.turns[in.Workflow] + 1
		here, err := j.Intent(im.ctx, journal.TurnKey(in.Workflow, step), 1)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		if here.Run != in.Run {
			return false, fmt.Errorf("the Temporal run %s belongs to run %s of this store, and the bundle says to %s", in.Workflow, here.Run, in.Run)
		}
	}
	return true, nil
}
