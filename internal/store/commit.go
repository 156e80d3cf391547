package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"rlam/internal/canon"
)

// copyBuffer is the memory that Put takes, and the size up to which Get
// verifies a plain file before it opens it.
const copyBuffer = 1 << 20

// Put implements [Store].
func (f *Folder) Put(ctx context.Context, r io.Reader) (canon.Digest, int64, error) {
	d, size, err := f.put(ctx, r)
	if err != nil {
		return canon.Digest{}, 0, fmt.Errorf("putting a blob: %w", f.explain(err))
	}
	return d, size, nil
}

func (f *Folder) put(ctx context.Context, r io.Reader) (d canon.Digest, size int64, err error) {
	hash := sha256.New()
	tmp, err := f.writeTmp(func(w *os.File) (err error) {
		size, err = io.CopyBuffer(io.MultiWriter(w, hash), &contextReader{ctx, r}, make([]byte, copyBuffer))
		return err
	})
	if err != nil {
		return canon.Digest{}, 0, err
	}
	defer os.Remove(tmp)
	hash.Sum(d[:0])
	// The new file takes the place of an old one: it has the same bytes, unless
	// the old one is corrupt, and to find that out would cost another read.
	if err := replace(tmp, f.blobPath(d)); err != nil {
		return canon.Digest{}, 0, err
	}
	return d, size, f.syncDirs(map[string]bool{filepath.Dir(f.blobPath(d)): true})
}

// replace renames tmp to name.
func replace(tmp, name string) error {
	err := os.Rename(tmp, name)
	if errors.Is(err, fs.ErrPermission) {
		// Windows replaces no read-only file.
		if os.Chmod(name, 0o644) == nil {
			err = os.Rename(tmp, name)
		}
	}
	return err
}

// Commit implements [Store].
func (f *Folder) Commit(ctx context.Context, b Batch) (stored []bool, current [][]byte, err error) {
	if err := checkBatch(ctx, b); err != nil {
		return nil, nil, err
	}
	c := &commit{
		f: f, b: b,
		current: make([][]byte, len(b.Entries)),
		stored:  make([]bool, len(b.Entries)),
		touched: map[string]bool{},
	}
	if err := c.run(ctx); err != nil {
		return nil, nil, fmt.Errorf("committing: %w", f.explain(err))
	}
	return c.stored, c.current, nil
}

// A commit is one call of Folder.Commit.
type commit struct {
	f *Folder
	b Batch

	stored  []bool
	current [][]byte

	touched map[string]bool // directories to sync
	made    []string        // directories below entries/ that weren't known
	links   []link
}

// A link is a name that a pack is to get.
type link struct {
	path  string
	blob  canon.Digest // of a blob
	entry int          // of an entry: its index; -1 for a blob
	tmp   string       // the pack's file, once it is written
}

func (c *commit) run(ctx context.Context) error {
	packs, err := c.plan(ctx)
	if err != nil {
		return err
	}
	next := 0
	for _, p := range packs {
		tmp, err := c.f.writeTmp(func(w *os.File) error {
			buf := bufio.NewWriterSize(w, min(p.size(), 1<<16))
			if err := p.writeTo(buf); err != nil {
				return err
			}
			return buf.Flush()
		})
		if err != nil {
			return err
		}
		defer os.Remove(tmp)
		for range p.rows {
			c.links[next].tmp = tmp
			next++
		}
	}
	for _, l := range c.links {
		if err := c.link(ctx, l); err != nil {
			return err
		}
	}
	// Names that were there already are synced as well: another process may have
	// made them, and be about to sync.
	if err := c.f.syncDirs(c.touched); err != nil {
		return err
	}
	for _, dir := range c.made {
		c.f.known.Store(dir, true)
	}
	for i, e := range c.b.Entries {
		if c.stored[i] {
			continue
		}
		// An earlier entry of the batch may have this key, so it is read only now.
		if c.current[i], err = c.f.entry(e.Key); err != nil {
			return err
		}
	}
	return nil
}

// plan packs what the store hasn't got yet, and notes every directory whose
// names the caller will rely on.
func (c *commit) plan(ctx context.Context) ([]*pack, error) {
	var packs []*pack
	room := func() *pack {
		if len(c.links)%maxNames == 0 {
			packs = append(packs, &pack{})
		}
		return packs[len(packs)-1]
	}
	planned := map[string]bool{}
	for _, blob := range c.b.Blobs {
		d := canon.Sum(blob)
		path := c.f.blobPath(d) + packSuffix
		c.touched[filepath.Dir(path)] = true
		if planned[path] {
			continue
		}
		planned[path] = true
		switch err := c.f.verify(ctx, d); {
		case err == nil:
			continue
		case ctx.Err() != nil:
			return nil, err
		}
		room().blob(d, blob)
		c.links = append(c.links, link{path: path, blob: d, entry: -1})
	}
	for i, e := range c.b.Entries {
		path := c.f.entryPath(e.Key)
		if err := c.mkdir(filepath.Dir(path)); err != nil {
			return nil, err
		}
		if planned[path] {
			continue
		}
		planned[path] = true
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		room().entry(e.Key, e.Value)
		c.links = append(c.links, link{path: path, entry: i})
	}
	return packs, nil
}

// mkdir makes a directory below entries/, and notes it and its new parents.
func (c *commit) mkdir(dir string) error {
	c.touched[dir] = true
	if _, ok := c.f.known.Load(dir); ok || dir == c.f.path("entries") {
		return nil
	}
	parent := filepath.Dir(dir)
	if err := c.mkdir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	c.made = append(c.made, dir)
	return nil
}

// link gives a pack one of its names.
func (c *commit) link(ctx context.Context, l link) error {
	err := c.f.link(l.tmp, l.path)
	switch {
	case err == nil && l.entry >= 0:
		c.stored[l.entry] = true
		c.current[l.entry] = append([]byte(nil), c.b.Entries[l.entry].Value...)
		return nil
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrExist):
		return err
	case l.entry >= 0:
		return nil // another process was first, and its value stands
	}
	if err := c.f.verify(ctx, l.blob); err == nil || ctx.Err() != nil {
		return err
	}
	again := c.f.tmpPath()
	if err := c.f.link(l.tmp, again); err != nil {
		return err
	}
	defer os.Remove(again)
	return replace(again, l.path)
}
