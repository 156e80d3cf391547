package bundle

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
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
	listed := map[string]bool{bagItFile: true, tagManifestFile: true}
	for _, name := range signatureFiles {
		listed[name] = true
	}
	for _, m := range []struct {
		name  string
		below bool // it lists the payload
	}{{tagManifestFile, false}, {manifestFile, true}} {
		sums, err := b.manifest(m.name)
		if err != nil {
			fault(m.name, "%v", err)
			continue
		}
		for _, line := range sums {
			if strings.HasPrefix(line.path, payloadDir) != m.below {
				fault(line.path, "%s lists it, and is no place for it", m.name)
			}
			if m.below && listed[line.path] {
				fault(line.path, "it is listed twice")
			}
			listed[line.path] = true
			if err := b.compare(ctx, line, fault); err != nil {
				return err
			}
		}
	}
	for _, need := range []string{manifestFile, bagInfoFile} {
		if !listed[need] {
			fault(need, "%s doesn't list it", tagManifestFile)
		}
	}
	for _, name := range b.Files() {
		if !listed[name] {
			fault(name, "it is in the bag, and no manifest lists it")
		}
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

// manifest reads a manifest: a line of SHA-512 in hexadecimal, two spaces and a path for
// each file.
func (b *Bundle) manifest(name string) ([]manifestLine, error) {
	raw, err := b.read(name, maxIndex)
	if err != nil {
		return nil, err
	}
	var all []manifestLine
	for i, text := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		digits, path, ok := strings.Cut(text, "  ")
		line := manifestLine{path: path}
		n, err := hex.Decode(line.sum[:min(len(line.sum), len(digits)/2)], []byte(digits[:min(len(digits), 2*len(line.sum))]))
		if !ok || err != nil || n != len(line.sum) || len(digits) != 2*len(line.sum) || strings.ToLower(digits) != digits {
			return nil, fmt.Errorf("line %d isn't a SHA-512, two spaces and a path", i+1)
		}
		all = append(all, line)
	}
	return all, nil
}

func (b *Bundle) compare(ctx context.Context, line manifestLine, fault func(file, format string, args ...any)) error {
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("checking %q: %w", line.path, err)
	}
	size, there := b.files[line.path]
	if !there {
		fault(line.path, "it is listed, and isn't there")
		return nil
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
	for name, size := range b.files {
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
	localHeader    = 0x04034b50
	dataDescriptor = 0x08074b50
	directory      = 0x02014b50
	endOfDirectory = 0x06054b50
)

// hiddenBytes finds what stands in an archive and belongs to none of its files: bytes
// before, between and after them, comments, and extra fields that hold more than times
// and sizes. A program that reads the archive another way could take them for something.
func hiddenBytes(f io.ReaderAt, size int64, z *zip.Reader) ([]Fault, error) {
	var found []Fault
	hidden := func(format string, args ...any) {
		found = append(found, Fault{What: fmt.Sprintf(format, args...)})
	}
	if z.Comment != "" {
		hidden("it has a comment of %d bytes", len(z.Comment))
	}
	type span struct{ from, to int64 }
	spans := make([]span, 0, len(z.File))
	for _, e := range z.File {
		if e.Comment != "" {
			hidden("its entry %q has a comment", e.Name)
		}
		if field, odd := oddField(e.Extra); odd {
			hidden("its entry %q has an extra field %#04x", e.Name, field)
		}
		from, to, err := extent(f, e)
		if err != nil {
			return nil, &HostileError{Entry: e.Name, What: err.Error()}
		}
		spans = append(spans, span{from, to})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
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
	if _, err := f.ReadAt(next[:], at); err != nil || le.Uint32(next[:]) != directory {
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
