package bundle

import (
	"maps"
	"path"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// places are the paths that are taken, in small letters: true of files, false of folders.
// So no two files of a bundle meet where letters aren't told apart by their case.
type places map[string]bool

// claim makes a path that every system can have, and that nothing else has.
func (p places) claim(wanted string, d canon.Digest) string {
	if dir, name, _ := strings.Cut(wanted, "/"); slices.Contains(digestDirs, dir+"/") && strings.HasPrefix(name, d.Hex()) {
		return wanted // nothing else is called so
	}
	clean := cleanPath(wanted)
	if p.take(clean) {
		return clean
	}
	ext := path.Ext(clean)
	if other := strings.TrimSuffix(clean, ext) + "~" + d.Short() + ext; p.take(other) {
		return other
	}
	dir, _, _ := strings.Cut(clean, "/")
	other := dir + "/" + d.Hex()
	p.take(other)
	return other
}

// digestDirs are the folders in which each file is named by its digest alone.
var digestDirs = []string{recordsDir, contentsDir, environmentDir, judgementsDir, reusedDir, toolsDir}

func (p places) take(name string) bool {
	name = strings.ToLower(name)
	if _, taken := p[name]; taken {
		return false
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if p[dir] {
			return false
		}
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		p[dir] = false
	}
	p[name] = true
	return true
}

// cleanPath replaces what some system doesn't take in a path. Names that a planner or a
// program chose come here.
func cleanPath(name string) string {
	var out []string
	for segment := range strings.SplitSeq(name, "/") {
		if segment = cleanName(segment); segment != "" {
			out = append(out, segment)
		}
	}
	return strings.Join(out, "/")
}

// maxSegment bounds the name of a file or folder, in bytes.
const maxSegment = 120

func cleanName(name string) string {
	if len(name) > maxSegment {
		ext := path.Ext(name)
		if len(ext) > 16 {
			ext = ""
		}
		name = name[:maxSegment-len(ext)] + ext
	}
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-+@=,()", r) {
			return r
		}
		return '_'
	}, name)
	name = strings.TrimRight(name, ".")
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "-") || slices.Contains(devices, stem) {
		name = "_" + name
	}
	return name
}

// devices are names that Windows keeps for itself.
var devices = []string{
	"con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
	"lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
}

// extension is how files of a media type are named, the same on every machine.
func extension(mediaType string) string {
	switch mediaType {
	case "text/csv":
		return ".csv"
	case "text/tab-separated-values":
		return ".tsv"
	case "text/plain":
		return ".txt"
	case "application/json", "application/vnd.rlam.tree+json":
		return ".json"
	case "application/yaml":
		return ".yaml"
	case "application/pdf":
		return ".pdf"
	case "image/png":
		return ".png"
	case "image/jpeg":
		return ".jpg"
	case "image/svg+xml":
		return ".svg"
	}
	return ""
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
