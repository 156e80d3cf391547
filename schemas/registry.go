package schemas

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"rlam/internal/canon"
)

//go:embed actions
var shippedFiles embed.FS

// Registry finds actions by name. It holds the shipped ones, and those that a
// worker's author adds in Go. The zero Registry holds none.
type Registry struct {
	mu    sync.RWMutex
	bound map[string]*Bound // by NAME@VERSION
}

var shipped = sync.OnceValues(func() ([]*Bound, error) {
	names, err := fs.Glob(shippedFiles, "actions/*.yaml")
	if err != nil {
		return nil, err
	}
	files, err := fs.Sub(shippedFiles, "actions")
	if err != nil {
		return nil, err
	}
	var out []*Bound
	var problems Problems
	for _, name := range names {
		text, err := shippedFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		b, ps := ParseAction(path.Base(name), text, files)
		problems = append(problems, ps...)
		out = append(out, b)
	}
	return out, problems.Err()
})

// NewRegistry is a registry that holds the shipped actions.
func NewRegistry() (*Registry, error) {
	actions, err := shipped()
	if err != nil {
		return nil, fmt.Errorf("reading the shipped actions: %w", err)
	}
	r := &Registry{}
	return r, r.Add(actions...)
}

// Add puts actions into the registry. An action that is there already may be
// added again; another spec or binding under its name and version may not.
func (r *Registry) Add(actions ...*Bound) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bound == nil {
		r.bound = map[string]*Bound{}
	}
	for _, b := range actions {
		if there := r.bound[b.ID()]; there != nil {
			if err := conflict(there, b); err != nil {
				return err
			}
		}
		r.bound[b.ID()] = b
	}
	return nil
}

func conflict(a, b *Bound) error {
	switch {
	case a.Spec != b.Spec:
		return fmt.Errorf("two different specs of action %q: %s in %s and %s in %s; give the changed one a version of its own", a.ID(), a.Spec.Short(), from(a), b.Spec.Short(), from(b))
	case !slices.Equal(bindings(a), bindings(b)):
		return fmt.Errorf("two different bindings of action %q: %s in %s and %s in %s", a.ID(), short(bindings(a)), from(a), short(bindings(b)), from(b))
	}
	return nil
}

// bindings are the digests of all bindings, in order.
func bindings(b *Bound) []canon.Digest {
	all := b.Bindings()
	out := make([]canon.Digest, len(all))
	for i, one := range all {
		out[i] = one.Digest
	}
	return out
}

func short(digests []canon.Digest) string {
	var out []string
	for _, d := range digests {
		out = append(out, d.Short())
	}
	return strings.Join(out, ", ")
}

func from(b *Bound) string { return strconv.Quote(cmp.Or(b.File, "a record")) }

// All are the actions of the registry, by name and version.
func (r *Registry) All() []*Bound {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*Bound, 0, len(r.bound))
	for _, b := range r.bound {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *Bound) int {
		return cmp.Or(cmp.Compare(a.Action.Name, b.Action.Name), compareVersions(a.Action.Version, b.Action.Version))
	})
	return out
}

// Digest names the registry's content: the same for the same specs and bindings.
func (r *Registry) Digest() canon.Digest {
	var parts []string
	for _, b := range r.All() {
		part := b.ID() + " " + b.Spec.String()
		for _, digest := range bindings(b) {
			part += " " + digest.String()
		}
		parts = append(parts, part)
	}
	return canon.Key("rlam.registry.v1", parts...)
}

// Find is the action with a name, or NAME@VERSION; of several versions the
// highest. A miss names the nearest action.
func (r *Registry) Find(name string) (*Bound, error) {
	var best *Bound
	var names []string
	bare, version, pinned := strings.Cut(name, "@")
	for _, b := range r.All() {
		names = append(names, b.Action.Name, b.ID())
		if b.Action.Name == bare && (!pinned || b.Action.Version == version) {
			best = b
		}
	}
	if best != nil {
		return best, nil
	}
	miss := unknownAction{name: name, nearest: nearest(name, names)}
	if miss.nearest == "" {
		miss.known = slices.DeleteFunc(names, func(n string) bool { return strings.Contains(n, "@") })
	}
	return nil, miss
}

// unknownAction says that the registry has no action of a name.
type unknownAction struct {
	name, nearest string
	known         []string // if none is near
}

func (e unknownAction) message() string {
	message := fmt.Sprintf("no action is called %q", e.name)
	if e.nearest == "" {
		message += "; there are " + quoted(e.known)
	}
	return message
}

func (e unknownAction) Error() string { return phrase(e.message(), "", e.nearest) }

