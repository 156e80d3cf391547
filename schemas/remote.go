package schemas

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"rlam/internal/canon"
)

// HTTP is a request to a web service. {params.NAME} stands for a parameter that is a
// string, number or boolean, {secret.NAME} for a secret of the worker.
type HTTP struct {
	Method         string            `json:"method,omitempty"`          // GET if empty
	URL            string            `json:"url"`                       // parameters in path and query, secrets in the query
	Headers        map[string]string `json:"headers,omitempty"`         // parameters and secrets in the values
	Body           json.RawMessage   `json:"body,omitempty"`            // JSON; a string that is {params.NAME} and no more becomes the parameter's value
	Upload         string            `json:"upload,omitempty"`          // the parameter whose artifact is the body, instead
	Result         map[string]string `json:"result,omitempty"`          // output members, by JSON pointer into the response, or "body", "status", "header.NAME"; if empty, the response is the output
	Response       string            `json:"response,omitempty"`        // name of the artifact that the response becomes; "response" if empty
	Hosts          []string          `json:"hosts,omitempty"`           // HOST or HOST:PORT that may be asked; the URL's alone if empty
	IdempotencyKey string            `json:"idempotency_key,omitempty"` // header that gets the call's key, the same for every attempt
	MaxBytes       int64             `json:"max_bytes,omitempty"`       // of the response; 16 MiB if 0
}

// MCP is a tool of a server that speaks the Model Context Protocol: a program that is
// started for each attempt, or a URL.
type MCP struct {
	Argv    []string          `json:"argv,omitempty"`
	Env     map[string]string `json:"env,omitempty"`     // with Argv: added to the fixed environment
	Pass    []string          `json:"pass,omitempty"`    // with Argv: variables of the worker that are let through, by name
	URL     string            `json:"url,omitempty"`     // instead of Argv
	Headers map[string]string `json:"headers,omitempty"` // with URL; {secret.NAME} in the values
	Tool    string            `json:"tool"`              // as the server calls it
	Digest  canon.Digest      `json:"digest"`            // of the tool's definition, as it was when the action file was made
}

// Part is a piece of a template: text, or what stands for a parameter or a secret.
type Part struct{ Text, Param, Secret string }

var placeholders = regexp.MustCompile(`\{[^{}]*\}`)

// ParseTemplate reads a text with {params.NAME} and {secret.NAME}. Other braces are an error.
func ParseTemplate(text string) ([]Part, error) {
	var parts []Part
	add := func(text string) error {
		if strings.ContainsAny(text, "{}") {
			return fmt.Errorf("%.80q has a brace that begins or ends no {params.NAME} or {secret.NAME}", text)
		}
		if text != "" {
			parts = append(parts, Part{Text: text})
		}
		return nil
	}
	at := 0
	for _, found := range placeholders.FindAllStringIndex(text, -1) {
		if err := add(text[at:found[0]]); err != nil {
			return nil, err
		}
		kind, name, _ := strings.Cut(text[found[0]+1:found[1]-1], ".")
		switch {
		case kind == "params" && name != "":
			parts = append(parts, Part{Param: name})
		case kind == "secret" && secretName.MatchString(name):
			parts = append(parts, Part{Secret: name})
		default:
			return nil, fmt.Errorf("%.80q stands for nothing; there are {params.NAME} and {secret.NAME}, a secret's name being of A-Z, 0-9 and _", text[found[0]:found[1]])
		}
		at = found[1]
	}
	return parts, add(text[at:])
}

