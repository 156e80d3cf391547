//go:build linux || darwin

package executor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"rlam/internal/canon"
	"rlam/schemas"
)

// layout is what Start made of a task.
type layout struct {
	dir     string // the program's folder
	program string // its file
	argv    []string
	params  json.RawMessage // as admitted: with handles, not with paths
}

// layOut makes the attempt's folder.
func (c *commands) layOut(ctx context.Context, t Task) (layout, error) {
	cmd := t.Binding.Command
	if err := checkVariables(cmd); err != nil {
		return layout{}, err
	}
	params, err := canon.Transform(t.Params)
	if err != nil {
		return layout{}, &Failure{Type: TypeInvalidParams, Message: fmt.Sprintf("reading the parameters: %v", err)}
	}
	if !filepath.IsAbs(t.Dir) {
		return layout{}, fmt.Errorf("the attempt's folder %q is no absolute path", t.Dir)
	}
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return layout{}, fmt.Errorf("making the attempt's folder: %w", err)
	}
	l := layout{dir: filepath.Join(t.Dir, work), params: params}
	if err := os.Mkdir(l.dir, 0o700); err != nil { // exists: another attempt's
		return layout{}, fmt.Errorf("making the attempt's folder: %w", err)
	}
	f, err := newFolder(l.dir, t.blobs(c.blobs))
	if err != nil {
		return layout{}, err
	}
	defer f.close()
	seen, err := f.place(ctx, t.Takes, params)
	if err != nil {
		return layout{}, err
	}
	if err := f.scripts(ctx, cmd.Files, t.Files); err != nil {
		return layout{}, err
	}
	v, err := newValues(seen, t)
	if err != nil {
		return layout{}, err
	}
	handles, err := newValues(params, t)
	if err != nil {
		return layout{}, err
	}
	in := inputs{folder: f, values: v, handles: handles, digests: t.Files}
	for _, entry := range cmd.In {
		if err := in.make(ctx, entry); err != nil {
			return layout{}, err
		}
	}
	return l, l.line(cmd, v, searchPath(cmd, c.path))
}

// line makes the command line: what fixes addresses, the prefix, and the program.
func (l *layout) line(cmd *schemas.Command, v values, search string) (err error) {
	if l.argv, err = arguments(cmd.Argv, v); err != nil {
		return err
	}
	if len(cmd.Prefix) > 0 {
		prefix, err := arguments(cmd.Prefix, v)
		if err != nil {
			return err
		}
		l.argv = slices.Concat(prefix, l.argv)
	}
	if l.program, err = findProgram(l.argv[0], l.dir, search); err != nil || !cmd.FixedAddresses {
		return err
	}
	fixer, err := addressFixer(search)
	if err != nil {
		return err
	}
	l.argv = slices.Concat(fixer, []string{l.program}, l.argv[1:])
	l.program = fixer[0]
	return nil
}

// addressFixer is what turns address-space randomisation off for the program behind it.
func addressFixer(search string) ([]string, error) {
	file, err := findProgram("setarch", "/", search)
	if err != nil || runtime.GOOS != "linux" {
		return nil, &Failure{Type: TypeNotStarted, Message: "the action asks for fixed_addresses, and there is no setarch on this machine: it comes with util-linux on Linux; install it, or leave fixed_addresses out"}
	}
	return []string{file, "-R"}, nil
}
