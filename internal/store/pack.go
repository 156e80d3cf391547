package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"rlam/internal/canon"
)

const (
	packMagic = "rlam pack 1 "
	packFirst = len(packMagic) + 12 + 1 // the first line, with its newline
	// maxHeader bounds what a damaged first line can make a reader allocate.
	maxHeader = 1 << 20
	// maxNames is how many names one pack may have, so that a value is read without
	// a long header. With keys of maxKey it stays below maxHeader, and below the
	// 1024 names that NTFS allows a file.
	maxNames = 256
)

// A row describes one value of a pack. A blob's key is empty, an entry's never.
type row struct {
	digest         canon.Digest
	key            string
	offset, length int64
}

// name is what the store calls the value.
func (r row) name() string {
	if r.key == "" {
		return r.digest.String()
	}
	return r.key
}

// A pack is the values of one file, in order. Package comment: the format.
type pack struct {
	rows   []row
	values [][]byte
}

func (p *pack) blob(d canon.Digest, value []byte) { p.add(row{digest: d}, value) }

func (p *pack) entry(key string, value []byte) {
	p.add(row{digest: canon.Sum(value), key: key}, value)
}

func (p *pack) add(r row, value []byte) {
	r.length = int64(len(value))
	p.rows = append(p.rows, r)
	p.values = append(p.values, value)
}

// writeTo writes the pack's file.
func (p *pack) writeTo(w io.Writer) error {
	if _, err := w.Write(p.header()); err != nil {
		return err
	}
	for _, v := range p.values {
		if _, err := w.Write(v); err != nil {
			return err
		}
	}
	return nil
}

// size is about how many bytes writeTo writes.
func (p *pack) size() int {
	size := packFirst + len(checkLine(nil))
	for _, r := range p.rows {
		size += len(r.line()) + int(r.length)
	}
	return size
}

// header lays the values out one after the other, and describes them.
// A number's width is fixed, so the header's length doesn't depend on itself.
func (p *pack) header() []byte {
	length := int64(packFirst + len(checkLine(nil)))
	for _, r := range p.rows {
		length += int64(len(r.line()))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%012d\n", packMagic, length)
	offset := length
	for i := range p.rows {
		p.rows[i].offset = offset
		offset += p.rows[i].length
		b.WriteString(p.rows[i].line())
	}
	b.WriteString(checkLine(b.Bytes()))
	return b.Bytes()
}

func (r row) line() string {
	if r.key == "" {
		return fmt.Sprintf("blob %s %012d %012d\n", fullText(r.digest), r.offset, r.length)
	}
	return fmt.Sprintf("entry %s %012d %012d %s\n", fullText(r.digest), r.offset, r.length, r.key)
}

// fullText spells the zero digest in full too: a line's length may not depend on its digest.
func fullText(d canon.Digest) string { return "sha256:" + d.Hex() }

func checkLine(above []byte) string { return "check " + fullText(canon.Sum(above)) + "\n" }

// readRow checks the header of a pack of size bytes, and returns the row of one
// value: of the entry want.key, or of the blob want.digest.
func readRow(f io.ReaderAt, size int64, want row) (row, error) {
	rows, err := readHeader(f, size)
	if err != nil {
		return row{}, err
	}
	for line := range strings.Lines(rows) {
		// Of a pack of many names only the wanted row is parsed.
		if want.key != "" && !strings.HasSuffix(line, " "+want.key+"\n") ||
			want.key == "" && !strings.HasPrefix(line, "blob "+fullText(want.digest)+" ") {
			continue
		}
		r, err := parseRow(line)
		if err != nil {
			return row{}, err
		}
		if head := int64(packFirst + len(rows) + len(checkLine(nil))); r.offset < head || r.length > size || r.offset > size-r.length {
			return row{}, fmt.Errorf("its row %q points outside of its %d bytes", line, size)
		}
		return r, nil
	}
	return row{}, errors.New("the pack doesn't hold it")
}

// readHeader returns a pack's rows as text, once the header has been checked.
func readHeader(f io.ReaderAt, size int64) (rows string, err error) {
	first := make([]byte, packFirst)
	if _, err := f.ReadAt(first, 0); err != nil {
		return "", fmt.Errorf("reading its first line: %w", noEOF(err))
	}
	digits, ok := strings.CutPrefix(string(first), packMagic)
	if !ok || digits[len(digits)-1] != '\n' {
		return "", fmt.Errorf("its first line is %q", first)
	}
	length, err := number(digits[:len(digits)-1])
	checkLength := int64(len(checkLine(nil)))
	if err != nil || length < int64(packFirst)+checkLength || length > min(size, maxHeader) {
		return "", fmt.Errorf("its first line is %q and it has %d bytes", first, size)
	}
	header := make([]byte, length)
	if _, err := f.ReadAt(header, 0); err != nil {
		return "", fmt.Errorf("reading its header: %w", noEOF(err))
	}
	above, check := header[:length-checkLength], header[length-checkLength:]
	if string(check) != checkLine(above) {
		return "", errors.New("its header doesn't match its check line")
	}
	return string(above[packFirst:]), nil
}

// parseRow reads what row.line writes, and nothing else.
func parseRow(line string) (row, error) {
	var r row
	var err error
	fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	kind := fields[0]
	if kind == "blob" && len(fields) == 4 || kind == "entry" && len(fields) == 5 {
		r.digest, err = canon.Parse(fields[1])
		offset, err2 := number(fields[2])
		length, err3 := number(fields[3])
		r.offset, r.length = offset, length
		if kind == "entry" {
			r.key = fields[4]
		}
		err = errors.Join(err, err2, err3)
	}
	if err != nil || r.line() != line {
		return row{}, fmt.Errorf("its row %q is none", line)
	}
	return r, nil
}

func number(digits string) (int64, error) {
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err
}

// read returns the row's value, verified.
func (r row) read(f io.ReaderAt) ([]byte, error) {
	value := make([]byte, r.length)
	if _, err := f.ReadAt(value, r.offset); err != nil && r.length > 0 {
		return nil, fmt.Errorf("reading its bytes: %w", noEOF(err))
	}
	if got := canon.Sum(value); got != r.digest {
		return nil, errors.New(mismatch(got))
	}
	return value, nil
}

// noEOF keeps an io.EOF from reaching a caller who would take it for a blob's end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
