package schemas

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// ReservedPaths are names in a program's folder that have a meaning of their own.
var ReservedPaths = []string{"params.json", "result.json", "error.json", "inputs", "tmp"}

// commandCheck holds a command against what the action says of its parameters and its output.
type commandCheck struct {
	*document
	b       *Bound
	c       *Command
	at      string          // where c stands in the file
	params  *shape          // nil if the schema has problems
	returns *shape          // likewise
	made    map[string]bool // paths that are there before the start
}

// commands checks what no schema of the file can say of the commands among b's bindings.
func (d *document) commands(b *Bound) {
	for i, one := range b.Bindings() {
		if c := one.Pinned.Command; c != nil {
			d.command(b, c, d.bindingAt(i)+"/command")
		}
	}
}

func (d *document) command(b *Bound, c *Command, at string) {
	k := &commandCheck{document: d, b: b, c: c, at: at, params: rootOf(b.params), returns: rootOf(b.returns), made: map[string]bool{}}
	k.line("argv", c.Argv)
	k.line("prefix", c.Prefix)
	for _, name := range c.Files {
		k.made[name] = true
	}
	for i, in := range c.In {
		if at := joinIndex(k.at+"/in", i); !k.spoiled(at) {
			k.input(at, in)
		}
	}
	if c.Stdin != "" && !k.made[c.Stdin] && !k.spoiled(at) {
		k.refuse(k.at+"/stdin", nearest(c.Stdin, sortedKeys(k.made)), "the path of one of in or files", "%q isn't there before the program starts", c.Stdin)
	}
	k.outputs()
	for _, name := range sortedKeys(c.Result) {
		if at := join(k.at+"/result", name); !k.spoiled(at) {
			k.extract(at, name, c.Result[name])
		}
	}
	if !k.spoiled(at) {
		k.complete()
	}
	for i, rule := range c.Errors {
		if at := joinIndex(k.at+"/errors", i); !k.spoiled(at) {
			k.errorRule(at, rule)
		}
	}
	for i, rule := range c.Progress {
		at := joinIndex(k.at+"/progress", i)
		if k.spoiled(at) {
			continue
		}
		k.source(at+"/from", rule.From)
		k.message(at, rule.Message, k.pattern(at+"/pattern", rule.Pattern))
	}
}

// line checks a command line, or what is put before one.
func (k *commandCheck) line(member string, argv []string) {
	for i, arg := range argv {
		at := joinIndex(k.at+"/"+member, i)
		k.placeholders(at, arg)
		if i == 0 && len(Placeholders(arg)) > 0 {
			k.refuse(at, "", "the program's name or path", "a parameter may not choose the program")
		}
		if ChoosesOption(arg) {
			k.refuse(at, "", "an option of a fixed name, such as --k={params.k}", "%q lets a value choose an option", arg)
		}
	}
}

// misspelt is what looks like a placeholder for a parameter, and is none.
var misspelt = regexp.MustCompile(`\{(\w+)\.\w+\}`)

// placeholders checks those of a text, whose values must be scalars.
func (k *commandCheck) placeholders(at, text string) {
	for _, m := range misspelt.FindAllStringSubmatch(text, -1) {
		if m[1] != "params" && nearest(m[1], []string{"params"}) != "" {
			k.refuse(at, "{params."+strings.TrimPrefix(m[0], "{"+m[1]+"."), "", "%s is no placeholder", m[0])
		}
	}
	for _, name := range Placeholders(text) {
		if param, ok := strings.CutPrefix(name, "params."); ok {
			s := k.param(at, "{"+name+"}", param)
			if s = followed(s); s != nil && len(s.types) == 1 && slices.Contains([]string{"object", "array", "null"}, s.types[0]) {
				k.refuse(at, "", "a string, number or boolean; larger values go to a file by in", "the parameter %q is %s", param, articles(s.types)[0])
			}
			continue
		}
		if by, ok := strings.CutPrefix(name, "seed%"); ok {
			if n, err := strconv.ParseUint(by, 10, 53); err != nil || n == 0 {
				k.refuse(at, "", "a number from 1 to 2^53", "{%s} divides by %s", name, by)
			}
		}
		if name != "cpus" && !k.b.Action.Seeded {
			k.refuse(at, "", "", "{%s} is given to seeded actions only; the action has to say: seeded: true", name)
		}
	}
}

