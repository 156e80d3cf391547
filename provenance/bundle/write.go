package bundle

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"rlam/provenance"
	"rlam/provenance/export"
	"rlam/provenance/history"
)

// DefaultMaxSize is the size in bytes above which an artifact isn't taken along, where the
// options say nothing.
const DefaultMaxSize = 1 << 30

// Options say what goes into a bundle.
type Options struct {
	// MaxSize is how many bytes an artifact, input or log may have to be taken along;
	// 0 stands for [DefaultMaxSize], less for none at all.
	MaxSize int64
	// Withhold is what is left out on purpose: see docs/bundle-format.md.
	Withhold []string
	// Engine is the version of R-LAM that writes the bundle.
	Engine string
	// Retell builds the trace again from what is left, where something is withheld:
	// what the extras say must not tell of it. It is needed with Withhold alone.
	Retell func(ctx context.Context, run *export.Run) (*provenance.Trace, error)
	// Extras are further files of the payload.
	Extras []Extra
	// Describe writes the payload's ro-crate-metadata.json, if it is set.
	Describe func(ctx context.Context, run *export.Run, files []Blob) ([]byte, error)
	// Sign signs the tag manifest, if it is set, and returns the files of the signature
	// by name. The run is the one in the bundle: of withheld contents it knows no more.
	Sign func(ctx context.Context, tagManifest []byte, run *export.Run, withheld int) (map[string][]byte, error)
	// CheckSignature are the commands by which the README has the signature checked.
	CheckSignature []string
}

// Extra is a file that is made of the run.
type Extra struct {
	Path      string // below data/
	About     string // a few words for who reads the README
	MediaType string
	Write     func(ctx context.Context, w io.Writer, run *export.Run) error
}

// Written says what a bundle came to hold.
type Written struct {
	Files  int   `json:"files"`
	Bytes  int64 `json:"payload_bytes"` // before compression
	Absent []Absent
	Signed bool `json:"signed"`
}

// LeakError says that something withheld stands in a file that the bundle would have.
type LeakError struct {
	Path   string // below data/
	Text   string // what stands there: for who has it anyway
	Advice string
}

func (e *LeakError) Error() string {
	return fmt.Sprintf("withholding: %s of what is withheld stands verbatim in %q: %s", quote(e.Text), e.Path, e.Advice)
}

// quote is the beginning of a text, in quotes.
func quote(s string) string {
	const most = 40
	if len(s) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:most], ""))
	}
	return fmt.Sprintf("%q", s)
}

// Write writes a run as a bundle, a zip archive. It reads everything twice: once to know
// what there is, and once to copy it. Memory grows with the number of files, not with
// their sizes.
func Write(ctx context.Context, w io.Writer, run *export.Run, o Options) (*Written, error) {
	if run.Store == nil || run.Trace.Record.IsZero() {
		return nil, errors.New("writing a bundle: no record of the run is at hand, and a bundle is made of them; export its history instead: --format history")
	}
	p := &packing{ctx: ctx, o: o, max: cmp.Or(o.MaxSize, DefaultMaxSize), top: cleanName(run.Trace.ID)}
	defer p.spool.close()
	if err := p.plan(run); err != nil {
		return nil, fmt.Errorf("writing a bundle of run %q: %w", run.Trace.ID, err)
	}
	if err := p.archive(w); err != nil {
		return nil, fmt.Errorf("writing a bundle of run %q: %w", run.Trace.ID, err)
	}
	return &p.written, nil
}

// file is a file of the archive.
type file struct {
	path string // below the top folder
	size int64
	sum  [sha512.Size]byte
	open func() (io.ReadCloser, error)
}

// packing is a bundle that is being written.
type packing struct {
	ctx     context.Context
	o       Options
	max     int64
	top     string    // name of the folder
	when    time.Time // that all files have
	with    *withholding
	run     *export.Run // as it is told in the bundle
	index   Index
	files   []*file
	spool   spool
	written Written
}

