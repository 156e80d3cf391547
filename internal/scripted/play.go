package scripted

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rlam/internal/canon"
)

const eventStream = "text/event-stream"

// performance is an answer, decided and not yet sent.
type performance struct {
	entry       Entry
	contentType string
	retryAfter  string
	body        [][]byte // one write each
	fault       fault
	cut         int  // bytes after which the connection breaks; none if negative
	silent      bool // not even a status is sent: a stall, and then nothing
}

// play decides what to answer. The count of faults is all it changes.
func (s *Server) play(body []byte) *performance {
	p := &performance{contentType: "application/json", cut: -1}
	digest := canon.Sum(body)
	p.entry = Entry{Model: s.scenario.model, Request: digest.String(), Bytes: len(body)}
	conv, err := parse(body, digest)
	if err != nil {
		return p.refused(http.StatusBadRequest, "bad_request", err.Error())
	}
	p.entry.Messages, p.entry.Turn = len(conv.messages), conv.turn
	p.entry.Tools, p.entry.Stream = len(conv.tools), conv.stream
	if conv.model != s.scenario.model {
		return p.refused(http.StatusNotFound, "model_not_found", s.scenario.otherModel(conv.model))
	}
	i, f, err := s.choose(conv)
	if err != nil {
		return p.refused(http.StatusBadRequest, "no_rule", err.Error())
	}
	r := &s.scenario.rules[i]
	p.entry.Rule, p.entry.Name = i+1, r.Name
	if f != nil {
		p.fault, p.entry.Fault = *f, f.String()
		if f.TruncateBody != nil {
			p.cut = *f.TruncateBody
		}
	}
	switch {
	case f != nil && f.Status != 0:
		return p.failed()
	case f != nil && f.Garbage:
		return p.garbled(conv.stream)
	case r.Reply == nil && f.answers() == "":
		p.silent = true
		return p
	}
	c, notOffered, err := s.scenario.compose(r.Reply, f, conv)
	if err != nil {
		return p.refused(http.StatusBadRequest, "no_value", fmt.Sprintf("%s: %v", r.title(i), err))
	}
	p.entry.NotOffered = notOffered
	p.answered(c, conv)
	return p
}

// choose finds the first rule that answers conv, and the fault that befalls it.
func (s *Server) choose(conv *conversation) (int, *fault, error) {
	nearest, mostHeld := -1, 0
	var missing []string
	for i := range s.scenario.rules {
		r := &s.scenario.rules[i]
		held, failed := r.When.test(conv)
		switch {
		case len(failed) > 0:
			if nearest < 0 || len(failed) < len(missing) || len(failed) == len(missing) && held > mostHeld {
				nearest, mostHeld, missing = i, held, failed
			}
		case r.Fault != nil && s.use(i, r.Fault, conv.digest):
			return i, r.Fault, nil
		case r.Reply != nil:
			return i, nil, nil
		}
	}
	if nearest < 0 {
		return 0, nil, errors.New("no rule is left: those that match have only faults, and have had them")
	}
	return 0, nil, fmt.Errorf("no rule matches turn %d; the nearest is %s, of which these conditions fail: %s",
		conv.turn, s.scenario.rules[nearest].title(nearest), strings.Join(missing, "; "))
}

func (s *Scenario) otherModel(asked string) string {
	return fmt.Sprintf("there is no model %q here, only %q, and that one is scripted", asked, s.model)
}

func (p *performance) refused(status int, code, message string) *performance {
	p.entry.Status, p.entry.Error = status, message
	p.fault, p.cut = fault{}, -1
	p.body = [][]byte{errorObject("invalid_request_error", code, message)}
	return p
}

// failed is an HTTP error. Load has checked the fault, so nothing can go wrong here.
func (p *performance) failed() *performance {
	contentType, body, _ := p.fault.errorBody()
	p.retryAfter, _ = p.fault.retryAfter(time.Now())
	p.entry.Status, p.contentType, p.body = p.fault.Status, contentType, [][]byte{body}
	return p
}

func (p *performance) garbled(stream bool) *performance {
	const noise = "scripted garbage: this is no JSON {[\x00"
	p.entry.Status, p.body = http.StatusOK, [][]byte{[]byte(noise)}
	if stream {
		p.contentType, p.body = eventStream, [][]byte{event([]byte(noise))}
	}
	return p
}

func (p *performance) answered(c *completion, conv *conversation) {
	p.entry.Status = http.StatusOK
	p.entry.Prompt, p.entry.Completion = c.Usage.Prompt, c.Usage.Completion
	if len(c.Choices) > 0 {
		p.entry.Answer, p.entry.Finish = encode(c.Choices[0].Message), *c.Choices[0].FinishReason
	}
	if conv.stream {
		p.contentType, p.body = eventStream, c.events(conv.counted)
		return
	}
	p.body = [][]byte{encode(c)}
}

// send writes the answer, as slowly and as badly as the fault wants it. It gives
// up with the client, and when the server ends.
func (p *performance) send(w http.ResponseWriter, client, server context.Context) {
	if !wait(p.fault.Delay, client, server) {
		panic(http.ErrAbortHandler)
	}
	if p.cut < 0 && !wait(p.fault.Stall, client, server) || p.silent {
		panic(http.ErrAbortHandler)
	}
	h := w.Header()
	if p.contentType != "" {
		h.Set("Content-Type", p.contentType)
	}
	if p.retryAfter != "" {
		h.Set("Retry-After", p.retryAfter)
	}
	length := 0
	for _, piece := range p.body {
		length += len(piece)
	}
	if p.contentType != eventStream {
		h.Set("Content-Length", strconv.Itoa(length))
	}
	left := length
	if p.cut >= 0 {
		left = min(left, p.cut)
	}
	w.WriteHeader(p.entry.Status)
	flush := http.NewResponseController(w)
	for _, piece := range p.body {
		piece = piece[:min(left, len(piece))]
		left -= len(piece)
		if _, err := w.Write(piece); err != nil {
			return
		}
		if err := flush.Flush(); err != nil {
			return
		}
	}
	if p.cut >= 0 {
		wait(p.fault.Stall, client, server)
		panic(http.ErrAbortHandler)
	}
}

// wait says whether d passed before either side ended.
func wait(d time.Duration, client, server context.Context) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-client.Done():
		return false
	case <-server.Done():
		return false
	}
}
