package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/history"
)

// narrowed is a store without what isn't taken along, so that what is made of the run tells
// no more of it than the bundle has.
type narrowed struct {
	store.Store
	with *withholding
}

func (n *narrowed) Get(ctx context.Context, d canon.Digest) (io.ReadCloser, error) {
	if it := n.with.items[d]; it != nil && it.why != "" {
		return nil, &AbsentError{it.absent()}
	}
	return n.Store.Get(ctx, d)
}

// blobs adds what the run names by digest, and notes what of it isn't there.
func (p *packing) blobs() error {
	for _, it := range p.with.order {
		if err := p.blob(it); err != nil {
			return err
		}
	}
	slices.SortFunc(p.index.Blobs, func(a, b Blob) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

func (p *packing) blob(it *item) error {
	if it.why == "" && it.Role.bounded() && it.Size > p.max {
		it.why = TooLarge
	}
	if it.why != "" {
		p.absent(it)
		return nil
	}
	f, hit, err := p.add(it.Path, func() (io.ReadCloser, error) { return p.with.store.Get(p.ctx, it.Digest) })
	var corrupt *store.CorruptError
	var gone *AbsentError
	switch {
	case errors.As(err, &gone): // from a bundle, which hadn't got it either
		it.why, it.note, it.Size = gone.Why, gone.Note, gone.Size
	case errors.Is(err, store.ErrNotFound):
		it.why = Missing
		if it.Role == RoleInput && it.note != "" || it.Role == RoleFile {
			it.why = Reference
		}
	case errors.As(err, &corrupt):
		it.why = Spoilt
	case err != nil:
		return fmt.Errorf("reading what is to be %q: %w", it.Path, err)
	case it.Role.bounded() && f.size > p.max:
		it.Size, it.why = f.size, TooLarge
	case hit != "":
		return &LeakError{Path: it.Path, Text: hit, Advice: advice(it)}
	}
	if it.why != "" {
		p.absent(it)
		return nil
	}
	it.Size = f.size
	p.files = append(p.files, f)
	p.index.Blobs = append(p.index.Blobs, it.Blob)
	return nil
}

// advice is what to do about a leak in a file.
func advice(it *item) string {
	switch it.Role {
	case RoleArtifact:
		return "withhold it too: --withhold artifact:" + it.Call + "/" + it.Name
	case RoleFile:
		name, _, _ := strings.Cut(it.Name, "/")
		return "withhold its folder too: --withhold artifact:" + it.Call + "/" + name
	case RoleInput:
		return "it is an input of the run, and what is withheld can be read there"
	}
	return "a bundle can't be without it"
}

func (p *packing) absent(it *item) {
	p.index.Absent = append(p.index.Absent, it.absent())
}

func (it *item) absent() Absent {
	return Absent{Digest: it.Digest, Size: it.Size, Role: it.Role, Name: it.Name, Call: it.Call, Attempt: it.Attempt, Why: it.why, Note: it.note}
}

// listing is the entry by which a store lists the run, so that the bundle does as well.
func (p *packing) listing() error {
	var r record.Run
	if err := record.Load(p.ctx, p.with.store, p.index.Run.Record, &r); err != nil {
		return err
	}
	p.index.Entries = append(p.index.Entries, Entry{Key: record.RunKey(r), Value: p.index.Run.Record.String()})
	return nil
}

// histories adds each Temporal run, in both spellings.
func (p *packing) histories() error {
	const advice = "a failure's message or a refusal quotes it; withhold the outputs and parameters of that call as a whole"
	for _, h := range p.run.Histories {
		protobuf, err := h.Bytes()
		if err != nil {
			return err
		}
		name := p.with.places.claim(historiesDir+h.RunID+".pb", canon.Sum(protobuf))
		if _, err := p.include(name, advice, inMemory(protobuf)); err != nil {
			return err
		}
		var text bytes.Buffer
		if err := history.WriteJSON(&text, protobuf); err != nil {
			return err
		}
		spooled, err := p.spool.keep(&text)
		if err != nil {
			return err
		}
		if _, err := p.include(strings.TrimSuffix(name, ".pb")+".json", advice, spooled); err != nil {
			return err
		}
		events := 0
		for _, err := range history.FromProtobuf(protobuf) {
			if err != nil {
				return err
			}
			events++
		}
		d := canon.Sum(protobuf)
		p.index.Run.Runs = append(p.index.Run.Runs, TemporalFact{RunID: h.RunID, Events: int64(events), History: d, Aside: h.Aside})
		p.index.Blobs = append(p.index.Blobs, Blob{Digest: d, Path: name, Size: int64(len(protobuf)), Role: RoleHistory, Name: h.RunID})
		p.index.Entries = append(p.index.Entries, Entry{Key: record.HistoryKey(p.index.Run.Record, h.RunID), Value: d.String()})
	}
	return nil
}

// entries adds the journal of the run, each entry a file.
func (p *packing) entries() error {
	whole := !p.with.any() // looks at every item: asked once, not for each entry
	for _, key := range sortedKeys(p.with.entries) {
		open := func() (io.ReadCloser, error) {
			b, err := p.run.Store.Entry(p.ctx, key)
			if err == nil && !whole {
				b = p.previewless(b)
			}
			return io.NopCloser(bytes.NewReader(b)), err
		}
		if _, err := p.include(key, "the journal of the run quotes it", open); err != nil {
			return err
		}
		p.index.Entries = append(p.index.Entries, Entry{Key: key, Path: key})
	}
	slices.SortFunc(p.index.Entries, func(a, b Entry) int { return strings.Compare(a.Key, b.Key) })
	return nil
}

// previewless is an entry of the journal without the previews of what is withheld.
func (p *packing) previewless(entry []byte) []byte {
	return history.WithoutPreviews(entry, p.with.withheld)
}

// leftovers adds what is left of contents that are withheld in part.
func (p *packing) leftovers() error {
	for _, r := range p.with.redacted {
		b, err := canon.Marshal(r)
		if err != nil {
			return err
		}
		name := p.with.places.claim(redactedDir+cleanName(fmt.Sprintf("%s.%s.json", r.Call, r.What)), r.Of)
		if _, err := p.include(name, "what is left of it says it as well", inMemory(b)); err != nil {
			return err
		}
	}
	return nil
}

// extras adds the files that are made of the run.
func (p *packing) extras() error {
	for _, x := range p.o.Extras {
		spooled, err := p.spool.made(func(w io.Writer) error { return x.Write(p.ctx, w, p.run) })
		if err != nil {
			return fmt.Errorf("making %q: %w", x.Path, err)
		}
		if _, err := p.include(x.Path, "it is made of the run", spooled); err != nil {
			return err
		}
	}
	return nil
}

// describe adds the crate's metadata, which list all files of the payload but themselves.
func (p *packing) describe() error {
	if p.o.Describe == nil {
		return nil
	}
	files := slices.Clone(p.index.Blobs)
	for _, e := range p.index.Entries {
		if e.Path != "" {
			files = append(files, Blob{Path: e.Path, Role: "journal", MediaType: "application/json"})
		}
	}
	for _, x := range p.o.Extras {
		files = append(files, Blob{Path: x.Path, Role: "trace", MediaType: x.MediaType})
	}
	files = append(files, Blob{Path: IndexFile, Role: "index", MediaType: "application/json"}, Blob{Path: ReadmeFile, Role: "readme", MediaType: "text/markdown"})
	b, err := p.o.Describe(p.ctx, p.run, files)
	if err != nil {
		return fmt.Errorf("describing the crate: %w", err)
	}
	_, err = p.include("ro-crate-metadata.json", "it describes the run", inMemory(b))
	return err
}

// writeIndex adds the index, with a line for each blob, entry and absence, so that people
// can search it.
func (p *packing) writeIndex() error {
	var b bytes.Buffer
	head, err := json.Marshal(struct {
		Format string   `json:"format"`
		Engine string   `json:"engine"`
		Run    RunFacts `json:"run"`
	}{p.index.Format, p.index.Engine, p.index.Run})
	if err != nil {
		return err
	}
	b.Write(bytes.TrimSuffix(head, []byte("}")))
	err = errors.Join(listTo(&b, "blobs", p.index.Blobs), listTo(&b, "entries", p.index.Entries), listTo(&b, "absent", p.index.Absent))
	if err != nil {
		return err
	}
	b.WriteString("}\n")
	_, err = p.include(IndexFile, "the index names it", inMemory(b.Bytes()))
	return err
}

// listTo writes one more member of an object, a list with an element a line.
func listTo[T any](b *bytes.Buffer, name string, all []T) error {
	fmt.Fprintf(b, ",\n%q:[", name)
	for i, one := range all {
		raw, err := json.Marshal(one)
		if err != nil {
			return err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(raw)
	}
	b.WriteByte(']')
	return nil
}

// spool keeps what was made until it is copied, in files that nobody else sees.
type spool struct{ files []*os.File }

func (s *spool) keep(r io.Reader) (func() (io.ReadCloser, error), error) {
	return s.made(func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

func (s *spool) made(write func(io.Writer) error) (func() (io.ReadCloser, error), error) {
	f, err := os.CreateTemp("", "rlam-bundle-*")
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, f)
	if err := write(f); err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	return func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(f, 0, size)), nil }, nil
}

func (s *spool) close() {
	for _, f := range s.files {
		f.Close()
		os.Remove(f.Name())
	}
}
