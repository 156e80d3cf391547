package bundle

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"
)

// zipVersion is that of the format's specification, 2.0, which an archive is written for.
const zipVersion = 20

// errOther ends a comparison.
var errOther = errors.New("another byte")

// Layout is the first byte, counted from 0, at which an archive is laid out otherwise than
// [Write] does it, and -1 if it is as [Write] does it throughout. No file's bytes depend on
// that: whoever packs a bundle again changes the layout, and so does who changes times or
// attributes, which no manifest covers. Of a folder it is -1.
func (b *Bundle) Layout(ctx context.Context) (int64, error) {
	f, ok := b.closer.(*os.File)
	if !ok {
		return -1, nil
	}
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("looking at %q: %w", b.Path, err)
	}
	same := &comparing{ctx: ctx, with: io.NewSectionReader(f, 0, info.Size())}
	err = relaid(b.zip, same)
	switch {
	case errors.Is(err, errOther), err == nil && same.at != info.Size():
		return same.at, nil
	case err != nil:
		return 0, fmt.Errorf("looking at %q: %w", b.Path, err)
	}
	return -1, nil
}

// Flags of an entry, which CreateRaw takes as they are and CreateHeader sets by itself.
const (
	sizesFollow = 1 << 3 // the sizes follow the data
	// namedInUTF8 is set of names with bytes that stand for something else in some code page
	// of old; ~ is the only one that names of a bundle have.
	namedInUTF8 = 1 << 11
)

// relaid writes an archive's entries again as [Write] would, packed as they are.
func relaid(z *directory, to io.Writer) error {
	order, err := byName(z)
	if err != nil {
		return err
	}
	first := true
	var date, clock uint16
	var at int64
	var r relaying
	for e := range order {
		if first {
			// As Write has it: the time of the first entry, which all have.
			first, date, clock = false, e.ModifiedDate, e.ModifiedTime
		}
		if err := r.lay(e, at, date, clock); err != nil {
			return err
		}
		raw, err := e.OpenRaw()
		if err != nil {
			return err
		}
		for _, from := range []io.Reader{bytes.NewReader(r.header), raw, bytes.NewReader(r.descriptor)} {
			n, err := io.CopyBuffer(to, onlyReader{from}, r.copying[:])
			if err != nil {
				return err
			}
			at += n
		}
	}
	var offset, length int64
	for e := range order {
		if err := r.lay(e, offset, date, clock); err != nil {
			return err
		}
		if _, err := to.Write(r.record); err != nil {
			return err
		}
		offset += int64(len(r.header)) + int64(e.CompressedSize64) + int64(len(r.descriptor))
		length += int64(len(r.record))
	}
	_, err = to.Write(appendEnd(nil, z.records, length, at, false))
	return err
}

// onlyReader hides that a reader can write itself, which would take a buffer for each.
type onlyReader struct{ io.Reader }

// byName are the entries of an archive in the order of their names. They are not in memory if
// the directory has that order, as [Write] gives it.
func byName(z *directory) (iter.Seq[*zip.File], error) {
	type place struct {
		name string
		at   span
	}
	before, sorted := "", true
	for _, e := range z.entries() {
		sorted, before = sorted && before <= e.Name, e.Name
	}
	if sorted {
		return func(yield func(*zip.File) bool) {
			for _, e := range z.entries() {
				if !yield(e) {
					return
				}
			}
		}, nil
	}
	var places []place
	for at, e := range z.entries() {
		places = append(places, place{e.Name, at})
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.name, b.name) })
	return func(yield func(*zip.File) bool) {
		for _, p := range places {
			if e, err := z.entry(p.at); err != nil || !yield(e) {
				return
			}
		}
	}, nil
}

// relaying holds what package zip writes of one entry, apart from its data.
type relaying struct {
	written                    bytes.Buffer
	header, descriptor, record []byte
	copying                    [32 << 10]byte
}

// lay has an entry written that begins at an offset.
func (r *relaying) lay(e *zip.File, at int64, date, clock uint16) error {
	h := &zip.FileHeader{
		Name: e.Name, Method: zip.Deflate, Flags: sizesFollow, CRC32: e.CRC32,
		CompressedSize64: e.CompressedSize64, UncompressedSize64: e.UncompressedSize64,
	}
	if strings.ContainsAny(e.Name, `~\`) {
		h.Flags |= namedInUTF8
	}
	if packed(e.Name) {
		h.Method = zip.Store
	}
	h.SetMode(0o644)
	h.CreatorVersion, h.ReaderVersion = h.CreatorVersion|zipVersion, zipVersion
	//lint:ignore SA1019 Modified would add a field with the time once more
	h.ModifiedDate, h.ModifiedTime = date, clock
	r.written.Reset()
	w := zip.NewWriter(&r.written)
	w.SetOffset(at)
	if _, err := w.CreateRaw(h); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	header := r.written.Len()
	if err := w.Close(); err != nil {
		return err
	}
	all := r.written.Bytes()
	record := header + 16 // a signature, the checksum and the two sizes follow the data
	switch {
	case strings.HasSuffix(h.Name, "/"):
		record = header
	case max(h.CompressedSize64, h.UncompressedSize64) >= math.MaxUint32:
		record = header + 24
	}
	// A record has the entry's name, and fields where the archive is large.
	end := record + recordSize + len(h.Name) + int(binary.LittleEndian.Uint16(all[record+30:]))
	r.header, r.descriptor, r.record = all[:header], all[header:record], all[record:end]
	return nil
}

// comparing is written what a file should hold.
type comparing struct {
	ctx  context.Context
	with io.Reader
	at   int64
	have [32 << 10]byte
}

func (c *comparing) Write(p []byte) (int, error) {
	if err := context.Cause(c.ctx); err != nil {
		return 0, err
	}
	for rest := p; len(rest) > 0; {
		n, err := io.ReadFull(c.with, c.have[:min(len(rest), len(c.have))])
		if err != nil && n == 0 {
			return 0, errOther
		}
		if !bytes.Equal(c.have[:n], rest[:n]) {
			for i := range n {
				if c.have[i] != rest[i] {
					c.at += int64(i)
					return 0, errOther
				}
			}
		}
		c.at += int64(n)
		rest = rest[n:]
	}
	return len(p), nil
}
