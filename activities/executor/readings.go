package executor

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"rlam/schemas"
)

// readings are what a binding looks for: in stdout and stderr while a program runs, and
// in the files that it left.
type readings struct {
	cmd     *schemas.Command
	result  map[string]*search // of the patterns, by the output's member
	errors  [][]*search        // of each rule; one for each source
	sources map[string]*lines  // by "stdout", "stderr" or a path
	growing map[string]*lines  // by the path of a file that says how far the program is; apart, since it is read while it grows
}

// newReadings compiles what cmd looks for. tell hears of progress.
func newReadings(cmd *schemas.Command, tell func(message string)) (*readings, error) {
	r := &readings{cmd: cmd, result: make(map[string]*search), errors: make([][]*search, len(cmd.Errors)), sources: make(map[string]*lines), growing: make(map[string]*lines)}
	for name, e := range cmd.Result {
		if e.Pattern == "" {
			continue
		}
		s, err := look(r.sources, e.Source(), e.Pattern)
		if err != nil {
			return nil, err
		}
		s.first, s.all = e.Match == "first", e.All
		r.result[name] = s
	}
	for i, rule := range cmd.Errors {
		for _, from := range streams(rule.From) {
			if rule.Pattern == "" {
				continue
			}
			s, err := look(r.sources, from, rule.Pattern)
			if err != nil {
				return nil, err
			}
			s.first = true
			r.errors[i] = append(r.errors[i], s)
		}
	}
	for _, rule := range cmd.Progress {
		for _, from := range streams(rule.From) {
			in := r.sources
			if from != schemas.Stdout && from != schemas.Stderr {
				in = r.growing
			}
			s, err := look(in, from, rule.Pattern)
			if err != nil {
				return nil, err
			}
			s.tell = func(groups []string) { tell(schemas.FillGroups(cmp.Or(rule.Message, "{0}"), groups)) }
		}
	}
	return r, nil
}

// streams are the sources that a rule means.
func streams(from string) []string {
	if from == "" {
		return []string{schemas.Stdout, schemas.Stderr}
	}
	return []string{from}
}

// look adds a search to one of sources.
func look(sources map[string]*lines, from, pattern string) (*search, error) {
	s, err := newSearch(pattern)
	if err != nil {
		return nil, &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("reading the pattern %q: %v", pattern, err)}
	}
	if sources[from] == nil {
		sources[from] = &lines{}
	}
	sources[from].searches = append(sources[from].searches, s)
	return s, nil
}

// stream is where what a source holds is to be written.
func (r *readings) stream(from string) *lines {
	if r.sources[from] == nil {
		r.sources[from] = &lines{}
	}
	return r.sources[from]
}

// whole says whether a stream must be kept, since a table or a document is read from it.
func whole(cmd *schemas.Command, stream string) bool {
	for _, e := range cmd.Result {
		if e.Source() == stream && e.Pattern == "" {
			return true
		}
	}
	return stream == schemas.Stdout && cmd.Stdout != ""
}

// finish looks through the files that the program left, each once. One that isn't there
// has no match.
func (r *readings) finish(o *outputs) error {
	for _, name := range slices.Sorted(maps.Keys(r.sources)) {
		if name == schemas.Stdout || name == schemas.Stderr {
			r.sources[name].flush()
			continue
		}
		if !o.has(name) {
			continue
		}
		f, err := o.open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(r.sources[name], f)
		r.sources[name].flush()
		if err = errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("reading %q: %w", name, err)
		}
	}
	return nil
}

// failed is the first rule that holds after the program ended with a status; nil if none does.
func (r *readings) failed(status int) *Failure {
	for i, rule := range r.cmd.Errors {
		if rule.Exit != nil && *rule.Exit != status {
			continue
		}
		groups := []string{fmt.Sprintf("the program exited with status %d", status)}
		if rule.Pattern != "" {
			at := slices.IndexFunc(r.errors[i], func(s *search) bool { return s.found != nil })
			if at < 0 {
				continue
			}
			groups = r.errors[i][at].found
		}
		return &Failure{Type: rule.Type, Message: schemas.FillGroups(cmp.Or(rule.Message, "{0}"), groups)}
	}
	return nil
}

// missing says that a member of the output was not found.
func missing(name string, e schemas.Extract, o *outputs) error {
	from := e.Source()
	if from != schemas.Stdout && from != schemas.Stderr && !o.has(from) {
		return invalid("reading %q of the output: the program left no file %q", name, from)
	}
	return invalid("reading %q of the output: no line of %s matches the pattern %q", name, from, e.Pattern)
}

// errNotThere says that what an optional member would be read from isn't there.
var errNotThere = errors.New("it isn't there")
