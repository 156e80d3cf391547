package scripted_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	openai "github.com/sashabaranov/go-openai"

	"rlam/internal/scripted"
)

// faulty is a scenario whose one rule has this fault, and a reply.
func faulty(fault string) string {
	return "model: scripted/test\nrules:\n- reply: {calls: [{id: a, action: fit.nonlinear, params: {x: 1}}]}\n  fault: " + fault + "\n"
}

// complete asks once, and also returns the response of the HTTP server.
func complete(t *testing.T, srv *scripted.Server, r openai.ChatCompletionRequest) (openai.ChatCompletionResponse, *http.Response, error) {
	t.Helper()
	var seen *http.Response
	config := openai.DefaultConfig("no-key")
	config.BaseURL = srv.URL()
	config.HTTPClient = doer(func(req *http.Request) (*http.Response, error) {
		resp, err := http.DefaultClient.Do(req)
		seen = resp
		return resp, err
	})
	resp, err := openai.NewClientWithConfig(config).CreateChatCompletion(context.Background(), r)
	return resp, seen, err
}

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

func TestHTTPErrors(t *testing.T) {
	for fault, want := range map[string]struct {
		status     int
		retryAfter string
		message    string
		code       any
	}{
		`{status: 429, retry_after: 2}`:                                       {429, "2", "scripted fault: Too Many Requests", "scripted_fault"},
		`{status: 429, retry_after: "Wed, 21 Oct 2026 07:28:00 GMT"}`:         {429, "Wed, 21 Oct 2026 07:28:00 GMT", "scripted fault", "scripted_fault"},
		`{status: 500, message: out of memory}`:                               {500, "", "out of memory", "scripted_fault"},
		`{status: 503, body: text}`:                                           {503, "", "", nil},
		`{status: 503, body: html, message: down}`:                            {503, "", "<h1>down</h1>", nil},
		`{status: 400, body: vllm, message: maximum context length exceeded}`: {400, "", "maximum context length", nil},
		`{status: 504, body: none}`:                                           {504, "", "", nil},
	} {
		_, srv, log := play(t, faulty(fault))
		_, resp, err := complete(t, srv, ask(user("go")))
		status, text := 0, ""
		var code any
		if request := (*openai.RequestError)(nil); errors.As(err, &request) {
			status, text = request.HTTPStatusCode, string(request.Body)
		}
		if api := (*openai.APIError)(nil); errors.As(err, &api) && api.Code != nil {
			status, text, code = api.HTTPStatusCode, api.Message, api.Code
		}
		if status != want.status || !strings.Contains(text, want.message) || code != want.code && want.code != nil {
			t.Errorf("%s: %v (status %d, code %v, %q)", fault, err, status, code, text)
		}
		if got := resp.Header.Get("Retry-After"); got != want.retryAfter {
			t.Errorf("%s: Retry-After %q", fault, got)
		}
		if e := entries(t, log); len(e) != 1 || e[0].Status != want.status || !strings.HasPrefix(e[0].Fault, "status ") {
			t.Errorf("%s: logged %+v", fault, e)
		}
	}
}

func TestRetryAfterAsADateThatIsComing(t *testing.T) {
	_, srv, _ := play(t, faulty(`{status: 503, retry_after: 90s}`))
	before := time.Now()
	_, resp, _ := complete(t, srv, ask(user("go")))
	date, err := http.ParseTime(resp.Header.Get("Retry-After"))
	if wait := date.Sub(before); err != nil || wait < 89*time.Second || wait > 100*time.Second {
		t.Errorf("Retry-After is %v away, %v", wait, err)
	}
}

func TestSpoiltAnswers(t *testing.T) {
	for fault, check := range map[string]func(openai.ChatCompletionResponse, error) bool{
		`{garbage: true}`: func(_ openai.ChatCompletionResponse, err error) bool { return err != nil },
		`{empty: true}`:   func(r openai.ChatCompletionResponse, err error) bool { return err == nil && len(r.Choices) == 0 },
		`{empty_content: true}`: func(r openai.ChatCompletionResponse, err error) bool {
			m := r.Choices[0].Message
			return err == nil && m.Content == "" && len(m.ToolCalls) == 0 && r.Choices[0].FinishReason == "stop"
		},
		`{refusal: I won't.}`: func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && r.Choices[0].Message.Refusal == "I won't." && len(r.Choices[0].Message.ToolCalls) == 0
		},
		`{model: other-model-0613}`: func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && r.Model == "other-model-0613" && len(r.Choices[0].Message.ToolCalls) == 1
		},
		`{truncated: true}`: func(r openai.ChatCompletionResponse, err error) bool {
			return err == nil && r.Choices[0].FinishReason == "length" && r.Choices[0].Message.ToolCalls[0].Function.Arguments == `{"id":"a","why":""`
		},
		`{truncate_body: 40}`: func(_ openai.ChatCompletionResponse, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
		`{truncate_body: 0}`:  func(_ openai.ChatCompletionResponse, err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) },
	} {
		client, _, log := play(t, faulty(fault))
		r, err := client.CreateChatCompletion(context.Background(), ask(user("go")))
		if !check(r, err) {
			t.Errorf("%s: %+v, %v", fault, r, err)
		}
		if e := entries(t, log); len(e) != 1 || e[0].Fault == "" || e[0].Rule != 1 || e[0].Status != 200 {
			t.Errorf("%s: logged %+v", fault, e)
		}
	}
}