// plan decides what goes in, and hashes it.
func (p *packing) plan(run *export.Run) error {
	g, err := gather(p.ctx, run)
	if err != nil {
		return err
	}
	if p.with, err = g.withhold(p.o.Withhold); err != nil {
		return err
	}
	if len(p.o.Withhold) == 0 {
		if p.with.redacted, err = earlierRedacted(p.ctx, run.Store); err != nil {
			return err
		}
	}
	if err := p.retell(run); err != nil {
		return err
	}
	p.when = lastTime(run.Trace)
	p.facts()
	for _, step := range []func() error{p.blobs, p.listing, p.histories, p.entries, p.leftovers, p.extras, p.describe, p.writeIndex, p.readme} {
		if err := step(); err != nil {
			return err
		}
	}
	return p.tags()
}

// retell makes the run as it is told in the bundle: without what isn't taken along.
func (p *packing) retell(run *export.Run) error {
	told := *run
	told.Store = &narrowed{Store: run.Store, with: p.with}
	p.run = &told
	if !p.with.any() {
		return nil
	}
	told.Histories = slices.Clone(run.Histories)
	for i, h := range told.Histories {
		b, err := h.Bytes()
		if err == nil {
			b, err = history.Withhold(b, p.with.withheld)
		}
		if err != nil {
			return err
		}
		told.Histories[i].Protobuf = b
	}
	if p.o.Retell == nil {
		return errors.New("withholding: nobody said how the trace is told again")
	}
	var err error
	told.Trace, err = p.o.Retell(p.ctx, &told)
	return err
}

// lastTime is when the last thing happened that is known of a run.
func lastTime(t *provenance.Trace) time.Time {
	var last time.Time
	for _, r := range append(slices.Clone(t.Line), t.Aside...) {
		for _, at := range []time.Time{r.Started, r.Closed} {
			if at.After(last) {
				last = at
			}
		}
		for _, k := range r.Activities {
			for _, at := range []time.Time{k.ScheduledAt, k.ClosedAt} {
				if at.After(last) {
					last = at
				}
			}
		}
	}
	return last.UTC()
}

func (p *packing) facts() {
	t := p.run.Trace
	p.index = Index{
		Format: Format, Engine: p.o.Engine, Blobs: []Blob{}, Entries: []Entry{}, Absent: []Absent{},
		Run: RunFacts{ID: t.ID, Namespace: p.run.Namespace, Record: t.Record, Head: t.Head, Status: t.Status, Runs: []TemporalFact{}},
	}
}

// add hashes a file of the payload, and looks for what must not be in it.
func (p *packing) add(name string, open func() (io.ReadCloser, error)) (*file, string, error) {
	f := &file{path: payloadDir + name, open: open}
	r, err := open()
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	sum, scan := sha512.New(), p.with.needles.scanner()
	if f.size, err = io.Copy(io.MultiWriter(sum, scan), r); err != nil {
		return nil, "", err
	}
	sum.Sum(f.sum[:0])
	return f, scan.hit(), nil
}

// include adds a file that can't be left out: something withheld in it is a leak.
func (p *packing) include(name, advice string, open func() (io.ReadCloser, error)) (*file, error) {
	f, hit, err := p.add(name, open)
	if err != nil {
		return nil, fmt.Errorf("reading what is to be %q: %w", name, err)
	}
	if hit != "" {
		return nil, &LeakError{Path: name, Text: hit, Advice: advice}
	}
	p.files = append(p.files, f)
	return f, nil
}

