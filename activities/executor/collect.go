package executor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"rlam/internal/tree"
	"rlam/schemas"
)

// maxMatches is how many files one glob may collect.
const maxMatches = 10_000

// out collects what an entry of a binding's out names, and returns the handles: one, or
// of a glob one for each file, ordered by path. There are none if nothing is there.
func (o *outputs) out(ctx context.Context, e schemas.OutFile, made map[string]bool) ([]string, error) {
	switch {
	case e.Glob():
		paths, err := o.glob(e.Path, made)
		if err != nil {
			return nil, err
		}
		var handles []string
		for _, p := range paths {
			h, err := o.collect(ctx, path.Join(e.Name, p), p, e.MediaType)
			if err != nil {
				return nil, err
			}
			handles = append(handles, h)
		}
		return handles, nil
	case !o.has(strings.TrimSuffix(e.Path, "/")):
		return nil, nil
	case e.Folder():
		h, err := o.collectTree(ctx, e.Name, strings.TrimSuffix(e.Path, "/"))
		return []string{h}, err
	}
	h, err := o.collect(ctx, e.Name, e.Path, e.MediaType)
	return []string{h}, err
}

// glob are the files that a pattern matches, sorted, without those that were there
// before the program started. What is no regular file is refused later, by open.
func (o *outputs) glob(pattern string, made map[string]bool) ([]string, error) {
	found, err := fs.Glob(o.root.FS(), pattern)
	if err != nil {
		return nil, invalid("looking for %q: %v", pattern, err)
	}
	found = slices.DeleteFunc(found, func(p string) bool {
		top, _, _ := strings.Cut(p, "/")
		return made[p] || slices.Contains(schemas.ReservedPaths, top)
	})
	if len(found) > maxMatches {
		return nil, invalid("looking for %q: there are %d files, and %d is the most; a folder (PATH/) is one artifact", pattern, len(found), maxMatches)
	}
	slices.Sort(found)
	return found, nil
}

// collectTree stores a folder's files and their manifest, and returns the manifest's handle.
func (o *outputs) collectTree(ctx context.Context, name, dir string) (string, error) {
	m := tree.New()
	if err := o.walk(ctx, dir, "", m, 0); err != nil {
		return "", err
	}
	raw, err := m.Encode()
	if err != nil {
		return "", invalid("collecting the folder %q: %v", dir, err)
	}
	d, size, err := o.blobs.Put(ctx, bytes.NewReader(raw))
	if err != nil {
		return "", fmt.Errorf("collecting the folder %q: %w", dir, err)
	}
	return o.keep(Artifact{Name: name, Digest: d, Size: size, MediaType: tree.MediaType})
}

// maxTreeDepth bounds how deep the folders of a tree are nested.
const maxTreeDepth = 64

// walk stores what is in dir, whose path in the tree is at.
func (o *outputs) walk(ctx context.Context, dir, at string, m tree.Manifest, depth int) error {
	if depth > maxTreeDepth {
		return invalid("collecting the folder %q: folders are nested deeper than %d", dir, maxTreeDepth)
	}
	info, err := o.root.Lstat(filepath.FromSlash(dir))
	if err != nil || !info.IsDir() {
		return invalid("collecting the folder %q: it is no folder, or a link to one", dir)
	}
	entries, err := fs.ReadDir(o.root.FS(), dir)
	if err != nil {
		return invalid("collecting the folder %q: %v", dir, err)
	}
	for _, e := range entries {
		file, name := path.Join(dir, e.Name()), path.Join(at, e.Name())
		if e.IsDir() {
			if err := o.walk(ctx, file, name, m, depth+1); err != nil {
				return err
			}
			continue
		}
		if err := tree.CheckPath(name); err != nil {
			return invalid("collecting the folder %q: %v", dir, err)
		}
		if err := o.enter(ctx, file, name, m); err != nil {
			return err
		}
	}
	return nil
}

// enter stores one file of a tree.
func (o *outputs) enter(ctx context.Context, file, name string, m tree.Manifest) error {
	f, err := o.open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("collecting the file %q: %w", file, err)
	}
	d, size, err := o.blobs.Put(ctx, f)
	if err != nil {
		return fmt.Errorf("collecting the file %q: %w", file, err)
	}
	if err := m.Add(name, tree.File{Digest: d, Size: size, Executable: info.Mode().Perm()&0o100 != 0}); err != nil {
		return invalid("collecting the folder: %v", err)
	}
	return nil
}

// keep enters an artifact. Two files can't have one name.
func (o *outputs) keep(a Artifact) (string, error) {
	if there, ok := o.files[a.Name]; ok && there.Digest != a.Digest {
		return "", invalid("collecting %q: there is another artifact of this name", a.Name)
	}
	o.files[a.Name] = a
	return a.Digest.String(), nil
}

// gathered are the handles of a binding's out, by name.
type gathered map[string][]string

// gather collects all that out names. What went wrong with some keeps no others from
// being collected; lenient, what isn't there is no matter.
func (o *outputs) gather(ctx context.Context, cmd *schemas.Command, lenient bool) (gathered, error) {
	made := make(map[string]bool)
	for _, in := range cmd.In {
		made[in.Path] = true
	}
	for _, name := range cmd.Files {
		made[name] = true
	}
	all := make(gathered)
	var errs []error
	for _, e := range cmd.Out {
		handles, err := o.out(ctx, e, made)
		if f := (*Failure)(nil); err != nil && !errors.As(err, &f) {
			return nil, err
		}
		if err == nil && len(handles) == 0 && !e.Optional && !lenient {
			err = invalid("collecting %q: the program left no file %q", e.Name, e.Path)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[e.Name] = handles
	}
	return all, errors.Join(errs...)
}

// name gives the members of the output that the returns schema marks as artifacts their
// handles, by their names.
func (g gathered) name(members map[string]any, returns marks) {
	for name, handles := range g {
		_, handle, list := returns.member(name)
		switch {
		case !handle:
		case list:
			members[name] = append([]string{}, handles...)
		case len(handles) == 1:
			members[name] = handles[0]
		}
	}
}
