package planner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rlam/activities/planner"
)

// serve is a model server that answers every request with h.
func serve(t testing.TB, h http.HandlerFunc) planner.Request {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	r := request(t)
	r.BaseURL = server.URL + "/v1"
	return r
}

func ask(t testing.TB, r planner.Request) (planner.Answer, error) {
	t.Helper()
	return new(planner.Client).Complete(t.Context(), r, body(t, r))
}

// unavailable asks, and wants no answer.
func unavailable(t testing.TB, r planner.Request) *planner.Unavailable {
	t.Helper()
	a, err := ask(t, r)
	var u *planner.Unavailable
	if !errors.As(err, &u) {
		t.Fatalf("got answer %+v and error %v, want an *Unavailable", a, err)
	}
	return u
}

func TestCompleteSendsTheBodyAsItIs(t *testing.T) {
	// go-openai would refuse each of these before sending, by the model's name.
	for _, model := range []string{"qwen3-32b", "o1-mini", "o3", "gpt-5", "davinci-002", "gpt-3.5-turbo-instruct"} {
		var got []byte
		var header http.Header
		var path string
		r := serve(t, func(w http.ResponseWriter, req *http.Request) {
			got, _ = io.ReadAll(req.Body)
			header, path = req.Header, req.URL.Path
			io.WriteString(w, `{"id":"r1","model":"answered","system_fingerprint":"fp","choices":[{"message":{"content":"hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":2}}`)
		})
		r.Model, r.Temperature, r.Key = model, 0.25, " sk-canary-0123456789\n"
		want := body(t, r)
		a, err := new(planner.Client).Complete(t.Context(), r, want)
		if err != nil {
			t.Fatalf("%s: %v", model, err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the server got %s\nwant %s", model, got, want)
		}
		if path != "/v1/chat/completions" || header.Get("Authorization") != "Bearer sk-canary-0123456789" || header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: sent to %s with %v", model, path, header)
		}
		if a.Asked != model || a.Answered != "answered" || a.Fingerprint != "fp" || a.ResponseID != "r1" || a.Usage != (planner.Usage{Prompt: 11, Completion: 2}) {
			t.Errorf("%s: answer %+v", model, a)
		}
	}
}

