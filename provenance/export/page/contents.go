package page

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
	"rlam/provenance/export"
)

// content is a content as the page shows it.
type content struct {
	State export.State `json:"state"`
	Why   string       `json:"why,omitempty"`  // where it can't be shown
	Size  int64        `json:"size,omitempty"` // of its bytes, where they aren't all here
	Parts []section    `json:"parts,omitempty"`
	Image string       `json:"image,omitempty"` // a data: address
	After canon.Digest `json:"after,omitzero"`  // of a prompt: the one whose messages come before
}

// section is a text of a content: the whole, a message, a call that was proposed.
type section struct {
	Title string `json:"title,omitempty"`
	Text  string `json:"text"`
	Cut   int    `json:"cut,omitempty"` // bytes of the whole text, where this isn't it
	End   bool   `json:"end,omitempty"` // what is here is the end of it
}

// form is how the bytes under a digest are read.
type form int

const (
	value       form = iota // a salted content that holds any JSON
	prompt                  // a salted content: what a planner was sent
	answer                  // a salted content: what it answered
	document                // bytes that are JSON: a formal schema, a binding, the study
	environment             // bytes that are JSON, in two parts
	artifact                // bytes of any kind
	logged                  // bytes of which the end counts
)

// reader reads contents for a page, each once, and knows how much there is already.
type reader struct {
	run  *export.Run
	o    Options
	all  map[canon.Digest]*content
	left int64 // bytes that the page still has room for
	// answers are those that were read, for what they say of calls.
	answers map[canon.Digest]answered
}

// artifactLimit bounds what is read of an artifact, to show its beginning.
const artifactLimit = 8 << 20

// read takes in what a digest names.
func (r *reader) read(ctx context.Context, d canon.Digest, f form, mediaType, name string, size int64) error {
	if d.IsZero() || r.all[d] != nil {
		return nil
	}
	c, err := r.open(ctx, d, f, mediaType, name, size)
	if err != nil {
		return fmt.Errorf("reading %s for the page: %w", d, err)
	}
	used := int64(len(c.Image))
	for _, p := range c.Parts {
		used += int64(len(p.Text))
	}
	if used > r.left {
		c = &content{State: export.Present, Size: max(size, used), Why: "It is left out: the page has reached its largest size."}
	} else {
		r.left -= used
	}
	r.all[d] = c
	return nil
}

func (r *reader) open(ctx context.Context, d canon.Digest, f form, mediaType, name string, size int64) (*content, error) {
	if f == value || f == prompt || f == answer {
		opened, err := r.run.Content(ctx, d)
		if err != nil {
			return nil, err
		}
		if opened.State != export.Present {
			return &content{State: opened.State, Why: visible(opened.Why)}, nil
		}
		c := &content{State: export.Present, Size: int64(len(opened.Value))}
		switch f {
		case prompt:
			r.prompt(c, opened.Value)
		case answer:
			r.answer(c, d, opened.Value)
		}
		if c.Parts == nil {
			c.Parts = []section{r.section("", pretty(opened.Value))}
		}
		return c, nil
	}
	if f == artifact && size > artifactLimit {
		return &content{State: export.Present, Size: size, Why: "It is too large to be shown here."}, nil
	}
	raw, c, err := r.bytes(ctx, d)
	if raw == nil {
		return c, err
	}
	switch f {
	case document:
		c.Parts = []section{r.section("", pretty(raw))}
	case environment:
		r.environment(c, raw)
	default:
		r.artifact(c, raw, f, mediaType, name)
	}
	return c, nil
}

// bytes reads what isn't salted. It returns none where they can't be had.
func (r *reader) bytes(ctx context.Context, d canon.Digest) ([]byte, *content, error) {
	if r.run.Store == nil {
		return nil, &content{State: export.Missing, Why: "There is no store."}, nil
	}
	raw, err := store.Read(ctx, r.run.Store, d, max(artifactLimit, record.MaxContent))
	switch {
	case err == nil:
		return raw, &content{State: export.Present, Size: int64(len(raw))}, nil
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	}
	c := &content{State: export.Spoilt, Why: visible(err.Error())}
	if errors.Is(err, export.ErrWithheld) {
		c.State = export.Withheld
	} else if errors.Is(err, store.ErrNotFound) {
		c.State = export.Missing
	}
	return nil, c, nil
}

