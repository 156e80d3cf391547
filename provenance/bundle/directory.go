package bundle

import (
	"archive/zip"
	"bufio"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"iter"
	"math"
	"slices"
	"strings"
)

// directory finds the files of a zip archive without having them all in memory, as
// [zip.Reader] has: eight bytes for each say where its record in the archive's directory is.
// Each record is read by package zip, out of a small archive whose directory has it alone
// ([directory.entry]), so that nothing here takes a record for another thing than zip does.
type directory struct {
	archive io.ReaderAt // the archive, from where its offsets count
	base    int64       // bytes before that
	start   int64       // of the directory, in archive
	length  int64       // of all records
	records uint64      // as the end of the directory says
	comment string

	top   string // folder that all entries are in
	seed  maphash.Seed
	files []fileAt // by hash
}

// fileAt is where the record of a file is.
type fileAt struct {
	hash uint32 // of its name in the bag
	at   uint32 // from the directory's start
}

// maxDirectory bounds an archive's directory, in bytes: fileAt counts no further.
const maxDirectory = math.MaxUint32

// openDirectory finds the directory of an archive.
func openDirectory(f io.ReaderAt, size int64) (*directory, error) {
	d := &directory{seed: maphash.MakeSeed()}
	at, err := d.findEnd(f, size)
	if err != nil {
		return nil, err
	}
	d.base = at - d.length - d.start
	if o := d.base + d.start; d.length < 0 || d.start < 0 || o < 0 || o >= size {
		return nil, zip.ErrFormat
	}
	var signature [4]byte
	if _, err := f.ReadAt(signature[:], d.start); d.base > 0 && err == nil && binary.LittleEndian.Uint32(signature[:]) == directoryRecord {
		d.base = 0 // offsets count from the file's first byte, as they should
	}
	if d.base < 0 {
		return nil, zip.ErrFormat
	}
	d.archive = io.NewSectionReader(f, d.base, size-d.base)
	count := uint64(0)
	d.length = 0
	for at, err := range d.all() {
		if err != nil {
			return nil, err
		}
		d.length, count = at.after, count+1
	}
	if uint16(count) != uint16(d.records) {
		return nil, zip.ErrFormat
	}
	d.records = count
	return d, nil
}

// findEnd reads the records that end an archive, and says where the first of them begins.
func (d *directory) findEnd(f io.ReaderAt, size int64) (int64, error) {
	const fixed, locatorSize, end64Size, maxComment = 22, 20, 56, 1<<16 - 1
	tail := make([]byte, min(size, fixed+maxComment))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return 0, err
	}
	le := binary.LittleEndian
	i := len(tail) - fixed
	for ; i >= 0; i-- {
		if le.Uint32(tail[i:]) == endOfDirectory && i+fixed+int(le.Uint16(tail[i+20:])) <= len(tail) {
			break
		}
	}
	if i < 0 {
		return 0, zip.ErrFormat
	}
	end := tail[i:]
	at := size - int64(len(end))
	d.records, d.length, d.start = uint64(le.Uint16(end[10:])), int64(le.Uint32(end[12:])), int64(le.Uint32(end[16:]))
	d.comment = string(end[fixed : fixed+int(le.Uint16(end[20:]))])
	if d.records != math.MaxUint16 && d.length != math.MaxUint32 && d.start != math.MaxUint32 {
		return at, nil
	}
	var locator [locatorSize]byte
	if _, err := f.ReadAt(locator[:], at-locatorSize); err != nil || le.Uint32(locator[:]) != endLocator64 {
		return at, nil // it has just so many
	}
	var end64 [end64Size]byte
	at64 := int64(le.Uint64(locator[8:]))
	if _, err := f.ReadAt(end64[:], at64); err != nil || le.Uint32(end64[:]) != endOfDirectory64 {
		return 0, zip.ErrFormat
	}
	d.records, d.length, d.start = le.Uint64(end64[32:]), int64(le.Uint64(end64[40:])), int64(le.Uint64(end64[48:]))
	return at64, nil
}

// span is where a record is, from the directory's start, and where the next one is.
type span struct{ at, after int64 }

// recordSize is what a record has before its names and fields.
const recordSize = 46

// all gives the places of the records, in their order.
func (d *directory) all() iter.Seq2[span, error] {
	return func(yield func(span, error) bool) {
		r := bufio.NewReaderSize(io.NewSectionReader(d.archive, d.start, math.MaxInt64-d.start), 64<<10)
		for at := int64(0); ; {
			h, err := r.Peek(recordSize)
			if err != nil || binary.LittleEndian.Uint32(h) != directoryRecord {
				return
			}
			le := binary.LittleEndian
			n := recordSize + int(le.Uint16(h[28:])) + int(le.Uint16(h[30:])) + int(le.Uint16(h[32:]))
			if _, err := r.Discard(n); err != nil {
				return
			}
			if at+int64(n) > maxDirectory {
				yield(span{}, fmt.Errorf("its directory has more than %d bytes", int64(maxDirectory)))
				return
			}
			if !yield(span{at, at + int64(n)}, nil) {
				return
			}
			at += int64(n)
		}
	}
}

// entries are the entries in the directory's order, and where their records are.
func (d *directory) entries() iter.Seq2[span, *zip.File] {
	return func(yield func(span, *zip.File) bool) {
		for at := range d.all() {
			e, err := d.entry(at)
			if err != nil {
				return // check has seen them all
			}
			if !yield(at, e) {
				return
			}
		}
	}
}

