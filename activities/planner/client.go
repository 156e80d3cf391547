package planner

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// Client asks models. Its zero value is ready; it may be used concurrently.
//
// It never asks twice: retries are the workflow's, where each one is seen.
type Client struct {
	HTTP        *http.Client  // nil: http.DefaultClient. Redirects are not followed, whatever it says
	Timeout     time.Duration // of one answer; 0: 10 minutes
	MaxResponse int64         // in bytes; 0: 16 MiB
}

const (
	defaultTimeout     = 10 * time.Minute
	defaultMaxResponse = 16 << 20
)

// Complete sends body, which is [Body] of r, and reads the answer. What keeps a
// server from answering is an *[Unavailable]; when ctx ends it is ctx.Err().
func (c *Client) Complete(ctx context.Context, r Request, body []byte) (Answer, error) {
	r.Key = strings.TrimSpace(r.Key) // a key from a file brings its newline
	if u := checkAddress(r); u != nil {
		return Answer{}, u
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	x := c.exchange(r.Key, body)
	config := openai.DefaultConfig(r.Key)
	config.HTTPClient = x
	if r.BaseURL != "" {
		config.BaseURL = r.BaseURL
	}
	// No model is named to go-openai, which would judge the request by its name:
	// the body that is sent is ours.
	response, err := openai.NewClientWithConfig(config).CreateChatCompletion(limited, openai.ChatCompletionRequest{})
	switch {
	case err == nil && x.status == http.StatusOK && len(response.Choices) > 0:
	case ctx.Err() != nil:
		return Answer{}, ctx.Err()
	case limited.Err() != nil:
		return Answer{}, &Unavailable{
			Type: TypeModelUnavailable, Model: r.Model, Retryable: true,
			Message: fmt.Sprintf("no answer within %s", timeout),
		}
	default:
		return Answer{}, x.unavailable(r, err)
	}

	choice := response.Choices[0]
	said := reply{text: choice.Message.Content, refusal: choice.Message.Refusal, finishReason: string(choice.FinishReason)}
	if said.text == "" {
		for _, part := range choice.Message.MultiContent {
			said.text += part.Text
		}
	}
	for _, tc := range choice.Message.ToolCalls {
		said.toolCalls = append(said.toolCalls, ToolCall{ID: tc.ID, Name: tc.Function.Name, Arguments: tc.Function.Arguments})
	}
	if f := choice.Message.FunctionCall; f != nil && len(said.toolCalls) == 0 {
		said.toolCalls = []ToolCall{{Name: f.Name, Arguments: f.Arguments}} // the protocol before tools
	}
	a := read(said, r.Mode, namesOf(r.Tools))
	a.Asked, a.Answered, a.Fingerprint, a.ResponseID = r.Model, response.Model, response.SystemFingerprint, response.ID
	a.Usage = usage(response.Usage, body, choice.Message)
	a.Body = x.received
	return a, nil
}

// usage is what the server counted, or an estimate where it did not count.
func usage(counted openai.Usage, body []byte, m openai.ChatCompletionMessage) Usage {
	if counted.PromptTokens > 0 && counted.CompletionTokens >= 0 {
		u := Usage{Prompt: counted.PromptTokens, Completion: counted.CompletionTokens}
		if d := counted.PromptTokensDetails; d != nil {
			u.Cached = min(max(d.CachedTokens, 0), u.Prompt)
		}
		return u
	}
	said, _ := json.Marshal(m)
	return Usage{Prompt: tokens(len(body)), Completion: tokens(len(said)), Estimated: true}
}

// checkAddress refuses what would only fail later, in words that don't help.
func checkAddress(r Request) *Unavailable {
	rejected := func(format string, args ...any) *Unavailable {
		return &Unavailable{Type: TypeModelRejected, Model: r.Model, Message: fmt.Sprintf(format, args...)}
	}
	if r.BaseURL != "" {
		u, err := url.Parse(r.BaseURL)
		switch {
		case err != nil:
			return rejected("the base URL can't be read; it looks like %q", "http://127.0.0.1:8000/v1")
		case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
			return rejected("the base URL %q is not an http or https address; it looks like %q", scrub(u.Redacted(), r.Key), "http://127.0.0.1:8000/v1")
		}
	}
	if strings.ContainsFunc(r.Key, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return rejected("the API key holds control characters, which no header may carry")
	}
	return nil
}

// exchange carries one request and keeps what go-openai doesn't: the body as it
// must be sent, and the response's status, headers and bytes.
type exchange struct {
	http  http.Client
	key   string
	body  []byte
	limit int64

	status   int // 0: no response came
	header   http.Header
	received []byte // the API key apart
	err      error  // of the transport, or of reading the response
}

// errTooLarge ends the reading of a response.
var errTooLarge = errors.New("the response is too large")

func (c *Client) exchange(key string, body []byte) *exchange {
	x := &exchange{key: key, body: body, limit: c.MaxResponse}
	if x.limit <= 0 {
		x.limit = defaultMaxResponse
	}
	if c.HTTP != nil {
		x.http = *c.HTTP
	}
	// A followed redirect turns the question into a GET, and may take it to a stranger.
	x.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return x
}

// Do sends the body in place of go-openai's. It reads the whole response, so that
// one that was cut off is told apart from one that isn't JSON.
func (x *exchange) Do(req *http.Request) (*http.Response, error) {
	req.ContentLength = int64(len(x.body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(x.body)), nil }
	req.Body, _ = req.GetBody()
	res, err := x.http.Do(req)
	if err != nil {
		x.err = err
		return nil, err
	}
	defer res.Body.Close()
	x.status, x.header = res.StatusCode, res.Header
	received, err := io.ReadAll(io.LimitReader(res.Body, x.limit+1))
	if int64(len(received)) > x.limit {
		received, err = received[:x.limit], errTooLarge
	}
	x.received = []byte(scrub(string(received), x.key))
	if err != nil {
		x.err = err
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(x.received))
	return res, nil
}