// param finds the schema of a parameter; nil if it is unknown, which is reported, or if
// more than one may count.
func (k *commandCheck) param(at, written, name string) *shape {
	if k.params == nil {
		return nil
	}
	s, closed := k.params.child(name)
	props := k.params.target().props
	if s == nil && (closed || len(props) > 0 && k.params.target().patterns == nil && len(k.params.target().all) == 0) {
		k.refuse(at, nearest(name, sortedKeys(props)), "a parameter: "+quoted(sortedKeys(props)), "%s: there is no parameter %q", written, name)
	}
	return s
}

// followed is the schema that a reference leads to.
func followed(s *shape) *shape {
	if s == nil {
		return nil
	}
	return s.target()
}

// relative refuses a path that isn't below the attempt's folder, or has a meaning of its own.
func (k *commandCheck) relative(at, p string) bool {
	top, _, _ := strings.Cut(p, "/")
	switch {
	case !fs.ValidPath(p) || p == "." || strings.ContainsRune(p, '\\') || strings.ContainsFunc(p, unicode.IsControl):
		k.refuse(at, "", `a path below the attempt's folder, such as "si.in"`, "%q leads elsewhere", p)
	case slices.Contains(ReservedPaths, top):
		k.refuse(at, "", "another path", "%q has a meaning of its own", top)
	default:
		return true
	}
	return false
}

func (k *commandCheck) input(at string, in InFile) {
	if k.relative(at+"/path", in.Path) {
		for there := range k.made {
			if there == in.Path || strings.HasPrefix(there, in.Path+"/") || strings.HasPrefix(in.Path, there+"/") {
				k.refuse(at+"/path", "", "another path", "%q is in the way of %q", there, in.Path)
			}
		}
		k.made[in.Path] = true
	}
	var given []string
	refer := func(member, text string, fits func(*shape) bool, expected string) {
		if text == "" {
			return
		}
		given = append(given, member)
		name, ok := strings.CutPrefix(text, "params.")
		if !ok {
			k.refuse(at+"/"+member, "params."+text, "", "%q names no parameter", text)
			return
		}
		if s := followed(k.param(at+"/"+member, text, name)); s != nil && fits != nil && len(s.types) > 0 && !fits(s) {
			k.refuse(at+"/"+member, "", expected, "the parameter %q is %s", name, s.describe())
		}
	}
	handle := func(s *shape) bool { return s.isArtifact }
	refer("from", in.From, handle, "one with format: artifact")
	refer("tree", in.Tree, handle, "one with format: artifact")
	refer("json", in.JSON, nil, "")
	refer("csv", in.CSV, func(s *shape) bool { return slices.Contains(s.types, "array") }, "an array")
	if in.Template != "" {
		given = append(given, "template")
		k.placeholders(at+"/template", in.Template)
	}
	if in.TemplateFile != "" {
		given = append(given, "template_file")
		if text, ok := k.b.Content[in.TemplateFile]; ok {
			k.placeholders(at+"/template_file", string(text))
		}
	}
	if len(given) != 1 {
		k.refuse(at, "", "exactly one of template, template_file, from, tree, json and csv", "there are %d of them", len(given))
	}
}

// artifactName refuses what can't be an artifact's name.
func (k *commandCheck) artifactName(at, name string, seen map[string]bool) {
	if !fs.ValidPath(name) || name == "." || len(name) > 200 || strings.ContainsRune(name, '\\') || strings.ContainsFunc(name, unicode.IsControl) {
		k.refuse(at, "", `a name such as "density.cube"`, "%q can't be the name of an artifact", name)
	} else if seen[name] {
		k.refuse(at, "", "another name", "there is an artifact %q already", name)
	}
	seen[name] = true
}