var (
	secretName   = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	httpOrigin   = regexp.MustCompile(`^(https?)://([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
	templatePath = regexp.MustCompile(`^(/[^?#]*)?(\?[^#]*)?$`)
)

// SplitURL takes a URL's template apart: "https://api.example.org", "/v1/{params.id}" and
// "q={params.q}". The origin holds no placeholder, so a parameter chooses neither
// host nor scheme.
func SplitURL(template string) (origin, path, query string, err error) {
	scheme, rest, ok := strings.Cut(template, "://")
	if !ok {
		return "", "", "", fmt.Errorf("the URL %.200q doesn't begin with https:// or http://", template)
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	origin, rest = scheme+"://"+rest[:end], rest[end:]
	if !httpOrigin.MatchString(origin) {
		return "", "", "", fmt.Errorf("the URL %.200q has no plain origin such as https://api.example.org: a host stands there without placeholders, user or password", template)
	}
	m := templatePath.FindStringSubmatch(rest)
	if m == nil {
		return "", "", "", fmt.Errorf("the URL %.200q has a part that is never sent, after #", template)
	}
	return origin, m[1], strings.TrimPrefix(m[2], "?"), nil
}

// Allowed says whether a request to u may be sent, by a list of HOST and HOST:PORT. A
// host without a port stands for the usual one of the scheme.
func Allowed(hosts []string, u *url.URL) bool {
	return slices.ContainsFunc(hosts, func(h string) bool {
		host := strings.ToLower(u.Host)
		if u.Port() == "" || u.Port() == usualPort(u.Scheme) {
			return strings.EqualFold(h, u.Hostname()) || strings.EqualFold(h, host) || strings.EqualFold(h, u.Hostname()+":"+usualPort(u.Scheme))
		}
		return strings.EqualFold(h, host)
	})
}

func usualPort(scheme string) string {
	if scheme == "http" {
		return "80"
	}
	return "443"
}

var (
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")
	hostEntry  = regexp.MustCompile(`^([A-Za-z0-9.-]+|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
	// framing are the headers that say where a request goes, begins and ends.
	framing = []string{
		"host", "content-length", "transfer-encoding", "connection", "trailer", "te", "upgrade", "expect",
		"proxy-authorization", "proxy-connection", "accept-encoding",
	}
)

// remote checks what the schema of action files can't say of requests and tools.
func (d *document) remote(b *Bound) {
	for i, one := range b.Bindings() {
		if d.spoiled(d.bindingAt(i)) {
			continue // what seems to be absent may be misspelt
		}
		if h := one.Pinned.HTTP; h != nil {
			d.request(b, h, d.bindingAt(i)+"/http")
		}
		if m := one.Pinned.MCP; m != nil {
			d.tool(m, d.bindingAt(i)+"/mcp")
		}
	}
}

func (d *document) request(b *Bound, h *HTTP, at string) {
	d.destination(b, at, h)
	d.headers(b, at+"/headers", h.Headers)
	for i, host := range h.Hosts {
		if !hostEntry.MatchString(host) {
			d.refuse(joinIndex(at+"/hosts", i), "", "HOST or HOST:PORT", "%q names no host", host)
		}
	}
	if h.IdempotencyKey != "" && (!headerName.MatchString(h.IdempotencyKey) || slices.Contains(framing, strings.ToLower(h.IdempotencyKey))) {
		d.refuse(at+"/idempotency_key", "", "a header's name, such as Idempotency-Key", "%q can't be set", h.IdempotencyKey)
	}
	if h.Body != nil && h.Upload != "" {
		d.refuse(at+"/upload", "", "", "a request has one body: either \"body\" or \"upload\"")
	}
	if (h.Body != nil || h.Upload != "") && (h.Method == "" || h.Method == "GET" || h.Method == "HEAD") {
		d.refuse(at+"/method", "", "POST, PUT, PATCH or DELETE", "a request by %s has no body", orGet(h.Method))
	}
	if h.Upload != "" {
		d.parameter(b, at+"/upload", h.Upload)
	}
	if h.Body != nil {
		if v, err := decode(h.Body); err == nil {
			walk(v, "", func(v any, pointer string) bool {
				if text, ok := v.(string); ok {
					d.template(b, at+"/body"+pointer, text, false)
				}
				return true
			})
		}
	}
	for _, name := range sortedKeys(h.Result) {
		from := h.Result[name]
		_, err := tokens(from)
		if header, ok := strings.CutPrefix(from, "header."); from == "body" || from == "status" || ok && headerName.MatchString(header) || err == nil {
			continue
		}
		d.refuse(join(at+"/result", name), "", `a JSON pointer, "body", "status" or "header.NAME"`, "%q leads nowhere in a response", from)
	}
}

// destination checks the URL.
func (d *document) destination(b *Bound, at string, h *HTTP) {
	origin, path, query, err := SplitURL(h.URL)
	if err != nil {
		d.refuse(at+"/url", "", "", "%v", err)
		return
	}
	u, err := url.Parse(origin)
	switch {
	case err != nil:
		d.refuse(at+"/url", "", "", "%q is no host: %v", origin, err)
	case OddAddress(u.Hostname()):
		d.refuse(at+"/url", "", "a host's name, or an address as in 192.0.2.1", "%q is an address in a spelling that programs disagree about", u.Hostname())
	case len(h.Hosts) > 0 && !Allowed(h.Hosts, u):
		d.refuse(at+"/hosts", "", "", "the URL's own host, %q, is not in the list", u.Host)
	}
	d.template(b, at+"/url", path, false)
	d.template(b, at+"/url", query, true)
}

func orGet(method string) string {
	if method == "" {
		return "GET"
	}
	return method
}

func (d *document) headers(b *Bound, at string, headers map[string]string) {
	for _, name := range sortedKeys(headers) {
		switch {
		case !headerName.MatchString(name):
			d.refuse(join(at, name), "", "", "%q is no header's name", name)
		case slices.Contains(framing, strings.ToLower(name)):
			d.refuse(join(at, name), "", "", "the header %q is set by the worker alone", name)
		case strings.ContainsAny(headers[name], "\r\n\x00"):
			d.refuse(join(at, name), "", "", "the header's value has more than one line")
		default:
			d.template(b, join(at, name), headers[name], true)
		}
	}
}

// template checks the placeholders of a text.
func (d *document) template(b *Bound, at, text string, secrets bool) {
	parts, err := ParseTemplate(text)
	if err != nil {
		d.refuse(at, "", "", "%v", err)
	}
	for _, p := range parts {
		switch {
		case p.Secret != "" && !secrets:
			d.refuse(at, "", "", "the secret %q would stand where it is recorded; secrets go into headers and the URL's query", p.Secret)
		case p.Param != "" && b != nil:
			d.parameter(b, at, p.Param)
		case p.Param != "":
			d.refuse(at, "", "", "a parameter can't stand here")
		}
	}
}

// parameter refuses a name that no parameter can have.
func (d *document) parameter(b *Bound, at, name string) {
	if b.params == nil || !b.params.root.closed || b.params.root.props[name] != nil {
		return
	}
	names := sortedKeys(b.params.root.props)
	d.refuse(at, nearest(name, names), "", "there is no parameter %q", name)
}

func (d *document) tool(m *MCP, at string) {
	switch {
	case (len(m.Argv) > 0) == (m.URL != ""):
		d.refuse(at, "", "", "a server is either a command line (\"argv\") or a URL (\"url\")")
	case m.URL != "" && (m.Env != nil || m.Pass != nil):
		d.refuse(at, "", "", "\"env\" and \"pass\" are for a server that is started, with \"argv\"")
	case m.URL == "" && m.Headers != nil:
		d.refuse(at+"/headers", "", "", "headers are for a server with \"url\"")
	}
	if m.URL != "" {
		if _, path, query, err := SplitURL(m.URL); err != nil {
			d.refuse(at+"/url", "", "", "%v", err)
		} else if strings.Contains(path+query, "{") {
			d.refuse(at+"/url", "", "", "the URL of a server has no placeholders; secrets go into headers")
		}
		d.headers(nil, at+"/headers", m.Headers)
	}
	if m.Digest.IsZero() {
		d.refuse(at+"/digest", "", "the digest that starter actions new --mcp wrote", "the tool isn't pinned")
	}
}

// OddAddress says whether a host's name is an address in a spelling that programs
// disagree about, such as 0x7f000001, 2130706433 or 127.1.
func OddAddress(host string) bool {
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	return numberLike.MatchString(labels[len(labels)-1])
}

var numberLike = regexp.MustCompile(`^([0-9]+|0[xX][0-9a-fA-F]*)$`)
