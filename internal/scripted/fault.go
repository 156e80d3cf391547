package scripted

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// fault is how a rule spoils its answer; the package's documentation has the words.
type fault struct {
	Times        int           `yaml:"times"`
	Delay        time.Duration `yaml:"delay"`
	Stall        time.Duration `yaml:"stall"`
	Status       int           `yaml:"status"`
	RetryAfter   string        `yaml:"retry_after"`
	Body         string        `yaml:"body"`
	Message      string        `yaml:"message"`
	Garbage      bool          `yaml:"garbage"`
	Empty        bool          `yaml:"empty"`
	EmptyContent bool          `yaml:"empty_content"`
	Refusal      string        `yaml:"refusal"`
	Model        string        `yaml:"model"`
	Truncated    bool          `yaml:"truncated"`
	TruncateBody *int          `yaml:"truncate_body"`
}

// needsNoReply says whether f makes an answer of its own.
func (f *fault) needsNoReply() bool { return f.answers() != "" || f.Stall > 0 }

// answers names what f puts in the place of the reply, or "".
func (f *fault) answers() string {
	var kinds []string
	for kind, set := range f.kinds {
		if set {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, ", ")
}

// kinds yields the faults that exclude each other, and which of them are set.
func (f *fault) kinds(yield func(kind string, set bool) bool) {
	_ = yield("status", f.Status != 0) && yield("garbage", f.Garbage) && yield("empty", f.Empty) &&
		yield("empty_content", f.EmptyContent) && yield("refusal", f.Refusal != "")
}

func (f *fault) check() error {
	kinds := f.answers()
	switch {
	case *f == fault{}:
		return errors.New("it does nothing")
	case strings.Contains(kinds, ","):
		return fmt.Errorf("only one of %s can happen", kinds)
	case f.Times < 0 || f.Delay < 0 || f.Stall < 0 || f.TruncateBody != nil && *f.TruncateBody < 0:
		return errors.New("times, delay, stall and truncate_body can't be negative")
	case f.Status != 0 && (f.Status < 400 || f.Status > 599):
		return fmt.Errorf("status %d is no HTTP error", f.Status)
	case f.Status == 0 && (f.RetryAfter != "" || f.Body != "" || f.Message != ""):
		return errors.New("retry_after, body and message want a status")
	case f.Truncated && kinds != "":
		return fmt.Errorf("truncated has nothing to cut with %s", kinds)
	case *f == fault{Times: f.Times}:
		return errors.New("times says how often, but nothing says what")
	}
	if _, err := f.retryAfter(time.Time{}); err != nil {
		return err
	}
	if f.Status != 0 {
		_, _, err := f.errorBody()
		return err
	}
	return nil
}

// retryAfter is the Retry-After header.
func (f *fault) retryAfter(now time.Time) (string, error) {
	if seconds, err := strconv.Atoi(f.RetryAfter); f.RetryAfter == "" || err == nil && seconds >= 0 {
		return f.RetryAfter, nil
	}
	if _, err := http.ParseTime(f.RetryAfter); err == nil {
		return f.RetryAfter, nil
	}
	d, err := time.ParseDuration(f.RetryAfter)
	if err != nil {
		return "", fmt.Errorf("retry_after %q: want seconds, an HTTP date or a duration like 2s", f.RetryAfter)
	}
	return now.Add(d).UTC().Format(http.TimeFormat), nil
}

// errorBody is the body of an HTTP error, in the spelling of the servers that use it.
func (f *fault) errorBody() (contentType string, body []byte, err error) {
	message := f.Message
	if message == "" {
		message = "scripted fault: " + http.StatusText(f.Status)
	}
	const isJSON = "application/json"
	switch f.Body {
	case "", "openai":
		kind := "server_error"
		switch {
		case f.Status == http.StatusTooManyRequests:
			kind = "rate_limit_error"
		case f.Status < 500:
			kind = "invalid_request_error"
		}
		return isJSON, errorObject(kind, "scripted_fault", message), nil
	case "text": // Ollama, llama.cpp behind proxies
		return isJSON, encode(map[string]string{"error": message}), nil
	case "vllm":
		return isJSON, encode(map[string]any{"object": "error", "message": message, "type": "InternalServerError", "param": nil, "code": f.Status}), nil
	case "html":
		return "text/html; charset=utf-8", fmt.Appendf(nil, "<html><head><title>%d %s</title></head><body><h1>%s</h1></body></html>\n",
			f.Status, http.StatusText(f.Status), message), nil
	case "none":
		return "", nil, nil
	default:
		return "", nil, fmt.Errorf("body %q: want openai, text, vllm, html or none", f.Body)
	}
}

// String is what the log says of f.
func (f *fault) String() string {
	var s []string
	say := func(set bool, format string, args ...any) {
		if set {
			s = append(s, fmt.Sprintf(format, args...))
		}
	}
	say(f.Delay > 0, "delay %v", f.Delay)
	say(f.Stall > 0, "stall %v", f.Stall)
	say(f.Status != 0, "status %d", f.Status)
	say(f.Garbage, "garbage")
	say(f.Empty, "empty")
	say(f.EmptyContent, "empty_content")
	say(f.Refusal != "", "refusal")
	say(f.Model != "", "model %s", f.Model)
	say(f.Truncated, "truncated")
	if f.TruncateBody != nil {
		say(true, "truncate_body %d", *f.TruncateBody)
	}
	return strings.Join(s, ", ")
}

// errorObject is an error as the OpenAI API writes it.
func errorObject(kind, code, message string) []byte {
	type object struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	}
	return encode(map[string]object{"error": {Message: message, Type: kind, Code: code}})
}

// encode is v as JSON. It is only given types that encoding/json can't refuse.
func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