// Resolve finds the actions that a study lists, and more of them: files and folders
// relative to the study, and names of the registry. The map is by action name. All
// problems are reported: those of the action files, and those of what the study says
// about its actions, such as a rule of its policy that multiplies a parameter by 2.
func (r *Registry) Resolve(study *LoadedStudy, more ...string) (map[string]*Bound, Problems) {
	out := map[string]*Bound{}
	var problems Problems
	refuse := func(i int, format string, args ...any) {
		problems = append(problems, Problem{File: study.Path, Pointer: joinIndex("/actions", i), Message: fmt.Sprintf(format, args...)})
	}
	miss := func(i int, err error) {
		refuse(i, "%v", err)
		if unknown := (unknownAction{}); errors.As(err, &unknown) {
			last := &problems[len(problems)-1]
			last.Message, last.Nearest = unknown.message(), unknown.nearest
		}
	}
	take := func(i int, name string) {
		found, ps, err := r.resolve(filepath.Dir(study.Path), name)
		problems = append(problems, ps...)
		if err != nil {
			miss(i, err)
		}
		for _, b := range found {
			there := out[b.Action.Name]
			switch {
			case there == nil:
				out[b.Action.Name] = b
			case there.ID() != b.ID():
				refuse(i, "%q and %q would both be called %q", there.ID(), b.ID(), b.Action.Name)
			default:
				if err := conflict(there, b); err != nil {
					refuse(i, "%v", err)
				}
			}
		}
	}
	listed := append(slices.Clone(study.Study.Actions), List(more...)...)
	for i, a := range listed {
		if a.Params == nil && a.Use != "" {
			take(i, a.Use)
		}
	}
	for i, a := range listed { // what is narrowed may have come with a file or folder
		name, version, pinned := strings.Cut(a.Use, "@")
		switch there := out[name]; {
		case a.Params == nil || a.Use == "":
		case there == nil:
			take(i, a.Use)
		case pinned && there.Action.Version != version:
			refuse(i, "%q and %q would both be called %q", there.ID(), a.Use, name)
		}
	}
	problems = append(problems, study.check(out, len(problems) == 0 && !study.unsure)...)
	if len(problems) > 0 {
		return nil, study.Locate(problems)
	}
	return out, nil
}

// isPath tells files and folders from names of actions.
func isPath(name string) bool {
	return strings.ContainsAny(name, `/\`) || slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(name)))
}

func (r *Registry) resolve(dir, name string) ([]*Bound, Problems, error) {
	target := name
	if !filepath.IsAbs(target) {
		target = filepath.Join(dir, filepath.FromSlash(name))
	}
	if !isPath(name) {
		if b, err := r.Find(name); err == nil {
			return []*Bound{b}, nil, nil
		} else if info, statErr := os.Stat(target); statErr != nil || !info.IsDir() {
			return nil, nil, err
		}
	}
	return loadActions(name, target)
}

// LoadActions reads the action file, or the folder of action files, at path. The
// problems are those of the files; the error is of one that can't be reached at all.
func LoadActions(path string) ([]*Bound, Problems, error) { return loadActions(path, path) }

// loadActions is [LoadActions] of a path that people know by another name.
func loadActions(name, target string) ([]*Bound, Problems, error) {
	info, err := os.Stat(target)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %q: %w", name, err)
	}
	files := []string{target}
	if info.IsDir() {
		if files, err = folder(target); err != nil {
			return nil, nil, fmt.Errorf("reading %q: %w", name, err)
		}
		if len(files) == 0 {
			return nil, nil, fmt.Errorf("the folder %q holds no action files", name)
		}
	}
	var out []*Bound
	var problems Problems
	for _, f := range files {
		b, ps := LoadAction(f)
		problems = append(problems, ps...)
		if b != nil {
			out = append(out, b)
		}
	}
	return out, problems, nil
}

// Locate gives problems of the study's file, which have a pointer, their lines as far as
// the file can still be read, and sorts them.
func (l *LoadedStudy) Locate(problems Problems) Problems {
	text, ps := readFile(l.Path)
	if len(ps) == 0 {
		s := parse(l.Path, text)
		for i, p := range problems {
			if p.File == l.Path && p.Line == 0 {
				at := s.at(p.Pointer, false)
				problems[i].Line, problems[i].Column = at.line, at.column
			}
		}
	}
	return problems.Sorted()
}

// compareVersions orders dotted numbers by value and other text by its letters.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, errX := strconv.Atoi(as[i])
		y, errY := strconv.Atoi(bs[i])
		c := strings.Compare(as[i], bs[i])
		if errX == nil && errY == nil {
			c = cmp.Compare(x, y)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}
