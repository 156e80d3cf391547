package executor

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rlam/schemas"
)

// marker is the variable that all processes of an execution inherit, with its random id.
const marker = "RLAM_EXECUTION"

// fixed are the variables that every program gets with the same value. They take out
// what would make two runs differ: time zone, locale, hash seeds, dates.
var fixed = map[string]string{
	"TZ":                "UTC",
	"LC_ALL":            "C.UTF-8",
	"PYTHONHASHSEED":    "0",
	"SOURCE_DATE_EPOCH": "315532800",
}

// fixedFor are those of a task: fixed, and how many threads it may have.
func fixedFor(t Task) map[string]string {
	env := maps.Clone(fixed)
	env["OMP_NUM_THREADS"] = strconv.Itoa(max(1, t.CPUs))
	return env
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// reserved says whether a binding must leave a variable alone.
func reserved(name string) bool {
	return name == "HOME" || name == "TMPDIR" || strings.HasPrefix(name, "RLAM_")
}

// checkVariables refuses a binding whose variables can't be given to a program.
func checkVariables(cmd *schemas.Command) error {
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(cmd.Env)), cmd.Pass) {
		if !variable.MatchString(name) || reserved(name) || strings.ContainsRune(cmd.Env[name], 0) {
			return &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("the binding may not set or pass the variable %q", name)}
		}
	}
	return nil
}

// environ is a program's whole environment.
func environ(t Task, dir, search, id string) []string {
	cmd := commandOf(t.Binding)
	env := fixedFor(t)
	env["PATH"] = search
	maps.Copy(env, cmd.Env)
	for _, name := range cmd.Pass {
		if v, ok := os.LookupEnv(name); ok {
			env[name] = v
		}
	}
	env["HOME"] = dir
	env["TMPDIR"] = filepath.Join(dir, "tmp")
	env["RLAM_CALL"] = t.Call
	env["RLAM_ATTEMPT"] = strconv.Itoa(t.Attempt)
	env["RLAM_IDEMPOTENCY_KEY"] = t.IdempotencyKey
	if t.Seed != nil {
		env["RLAM_SEED"] = strconv.FormatUint(*t.Seed, 10)
	}
	env[marker] = id
	var all []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	return all
}

// leastSecret is the length from which a passed variable's value is taken out of the
// log. A shorter one guards nothing, and occurs by chance.
const leastSecret = 6

// secret is the value of a variable that was let through.
type secret struct{ name, value string }

func secretsOf(cmd *schemas.Command) []secret {
	var all []secret
	for _, name := range cmd.Pass {
		if v := os.Getenv(name); len(v) >= leastSecret {
			all = append(all, secret{name, v})
		}
	}
	// A secret that contains another is taken out first.
	slices.SortStableFunc(all, func(a, b secret) int { return len(b.value) - len(a.value) })
	return all
}

func withoutSecrets(text string, secrets []secret) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s.value, "["+s.name+"]")
	}
	return text
}

// scrubber passes a stream on without secrets, also when one comes in pieces.
type scrubber struct {
	to      io.Writer
	secrets []secret
	held    []byte // the beginning of a secret, perhaps
}

func (s *scrubber) Write(p []byte) (int, error) {
	if len(s.secrets) == 0 {
		return s.to.Write(p)
	}
	s.held = append(s.held, p...)
	for {
		at, which := len(s.held), -1
		for i, secret := range s.secrets {
			if j := bytes.Index(s.held[:min(len(s.held), at+len(secret.value))], []byte(secret.value)); j >= 0 && j < at {
				at, which = j, i
			}
		}
		if which < 0 {
			break
		}
		s.to.Write(s.held[:at])
		io.WriteString(s.to, "["+s.secrets[which].name+"]")
		s.held = s.held[at+len(s.secrets[which].value):]
	}
	keep := s.unfinished()
	s.to.Write(s.held[:len(s.held)-keep])
	s.held = append([]byte(nil), s.held[len(s.held)-keep:]...)
	return len(p), nil
}

// unfinished is the length of the longest end of held that begins a secret.
func (s *scrubber) unfinished() int {
	longest := 0
	for _, secret := range s.secrets {
		for n := min(len(secret.value)-1, len(s.held)); n > longest; n-- {
			if strings.HasPrefix(secret.value, string(s.held[len(s.held)-n:])) {
				longest = n
			}
		}
	}
	return longest
}

// flush passes on what was held: the stream has ended.
func (s *scrubber) flush() {
	s.to.Write(s.held)
	s.held = nil
}
