package scan

import (
	"bytes"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Result is what a text says of a script.
type Result struct {
	Name    string   // of the action: the file's, without its extension
	Text    bool     // false for a program, of which nothing was read
	Program string   // of a program: where it is; the caller's to set
	Run     []string // what the script is run by: "python3"
	Files   []string // the script, and what it takes in from beside it; the caller's to set
	Beside  []string // files that the script may take in from its own folder
	Params  []Param
	Left    []string // parameters that were seen and not understood, with the reason
	Results bool     // it writes result.json itself
	Seeded  bool     // it looks for RLAM_SEED
}

// Param is a parameter that the script takes.
type Param struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // of JSON Schema: string, integer, number
	Enum    []string `json:"enum,omitempty"`
	Default string   `json:"default,omitempty"` // as JSON
	Help    string   `json:"help,omitempty"`
	File    bool     `json:"file,omitempty"` // it looks like the name of a file that is read
	Arg     string   `json:"argument"`       // of the command line, with the placeholder
}

// interpreters run scripts, by the extension.
var interpreters = map[string]string{
	".py": "python3", ".r": "Rscript", ".sh": "sh", ".bash": "bash", ".jl": "julia", ".pl": "perl", ".rb": "ruby", ".js": "node", ".lua": "lua",
}

// Script reads what a text says of the script in a file of that name.
func Script(file string, text []byte) Result {
	ext := strings.ToLower(filepath.Ext(file))
	r := Result{Name: actionName(strings.TrimSuffix(file, filepath.Ext(file)))}
	if bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		return r
	}
	source := string(text)
	r.Text, r.Run = true, shebang(source)
	if r.Run == nil && interpreters[ext] != "" {
		r.Run = []string{interpreters[ext]}
	}
	r.Results = strings.Contains(source, "result.json")
	r.Seeded = strings.Contains(source, "RLAM_SEED")
	r.Beside = beside(source)
	if !strings.Contains(source, "params.json") {
		r.Params, r.Left = parameters(source, r.Run)
	}
	return r
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// actionName makes of a file's name one that an action can have.
func actionName(name string) string {
	name = strings.Trim(notInName.ReplaceAllString(name, "-"), "-")
	if name == "" {
		return "script"
	}
	return name[:min(len(name), 128)]
}

// shebang is the command line in a script's first line. The folder of an interpreter is
// left out: on the next machine it is another.
func shebang(source string) []string {
	line, _, _ := strings.Cut(source, "\n")
	rest, ok := strings.CutPrefix(line, "#!")
	words := strings.Fields(rest)
	if !ok || len(words) == 0 {
		return nil
	}
	if filepath.Base(words[0]) == "env" {
		words = slices.DeleteFunc(words[1:], func(w string) bool { return w == "-S" || strings.Contains(w, "=") })
		if len(words) == 0 {
			return nil
		}
	}
	words[0] = filepath.Base(words[0])
	return words
}

var takenIn = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^\s*(?:import|from)\s+([A-Za-z_]\w*)`),       // Python
	regexp.MustCompile(`\bsource\(\s*["']([^"']+)["']`),                  // R
	regexp.MustCompile(`\binclude\(\s*"([^"]+)"`),                        // Julia
	regexp.MustCompile(`(?m)^\s*(?:\.|source)\s+(?:\./)?([\w.-]+\.\w+)`), // shells
}

// beside are names of files that a script may take in from its own folder.
func beside(source string) []string {
	var all []string
	for i, re := range takenIn {
		for _, m := range re.FindAllStringSubmatch(source, -1) {
			name := m[1]
			if i == 0 {
				name += ".py"
			}
			if filepath.IsLocal(name) && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}
