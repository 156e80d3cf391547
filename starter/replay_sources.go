package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	historypb "go.temporal.io/api/history/v1"

	"rlam/internal/record"
	"rlam/provenance/bundle"
	"rlam/provenance/export"
	"rlam/provenance/history"
)

// maxHistory bounds a history's file. Temporal ends a run at 50 MiB of protobuf.
const maxHistory = 1 << 30

// historyFiles are how the files of histories end that are looked for in a folder.
var historyFiles = []string{".json", ".pb", ".binpb", ".bin"}

// replaySource is a history to replay. It is read when its turn comes.
type replaySource struct {
	name   string
	runID  string // Temporal's, where the history doesn't say it
	engine string // that ran it, where that is known
	aside  bool   // a reset went back from it
	open   func() (*historypb.History, error)
}

// replayable finds the histories that arguments name, in their order.
func (a *app) replayable(ctx context.Context, args []string, storeFlag string) ([]replaySource, error) {
	var all []replaySource
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case bundle.Is(arg):
			all = append(all, bundleSources(ctx, arg)...)
		case err == nil && info.IsDir():
			files, err := historiesIn(ctx, arg)
			if err != nil {
				return nil, err
			}
			all = append(all, files...)
		case err == nil:
			all = append(all, fileSource(arg))
		case looksLikeFile(arg):
			return nil, badUsage("reading the history %q: %w", arg, errors.Unwrap(err))
		default:
			e, err := a.gather(ctx, arg, gatherOptions{store: storeFlag})
			if err != nil {
				return nil, err
			}
			all = append(all, runSources(e.Run)...)
		}
	}
	return all, nil
}

// looksLikeFile says whether an argument that names no file was meant to.
func looksLikeFile(arg string) bool {
	return strings.ContainsAny(arg, `/\`) || slices.Contains(historyFiles, filepath.Ext(arg)) || filepath.Ext(arg) == ".zip"
}

// runSources are the histories of a run that was brought together.
func runSources(r export.Run) []replaySource {
	var all []replaySource
	engine := ""
	if r.Trace.Run != nil {
		engine = r.Trace.Run.Engine
	}
	for _, h := range r.Histories {
		name := r.Trace.ID
		if len(r.Histories) > 1 {
			name += " " + h.RunID[:min(8, len(h.RunID))]
		}
		all = append(all, replaySource{
			name: name, runID: h.RunID, engine: engine, aside: h.Aside,
			open: func() (*historypb.History, error) { return history.Decode(h.Protobuf) },
		})
	}
	return all
}

func fileSource(path string) replaySource {
	return replaySource{name: path, open: func() (*historypb.History, error) {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, err
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("reading a history: it is no file")
		case info.Size() > maxHistory:
			return nil, fmt.Errorf("reading a history: it has %d bytes, and no history has more than %d", info.Size(), maxHistory)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		return history.Decode(b)
	}}
}

// bundleSources are the histories of a bundle. Each is read from it when its turn comes, so
// that many bundles are never in memory together. Of one that can't be opened there is a
// source that says so.
func bundleSources(ctx context.Context, path string) []replaySource {
	read := func(then func(*archive) error) error {
		ctx, done := context.WithCancel(ctx)
		defer done() // closes the file
		k, err := openBundle(ctx, path)
		if err != nil {
			return err
		}
		return then(k)
	}
	var all []replaySource
	err := read(func(k *archive) error {
		var run record.Run
		if record.Load(ctx, k.Store, k.Record, &run) != nil {
			run.Engine = "" // it is only said where to look
		}
		for _, id := range slices.Sorted(maps.Keys(k.Histories)) {
			name := path
			if len(k.Histories) > 1 {
				name += " " + id[:min(8, len(id))]
			}
			all = append(all, replaySource{name: name, runID: id, engine: run.Engine, open: func() (h *historypb.History, err error) {
				err = read(func(k *archive) error { h = k.Histories[id]; return nil })
				return h, err
			}})
		}
		if len(all) == 0 {
			return fmt.Errorf("reading bundle %q: it has no history", path)
		}
		return nil
	})
	if err != nil {
		return []replaySource{{name: path, open: func() (*historypb.History, error) { return nil, err }}}
	}
	return all
}

// historiesIn are the histories in files and bundles below a folder, in alphabetical order.
func historiesIn(ctx context.Context, dir string) ([]replaySource, error) {
	var all []replaySource
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.Type().IsRegular():
		case slices.Contains(historyFiles, filepath.Ext(path)):
			all = append(all, fileSource(path))
		case bundle.Is(path):
			all = append(all, bundleSources(ctx, path)...)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for histories in %q: %w", dir, err)
	}
	if len(all) == 0 {
		return nil, badUsage("looking for histories in %q: it has no file that ends in %s or .zip", dir, strings.Join(historyFiles, ", "))
	}
	return all, nil
}
