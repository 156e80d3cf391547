package planner

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	openai "github.com/sashabaranov/go-openai"

	"rlam/internal/retryafter"
)

// Types of an [Unavailable], as the workflow tells them apart.
const (
	TypeRateLimited      = "rlam.RateLimited"      // 429
	TypeModelUnavailable = "rlam.ModelUnavailable" // nobody answered, or 408, 409, 5xx
	TypeModelRejected    = "rlam.ModelRejected"    // the request, key or address is wrong: asking again is no use
	TypeModelGarbled     = "rlam.ModelGarbled"     // 200, and no chat completion: not JSON, cut off, or without choices
)

// Unavailable says why a model gave no answer.
type Unavailable struct {
	Type       string
	Model      string        // that was asked
	Status     int           // of HTTP; 0 if no response came
	Message    string        // the server's words or the network's, and what to check; the API key is not in it
	RetryAfter time.Duration // as the server asked; 0 if it didn't
	Retryable  bool          // whether the same request may succeed later
}

func (u *Unavailable) Error() string {
	status := ""
	if u.Status != 0 {
		status = fmt.Sprintf("%d %s: ", u.Status, http.StatusText(u.Status))
	}
	wait := ""
	if u.RetryAfter > 0 {
		wait = fmt.Sprintf(" (retry after %s)", u.RetryAfter)
	}
	return fmt.Sprintf("asking model %q: %s%s%s", u.Model, status, u.Message, wait)
}

// unavailable says what went wrong. err is go-openai's, nil if it saw nothing wrong.
func (x *exchange) unavailable(r Request, err error) *Unavailable {
	u := &Unavailable{Model: r.Model, Status: x.status}
	switch {
	case x.status == 0:
		u.Type, u.Retryable = TypeModelUnavailable, true
		u.Message = fmt.Sprintf("%v; check that the server runs, and the base URL", err)
	case x.status == http.StatusOK:
		u.Type, u.Retryable = TypeModelGarbled, true
		u.Message = x.garbled(err)
	default:
		u.Message = serverWords(err, x.received)
		u.RetryAfter = retryafter.Of(x.header, time.Now())
		x.classify(u)
	}
	u.Message = scrub(u.Message, x.key)
	return u
}

// classify sets what a status other than 200 means.
func (x *exchange) classify(u *Unavailable) {
	hint := ""
	switch s := u.Status; {
	case s == http.StatusTooManyRequests:
		u.Type, u.Retryable = TypeRateLimited, true
		if code := errorCode(x.received); code == "insufficient_quota" {
			u.Retryable, hint = false, "the account's quota is used up, and waiting won't refill it"
		}
	case s == http.StatusRequestTimeout, s == http.StatusConflict, s >= 500:
		u.Type, u.Retryable = TypeModelUnavailable, true
	case s < 300:
		u.Type, u.Retryable = TypeModelGarbled, true
		hint = "want 200"
	case s < 400:
		u.Type = TypeModelRejected
		hint = fmt.Sprintf("it redirects to %q; check the base URL", x.header.Get("Location"))
	default:
		u.Type = TypeModelRejected
		hint = rejection(s, errorCode(x.received))
	}
	switch {
	case u.Message == "":
		u.Message = hint
	case hint != "":
		u.Message += "; " + hint
	}
	if u.Message == "" {
		u.Message = "the server gave no reason"
	}
}

// rejection is what to check after a status of 400 to 499.
func rejection(status int, code string) string {
	switch {
	case code == "context_length_exceeded", status == http.StatusRequestEntityTooLarge:
		return "the request is longer than the model takes: lower the planner's context or max_tokens"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "check the API key, and that it may use this model"
	case status == http.StatusNotFound:
		return "check the model's name, and that the base URL ends as the server has it (often in /v1)"
	case status == http.StatusMethodNotAllowed:
		return "check the base URL"
	}
	return "check the model's name, and whether the server takes the study's planner.calls mode"
}

// garbled says why a response with status 200 is no chat completion.
func (x *exchange) garbled(err error) string {
	switch {
	case errors.Is(x.err, errTooLarge):
		return fmt.Sprintf("the response is over %d bytes", x.limit)
	case x.err != nil:
		return fmt.Sprintf("the response was cut off after %d bytes: %v", len(x.received), x.err)
	case len(x.received) == 0:
		return "the response is empty"
	case err != nil:
		return fmt.Sprintf("the response is no chat completion: %v; it begins with %q", err, clip(string(x.received), 120))
	}
	// Some routers report an error with status 200.
	if words := serverWords(nil, x.received); !strings.HasPrefix(words, "{") {
		return "the response holds no choices: " + words
	}
	return "the response holds no choices"
}

// maxWords bounds how much of a server's words is passed on.
const maxWords = 1000

// serverWords is the server's own explanation, in whatever shape it came.
func serverWords(err error, received []byte) string {
	// *RequestError is asked for first: of {"error": "text"} it wraps an empty
	// *APIError, and the text is in the body only.
	var request *openai.RequestError
	var api *openai.APIError
	if !errors.As(err, &request) && errors.As(err, &api) && api.Message != "" {
		return clip(api.Message, maxWords)
	}
	var body struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  json.RawMessage `json:"detail"`
	}
	if json.Unmarshal(received, &body) == nil {
		for _, raw := range []json.RawMessage{body.Error, body.Detail} {
			var text string
			var nested struct {
				Message string `json:"message"`
			}
			if json.Unmarshal(raw, &text) == nil && text != "" {
				return clip(text, maxWords)
			}
			if json.Unmarshal(raw, &nested) == nil && nested.Message != "" {
				return clip(nested.Message, maxWords)
			}
		}
		if body.Message != "" {
			return clip(body.Message, maxWords)
		}
	}
	text := strings.TrimSpace(string(received))
	if strings.HasPrefix(text, "<") {
		return "the answer is a web page: " + clip(strings.Join(strings.Fields(withoutTags(text)), " "), 200)
	}
	return clip(text, maxWords)
}

// errorCode is the machine-readable code of an OpenAI error, or its type.
func errorCode(received []byte) string {
	var body struct {
		Error struct {
			Code any    `json:"code"`
			Type string `json:"type"`
		} `json:"error"`
	}
	_ = json.Unmarshal(received, &body)
	if code, ok := body.Error.Code.(string); ok && code != "" {
		return code
	}
	return body.Error.Type
}

func withoutTags(page string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(page, "<") {
		_, text, ok := strings.Cut(part, ">")
		if ok {
			b.WriteString(text)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// minSecret is the shortest key that is taken for a secret. Servers that need none
// are given words like "none", "EMPTY" or "ollama", which answers may well hold.
const minSecret = 8

// scrub takes the API key out of a text that a server wrote.
func scrub(text, key string) string {
	if len(key) < minSecret {
		return text
	}
	return strings.ReplaceAll(text, key, "[API key]")
}

// clip is at most n bytes of a text.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}
