package bundle

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return 0, fmt.Errorf("looking at %q: %w", b.Path, err)
	}
	same := &comparing{ctx: ctx, with: io.NewSectionReader(f, 0, info.Size())}
	err = relaid(z, same)
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
func relaid(z *zip.Reader, to io.Writer) error {
	entries := slices.SortedFunc(slices.Values(z.File), func(a, b *zip.File) int { return cmp.Compare(a.Name, b.Name) })
	w := zip.NewWriter(to)
	for _, e := range entries {
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
		//lint:ignore SA1019 as Write has it: the time of the first entry, which all have
		h.ModifiedDate, h.ModifiedTime = entries[0].ModifiedDate, entries[0].ModifiedTime
		data, err := w.CreateRaw(h)
		if err != nil {
			return err
		}
		raw, err := e.OpenRaw()
		if err != nil {
			return err
		}
		if _, err := io.Copy(data, raw); err != nil {
			return err
		}
	}
	return w.Close()
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
