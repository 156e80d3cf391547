package web

import (
	"encoding/json"
	"net/url"
	"sort"
	"strings"
)

// SecretPrefix begins the names of the variables that hold a worker's secrets: {secret.NAME}
// is the value of RLAM_SECRET_NAME.
const SecretPrefix = "RLAM_SECRET_"

// leastSecret is the length that a secret has at least. A shorter one occurs by chance,
// and couldn't be taken out of a response without harm.
const leastSecret = 8

// Secrets are values that must not be recorded, by name.
type Secrets map[string]string

// need looks a secret up and remembers it.
func (s Secrets) need(name string, lookup func(string) (string, bool)) (string, error) {
	v, ok := lookup(SecretPrefix + name)
	v = strings.TrimSpace(v)
	switch {
	case !ok || v == "":
		return "", failing(TypeNoSecret, "this worker has no secret %q: set the variable %s%s where the worker is started", name, SecretPrefix, name)
	case len(v) < leastSecret:
		return "", failing(TypeNoSecret, "the secret %q has %d characters: one shorter than %d can't be kept out of the record", name, len(v), leastSecret)
	case strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", failing(TypeNoSecret, "the secret %q holds a control character, and can't be sent in a header", name)
	}
	s[name] = v
	return v, nil
}

// Redact replaces each secret by [secret.NAME], also as URLs and JSON spell it.
func (s Secrets) Redact(text string) string {
	type spelled struct{ text, name string }
	var all []spelled
	for name, v := range s {
		quoted, _ := json.Marshal(v) // a string is always marshalled
		for _, t := range []string{v, url.QueryEscape(v), url.PathEscape(v), string(quoted[1 : len(quoted)-1])} {
			all = append(all, spelled{t, name})
		}
	}
	// One that contains another is taken out first.
	sort.Slice(all, func(i, j int) bool {
		if len(all[i].text) != len(all[j].text) {
			return len(all[i].text) > len(all[j].text)
		}
		return all[i].text+all[i].name < all[j].text+all[j].name
	})
	for _, sp := range all {
		text = strings.ReplaceAll(text, sp.text, "[secret."+sp.name+"]")
	}
	return text
}
