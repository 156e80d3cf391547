package web

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"rlam/internal/canon"
	"rlam/schemas"
)

// maxBytes is the largest response of a binding that doesn't say how large it may be.
const maxBytes = 16 << 20

// Request is what a call asks of a service.
type Request struct {
	Method     string
	URL        *url.URL
	Header     http.Header
	Body       []byte // JSON; nil if there is none, or an upload
	Upload     string // the handle of the artifact that is the body; "" if none is
	Hosts      []string
	MaxBytes   int64
	Idempotent bool // whether sending it twice does no harm
	Secrets    Secrets
}

// Inputs are what a binding's templates are filled with.
type Inputs struct {
	Params     json.RawMessage // an object, canonical JSON
	Key        string          // for the header of [schemas.HTTP.IdempotencyKey]
	Idempotent bool            // whether the action says that sending it twice does no harm
	Lookup     func(variable string) (string, bool)
}

// NewRequest fills b's templates.
func NewRequest(b *schemas.HTTP, in Inputs) (*Request, error) {
	f := filler{secrets: Secrets{}, lookup: in.Lookup}
	if err := json.Unmarshal(in.Params, &f.params); err != nil {
		return nil, failing(TypeInvalidParams, "reading the parameters: %v", err)
	}
	r := &Request{
		Method: cmp.Or(b.Method, http.MethodGet), Header: http.Header{}, Hosts: b.Hosts, Secrets: f.secrets,
		MaxBytes: cmp.Or(b.MaxBytes, maxBytes), Idempotent: in.Idempotent,
	}
	var err error
	if r.URL, err = f.url(b.URL); err != nil {
		return nil, err
	}
	if len(r.Hosts) == 0 {
		r.Hosts = []string{r.URL.Host}
	}
	r.Header.Set("User-Agent", "rlam")
	if b.Body != nil {
		r.Header.Set("Content-Type", "application/json")
		if r.Body, err = f.body(b.Body); err != nil {
			return nil, err
		}
	}
	if b.Upload != "" {
		if r.Upload, err = f.handle(b.Upload); err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/octet-stream")
	}
	if err := f.headers(r.Header, b.Headers); err != nil {
		return nil, err
	}
	if b.IdempotencyKey != "" {
		r.Header.Set(b.IdempotencyKey, in.Key)
	}
	return r, nil
}

// Headers fills the templates of headers that hold secrets and no parameters.
func Headers(templates map[string]string, lookup func(string) (string, bool)) (http.Header, Secrets, error) {
	f := filler{secrets: Secrets{}, lookup: lookup}
	h := http.Header{}
	return h, f.secrets, f.headers(h, templates)
}

// filler puts parameters and secrets in place of placeholders.
type filler struct {
	params  map[string]json.RawMessage
	secrets Secrets
	lookup  func(string) (string, bool)
}

// fill is a template filled, each value spelled by escape.
func (f *filler) fill(template string, escape func(string) string) (string, error) {
	parts, err := schemas.ParseTemplate(template)
	if err != nil {
		return "", failing(TypeInvalidParams, "%v", err)
	}
	var b strings.Builder
	for _, p := range parts {
		value := ""
		switch {
		case p.Secret != "":
			value, err = f.secrets.need(p.Secret, f.lookup)
		case p.Param != "":
			value, err = f.scalar(p.Param)
		default:
			b.WriteString(p.Text)
			continue
		}
		if err != nil {
			return "", err
		}
		b.WriteString(escape(value))
	}
	return b.String(), nil
}

// scalar is a string, number or boolean as text.
func (f *filler) scalar(name string) (string, error) {
	raw := f.params[name]
	if len(raw) == 0 {
		return "", failing(TypeInvalidParams, "the request needs the parameter %q, which is not given", name)
	}
	switch raw[0] {
	case '{', '[', 'n':
		return "", failing(TypeInvalidParams, "the parameter %q is no string, number or boolean, and can't stand in a URL, header or text", name)
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", failing(TypeInvalidParams, "reading the parameter %q: %v", name, err)
		}
		if strings.ContainsFunc(s, unicode.IsControl) {
			return "", failing(TypeInvalidParams, "the parameter %q has a control character: %.80q", name, s)
		}
		return s, nil
	}
	return string(raw), nil
}

