package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"rlam/internal/canon"
	"rlam/schemas"
)

// Response is what a service answered, without secrets.
type Response struct {
	Request   *Request
	Method    string
	URL       string // that was asked at last
	Redirects []string
	Address   string // that was dialled at last
	Status    int
	Header    http.Header
	Body      []byte
	Truncated bool // the body has only the first bytes

	location string // where a redirect leads, as it came
}

func (r *Response) orNil() *Response {
	if r.Status == 0 {
		return nil
	}
	return r
}

// read takes a response over, secrets replaced.
func (r *Response) read(from *http.Response, at *url.URL) error {
	secrets, limit := r.Request.Secrets, r.Request.MaxBytes
	body, err := io.ReadAll(io.LimitReader(from.Body, limit+1))
	r.Status, r.location, r.URL = from.StatusCode, from.Header.Get("Location"), secrets.Redact(at.String())
	r.Header = http.Header{}
	for name, values := range from.Header {
		for _, v := range values {
			r.Header.Add(name, secrets.Redact(v))
		}
	}
	r.Truncated = int64(len(body)) > limit
	r.Body = body[:min(int64(len(body)), limit)]
	if len(secrets) > 0 {
		r.Body = []byte(secrets.Redact(string(r.Body)))
	}
	if err != nil && !r.Truncated {
		return err
	}
	return nil
}

// MediaType is the body's.
func (r *Response) MediaType() string {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "application/octet-stream"
	}
	return t
}

// words are the beginning of a body that is text, for a message.
func (r *Response) words() string {
	t := r.MediaType()
	if !strings.HasPrefix(t, "text/plain") && !strings.Contains(t, "json") || len(r.Body) == 0 {
		return ""
	}
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(r.Body[:min(len(r.Body), 300)]), "")), " ")
	return ": " + text
}

// kept are the headers of a response that are recorded.
var kept = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Disposition", "Date", "Last-Modified", "Etag",
	"Age", "Cache-Control", "Expires", "Link", "Location", "Retry-After", "Server", "Via",
}

// keeps says whether a header is recorded: those of the list, and what services say
// of themselves with X-…, such as versions and limits of rates.
func keeps(name string) bool {
	return slices.Contains(kept, name) || strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "Ratelimit") || strings.HasSuffix(name, "Version")
}

// record is the exchange, for the record.
type record struct {
	Request   requestRecord       `json:"request"`
	Redirects []string            `json:"redirects,omitempty"`
	Address   string              `json:"address"`
	Status    int                 `json:"status"`
	Headers   map[string][]string `json:"headers"`
	Truncated bool                `json:"truncated,omitempty"`
}

type requestRecord struct {
	Method  string              `json:"method"`
	URL     string              `json:"url"`
	Headers map[string][]string `json:"headers"`
	Body    string              `json:"body,omitempty"`   // of JSON
	Upload  string              `json:"upload,omitempty"` // the handle of what was sent
}

// Record is the exchange as canonical JSON: what was asked, of whom, the status, and
// the headers that say something about the answer.
func (r *Response) Record() ([]byte, error) {
	q := r.Request
	rec := record{
		Request:   requestRecord{Method: q.Method, URL: q.Secrets.Redact(q.URL.String()), Headers: map[string][]string{}, Body: string(q.Body), Upload: q.Upload},
		Redirects: r.Redirects, Address: r.Address, Status: r.Status, Headers: map[string][]string{}, Truncated: r.Truncated,
	}
	for name, values := range q.Header {
		for _, v := range values {
			rec.Request.Headers[name] = append(rec.Request.Headers[name], q.Secrets.Redact(v))
		}
	}
	for name, values := range r.Header {
		if keeps(name) {
			rec.Headers[name] = values
		}
	}
	return canon.Marshal(rec)
}

// Output is the response as the binding reads it, canonical JSON. body is the
// response's handle. returns is the output's schema: text becomes the number or boolean
// that it asks for.
func (r *Response) Output(result map[string]string, returns json.RawMessage, body string) (json.RawMessage, error) {
	if len(result) == 0 {
		v, err := r.json()
		if err != nil {
			return nil, err
		}
		return spell(v)
	}
	var doc any
	read := false
	out := make(map[string]any, len(result))
	for name, from := range result {
		header, isHeader := strings.CutPrefix(from, "header.")
		switch {
		case from == "body":
			out[name] = body
		case from == "status":
			out[name] = r.Status
		case isHeader:
			v := r.Header.Get(header)
			if v == "" {
				return nil, failing(TypeInvalidOutput, "the response of %s has no header %q, which is to become %q", r.URL, header, name)
			}
			out[name] = typed(v, returns, name)
		default:
			var err error
			if !read {
				if doc, err = r.json(); err != nil {
					return nil, err
				}
				read = true
			}
			v, err := schemas.Lookup(doc, from)
			if err != nil {
				return nil, failing(TypeInvalidOutput, "reading %q from the response of %s: %v", name, r.URL, err)
			}
			out[name] = typed(v, returns, name)
		}
	}
	return spell(out)
}

func spell(v any) (json.RawMessage, error) {
	b, err := canon.Marshal(v)
	if err != nil {
		return nil, failing(TypeInvalidOutput, "spelling the output: %v", err)
	}
	return b, nil
}

// json is the body decoded, numbers as they are spelled: one that is too large for a
// double matters only where it is part of the output.
func (r *Response) json() (any, error) {
	if err := strict(r.Body); err != nil {
		return nil, failing(TypeInvalidOutput, "the response of %s (%s, %d bytes) is no JSON: %v", r.URL, r.MediaType(), len(r.Body), err)
	}
	dec := json.NewDecoder(bytes.NewReader(r.Body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, failing(TypeInvalidOutput, "the response of %s is no JSON: %v", r.URL, err)
	}
	return v, nil
}

// strict refuses JSON with more than one meaning: names that stand twice, text that
// isn't UTF-8, data after the end.
func strict(body []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(body))
	if _, err := dec.ReadValue(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("there is data after its end")
	}
	return nil
}

// typed is a text as the number or boolean that the output's schema asks for, if it
// is one; services write numbers as strings.
func typed(v any, returns json.RawMessage, name string) any {
	text, ok := v.(string)
	var schema struct {
		Properties map[string]struct {
			Type any `json:"type"`
		} `json:"properties"`
	}
	if !ok || json.Unmarshal(returns, &schema) != nil {
		return v
	}
	switch schema.Properties[name].Type {
	case "number", "integer":
		if _, err := strconv.ParseFloat(text, 64); err == nil && json.Valid([]byte(text)) {
			return json.Number(text)
		}
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true"
		}
	}
	return v
}
