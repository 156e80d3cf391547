package bundle

import (
	"archive/zip"
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Fault is something about a bag that isn't as its manifests say.
type Fault struct {
	File string `json:"file"` // in the bag; "" is the archive itself
	What string `json:"what"`
}

func (f Fault) String() string {
	if f.File == "" {
		return "the archive: " + f.What
	}
	return f.File + ": " + f.What
}

// CheckBag reads each file of the bag and holds it against the manifests. It reports each
// that differs, that is listed and isn't there, that is there and not listed, and what
// stands in the archive beside its files. Without a fault, the payload is what the tag
// manifest covers. Each file is read once, in flat memory.
func (b *Bundle) CheckBag(ctx context.Context, report func(Fault)) error {
	fault := func(file, format string, args ...any) { report(Fault{File: file, What: fmt.Sprintf(format, args...)}) }
	if text, err := b.read(bagItFile, 4096); err != nil || string(text) != bagIt {
		fault(bagItFile, "it doesn't declare a bag of BagIt 1.0 in UTF-8")
	}
	listed := b.newListing()
	for _, name := range append(signatureFiles[:len(signatureFiles):len(signatureFiles)], bagItFile, tagManifestFile) {
		_, place, there := b.files.size(name)
		listed.add(name, place, there)
	}
	for _, m := range []struct {
		name  string
		below bool // it lists the payload
	}{{tagManifestFile, false}, {manifestFile, true}} {
		if err := b.checkManifest(m.name); err != nil {
			fault(m.name, "%v", err)
			continue
		}
		for line := range b.manifest(m.name) {
			if strings.HasPrefix(line.path, payloadDir) != m.below {
				fault(line.path, "%s lists it, and is no place for it", m.name)
			}
			size, place, there := b.files.size(line.path)
			if !listed.add(line.path, place, there) && m.below {
				fault(line.path, "it is listed twice")
			}
			if !there {
				fault(line.path, "it is listed, and isn't there")
				continue
			}
			if err := b.compare(ctx, line, size, fault); err != nil {
				return err
			}
		}
	}
	for _, need := range []string{manifestFile, bagInfoFile} {
		if !listed.has(need) {
			fault(need, "%s doesn't list it", tagManifestFile)
		}
	}
	for _, name := range listed.missing() {
		fault(name, "it is in the bag, and no manifest lists it")
	}
	b.oxum(fault)
	for _, f := range b.hidden {
		report(f)
	}
	return nil
}

type manifestLine struct {
	sum  [sha512.Size]byte
	path string
}

// listing says which files of a bag are listed.
type listing struct {
	bag    *Bundle
	places []bool          // of the files that are there
	gone   map[string]bool // others
}

func (b *Bundle) newListing() *listing {
	return &listing{bag: b, places: make([]bool, b.files.count()), gone: map[string]bool{}}
}

// add lists a file, and says whether it wasn't.
func (l *listing) add(name string, place int, there bool) bool {
	before := l.gone[name]
	if there {
		before, l.places[place] = l.places[place], true
	} else {
		l.gone[name] = true
	}
	return !before
}

func (l *listing) has(name string) bool {
	if _, place, there := l.bag.files.size(name); there {
		return l.places[place]
	}
	return l.gone[name]
}

// missing are the files that are there and not listed, sorted.
func (l *listing) missing() []string {
	if !slices.Contains(l.places, false) {
		return nil
	}
	var names []string
	for name := range l.bag.files.each() {
		if !l.has(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkManifest reads a manifest to its end: each line has a SHA-512 in hexadecimal, two
// spaces and a path.
func (b *Bundle) checkManifest(name string) error {
	r, err := b.stream(name, maxIndex)
	if err != nil {
		return err
	}
	defer r.Close()
	lines := bufio.NewReader(r)
	for i := 1; ; i++ {
		text, err := lines.ReadString('\n')
		if err != nil && err != io.EOF {
			return fmt.Errorf("reading %q: %w", name, err)
		}
		if text == "" && i > 1 {
			return nil
		}
		if _, ok := parseLine(text); !ok {
			return fmt.Errorf("line %d isn't a SHA-512, two spaces and a path", i)
		}
		if err == io.EOF {
			return nil
		}
	}
}

// manifest gives the lines of a manifest that was checked.
func (b *Bundle) manifest(name string) iter.Seq[manifestLine] {
	return func(yield func(manifestLine) bool) {
		r, err := b.stream(name, maxIndex)
		if err != nil {
			return
		}
		defer r.Close()
		for lines := bufio.NewReader(r); ; {
			text, err := lines.ReadString('\n')
			if line, ok := parseLine(text); !ok || !yield(line) || err != nil {
				return
			}
		}
	}
}

func parseLine(text string) (line manifestLine, ok bool) {
	digits, path, ok := strings.Cut(strings.TrimSuffix(text, "\n"), "  ")
	line.path = path
	if !ok || len(digits) != 2*len(line.sum) || strings.ToLower(digits) != digits {
		return line, false
	}
	_, err := hex.Decode(line.sum[:], []byte(digits))
	return line, err == nil
}

func (b *Bundle) compare(ctx context.Context, line manifestLine, size int64, fault func(file, format string, args ...any)) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("checking %q: %w", line.path, err)
	}
	f, err := b.FS.Open(line.path)
	if err != nil {
		fault(line.path, "it can't be read: %v", err)
		return nil
	}
	defer f.Close()
	sum := sha512.New()
	n, err := io.Copy(sum, io.LimitReader(f, size+1))
	switch {
	case err != nil:
		fault(line.path, "it can't be read: %v", err)
	case n != size:
		fault(line.path, "it has not the %d bytes it is said to have", size)
	case !bytes.Equal(sum.Sum(nil), line.sum[:]):
		fault(line.path, "its SHA-512 is another one than the manifest's")
	}
	return nil
}

// oxum holds the number of files and bytes against what bag-info.txt says.
func (b *Bundle) oxum(fault func(file, format string, args ...any)) {
	info, err := b.read(bagInfoFile, 1<<20)
	if err != nil {
		fault(bagInfoFile, "%v", err)
		return
	}
	var bytes, files int64
	for name, size := range b.files.each() {
		if strings.HasPrefix(name, payloadDir) {
			bytes, files = bytes+size, files+1
		}
	}
	want := strconv.FormatInt(bytes, 10) + "." + strconv.FormatInt(files, 10)
	for line := range strings.Lines(string(info)) {
		if said, ok := strings.CutPrefix(strings.TrimSpace(line), "Payload-Oxum: "); ok && said != want {
			fault(bagInfoFile, "it says %s bytes.files, and the bag has %s", said, want)
		}
	}
}

// Signatures of what an archive consists of.
const (
	localHeader      = 0x04034b50
	dataDescriptor   = 0x08074b50
	directoryRecord  = 0x02014b50
	endOfDirectory   = 0x06054b50
	endOfDirectory64 = 0x06064b50
	endLocator64     = 0x07064b50
)

// hiddenBytes finds what stands in an archive and belongs to none of its files: bytes
// before, between and after them, comments, and extra fields that hold more than times
// and sizes. A program that reads the archive another way could take them for something.
func hiddenBytes(f io.ReaderAt, size int64, z *directory) ([]Fault, error) {
	var found []Fault
	hidden := func(format string, args ...any) {
		found = append(found, Fault{What: fmt.Sprintf(format, args...)})
	}
	if z.comment != "" {
		hidden("it has a comment of %d bytes", len(z.comment))
	}
	type extents struct{ from, to int64 }
	spans := make([]extents, 0, z.records)
	for _, e := range z.entries() {
		if e.Comment != "" {
			hidden("its entry %q has a comment", e.Name)
		}
		if field, odd := oddField(e.Extra); odd {
			hidden("its entry %q has an extra field %#04x", e.Name, field)
		}
		from, to, err := extent(z.archive, e)
		if err != nil {
			return nil, &HostileError{Entry: e.Name, What: err.Error()}
		}
		spans = append(spans, extents{z.base + from, z.base + to})
	}
	slices.SortFunc(spans, func(a, b extents) int { return cmp.Compare(a.from, b.from) })
	var at int64
	for _, s := range spans {
		switch {
		case s.from < at:
			return nil, &HostileError{What: fmt.Sprintf("two entries share the bytes at %d", s.from)}
		case s.from > at:
			hidden("%d bytes at %d belong to no entry", s.from-at, at)
		}
		at = s.to
	}
	if what := tail(f, at, size); what != "" {
		hidden("%s", what)
	}
	return found, nil
}

// tail says what is odd about the end of an archive: it is the directory, which begins
// where the last entry ends, and the record that says how long that is.
func tail(f io.ReaderAt, at, size int64) string {
	le := binary.LittleEndian
	const record, record64 = 22, 22 + 20 + 56 // without and with the one for large archives
	var next [4]byte
	if _, err := f.ReadAt(next[:], at); err != nil || le.Uint32(next[:]) != directoryRecord {
		return fmt.Sprintf("bytes at %d, after the last entry, belong to none", at)
	}
	var end [record]byte
	if _, err := f.ReadAt(end[:], size-record); err != nil || le.Uint32(end[:]) != endOfDirectory {
		return "it doesn't end with its directory"
	}
	length := int64(le.Uint32(end[12:]))
	if length == 1<<32-1 { // as the record for large archives says
		return ""
	}
	if left := size - at - length; left != record && left != record64 {
		return fmt.Sprintf("%d bytes after its directory belong to nothing", left-record)
	}
	return ""
}

// extent is where an entry begins and ends in the archive, its headers included.
func extent(f io.ReaderAt, e *zip.File) (from, to int64, err error) {
	data, err := e.DataOffset()
	if err != nil {
		return 0, 0, err
	}
	// The header before the data has the lengths of name and extra fields in it.
	const fixed = 30
	from = data - fixed - int64(len(e.Name))
	var h [fixed]byte
	for extra := int64(0); ; extra++ {
		if extra > 1<<16 || from-extra < 0 {
			return 0, 0, fmt.Errorf("its local header can't be found")
		}
		if _, err := f.ReadAt(h[:], from-extra); err != nil {
			return 0, 0, err
		}
		if binary.LittleEndian.Uint32(h[:]) == localHeader && int64(binary.LittleEndian.Uint16(h[28:])) == extra && int(binary.LittleEndian.Uint16(h[26:])) == len(e.Name) {
			from -= extra
			break
		}
	}
	name := make([]byte, len(e.Name))
	if _, err := f.ReadAt(name, from+fixed); err != nil {
		return 0, 0, err
	}
	if string(name) != e.Name {
		return 0, 0, fmt.Errorf("its local header calls it %q", name)
	}
	to = data + int64(e.CompressedSize64)
	if e.Flags&8 == 0 {
		return from, to, nil
	}
	n, err := descriptor(f, to, e)
	return from, to + n, err
}

// descriptor is how long the sizes are that follow an entry's data.
func descriptor(f io.ReaderAt, at int64, e *zip.File) (int64, error) {
	var d [24]byte
	n, err := f.ReadAt(d[:], at)
	if n < 16 {
		return 0, fmt.Errorf("reading what follows its data: %w", err)
	}
	length := int64(0)
	rest := d[:]
	if binary.LittleEndian.Uint32(rest) == dataDescriptor {
		rest, length = rest[4:], 4
	}
	if binary.LittleEndian.Uint32(rest) != e.CRC32 {
		return 0, fmt.Errorf("what follows its data names another checksum")
	}
	le := binary.LittleEndian
	if uint64(le.Uint32(rest[4:])) == e.CompressedSize64 && uint64(le.Uint32(rest[8:])) == e.UncompressedSize64 {
		return length + 12, nil
	}
	if n == len(d) && len(rest) >= 20 && le.Uint64(rest[4:]) == e.CompressedSize64 && le.Uint64(rest[12:]) == e.UncompressedSize64 {
		return length + 20, nil
	}
	return 0, fmt.Errorf("what follows its data names other sizes")
}

// oddField finds an extra field that isn't one of those that zip programs write: sizes
// above 4 GiB, times, and the owner's numbers.
func oddField(extra []byte) (uint16, bool) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if 4+n > len(extra) {
			return id, true
		}
		switch id {
		case 0x0001, 0x000a, 0x5455, 0x5855, 0x7855, 0x7875:
		default:
			return id, true
		}
		extra = extra[4+n:]
	}
	return 0, len(extra) > 0
}