// entry reads a record.
func (d *directory) entry(at span) (*zip.File, error) {
	record := make([]byte, at.after-at.at, at.after-at.at+end64Bytes+endBytes)
	if _, err := d.archive.ReadAt(record, d.start+at.at); err != nil {
		return nil, err
	}
	one := &single{archive: d.archive, start: d.start, tail: appendEnd(record, 1, int64(len(record)), d.start, true)}
	z, err := zip.NewReader(one, d.start+int64(len(one.tail)))
	if err != nil && (z == nil || len(z.File) != 1) {
		return nil, err
	}
	return z.File[0], nil
}

// single is an archive of which the directory has one record.
type single struct {
	archive io.ReaderAt
	start   int64  // where tail begins
	tail    []byte // the record, and the end of a directory
}

// ReadAt implements [io.ReaderAt].
func (s *single) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off < s.start {
		m, err := s.archive.ReadAt(p[:min(int64(len(p)), s.start-off)], off)
		if n = m; err != nil || n == len(p) {
			return n, err
		}
		off = s.start
	}
	if off-s.start < int64(len(s.tail)) {
		n += copy(p[n:], s.tail[off-s.start:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

const (
	endBytes   = 22
	end64Bytes = 56 + 20
)

// appendEnd appends what ends a directory of so many records and bytes: as zip.Writer writes
// it, in the form for large archives where that is needed, or asked for.
func appendEnd(b []byte, records uint64, length, start int64, large bool) []byte {
	le := binary.LittleEndian
	if large || records >= math.MaxUint16 || length >= math.MaxUint32 || start >= math.MaxUint32 {
		const version = 45
		b = le.AppendUint32(b, endOfDirectory64)
		b = le.AppendUint64(b, 56-12)
		b = le.AppendUint16(le.AppendUint16(b, version), version)
		b = le.AppendUint64(b, 0) // disks
		b = le.AppendUint64(le.AppendUint64(b, records), records)
		b = le.AppendUint64(le.AppendUint64(b, uint64(length)), uint64(start))
		b = le.AppendUint32(le.AppendUint32(b, endLocator64), 0)
		b = le.AppendUint32(le.AppendUint64(b, uint64(start+length)), 1)
		records, length, start = math.MaxUint16, math.MaxUint32, math.MaxUint32
	}
	b = le.AppendUint32(le.AppendUint32(b, endOfDirectory), 0)
	b = le.AppendUint16(le.AppendUint16(b, uint16(records)), uint16(records))
	b = le.AppendUint32(le.AppendUint32(b, uint32(length)), uint32(start))
	return le.AppendUint16(b, 0)
}

func (d *directory) hash(name string) uint32 { return uint32(maphash.String(d.seed, name)) }

// index makes the files findable, when the archive was checked and its folder is known.
func (d *directory) index(top string) {
	d.top = top
	d.files = make([]fileAt, 0, d.records)
	for at, e := range d.entries() {
		if !strings.HasSuffix(e.Name, "/") {
			d.files = append(d.files, fileAt{d.hash(strings.TrimPrefix(e.Name, top+"/")), uint32(at.at)})
		}
	}
	slices.SortFunc(d.files, func(a, b fileAt) int { return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.at, b.at)) })
}

// find is the entry of a file of the bag, and its place among them.
func (d *directory) find(name string) (e *zip.File, place int, there bool) {
	hash := d.hash(name)
	i, _ := slices.BinarySearchFunc(d.files, hash, func(f fileAt, hash uint32) int { return cmp.Compare(f.hash, hash) })
	for ; i < len(d.files) && d.files[i].hash == hash; i++ {
		var fixed [recordSize]byte
		at := int64(d.files[i].at)
		if _, err := d.archive.ReadAt(fixed[:], d.start+at); err != nil {
			return nil, 0, false
		}
		le := binary.LittleEndian
		n := recordSize + int64(le.Uint16(fixed[28:])) + int64(le.Uint16(fixed[30:])) + int64(le.Uint16(fixed[32:]))
		if e, err := d.entry(span{at, at + n}); err == nil && e.Name == d.top+"/"+name {
			return e, i, true
		}
	}
	return nil, 0, false
}

// Open implements [fs.FS] for the files of the bag.
func (d *directory) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	e, _, there := d.find(name)
	if !there {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	r, err := e.Open()
	if err != nil {
		return nil, err
	}
	return &member{ReadCloser: r, info: e.FileInfo()}, nil
}

// member is a file of the bag that is being read.
type member struct {
	io.ReadCloser
	info fs.FileInfo
}

// Stat implements [fs.File].
func (m *member) Stat() (fs.FileInfo, error) { return m.info, nil }

// inventory are the files of a bag.
type inventory interface {
	// size is that of a file, and its place among all; false if there is none of the name.
	size(name string) (n int64, place int, there bool)
	// each gives all names with their sizes, in any order.
	each() iter.Seq2[string, int64]
	count() int
}

func (d *directory) count() int { return len(d.files) }

func (d *directory) size(name string) (int64, int, bool) {
	e, place, there := d.find(name)
	if !there {
		return 0, 0, false
	}
	return int64(e.UncompressedSize64), place, true
}

func (d *directory) each() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, e := range d.entries() {
			if !strings.HasSuffix(e.Name, "/") && !yield(strings.TrimPrefix(e.Name, d.top+"/"), int64(e.UncompressedSize64)) {
				return
			}
		}
	}
}

// unpacked are the files of a bag in a folder, sorted by name.
type unpacked []unpackedFile

type unpackedFile struct {
	name string
	size int64
}

func (u unpacked) count() int { return len(u) }

func (u unpacked) size(name string) (int64, int, bool) {
	i, there := slices.BinarySearchFunc(u, name, func(f unpackedFile, name string) int { return strings.Compare(f.name, name) })
	if !there {
		return 0, 0, false
	}
	return u[i].size, i, true
}

func (u unpacked) each() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, f := range u {
			if !yield(f.name, f.size) {
				return
			}
		}
	}
}