func TestUnavailable(t *testing.T) {
	const web = `<html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>`
	for _, test := range []struct {
		name, body string
		status     int
		typ        string
		retryable  bool
		words      []string // that the message must hold
	}{
		{"rate limited", `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`, 429, planner.TypeRateLimited, true, []string{"slow down"}},
		{"out of quota", `{"error":{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}}`, 429, planner.TypeRateLimited, false, []string{"quota is used up"}},
		{"text error", `{"error":"overloaded, sorry"}`, 503, planner.TypeModelUnavailable, true, []string{"overloaded, sorry"}},
		{"web page", web, 502, planner.TypeModelUnavailable, true, []string{"web page", "502 Bad Gateway", "nginx"}},
		{"no words", "", 500, planner.TypeModelUnavailable, true, []string{"no reason"}},
		{"numeric code", `{"error":{"message":"boom","code":500}}`, 500, planner.TypeModelUnavailable, true, []string{"boom"}},
		{"timeout of the server", `{"error":{"message":"too slow"}}`, 408, planner.TypeModelUnavailable, true, []string{"too slow"}},
		{"conflict", `{}`, 409, planner.TypeModelUnavailable, true, nil},
		{"vLLM", `{"object":"error","message":"max_tokens is too large","type":"BadRequestError","code":400}`, 400, planner.TypeModelRejected, false, []string{"max_tokens is too large", "planner.calls"}},
		{"FastAPI", `{"detail":"Not Found"}`, 404, planner.TypeModelRejected, false, []string{"Not Found", "/v1", "model's name"}},
		{"wrong key", `{"error":{"message":"Incorrect API key provided: sk-canary-0123456789"}}`, 401, planner.TypeModelRejected, false, []string{"Incorrect API key", "check the API key"}},
		{"too long", `{"error":{"message":"8192 tokens is the most","code":"context_length_exceeded"}}`, 400, planner.TypeModelRejected, false, []string{"8192 tokens", "planner's context"}},
		{"messages", `{"error":{"message":["one","two"]}}`, 400, planner.TypeModelRejected, false, []string{"one, two"}},
		{"not modified", "", 304, planner.TypeModelRejected, false, []string{"base URL"}},
		{"no content", "", 204, planner.TypeModelGarbled, true, []string{"want 200"}},
		{"not JSON", web, 200, planner.TypeModelGarbled, true, []string{"no chat completion"}},
		{"empty", "", 200, planner.TypeModelGarbled, true, []string{"empty"}},
		{"no choices", `{"choices":[]}`, 200, planner.TypeModelGarbled, true, []string{"no choices"}},
		{"error as success", `{"error":{"message":"upstream said no","code":502}}`, 200, planner.TypeModelGarbled, true, []string{"no choices", "upstream said no"}},
		{"a stream", "data: {\"choices\":[]}\n\n", 200, planner.TypeModelGarbled, true, []string{"data: "}},
		{"cut JSON", `{"choices":[{"message":{"con`, 200, planner.TypeModelGarbled, true, []string{"no chat completion"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				io.WriteString(w, test.body)
			})
			u := unavailable(t, r)
			if u.Type != test.typ || u.Retryable != test.retryable || u.Status != test.status {
				t.Errorf("got %s, retryable %t, status %d; want %s, %t, %d", u.Type, u.Retryable, u.Status, test.typ, test.retryable, test.status)
			}
			for _, w := range test.words {
				if !strings.Contains(u.Message, w) {
					t.Errorf("message %q lacks %q", u.Message, w)
				}
			}
			if strings.Contains(u.Error(), r.Key) {
				t.Errorf("the error holds the API key: %v", u)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 8, 20, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"seconds":      {map[string]string{"Retry-After": "2"}, 2 * time.Second},
		"fraction":     {map[string]string{"Retry-After": "0.5"}, 500 * time.Millisecond},
		"milliseconds": {map[string]string{"Retry-After-Ms": "250", "Retry-After": "1"}, 250 * time.Millisecond},
		// The server's clock is years off ours; the date is meant by its clock.
		"date":      {map[string]string{"Retry-After": now.Add(7 * time.Second).Format(http.TimeFormat), "Date": now.Format(http.TimeFormat)}, 7 * time.Second},
		"past date": {map[string]string{"Retry-After": now.Add(-time.Hour).Format(http.TimeFormat), "Date": now.Format(http.TimeFormat)}, 0},
		"words":     {map[string]string{"Retry-After": "soon"}, 0},
		"negative":  {map[string]string{"Retry-After": "-5"}, 0},
		"endless":   {map[string]string{"Retry-After": "1e300"}, 24 * time.Hour},
		"none":      {nil, 0},
	} {
		for _, status := range []int{429, 503} {
			r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range test.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(status)
			})
			if u := unavailable(t, r); u.RetryAfter != test.want || !u.Retryable {
				t.Errorf("%s, %d: wait %s, retryable %t, want %s", name, status, u.RetryAfter, u.Retryable, test.want)
			}
		}
	}
}