// prompt shows what a planner was sent and hadn't been sent before.
func (r *reader) prompt(c *content, raw []byte) {
	var kept struct {
		Parent   canon.Digest `json:"parent"`
		Messages []message    `json:"messages"`
	}
	if json.Unmarshal(raw, &kept) != nil || len(kept.Messages) == 0 {
		return
	}
	c.After = kept.Parent
	for _, m := range kept.Messages {
		title := m.Role
		if m.Call != "" {
			title = "observation of call " + m.Call
		}
		c.Parts = append(c.Parts, r.section(title, m.text()))
	}
}

// message is a message of a conversation, as prompts and answers keep it.
type message struct {
	Role      string `json:"role"`
	Content   string `json:"content"`
	Call      string `json:"call"`
	ToolCalls []struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"tool_calls"`
}

func (m message) text() string {
	all := []string{}
	if m.Content != "" {
		all = append(all, m.Content)
	}
	for _, t := range m.ToolCalls {
		all = append(all, t.Name+" "+pretty([]byte(t.Arguments)))
	}
	return strings.Join(all, "\n")
}

// answered is what a planner answered, as far as the page shows it.
type answered struct {
	Text    string          `json:"text"`
	Finish  json.RawMessage `json:"finish"`
	GiveUp  string          `json:"give_up"`
	Refusal string          `json:"refusal"`
	Problem string          `json:"problem"`
	Body    []byte          `json:"body"`
	Calls   []struct {
		ID     string          `json:"id"`
		Action string          `json:"action"`
		Why    string          `json:"why"`
		Params json.RawMessage `json:"params"`
	} `json:"calls"`
	Fingerprint string       `json:"fingerprint"`
	Usage       record.Usage `json:"usage"`
}

func (r *reader) answer(c *content, d canon.Digest, raw []byte) {
	var a answered
	if json.Unmarshal(raw, &a) != nil {
		return
	}
	r.answers[d] = a
	add := func(title, text string) {
		if text != "" && text != "null" {
			c.Parts = append(c.Parts, r.section(title, text))
		}
	}
	add("said", a.Text)
	for _, call := range a.Calls {
		why := ""
		if call.Why != "" {
			why = call.Why + "\n"
		}
		add("proposed "+strings.TrimSpace(call.Action+" "+call.ID), why+pretty([]byte(pretty(call.Params))))
	}
	add("handed in", pretty([]byte(pretty(a.Finish))))
	add("gave up", a.GiveUp)
	add("refused", a.Refusal)
	add("what was wrong with it", a.Problem)
	add("as received", pretty(a.Body))
}

// environment shows what can change a result apart from what can't.
func (r *reader) environment(c *content, raw []byte) {
	var parts map[string]json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		c.Parts = []section{r.section("", pretty(raw))}
		return
	}
	for _, name := range []string{"identity", "isolation", "circumstances"} {
		if len(parts[name]) > 0 {
			c.Parts = append(c.Parts, r.section(name, pretty(parts[name])))
		}
	}
}

// images are the kinds that are shown, each as an image and never as a document.
var images = []string{"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"}

func (r *reader) artifact(c *content, raw []byte, f form, mediaType, name string) {
	kind, _, _ := strings.Cut(mediaType, ";")
	if sniffed := http.DetectContentType(raw); strings.HasPrefix(sniffed, "image/") {
		kind = sniffed // whatever it is said to be
	} else if strings.HasSuffix(strings.ToLower(name), ".svg") {
		kind = "image/svg+xml"
	}
	if slices.Contains(images, kind) && f == artifact {
		if int64(len(raw)) > r.o.ImageLimit {
			c.Why = "The image is too large to stand in this page."
			return
		}
		c.Image = "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(raw)
		return
	}
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		c.Why = "Its bytes are no text."
		return
	}
	text := string(raw)
	if f == logged {
		text = visible(text)
		s := section{Text: tail(text, r.o.ContentLimit)}
		if len(s.Text) < len(text) {
			s.Cut, s.End = len(text), true
		}
		c.Parts = []section{s}
		return
	}
	if strings.HasSuffix(kind, "json") {
		text = pretty(raw)
	}
	c.Parts = []section{r.section("", text)}
}

// section is a text as far as the limit lets it.
func (r *reader) section(title, text string) section {
	s := section{Title: visible(title), Text: visible(head(text, r.o.ContentLimit))}
	if len(text) > r.o.ContentLimit {
		s.Cut = len(text)
	}
	return s
}

// pretty is JSON with indentation, its numbers as they are spelled; a string is its text,
// and what is no JSON is left as it is.
func pretty(raw []byte) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && len(raw) > 0 && bytes.TrimSpace(raw)[0] == '"' {
		return s
	}
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