func inMemory(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// tags adds the manifests and what signs them. The payload is complete.
func (p *packing) tags() error {
	slices.SortFunc(p.files, func(a, b *file) int { return strings.Compare(a.path, b.path) })
	var manifest bytes.Buffer
	for _, f := range p.files {
		fmt.Fprintf(&manifest, "%s  %s\n", hex.EncodeToString(f.sum[:]), f.path)
		p.written.Bytes += f.size
	}
	p.written.Files, p.written.Absent = len(p.files), p.index.Absent
	var tags bytes.Buffer
	for _, t := range []struct {
		name string
		text []byte
	}{{bagInfoFile, p.bagInfo()}, {bagItFile, []byte(bagIt)}, {manifestFile, manifest.Bytes()}} {
		sum := sha512.Sum512(t.text)
		fmt.Fprintf(&tags, "%s  %s\n", hex.EncodeToString(sum[:]), t.name)
		p.tag(t.name, t.text)
	}
	p.tag(tagManifestFile, tags.Bytes())
	if p.o.Sign != nil {
		signed, err := p.o.Sign(p.ctx, tags.Bytes(), p.run, p.countWithheld())
		if err != nil {
			return err
		}
		for _, name := range sortedKeys(signed) {
			if !slices.Contains(signatureFiles, name) {
				return fmt.Errorf("signing: %q is no file of a signature", name)
			}
			p.tag(name, signed[name])
		}
		p.written.Signed = true
	}
	slices.SortFunc(p.files, func(a, b *file) int { return strings.Compare(a.path, b.path) })
	return nil
}

func (p *packing) tag(name string, text []byte) {
	p.files = append(p.files, &file{path: name, size: int64(len(text)), sum: sha512.Sum512(text), open: inMemory(text)})
}

func (p *packing) countWithheld() int {
	n := 0
	for _, a := range p.index.Absent {
		if a.Why == Withheld {
			n++
		}
	}
	return n
}

func (p *packing) bagInfo() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Bag-Software-Agent: %s\n", p.o.Engine)
	fmt.Fprintf(&b, "Bagging-Date: %s\n", p.when.Format(time.DateOnly))
	fmt.Fprintf(&b, "External-Description: A run of R-LAM: %s\n", cleanName(p.run.Trace.ID))
	fmt.Fprintf(&b, "External-Identifier: %s\n", p.run.Trace.Record)
	fmt.Fprintf(&b, "Payload-Oxum: %d.%d\n", p.written.Bytes, p.written.Files)
	return b.Bytes()
}

// archive writes the files, in their order.
func (p *packing) archive(w io.Writer) error {
	z := zip.NewWriter(w)
	for _, f := range p.files {
		if err := p.copy(z, f); err != nil {
			return fmt.Errorf("copying %q: %w", f.path, err)
		}
	}
	return z.Close()
}

func (p *packing) copy(z *zip.Writer, f *file) error {
	if err := context.Cause(p.ctx); err != nil {
		return err
	}
	h := &zip.FileHeader{Name: p.top + "/" + f.path, Method: zip.Deflate}
	if packed(f.path) {
		h.Method = zip.Store
	}
	h.SetMode(0o644)
	//lint:ignore SA1019 Modified would add a field with the time once more
	h.ModifiedDate, h.ModifiedTime = dosTime(p.when)
	to, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	from, err := f.open()
	if err != nil {
		return err
	}
	defer from.Close()
	sum := sha512.New()
	if _, err := io.Copy(io.MultiWriter(to, sum), from); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), f.sum[:]) {
		return errors.New("it changed while it was read")
	}
	return nil
}

// packed says whether a file is compressed already, by its name.
func packed(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".jpg", ".jpeg", ".gz", ".zip", ".xz", ".zst", ".bz2", ".pdf", ".h5", ".hdf5", ".npz":
		return true
	}
	return false
}

// dosTime spells a time as zip does, in steps of two seconds, in UTC.
func dosTime(t time.Time) (date, clock uint16) {
	if t.Year() < 1980 {
		t = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return uint16(t.Day() + int(t.Month())<<5 + (t.Year()-1980)<<9), uint16(t.Second()/2 + t.Minute()<<5 + t.Hour()<<11)
}
