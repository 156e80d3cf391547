package bundle

import (
	"archive/zip"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/internal/tree"
)

// Limits bound what a bundle may make its reader do. A zero member is its default.
type Limits struct {
	Files int   // that an archive or a folder may hold; 2,000,000
	Bytes int64 // of all files together, unpacked; 1 TiB
	Ratio int64 // of a file's size to its packed size, above 1 MiB; 1,000
}

func (l Limits) filled() Limits {
	return Limits{Files: cmp.Or(l.Files, 2_000_000), Bytes: cmp.Or(l.Bytes, 1<<40), Ratio: cmp.Or(l.Ratio, 1000)}
}

// maxIndex bounds the index and the manifests, in bytes.
const maxIndex = 1 << 30

// HostileError says that an archive isn't what anybody would write who means well, and
// that nothing of it was read.
type HostileError struct {
	Entry string // the name, as it stands there
	What  string
}

func (e *HostileError) Error() string {
	if e.Entry == "" {
		return "the archive is refused: " + e.What
	}
	return fmt.Sprintf("the archive is refused at its entry %q: %s", e.Entry, e.What)
}

// FormatError says that an index is of a format that this version doesn't read.
type FormatError struct{ Format string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("the bundle has the format %q, and this version reads %q: open it with a newer R-LAM", e.Format, Format)
}

// Bundle is a bundle that can be read. What is in it is verified when it is read, and
// nothing in it is believed before.
type Bundle struct {
	Path  string
	FS    fs.FS // the bag
	Index Index
	Store store.Store // of what is in it; it can't be written to

	files  inventory
	zip    *directory // of an archive; else nil
	hidden []Fault    // in an archive: what stands in it and belongs to no file
	closer io.Closer
}

// Open opens a bundle: the zip archive, or the folder that came of unpacking one. Before
// anything is read, an archive is refused that could do harm. The caller closes it.
func Open(ctx context.Context, name string, l Limits) (*Bundle, error) {
	b, err := open(ctx, name, l.filled())
	if err != nil {
		return nil, fmt.Errorf("opening bundle %q: %w", name, err)
	}
	return b, nil
}

func open(ctx context.Context, name string, l Limits) (*Bundle, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	b := &Bundle{Path: name}
	if info.IsDir() {
		err = b.openFolder(ctx, name, l)
	} else {
		err = b.openArchive(name, l)
	}
	if err == nil {
		err = errors.Join(b.readIndex(ctx), context.Cause(ctx))
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close gives the file back.
func (b *Bundle) Close() error {
	if b.closer == nil {
		return nil
	}
	return b.closer.Close()
}

// Is says whether a file or folder looks like a bundle, by its name or by what is in it.
func Is(name string) bool {
	info, err := os.Stat(name)
	if err != nil {
		return false
	}
	if !info.IsDir() {
		return info.Mode().IsRegular() && strings.HasSuffix(strings.ToLower(name), ".zip")
	}
	_, err = os.Stat(path.Join(name, bagItFile))
	if err != nil {
		_, err = singleFolder(os.DirFS(name))
	}
	return err == nil
}

func (b *Bundle) openArchive(name string, l Limits) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	b.closer = f
	info, err := f.Stat()
	if err != nil {
		return err
	}
	z, err := openDirectory(f, info.Size())
	if err != nil {
		return unreadable(err)
	}
	top, err := checkArchive(z, l)
	if err != nil {
		return err
	}
	if b.hidden, err = hiddenBytes(f, info.Size(), z); err != nil {
		return err
	}
	z.index(top)
	b.zip, b.files, b.FS = z, z, z
	return nil
}

func unreadable(err error) error {
	return &HostileError{What: "it is no zip archive that can be read: " + err.Error()}
}

// checkArchive refuses an archive that could do harm, and finds its one folder. Of names it
// remembers a hash of 64 bits, under a key that nobody knows.
func checkArchive(z *directory, l Limits) (top string, err error) {
	if z.records > uint64(l.Files) {
		return "", &HostileError{What: fmt.Sprintf("it has %d entries, and %d is the most", z.records, l.Files)}
	}
	seen := make(map[uint64]bool, z.records) // by the name in small letters: whether it is a file
	var total int64
	for at, err := range z.all() {
		if err != nil {
			return "", unreadable(err)
		}
		e, err := z.entry(at)
		if err != nil {
			return "", unreadable(err)
		}
		refuse := func(format string, args ...any) error {
			return &HostileError{Entry: e.Name, What: fmt.Sprintf(format, args...)}
		}
		folder := strings.HasSuffix(e.Name, "/")
		name := strings.TrimSuffix(e.Name, "/")
		if err := tree.CheckPath(name); err != nil {
			return "", refuse("%v", err)
		}
		if mode := e.Mode(); folder && !mode.IsDir() || !folder && !mode.IsRegular() {
			return "", refuse("it is no file: %v", mode)
		}
		if e.Flags&1 != 0 || e.Method != zip.Store && e.Method != zip.Deflate {
			return "", refuse("it is encrypted, or packed by method %d", e.Method)
		}
		first, _, below := strings.Cut(name, "/")
		if top == "" {
			top = first
		}
		if first != top || !below && !folder {
			return "", refuse("all entries of a bundle are in one folder, and the first is in %q", top)
		}
		low := maphash.String(z.seed, strings.ToLower(name))
		if _, twice := seen[low]; twice {
			return "", refuse("there are two of the name, if letters aren't told apart by their case")
		}
		seen[low] = !folder
		size, packed := e.UncompressedSize64, e.CompressedSize64
		switch {
		case folder && size != 0:
			return "", refuse("it is a folder of %d bytes", size)
		case size > uint64(l.Bytes-total):
			return "", refuse("with it the archive unpacks to more than %d bytes", l.Bytes)
		case size > 1<<20 && size/uint64(l.Ratio) > packed:
			return "", refuse("its %d bytes unpack to %d", packed, size)
		}
		total += int64(size)
	}
	if top == "" {
		return "", &HostileError{What: "it is empty"}
	}
	checked := "" // the folder of the entry before
	for _, e := range z.entries() {
		low := strings.ToLower(strings.TrimSuffix(e.Name, "/"))
		for dir := path.Dir(low); dir != "." && dir != checked; dir = path.Dir(dir) {
			if seen[maphash.String(z.seed, dir)] {
				return "", &HostileError{Entry: low, What: fmt.Sprintf("%q is a file", dir)}
			}
		}
		checked = path.Dir(low)
	}
	return top, nil
}

// openFolder opens an unpacked bundle: the bag's folder, or one that has nothing but it.
func (b *Bundle) openFolder(ctx context.Context, name string, l Limits) error {
	root, err := os.OpenRoot(name)
	if err != nil {
		return err
	}
	b.closer = root
	b.FS = root.FS()
	if _, err := fs.Stat(b.FS, bagItFile); err != nil {
		top, err := singleFolder(b.FS)
		if err != nil {
			return err
		}
		if b.FS, err = fs.Sub(b.FS, top); err != nil {
			return err
		}
	}
	var files unpacked
	var total int64
	err = fs.WalkDir(b.FS, ".", func(at string, d fs.DirEntry, err error) error {
		if err := errors.Join(err, context.Cause(ctx)); err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		info, err := d.Info()
		switch {
		case err != nil:
			return err
		case !d.Type().IsRegular():
			return &HostileError{Entry: at, What: fmt.Sprintf("it is no file: %v", d.Type())}
		case len(files) >= l.Files:
			return &HostileError{Entry: at, What: fmt.Sprintf("there are more than %d files", l.Files)}
		case info.Size() > l.Bytes-total:
			return &HostileError{Entry: at, What: fmt.Sprintf("the files have more than %d bytes", l.Bytes)}
		}
		total += info.Size()
		files = append(files, unpackedFile{at, info.Size()})
		return nil
	})
	slices.SortFunc(files, func(a, b unpackedFile) int { return strings.Compare(a.name, b.name) })
	b.files = files
	return err
}

// singleFolder is the one folder of a folder, if it is a bag's.
func singleFolder(f fs.FS) (string, error) {
	entries, err := fs.ReadDir(f, ".")
	if err != nil {
		return "", err
	}
	if len(entries) == 1 && entries[0].IsDir() {
		if _, err := fs.Stat(f, entries[0].Name()+"/"+bagItFile); err == nil {
			return entries[0].Name(), nil
		}
	}
	return "", fmt.Errorf("there is no %s in it: it is no bundle", bagItFile)
}

// read reads a file of the bag.
func (b *Bundle) read(name string, limit int64) ([]byte, error) {
	f, err := b.stream(name, limit)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", name, err)
	}
	return raw, nil
}

