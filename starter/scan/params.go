package scan

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// parameters are those that a source declares, by the first way that it does. run is what
// it is run by.
func parameters(source string, run []string) (found []Param, left []string) {
	for _, look := range []func(string) ([]Param, []string){declarations, docopt, getopts} {
		if found, left = look(source); len(found)+len(left) > 0 {
			return found, left
		}
	}
	return numbered(source, run), nil
}

// declared begins the declaration of one parameter: argparse, optparse and click of
// Python, optparse of R.
var declared = regexp.MustCompile(`(?:\.add_(?:argument|option)|\bclick\.(?:option|argument)|\bmake_option)\s*\(`)

// declarations reads calls such as add_argument("--n", type=int, default=3, help="…").
func declarations(source string) (found []Param, left []string) {
	for _, at := range declared.FindAllStringIndex(source, -1) {
		args, ok := arguments(source[at[1]:])
		if !ok {
			continue
		}
		var names []string
		options := map[string]string{}
		for _, arg := range args {
			text, isText := literal(arg)
			key, value, named := strings.Cut(arg, "=")
			key = strings.TrimSpace(key)
			switch {
			case isText:
				names = append(names, text)
			case named && identifier.MatchString(key):
				options[key] = strings.TrimSpace(value)
			case strings.HasPrefix(arg, "c("): // the names of an option in R
				names = append(names, texts(arg[1:])...)
			}
		}
		p, why := declaration(names, options)
		switch {
		case p.Name == "help" || p.Name == "version" || p.Name == "":
		case why != "":
			left = append(left, p.Name+": "+why)
		case !slices.ContainsFunc(found, func(o Param) bool { return o.Name == p.Name }):
			found = append(found, p)
		}
	}
	return found, left
}

var identifier = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// declaration is the parameter that names and options declare, or why it is left out.
func declaration(names []string, options map[string]string) (Param, string) {
	if len(names) == 0 {
		return Param{}, ""
	}
	spelled := names[0]
	for _, n := range names {
		if strings.HasPrefix(n, "--") {
			spelled = n
			break
		}
	}
	p := optionOf(spelled)
	action, _ := literal(options["action"])
	kind := strings.Trim(options["type"], `"'`)
	_, several := options["nargs"]
	switch {
	case strings.HasPrefix(action, "store_") || options["is_flag"] == "True":
		return p, "a switch, to be added to argv if it is to be on"
	case action != "" && action != "store", options["multiple"] == "True", several:
		return p, "takes several values, which one argument can't hold"
	case kind == "int" || kind == "integer":
		p.Type = "integer"
	case kind == "float" || kind == "double" || kind == "numeric" || kind == "complex":
		p.Type = "number"
	case strings.Contains(kind, "FileType") && !strings.Contains(options["type"], "w"), strings.Contains(kind, "click.File"):
		p.File = true
	}
	if choices := options["choices"]; choices != "" {
		p.Enum = texts(choices)
	}
	p.Help, _ = literal(options["help"])
	p.Default = valueOf(options["default"], p.Type)
	p.guess()
	return p, ""
}

// optionOf is a parameter by the way it is spelled: --name, -n or name.
func optionOf(spelled string) Param {
	name := strings.ReplaceAll(strings.TrimLeft(spelled, "-"), "-", "_")
	if !identifier.MatchString(name) {
		return Param{}
	}
	p := Param{Name: name, Type: "string"}
	placeholder := "{params." + name + "}"
	switch {
	case strings.HasPrefix(spelled, "--"):
		p.Arg = spelled + "=" + placeholder
	default: // -nVALUE, or an argument by its place
		p.Arg = placeholder
		if strings.HasPrefix(spelled, "-") {
			p.Arg = spelled + placeholder
		}
	}
	return p
}

var readable = regexp.MustCompile(`(?i)^(in|infile|input|data|dataset|csv|table|.*_?(input_file|infile|data_file|csv_file|in_file))$`)

// guess takes a text parameter that is called like an input for a file.
func (p *Param) guess() {
	if p.Type == "string" && p.Enum == nil && p.Default == "" && readable.MatchString(p.Name) {
		p.File = true
	}
}

