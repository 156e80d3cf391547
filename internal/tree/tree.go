// Package tree gives a folder of files one name: the digest of its manifest.
//
// A manifest is canonical JSON (see package canon) that lists every regular file below
// the folder, by its path with "/":
//
//	{"files":{"bin/run.sh":{"digest":"sha256:…","executable":true,"size":12},
//	          "data.csv":{"digest":"sha256:…","size":4}},
//	 "format":"rlam.tree.v1"}
//
// (without the line break and the spaces). The digest is that of the file's bytes, the
// size is in bytes, and "executable" is there if the owner may run the file. Nothing
// else of a file counts: not its owner, its dates, its other permissions. So the same
// files have the same manifest wherever they were made, and
//
//	sha256sum data.csv
//
// checks one by hand. A folder without files isn't kept. Links, devices and sockets are
// no files, and whoever reads a folder refuses them before they come here.
//
// The manifest is an artifact of the media type [MediaType]; the files are blobs of
// their own, so that two trees share what they have in common, and whoever copies a tree
// copies its files too: see [Manifest.Digests].
package tree

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"rlam/internal/canon"
)

// Format is the member "format" of a manifest.
const Format = "rlam.tree.v1"

// MediaType is that of a manifest.
const MediaType = "application/vnd.rlam.tree+json"

const (
	// MaxFiles is how many files a tree may have.
	MaxFiles = 10_000
	// MaxManifest is how many bytes a manifest may have.
	MaxManifest = 8 << 20
)

// File is one file of a tree.
type File struct {
	Digest     canon.Digest `json:"digest"`
	Size       int64        `json:"size"`
	Executable bool         `json:"executable,omitempty"`
}

// Manifest is a tree: its files by their paths.
type Manifest struct {
	Format string          `json:"format"`
	Files  map[string]File `json:"files"`
}

// New is an empty tree.
func New() Manifest { return Manifest{Format: Format, Files: map[string]File{}} }

// Add enters a file, and refuses a path that another machine could not have.
func (m Manifest) Add(name string, f File) error {
	if err := CheckPath(name); err != nil {
		return err
	}
	if len(m.Files) >= MaxFiles {
		return fmt.Errorf("a tree has at most %d files", MaxFiles)
	}
	m.Files[name] = f
	return nil
}

// Encode is the manifest in canonical JSON.
func (m Manifest) Encode() ([]byte, error) {
	raw, err := canon.Marshal(m)
	if err == nil && len(raw) > MaxManifest {
		err = fmt.Errorf("the list of its files has %d bytes, and %d is the most", len(raw), MaxManifest)
	}
	return raw, err
}

// Paths are the files' paths, sorted.
func (m Manifest) Paths() []string { return slices.Sorted(maps.Keys(m.Files)) }

// Digests are the blobs that belong to the tree, each once, ordered by path.
func (m Manifest) Digests() []canon.Digest {
	var all []canon.Digest
	seen := map[canon.Digest]bool{}
	for _, name := range m.Paths() {
		if d := m.Files[name].Digest; !seen[d] {
			seen[d] = true
			all = append(all, d)
		}
	}
	return all
}

// Decode reads a manifest. It refuses what Encode doesn't write.
func Decode(raw []byte) (Manifest, error) {
	var m Manifest
	if len(raw) > MaxManifest {
		return m, fmt.Errorf("reading a tree: it has %d bytes, and %d is the most", len(raw), MaxManifest)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("reading a tree: %w", err)
	}
	if m.Format != Format {
		return m, fmt.Errorf("reading a tree: its format is %q, and not %q: was it collected from a folder?", m.Format, Format)
	}
	if len(m.Files) > MaxFiles {
		return m, fmt.Errorf("reading a tree: it has %d files, and %d is the most", len(m.Files), MaxFiles)
	}
	paths := m.Paths()
	for _, name := range paths {
		if err := CheckPath(name); err != nil {
			return m, fmt.Errorf("reading a tree: %w", err)
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, file := m.Files[dir]; file {
				return m, fmt.Errorf("reading a tree: %q is a file, and %q is below it", dir, name)
			}
		}
	}
	again, err := canon.Marshal(m)
	if err != nil {
		return m, fmt.Errorf("reading a tree: %w", err)
	}
	if string(again) != string(raw) {
		return m, errors.New("reading a tree: it is not spelled canonically")
	}
	return m, nil
}

// CheckPath refuses a path that leads elsewhere, or that not every system can have.
func CheckPath(name string) error {
	switch {
	case len(name) > 1024:
		return fmt.Errorf("the path %.80q… is longer than 1024 bytes", name)
	case !fs.ValidPath(name) || name == ".":
		return fmt.Errorf("the path %q is not a clean relative path", name)
	case strings.ContainsFunc(name, unicode.IsControl) || strings.ContainsRune(name, '\\'):
		return fmt.Errorf("the path %q has a control character or a backslash", name)
	}
	return nil
}