func TestBrokenTransport(t *testing.T) {
	t.Run("cut off", func(t *testing.T) {
		r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, `{"choices":[{"message":{"content":"as far as`)
		})
		u := unavailable(t, r)
		if u.Type != planner.TypeModelGarbled || !u.Retryable || !strings.Contains(u.Message, "cut off after 44 bytes") {
			t.Errorf("got %+v", u)
		}
	})
	t.Run("too large", func(t *testing.T) {
		r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"choices":[{"message":{"content":%q}}]}`, strings.Repeat("a", 5000))
		})
		_, err := (&planner.Client{MaxResponse: 4096}).Complete(t.Context(), r, body(t, r))
		var u *planner.Unavailable
		if !errors.As(err, &u) || u.Type != planner.TypeModelGarbled || !strings.Contains(u.Message, "over 4096 bytes") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody listens", func(t *testing.T) {
		server := httptest.NewServer(nil)
		r := request(t)
		r.BaseURL = server.URL
		server.Close()
		if u := unavailable(t, r); u.Type != planner.TypeModelUnavailable || !u.Retryable || u.Status != 0 || !strings.Contains(u.Message, "base URL") {
			t.Errorf("got %+v", u)
		}
	})
	t.Run("redirect", func(t *testing.T) {
		followed := false
		r := serve(t, func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/elsewhere" {
				followed = true
			}
			http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
		})
		u := unavailable(t, r)
		if followed || u.Type != planner.TypeModelRejected || u.Retryable || !strings.Contains(u.Message, `"/elsewhere"`) {
			t.Errorf("followed %t, got %+v", followed, u)
		}
	})
	t.Run("no answer in time", func(t *testing.T) {
		r := serve(t, func(_ http.ResponseWriter, req *http.Request) {
			io.Copy(io.Discard, req.Body)
			<-req.Context().Done()
		})
		_, err := (&planner.Client{Timeout: time.Millisecond}).Complete(t.Context(), r, body(t, r))
		var u *planner.Unavailable
		if !errors.As(err, &u) || u.Type != planner.TypeModelUnavailable || !u.Retryable || !strings.Contains(u.Message, "no answer within 1ms") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCancelledCallReturnsAtOnce(t *testing.T) {
	for name, begin := range map[string]string{"before the answer": "", "inside the answer": `{"choices":[{"mess`} {
		t.Run(name, func(t *testing.T) {
			arrived, left := make(chan struct{}), make(chan struct{})
			r := serve(t, func(w http.ResponseWriter, req *http.Request) {
				io.Copy(io.Discard, req.Body)
				io.WriteString(w, begin)
				http.NewResponseController(w).Flush()
				close(arrived)
				<-req.Context().Done()
				close(left)
			})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				_, err := new(planner.Client).Complete(ctx, r, body(t, r))
				done <- err
			}()
			<-arrived
			cancelled := time.Now()
			cancel()
			if err := <-done; err != context.Canceled {
				t.Errorf("error %v, want %v", err, context.Canceled)
			}
			if took := time.Since(cancelled); took > 100*time.Millisecond {
				t.Errorf("returned %s after it was cancelled", took)
			}
			<-left // the connection is closed as well: the server stops generating
		})
	}
}

func TestAddressesThatCannotWork(t *testing.T) {
	for _, test := range []struct{ url, key, words string }{
		{"localhost:8080/v1", "", "http or https"},
		{"/v1", "", "http or https"},
		{"http://[::1", "", "can't be read"},
		{"http://127.0.0.1:1/v1", "two\nlines", "control characters"},
	} {
		r := request(t)
		r.BaseURL, r.Key = test.url, test.key
		if u := unavailable(t, r); u.Type != planner.TypeModelRejected || u.Retryable || !strings.Contains(u.Message, test.words) {
			t.Errorf("%q: got %+v", test.url, u)
		}
	}
}

func TestTheKeyIsInNoAnswer(t *testing.T) {
	r := serve(t, func(w http.ResponseWriter, req *http.Request) {
		key := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		fmt.Fprintf(w, `{"id":%q,"model":%[1]q,"choices":[{"message":{"content":%[1]q,"tool_calls":[{"id":%[1]q,"function":{"name":%[1]q,"arguments":%[1]q}}]}}]}`, key)
	})
	a, err := ask(t, r)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(kept, []byte(r.Key)) || bytes.Contains(a.Body, []byte(r.Key)) {
		t.Errorf("the answer holds the API key: %s", kept)
	}
	if !bytes.Contains(a.Body, []byte("[API key]")) {
		t.Errorf("the answer doesn't say where the key was: %s", a.Body)
	}
}

func TestUsageIsEstimatedWhereTheServerDoesNotCount(t *testing.T) {
	for _, usage := range []string{"", `,"usage":null`, `,"usage":{"prompt_tokens":-5,"completion_tokens":-1}`} {
		r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"choices":[{"message":{"content":"hello"}}]%s}`, usage)
		})
		a, err := ask(t, r)
		if err != nil {
			t.Fatal(err)
		}
		if want := (len(body(t, r)) + 3) / 4; !a.Usage.Estimated || a.Usage.Prompt != want || a.Usage.Completion <= 0 {
			t.Errorf("usage%s is %+v, want an estimate of %d for the prompt", usage, a.Usage, want)
		}
	}
}

func TestCachedTokensAreCounted(t *testing.T) {
	for counted, want := range map[string]int{
		`{"prompt_tokens":100,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":64}}`:  64,
		`{"prompt_tokens":100,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":640}}`: 100, // no more than there are
		`{"prompt_tokens":100,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":-1}}`:  0,
		`{"prompt_tokens":100,"completion_tokens":2,"prompt_tokens_details":null}`:                  0,
	} {
		r := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"choices":[{"message":{"content":"hello"}}],"usage":%s}`, counted)
		})
		a, err := ask(t, r)
		if err != nil {
			t.Fatal(err)
		}
		if a.Usage != (planner.Usage{Prompt: 100, Cached: want, Completion: 2}) {
			t.Errorf("%s is %+v, want %d cached", counted, a.Usage, want)
		}
	}
}
