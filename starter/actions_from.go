package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rlam/schemas"
	"rlam/starter/scan"
)

// writtenAction says that an action file was written, and what to do with it.
type writtenAction struct {
	Action string       `json:"action"`
	File   string       `json:"file"`
	Script string       `json:"script"`
	Params []scan.Param `json:"params"` // that were found in the script
	Next   []string     `json:"next"`
}

func (writtenAction) MessageType() string { return "written_action" }

// longestScript is how much of a script is read; more is no script.
const longestScript = 16 << 20

// newFromScript writes an action file for a script or program, which is read and not run.
func newFromScript(a *app, script, file string, force bool) error {
	text, err := readScript(script)
	if err != nil {
		return &codedError{exitUsage, err}
	}
	if file == "" {
		file = strings.TrimSuffix(script, filepath.Ext(script)) + ".yaml"
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return err
	}
	s := scan.Script(filepath.Base(script), text)
	if s.Text {
		if s.Files, err = beneath(dir, script, s.Beside); err != nil {
			return err
		}
	} else if s.Program, err = filepath.Abs(script); err != nil {
		return err
	}
	written := scan.ActionFile(s)
	// What is written must be right as it stands: the reader is about to build on it.
	b, problems := schemas.ParseAction(file, []byte(written), os.DirFS(dir))
	if err := problems.Err(); err != nil {
		return fmt.Errorf("writing an action for %q: %w", script, err)
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if !force {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(file, flags, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return badUsage("%q is there already: name another file with --file, or replace it with --force", file)
	}
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, written)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing %q: %w", file, err)
	}
	params := slices.DeleteFunc(slices.Clone(s.Params), func(p scan.Param) bool { return p.Name == scan.Seed })
	p := a.program()
	a.printer.Print(writtenAction{
		Action: b.ID(), File: file, Script: script, Params: append([]scan.Param{}, params...),
		Next: []string{p + " check " + file, p + " actions run " + file + runFlags(params) + " --times 5"},
	})
	return nil
}

// runFlags are the flags that actions run needs for parameters.
func runFlags(params []scan.Param) string {
	flags := ""
	for _, p := range params {
		switch {
		case p.File:
			flags += " --input " + p.Name + "=FILE"
		case !strings.Contains(flags, "--params"):
			flags += " --params params.yaml"
		}
	}
	return flags
}

func readScript(script string) ([]byte, error) {
	info, err := os.Stat(script)
	if err != nil {
		return nil, fmt.Errorf("reading the script: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("reading the script %q: it is no file", script)
	}
	f, err := os.Open(script)
	if err != nil {
		return nil, fmt.Errorf("reading the script: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestScript))
	if err != nil {
		return nil, fmt.Errorf("reading the script %q: %w", script, err)
	}
	if len(text) == longestScript && !bytes.ContainsRune(text, 0) {
		return nil, fmt.Errorf("reading the script %q: it has %d bytes or more, which no script has", script, longestScript)
	}
	return text, nil
}

// beneath are the script and what it takes in from beside it, where there is such a file,
// relative to the action file's folder.
func beneath(dir, script string, beside []string) ([]string, error) {
	abs, err := filepath.Abs(script)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, name := range append([]string{filepath.Base(abs)}, beside...) {
		file := filepath.Join(filepath.Dir(abs), filepath.FromSlash(name))
		if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
			continue // of the language's own library, and not beside the script
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil || !filepath.IsLocal(rel) {
			return nil, badUsage("%q is not below the folder of the action file, %q: put that beside the script", file, dir)
		}
		if rel = filepath.ToSlash(rel); !slices.Contains(files, rel) {
			files = append(files, rel)
		}
	}
	return files, nil
}