// docOption is an option in the usage text that docopt reads.
var docOption = regexp.MustCompile(`(?m)^\s*(?:-\w(?:[ ,]+|[ =]<?\w+>?[ ,]+))?(--[\w-]+)([ =]<?[\w-]+>?)?(?:\s{2,}(.*))?$`)

var docDefault = regexp.MustCompile(`(?i)\[default:\s*([^\]]*)\]`)

func docopt(source string) (found []Param, left []string) {
	if !strings.Contains(source, "docopt") {
		return nil, nil
	}
	for _, m := range docOption.FindAllStringSubmatch(source, -1) {
		p := optionOf(m[1])
		switch {
		case p.Name == "help" || p.Name == "version" || p.Name == "":
			continue
		case strings.TrimSpace(m[2]) == "":
			left = append(left, p.Name+": a switch, to be added to argv if it is to be on")
			continue
		}
		p.Help = strings.TrimSpace(docDefault.ReplaceAllString(m[3], ""))
		if d := docDefault.FindStringSubmatch(m[3]); d != nil {
			p.Default = valueOf(d[1], "")
			p.Type = typeOf(p.Default)
			if p.Default == "" {
				p.Default, p.Type = strconv.Quote(d[1]), "string"
			}
		}
		p.guess()
		found = append(found, p)
	}
	return found, left
}

var optstring = regexp.MustCompile(`\bgetopts\s+["']?:?([A-Za-z0-9:]+)`)

// getopts reads the letters of a shell's getopts; those with a colon take a value.
func getopts(source string) (found []Param, left []string) {
	m := optstring.FindStringSubmatch(source)
	if m == nil {
		return nil, nil
	}
	letters := m[1]
	for i := range len(letters) {
		switch {
		case letters[i] == ':' || letters[i] == 'h':
		case i+1 < len(letters) && letters[i+1] == ':':
			if p := optionOf("-" + letters[i:i+1]); p.Name != "" {
				found = append(found, p)
			}
		default:
			left = append(left, letters[i:i+1]+": a switch, to be added to argv if it is to be on")
		}
	}
	return found, left
}

// byNumber are the ways to ask for an argument by its number, and that of the first.
var byNumber = []struct {
	needs string
	re    *regexp.Regexp
	first int
}{
	{"sys", regexp.MustCompile(`\bsys\.argv\[(\d)\]`), 1},
	{"commandArgs", regexp.MustCompile(`\bargs\[{1,2}(\d)\]`), 1},
	{"ARGS", regexp.MustCompile(`\bARGS\[(\d)\]`), 1},
	{"$ARGV", regexp.MustCompile(`\$ARGV\[(\d)\]`), 0},
	{"process.argv", regexp.MustCompile(`\bprocess\.argv\[(\d)\]`), 2},
	{"$", regexp.MustCompile(`\$\{?([1-9])\b`), 1},
}

// numbered reads arguments that have a number and no name.
func numbered(source string, run []string) []Param {
	// "$1" means something else in other languages.
	shell := len(run) > 0 && strings.HasSuffix(run[0], "sh")
	for _, way := range byNumber {
		if !strings.Contains(source, way.needs) || way.needs == "$" && !shell {
			continue
		}
		var found []Param
		for _, m := range way.re.FindAllStringSubmatch(source, -1) {
			n, err := strconv.Atoi(m[1])
			for err == nil && len(found) <= n-way.first {
				found = append(found, optionOf(fmt.Sprintf("argument%d", len(found)+1)))
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// valueOf is a literal as JSON; "" for what is none, or none of type typ.
func valueOf(text, typ string) string {
	if s, ok := literal(text); ok {
		if typ != "" && typ != "string" {
			return ""
		}
		b, err := json.Marshal(s)
		if err != nil {
			return ""
		}
		return string(b)
	}
	text = strings.TrimSuffix(text, "L") // an integer in R
	if f, err := strconv.ParseFloat(text, 64); err == nil && !strings.ContainsAny(text, "xXnN_") {
		if typ == "string" {
			return ""
		}
		b, err := json.Marshal(f)
		if err != nil {
			return ""
		}
		return string(b)
	}
	return ""
}

// typeOf is the type of a JSON value.
func typeOf(value string) string {
	switch {
	case value == "" || value[0] == '"':
		return "string"
	case strings.ContainsAny(value, ".eE"):
		return "number"
	}
	return "integer"
}