// Blobs are the blobs that the index lists, in its order. b.Index has them not.
func (b *Bundle) Blobs() iter.Seq[Blob] { return b.Store.(*kept).listed.all() }

// Blob is the blob of a digest, as the index lists it.
func (b *Bundle) Blob(d canon.Digest) (Blob, bool) { return b.Store.(*kept).listed.find(d) }

// Entries are the entries that the index lists, by key. b.Index has them not.
func (b *Bundle) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		l := &b.Store.(*kept).listed
		for _, at := range l.byKey {
			if !yield(l.entry(at)) {
				return
			}
		}
	}
}

// stream reads a file of the bag from its beginning, and ends with io.EOF only if it has the
// bytes that it is said to have.
func (b *Bundle) stream(name string, limit int64) (io.ReadCloser, error) {
	size, _, there := b.files.size(name)
	if !there {
		return nil, fmt.Errorf("there is no %q", name)
	}
	if size > limit {
		return nil, fmt.Errorf("%q has %d bytes, and %d is the most", name, size, limit)
	}
	f, err := b.FS.Open(name)
	if err != nil {
		return nil, err
	}
	return &measured{ReadCloser: f, size: size}, nil
}

// measured is a file that is held against its size as it is read.
type measured struct {
	io.ReadCloser
	size, read int64
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.read += int64(n)
	if m.read > m.size || errors.Is(err, io.EOF) && m.read < m.size {
		return n, fmt.Errorf("it has not the %d bytes it is said to have", m.size)
	}
	return n, err
}

// Files are the paths of all files of the bag, sorted.
func (b *Bundle) Files() []string {
	names := make([]string, 0, b.files.count())
	for name := range b.files.each() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Count is the number of files of the bag.
func (b *Bundle) Count() int { return b.files.count() }

// Signature reads the files of the signature that are there, by name, and the tag
// manifest, which is what they sign. A bundle without any is not signed.
func (b *Bundle) Signature() (signed map[string][]byte, tagManifest []byte, err error) {
	signed = map[string][]byte{}
	for _, name := range signatureFiles {
		if _, _, there := b.files.size(name); !there {
			continue
		}
		if signed[name], err = b.read(name, 1<<20); err != nil {
			return nil, nil, err
		}
	}
	tagManifest, err = b.read(tagManifestFile, maxIndex)
	return signed, tagManifest, err
}

// Absences are what isn't in the bundle for one reason.
func (b *Bundle) Absences(why Why) []Absent {
	return slices.DeleteFunc(slices.Clone(b.Index.Absent), func(a Absent) bool { return a.Why != why })
}