func (f *filler) url(template string) (*url.URL, error) {
	origin, path, query, err := schemas.SplitURL(template)
	if err != nil {
		return nil, failing(TypeInvalidParams, "%v", err)
	}
	segments := strings.Split(path, "/")
	for i, s := range segments {
		filled, err := f.fill(s, url.PathEscape)
		if err != nil {
			return nil, err
		}
		// Servers and proxies take these for the way up, or for nothing at all.
		if filled != s && (filled == "" || filled == "." || filled == "..") {
			return nil, failing(TypeInvalidParams, "the parameters make %q the part %q of the path in %q, which would ask for something else", filled, s, template)
		}
		segments[i] = filled
	}
	pairs, err := f.query(query)
	if err != nil {
		return nil, err
	}
	text := origin + strings.Join(segments, "/")
	if pairs != "" {
		text += "?" + pairs
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, failing(TypeInvalidParams, "the parameters make no URL of %q", template)
	}
	if u.Scheme+"://"+u.Host != origin {
		return nil, failing(TypeInvalidParams, "the parameters would change the host of %q", template)
	}
	return u, nil
}

// query fills NAME=VALUE pairs. One whose value is a parameter that isn't given is left out.
func (f *filler) query(template string) (string, error) {
	var pairs []string
	for pair := range strings.SplitSeq(template, "&") {
		_, value, _ := strings.Cut(pair, "=")
		if f.absent(value) {
			continue
		}
		filled, err := f.fill(pair, url.QueryEscape)
		if err != nil {
			return "", err
		}
		if filled != "" {
			pairs = append(pairs, filled)
		}
	}
	return strings.Join(pairs, "&"), nil
}

func (f *filler) headers(into http.Header, templates map[string]string) error {
	for name, template := range templates {
		value, err := f.fill(template, asItIs)
		if err != nil {
			return err
		}
		into.Set(name, value)
	}
	return nil
}

// body is the template's JSON with parameters in it.
func (f *filler) body(template json.RawMessage) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(template))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading the body's template: %w", err)
	}
	v, err := f.value(v)
	if err != nil {
		return nil, err
	}
	b, err := canon.Marshal(v)
	if err != nil {
		return nil, failing(TypeInvalidParams, "spelling the body: %v", err)
	}
	return b, nil
}

func (f *filler) value(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case string:
		if name := alone(v); name != "" {
			if f.absent(v) {
				return nil, failing(TypeInvalidParams, "the request's body needs the parameter %q, which is not given", name)
			}
			return f.params[name], nil
		}
		return f.fill(v, asItIs)
	case []any:
		for i := range v {
			if v[i], err = f.value(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name, template := range v {
			if text, ok := template.(string); ok && f.absent(text) {
				delete(v, name) // an optional member
			} else if v[name], err = f.value(template); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// alone is the parameter that is all of a template; "" if there is more or less in it.
func alone(template string) string {
	parts, err := schemas.ParseTemplate(template)
	if err != nil || len(parts) != 1 {
		return ""
	}
	return parts[0].Param
}

// absent says whether a template is a parameter that isn't given.
func (f *filler) absent(template string) bool {
	name := alone(template)
	_, given := f.params[name]
	return name != "" && !given
}

func asItIs(s string) string { return s }

func (f *filler) handle(name string) (string, error) {
	text, err := f.scalar(name)
	if err != nil {
		return "", err
	}
	if _, err := canon.Parse(text); err != nil {
		return "", failing(TypeInvalidParams, "the parameter %q is to be sent as the body, and is no artifact's handle: %v", name, err)
	}
	return text, nil
}
