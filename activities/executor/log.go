package executor

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// log is what a program printed, in a file, up to a size. The rest is read and counted,
// so that the program isn't held up and the worker's memory stays flat.
type log struct {
	mu      sync.Mutex
	file    *os.File
	room    int64
	dropped int64
	notes   []string
	err     error // the first error of writing: a log that lost lines must not look whole
}

func createLog(path string, limit int64) (*log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating the log: %w", err)
	}
	return &log{file: f, room: limit}, nil
}

// Write keeps what there is room for. It reports no error: a program isn't to fail
// because its log can't be kept.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := p[:min(int64(len(p)), l.room)]
	l.room -= int64(len(keep))
	l.dropped += int64(len(p) - len(keep))
	if len(keep) > 0 && l.err == nil {
		_, l.err = l.file.Write(keep)
	}
	return len(p), nil
}

// note adds a remark of the engine, which stands at the log's end.
func (l *log) note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, "rlam: "+fmt.Sprintf(format, args...)+"\n")
}

func (l *log) store(ctx context.Context, blobs Blobs) (Artifact, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.file.Close()
	if l.dropped > 0 {
		l.notes = append(l.notes, notKept(l.dropped))
	}
	if l.err == nil {
		_, l.err = l.file.WriteString(strings.Join(l.notes, ""))
	}
	if l.err != nil {
		return Artifact{}, fmt.Errorf("writing the log: %w", l.err)
	}
	size, err := l.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return Artifact{}, fmt.Errorf("reading the log: %w", err)
	}
	if _, err := l.file.Seek(0, io.SeekStart); err != nil {
		return Artifact{}, fmt.Errorf("reading the log: %w", err)
	}
	return putLog(ctx, blobs, l.file, size)
}

func notKept(n int64) string { return fmt.Sprintf("\nrlam: %d more bytes were not kept\n", n) }

// putLog stores a log, unless it is empty.
func putLog(ctx context.Context, blobs Blobs, r io.Reader, size int64) (Artifact, error) {
	if size == 0 {
		return Artifact{}, nil
	}
	d, n, err := blobs.Put(ctx, r)
	if err != nil {
		return Artifact{}, err
	}
	return Artifact{Name: "log", Digest: d, Size: n, MediaType: "text/plain"}, nil
}

// tail passes everything on and remembers the last bytes.
type tail struct {
	to   io.Writer
	last []byte
	cut  bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.cut = t.cut || len(t.last)+len(p) > maxStderr
	t.last = append(t.last, p[max(0, len(p)-maxStderr):]...)
	t.last = append(t.last[:0], t.last[max(0, len(t.last)-maxStderr):]...)
	return t.to.Write(p)
}

// text is the tail as valid UTF-8, from the beginning of a character.
func (t *tail) text() string {
	b := t.last
	for t.cut && len(b) > 0 && !utf8.RuneStart(b[0]) {
		b = b[1:]
	}
	s := strings.ToValidUTF8(string(b), "?")
	return strings.TrimSpace(s)
}

func isControl(r rune) bool { return unicode.IsControl(r) }