func (k *commandCheck) outputs() {
	names := map[string]bool{}
	if k.c.Stdout != "" {
		k.artifactName(k.at+"/stdout", k.c.Stdout, names)
	}
	for i, o := range k.c.Out {
		at := joinIndex(k.at+"/out", i)
		if k.spoiled(at) {
			continue
		}
		k.artifactName(at+"/name", o.Name, names)
		if !fs.ValidPath(strings.TrimSuffix(o.Path, "/")) || o.Path == "." || strings.ContainsRune(o.Path, '\\') || strings.ContainsFunc(o.Path, unicode.IsControl) {
			k.refuse(at+"/path", "", "a path below the attempt's folder", "%q leads elsewhere", o.Path)
		}
		if _, err := path.Match(o.Path, ""); err != nil {
			k.refuse(at+"/path", "", "", "the pattern %q can't be read: %v", o.Path, err)
		}
		if o.Glob() && o.Folder() {
			k.refuse(at+"/path", "", "a folder, or a pattern of files", "%q is a pattern of folders", o.Path)
		}
		k.grade(at, o)
	}
	if k.c.Result == nil || k.spoiled(k.at) { // a script's own result.json may name other artifacts
		return
	}
	for _, name := range sortedKeys(k.b.Action.Reproducibility.Artifacts) {
		if !slices.ContainsFunc(sortedKeys(names), func(n string) bool { ok, _ := path.Match(name, n); return ok || strings.HasPrefix(name, n+"/") }) {
			k.refuse(join("/reproducibility/artifacts", name), nearest(name, sortedKeys(names)), "", "no out of the command has the name %q", name)
		}
	}
}

// grade enters an output's class into the action's reproducibility, where it belongs.
func (k *commandCheck) grade(at string, o OutFile) {
	g := Grade{Class: o.Class, Relative: o.Relative, Absolute: o.Absolute}
	r := &k.b.Action.Reproducibility
	there, said := r.Artifacts[o.Name]
	switch {
	case o.Class == "":
		if g != (Grade{}) {
			k.refuse(at, "", "class: tolerance beside them", "tolerances have no class")
		}
	case said && there != g:
		k.refuse(at+"/class", string(there.Class), "the same in both places, or in one of them", "the action's reproducibility says otherwise of %q", o.Name)
	case !said:
		if (g.Relative != 0 || g.Absolute != 0) != (g.Class == Tolerance) {
			k.refuse(at+"/class", "", `"relative" or "absolute" with class "tolerance", and with no other`, "tolerances and class %q don't go together", g.Class)
		}
		artifacts := map[string]Grade{o.Name: g}
		for name, grade := range r.Artifacts {
			artifacts[name] = grade
		}
		r.Artifacts = artifacts
	}
}

// pattern checks a regular expression and returns how many groups it has.
func (k *commandCheck) pattern(at, text string) (groups int) {
	re, err := regexp.Compile(text)
	if err != nil {
		reason := err.Error()
		if parsed, is := err.(*syntax.Error); is {
			reason = fmt.Sprintf("%s: %q", parsed.Code, parsed.Expr)
		}
		k.refuse(at, "", "a regular expression in the syntax of RE2", "%s", reason)
		return -1
	}
	return re.NumSubexp()
}

// message checks that a message's {1}, {2}, … are groups of the pattern.
func (k *commandCheck) message(at, text string, groups int) {
	for _, m := range groupPlace.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(m[1]); groups >= 0 && (err != nil || n > groups) {
			k.refuse(at+"/message", "", "", "{%s} is no group of the pattern, which has %d", m[1], groups)
		}
	}
}

func (k *commandCheck) errorRule(at string, rule ErrorRule) {
	if err := CheckFailureType(rule.Type); err != nil {
		k.refuse(at+"/type", "", "", "%v", err)
	}
	if rule.Exit == nil && rule.Pattern == "" {
		k.refuse(at, "", "exit, pattern or both", "nothing says when this is the failure")
	}
	groups := 0
	if rule.Pattern != "" {
		groups = k.pattern(at+"/pattern", rule.Pattern)
	}
	k.source(at+"/from", rule.From)
	k.message(at, rule.Message, groups)
}

// source checks what a value is looked for in.
func (k *commandCheck) source(at, from string) {
	if from != "" && !fs.ValidPath(from) {
		k.refuse(at, nearest(from, []string{Stdout, Stderr}), `"stdout", "stderr" or a path below the attempt's folder`, "%q leads elsewhere", from)
	}
}
