package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Command is a program, run without a shell. One that was written for R-LAM reads
// params.json and writes result.json; for one that knows nothing of it, In makes the
// files that it reads, and Out, Result and Errors say what its own output means.
//
// Paths are relative to the attempt's folder, with "/". Argv, Prefix and templates hold
// placeholders, see [Expand].
type Command struct {
	Argv           []string           `json:"argv"`                      // program and arguments; a placeholder stays part of its argument
	Prefix         []string           `json:"prefix,omitempty"`          // put before Argv: mpirun -np {params.ranks}
	Env            map[string]string  `json:"env,omitempty"`             // added to the fixed environment
	Pass           []string           `json:"pass,omitempty"`            // variables of the worker that are let through, by name
	Files          []string           `json:"files,omitempty"`           // scripts beside the action file, part of the binding's digest
	In             []InFile           `json:"in,omitempty"`              // files made before the start
	Stdin          string             `json:"stdin,omitempty"`           // path of a file of In or Files; nothing if empty
	Stdout         string             `json:"stdout,omitempty"`          // the artifact that stdout becomes; only the log if empty
	Out            []OutFile          `json:"out,omitempty"`             // files that become artifacts
	Result         map[string]Extract `json:"result,omitzero"`           // the output's members, by name; if nil, result.json
	Errors         []ErrorRule        `json:"errors,omitempty"`          // what tells a failure; the first that holds counts
	Progress       []ProgressRule     `json:"progress,omitempty"`        // what tells how far it is
	Probe          [][]string         `json:"probe,omitempty"`           // command lines whose output belongs to the environment's identity
	FixedAddresses bool               `json:"fixed_addresses,omitempty"` // address-space randomisation off
}

// Plain says whether the output is read from result.json and nothing else.
func (c *Command) Plain() bool { return c.Result == nil && len(c.Out) == 0 && c.Stdout == "" }

// InFile is a file that is made before a program starts. Exactly one member beside Path
// is set. From, Tree, JSON and CSV name a parameter: "params.NAME".
type InFile struct {
	Path         string `json:"path"`
	Template     string `json:"template,omitempty"`      // the file's text, with placeholders
	TemplateFile string `json:"template_file,omitempty"` // the same, in a file beside the action file; part of the binding's digest
	From         string `json:"from,omitempty"`          // the bytes of an artifact
	Tree         string `json:"tree,omitempty"`          // a folder, from an artifact that was one
	JSON         string `json:"json,omitempty"`          // the value as canonical JSON
	CSV          string `json:"csv,omitempty"`           // an array of objects (with a header) or of arrays (without)
}

// OutFile is a file, or several, that become artifacts if they are there when the program
// has ended.
type OutFile struct {
	Name string `json:"name"` // of the artifact; of a glob's, NAME/PATH

	// Path is a file; a glob as in path.Match, if it has one of *?[; or a folder, if it
	// ends with "/", which becomes one artifact, a tree.
	Path      string  `json:"path"`
	MediaType string  `json:"media_type,omitempty"` // goes by the path's extension if empty
	Optional  bool    `json:"optional,omitempty"`   // that there is none is no failure
	Class     Class   `json:"class,omitempty"`      // enters the action's reproducibility
	Relative  float64 `json:"relative,omitempty"`
	Absolute  float64 `json:"absolute,omitempty"`
}

// Glob says whether Path is a pattern.
func (o OutFile) Glob() bool { return strings.ContainsAny(o.Path, "*?[") }

// Folder says whether Path is a folder.
func (o OutFile) Folder() bool { return strings.HasSuffix(o.Path, "/") }

// The streams that a source may name, apart from paths.
const (
	Stdout = "stdout"
	Stderr = "stderr"
)

// Extract says where a value of the output stands. Exactly one of Pattern, Pointer and
// CSV is set. What is text there is read as the type that the action's returns schema
// states.
type Extract struct {
	From     string `json:"from,omitempty"`     // "stdout" (the default), "stderr" or a path
	Pattern  string `json:"pattern,omitempty"`  // regular expression (RE2), held against each line; its group is the value
	Match    string `json:"match,omitempty"`    // which line that matches: "first" or "last" (the default)
	Pointer  string `json:"pointer,omitempty"`  // JSON pointer into JSON
	CSV      *Cell  `json:"csv,omitempty"`      // a cell of a table
	All      bool   `json:"all,omitempty"`      // an array of every match, or of a whole column
	Optional bool   `json:"optional,omitempty"` // the member is left out where nothing is found
}

