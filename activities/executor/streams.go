//go:build linux || darwin

package executor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"rlam/schemas"
)

// logFile is the log's name in the attempt's folder.
const logFile = "log"

// openStreams connects the program's stdin, stdout and stderr.
func (e *execution) openStreams(l layout, cmd *schemas.Command, maxLog int64) (err error) {
	if e.log, err = createLog(filepath.Join(e.task.Dir, logFile), maxLog); err != nil {
		return err
	}
	e.stderr.to = e.log
	to := map[string][]io.Writer{schemas.Stdout: {e.log}, schemas.Stderr: {&e.stderr}}
	for stream := range to {
		to[stream] = append(to[stream], e.readings.stream(stream))
		if !whole(cmd, stream) {
			continue
		}
		k, err := createKept(filepath.Join(e.task.Dir, stream))
		if err != nil {
			return err
		}
		e.kept[stream], to[stream] = k, append(to[stream], k)
	}
	e.out = scrubber{to: io.MultiWriter(to[schemas.Stdout]...), secrets: e.secrets}
	e.err = scrubber{to: io.MultiWriter(to[schemas.Stderr]...), secrets: e.secrets}
	e.cmd.Stdout, e.cmd.Stderr = &e.out, &e.err
	if cmd.Stdin == "" {
		return nil
	}
	in, err := os.OpenInRoot(l.dir, filepath.FromSlash(cmd.Stdin))
	if errors.Is(err, os.ErrNotExist) {
		return &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("opening %q for stdin: it was not made, since its parameter is not given", cmd.Stdin)}
	}
	if err != nil {
		return fmt.Errorf("opening %q for stdin: %w", cmd.Stdin, err)
	}
	e.cmd.Stdin = in
	return nil
}

func (e *execution) closeStdin() {
	if in, ok := e.cmd.Stdin.(*os.File); ok {
		in.Close()
	}
}

// closeStreams closes what openStreams opened, of a program that didn't start.
func (e *execution) closeStreams() {
	e.closeStdin()
	if e.log != nil {
		e.log.file.Close()
	}
	for _, k := range e.kept {
		k.file.Close()
	}
}

// kept is all that a program printed on one stream, in a file: there is no limit, since
// it is a declared output, and none of it stays in memory.
type kept struct {
	file *os.File
	err  error // the first error of writing
}

func createKept(path string) (*kept, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating a file for what the program prints: %w", err)
	}
	return &kept{file: f}, nil
}

// Write reports no error: a program isn't to fail because its output can't be kept. The
// attempt does.
func (k *kept) Write(p []byte) (int, error) {
	if k.err == nil {
		_, k.err = k.file.Write(p)
	}
	return len(p), nil
}

// store puts the stream into the store under a name.
func (k *kept) store(ctx context.Context, blobs Blobs, name string) (Artifact, error) {
	f, err := os.Open(k.file.Name())
	if err != nil {
		return Artifact{}, err
	}
	defer f.Close()
	d, size, err := blobs.Put(ctx, f)
	if err != nil {
		return Artifact{}, fmt.Errorf("collecting stdout as %q: %w", name, err)
	}
	mediaType := "text/plain"
	if filepath.Ext(name) != "" {
		mediaType = mediaTypeOf(name)
	}
	return Artifact{Name: name, Digest: d, Size: size, MediaType: mediaType}, nil
}