// stream asks for a stream and reads it to its end.
func stream(client *openai.Client, r openai.ChatCompletionRequest) (events []openai.ChatCompletionStreamResponse, err error) {
	r.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	s, err := client.CreateChatCompletionStream(context.Background(), r)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for {
		event, err := s.Recv()
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return events, err
		}
		events = append(events, event)
	}
}

func TestSpoiltStreams(t *testing.T) {
	for fault, intact := range map[string]bool{
		`{garbage: true}`:      false,
		`{truncate_body: 0}`:   false,
		`{truncate_body: 300}`: false,
		`{status: 429}`:        false,
		`{empty: true}`:        true,
		`{refusal: "no"}`:      true,
		`{truncated: true}`:    true,
	} {
		client, _, _ := play(t, faulty(fault))
		events, err := stream(client, ask(user("go")))
		if (err == nil) != intact {
			t.Errorf("%s: %d events, %v", fault, len(events), err)
		}
	}
}

func TestAFaultHappensToTheFirstOfEachRequest(t *testing.T) {
	client, _, log := play(t, faulty(`{times: 2, status: 429}`))
	try := func(text string) error {
		_, err := client.CreateChatCompletion(context.Background(), ask(user(text)))
		return err
	}
	for i, fails := range []bool{true, true, false, false} {
		if err := try("one"); (err != nil) != fails {
			t.Errorf("request %d: %v", i+1, err)
		}
	}
	if try("another") == nil {
		t.Error("another question was spared")
	}
	var statuses []int
	for _, e := range entries(t, log) {
		statuses = append(statuses, e.Status)
	}
	if want := []int{429, 429, 200, 200, 429}; len(statuses) != 5 || [5]int(statuses) != [5]int(want) {
		t.Errorf("logged statuses %v, want %v", statuses, want)
	}
}

func TestASpentFaultWithoutAReplyIsPassedOver(t *testing.T) {
	client, _, log := play(t, `
model: scripted/test
rules:
- fault: {times: 1, status: 500}
- fault: {times: 1, garbage: true}
- reply: {give_up: enough}
`)
	var failures int
	for range 3 {
		if _, err := client.CreateChatCompletion(context.Background(), ask(user("go"))); err != nil {
			failures++
		}
	}
	e := entries(t, log)
	if failures != 2 || len(e) != 3 || e[0].Rule != 1 || e[1].Rule != 2 || e[2].Rule != 3 {
		t.Errorf("%d failures, %+v", failures, e)
	}
}

func TestFaultsAreCountedUnderConcurrency(t *testing.T) {
	client, _, log := play(t, faulty(`{times: 5, status: 500}`))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _, _ = client.CreateChatCompletion(context.Background(), ask(user("go"))) })
	}
	wg.Wait()
	failed := 0
	all := entries(t, log)
	for _, e := range all {
		if e.Status == 500 {
			failed++
		}
	}
	if len(all) != 20 || failed != 5 {
		t.Errorf("%d of %d failed, want 5 of 20", failed, len(all))
	}
}

func TestAStallEndsWithTheClient(t *testing.T) {
	for fault, status := range map[string]int{`{stall: 1h}`: 0, `{stall: 1h, truncate_body: 20}`: 200, `{delay: 1h}`: 0} {
		_, srv, log := play(t, faulty(fault))
		ctx, leave := context.WithCancel(context.Background())
		asked := make(chan int, 1)
		go func() {
			r, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL()+"/chat/completions", strings.NewReader(
				`{"model":"scripted/test","messages":[{"role":"user","content":"go"}]}`))
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				asked <- 0
				return
			}
			defer resp.Body.Close()
			asked <- resp.StatusCode
			_, _ = io.ReadAll(resp.Body)
		}()
		// The log is written first: it shows when the stall has begun.
		waitFor(t, func() bool { return len(entries(t, log)) == 1 })
		if status != 0 {
			if got := <-asked; got != status {
				t.Errorf("%s: status %d before the stall, want %d", fault, got, status)
			}
		}
		leave()
		if status == 0 && <-asked != 0 {
			t.Errorf("%s: there was an answer", fault)
		}
	}
}

func TestCloseEndsAStall(t *testing.T) {
	client, srv, log := play(t, faulty(`{stall: 1h}`))
	answered := make(chan error, 1)
	go func() {
		_, err := client.CreateChatCompletion(context.Background(), ask(user("go")))
		answered <- err
	}()
	waitFor(t, func() bool { return len(entries(t, log)) == 1 })
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-answered; err == nil {
		t.Error("the stalled request was answered")
	}
}

func TestAStallPassesAndTheReplyFollows(t *testing.T) {
	client, _, _ := play(t, faulty(`{stall: 20ms, delay: 10ms}`))
	begun := time.Now()
	r, err := client.CreateChatCompletion(context.Background(), ask(user("go")))
	if err != nil || len(r.Choices[0].Message.ToolCalls) != 1 || time.Since(begun) < 30*time.Millisecond {
		t.Errorf("%+v, %v after %v", r, err, time.Since(begun))
	}
	silent, _, _ := play(t, "model: scripted/test\nrules: [{fault: {stall: 1ms}}]")
	if _, err := silent.CreateChatCompletion(context.Background(), ask(user("go"))); !errors.Is(err, io.EOF) {
		t.Errorf("after a stall without a reply: %v", err)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal("waited 20 s in vain")
		}
		time.Sleep(time.Millisecond)
	}
}