// Source is From with its default.
func (e Extract) Source() string {
	if e.From == "" {
		return Stdout
	}
	return e.From
}

// Cell is a place in a table.
type Cell struct {
	Row       Place  `json:"row,omitzero"`        // from 1, the header not counted, or "last" (the default)
	Column    Place  `json:"column"`              // a name of the header; a number from 1 says that there is no header
	Separator string `json:"separator,omitempty"` // ",", ";", "tab" or "space" (any white space); "," if empty
}

// Place is a name or a number.
type Place struct {
	Name   string
	Number int // counts if Name is empty
}

// MarshalJSON gives a string or a number.
func (p Place) MarshalJSON() ([]byte, error) {
	if p.Name != "" {
		return json.Marshal(p.Name)
	}
	return json.Marshal(p.Number)
}

// UnmarshalJSON reads a string or a number.
func (p *Place) UnmarshalJSON(b []byte) error {
	*p = Place{}
	if json.Unmarshal(b, &p.Number) == nil {
		return nil
	}
	if json.Unmarshal(b, &p.Name) != nil || p.Name == "" {
		return fmt.Errorf("reading a row or column, %.80s: it is no whole number and no name", b)
	}
	return nil
}

// ErrorRule says what tells a failure. It holds if all that it states does: the exit
// status, and a line that matches. A rule without Exit holds for status 0 as well.
type ErrorRule struct {
	Exit    *int   `json:"exit,omitempty"`
	Pattern string `json:"pattern,omitempty"`
	From    string `json:"from,omitempty"`    // "stdout", "stderr" or a path; both streams if empty
	Type    string `json:"type"`              // of the failure: two to four words with dots
	Message string `json:"message,omitempty"` // {1} is the pattern's first group; the line that matched if empty
}

// ProgressRule says what tells how far a program is.
type ProgressRule struct {
	Pattern string `json:"pattern"`
	From    string `json:"from,omitempty"`    // "stdout", "stderr" or a path; both streams if empty
	Message string `json:"message,omitempty"` // {1} is the pattern's first group; the line that matched if empty
}

// placeholder is what stands for a value: {params.NAME}, {seed}, {seed%N} or {cpus}.
var placeholder = regexp.MustCompile(`\{(params\.[^{}]*|seed(?:%[0-9]+)?|cpus)\}`)

// Placeholders are the names in a text's placeholders, such as "params.cutoff".
func Placeholders(text string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	return names
}

// Expand replaces each placeholder of a text by what value gives for its name:
//
//	{params.NAME}  a parameter
//	{seed}         the attempt's seed; {seed%N} is its remainder by N
//	{cpus}         how many processors the attempt may use
//
// Everything else stays, other braces too. The values are not looked at again.
func Expand(text string, value func(name string) (string, error)) (string, error) {
	var failure error
	out := placeholder.ReplaceAllStringFunc(text, func(match string) string {
		v, err := value(match[1 : len(match)-1])
		if failure == nil {
			failure = err
		}
		return v
	})
	return out, failure
}

// ChoosesOption says whether nothing but hyphens stands before the first placeholder of
// an argument, so that a value would be the option's name.
func ChoosesOption(arg string) bool {
	at := placeholder.FindStringIndex(arg)
	return at != nil && at[0] > 0 && strings.Trim(arg[:at[0]], "-") == ""
}

// claimable is how a failure type of an action's own is spelled.
var claimable = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,63}(\.[A-Za-z][A-Za-z0-9_-]{0,63}){1,3}$`)

// engineOnly are types that say something about the engine. An action that could give
// them could pass an effect in doubt for a plain failure, or end a run as if cancelled.
var engineOnly = map[string]bool{
	"rlam.Panic": true, "rlam.Timeout": true, "rlam.Cancelled": true, "rlam.Abandoned": true, "rlam.NotStarted": true, "rlam.NoIsolation": true, "rlam.Busy": true,
	"rlam.ExitStatus": true, "rlam.Signalled": true, "rlam.ProbeFailed": true, "rlam.InDoubt": true, "rlam.Lost": true,
}

// CheckFailureType refuses a type that an action may not give to its failures.
func CheckFailureType(typ string) error {
	switch {
	case engineOnly[typ]:
		return fmt.Errorf("%q is the engine's own; choose one such as lab.NotConverged", typ)
	case !claimable.MatchString(typ):
		return errors.New("a failure type is two to four words with dots, such as lab.NotConverged")
	}
	return nil
}
