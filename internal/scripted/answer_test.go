package scripted_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"rlam/internal/scripted"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestItSaysThatItIsScripted(t *testing.T) {
	_, srv, _ := play(t, "model: scripted/test\nrules: [{reply: {text: hello}}]")
	r, resp, err := complete(t, srv, ask(user("go")))
	if err != nil {
		t.Fatal(err)
	}
	if r.Model != "scripted/test" || !strings.HasPrefix(r.SystemFingerprint, "scripted-") || resp.Header.Get("X-Scripted-Model") != "scripted/test" {
		t.Errorf("%q, %q, %v", r.Model, r.SystemFingerprint, resp.Header)
	}
	// Whatever a scenario pretends to be, the header stays.
	_, srv, _ = play(t, "model: scripted/test\nrules: [{reply: {text: hello, answered_model: m, fingerprint: fp, finish_reason: content_filter, usage: {prompt_tokens: 7, completion_tokens: 3}}}]")
	r, resp, err = complete(t, srv, ask(user("go")))
	if err != nil || r.Model != "m" || r.SystemFingerprint != "fp" || r.Choices[0].FinishReason != "content_filter" ||
		r.Usage.PromptTokens != 7 || r.Usage.CompletionTokens != 3 || r.Usage.TotalTokens != 10 || resp.Header.Get("X-Scripted-Model") != "scripted/test" {
		t.Errorf("%+v, %v, %v", r, resp.Header, err)
	}
}

func TestUsageIsEstimatedFromTheBody(t *testing.T) {
	client, _, log := play(t, "model: scripted/test\nrules: [{reply: {text: hello}}]")
	r, err := client.CreateChatCompletion(context.Background(), ask(user(strings.Repeat("word ", 1000))))
	if err != nil {
		t.Fatal(err)
	}
	e := entries(t, log)[0]
	if r.Usage.PromptTokens != (e.Bytes+3)/4 || r.Usage.PromptTokens < 1250 || e.Prompt != r.Usage.PromptTokens || r.Usage.CompletionTokens == 0 {
		t.Errorf("%+v of %d bytes", r.Usage, e.Bytes)
	}
}

func TestAStreamAddsUpToTheAnswer(t *testing.T) {
	client, _, _ := play(t, `
model: scripted/test
rules:
- reply:
    text: Zwölf Größen, geprüft — und noch einmal.
    calls:
    - {id: a, action: fit.nonlinear, why: ünïcödé all the way through the arguments, params: {start: [1, 2, 3]}}
    - {id: b, action: fit.nonlinear, why: again}
`)
	request := ask(user("go"))
	events, err := stream(client, request)
	if err != nil {
		t.Fatal(err)
	}
	var streamed openai.ChatCompletionMessage
	var finish openai.FinishReason
	var usage *openai.Usage
	for _, e := range events {
		if e.Usage != nil {
			usage = e.Usage
		}
		for _, c := range e.Choices {
			streamed.Role += c.Delta.Role
			streamed.Content += c.Delta.Content
			finish += c.FinishReason
			for _, call := range c.Delta.ToolCalls {
				if *call.Index == len(streamed.ToolCalls) {
					streamed.ToolCalls = append(streamed.ToolCalls, openai.ToolCall{})
				}
				to := &streamed.ToolCalls[*call.Index]
				to.ID += call.ID
				to.Type += call.Type
				to.Function.Name += call.Function.Name
				to.Function.Arguments += call.Function.Arguments
			}
		}
	}
	whole, err := client.CreateChatCompletion(context.Background(), request)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%+v", streamed), fmt.Sprintf("%+v", whole.Choices[0].Message); got != want {
		t.Errorf("streamed %s\nwant     %s", got, want)
	}
	if finish != "tool_calls" || usage == nil || usage.CompletionTokens != whole.Usage.CompletionTokens || len(events) < 8 {
		t.Errorf("finish %q, usage %+v, %d events", finish, usage, len(events))
	}
}

func TestConditions(t *testing.T) {
	const observation = `{"id":"fit1","status":"failed","error":{"type":"rlam.NotConverged"},"output":{"n":3.0,"list":[{"a/b":null}],"s":"7"}}`
	said := openai.ChatCompletionMessage{Role: "assistant", Content: "I fit."}
	tool := openai.ChatCompletionMessage{Role: "tool", ToolCallID: "call_0_1", Content: observation}
	parts := openai.ChatCompletionMessage{Role: "user", MultiContent: []openai.ChatMessagePart{{Type: "text", Text: observation}}}
	conversation := []openai.ChatCompletionMessage{user("start with care"), said, tool}
	for when, holds := range map[string]bool{
		`{turn: 1}`:                            true,
		`{turn: 0}`:                            false,
		`{any: {role: user, contains: care}}`:  true,
		`{last: {role: user, contains: care}}`: false,
		`{any: {role: assistant, matches: '^I (fit|plot)\.$'}}`:                        true,
		`{any: {role: system, contains: care}}`:                                        false,
		`{last: {observation: fit1}}`:                                                  true,
		`{last: {observation: fit}}`:                                                   false,
		`{last: {observation: fit1, pointer: /error/type, equals: rlam.NotConverged}}`: true,
		`{last: {pointer: /error/type, equals: rlam.Transient}}`:                       false,
		`{last: {observation: fit1, pointer: /error}}`:                                 true,
		`{last: {observation: fit1, pointer: /error, exists: false}}`:                  false,
		`{last: {observation: fit1, pointer: /verdicts, exists: false}}`:               true,
		`{last: {observation: fit2, pointer: /verdicts, exists: false}}`:               false, // there is no fit2
		`{last: {observation: fit1, pointer: /error/type/x}}`:                          false,
		`{last: {observation: fit1, pointer: /output/n, equals: 3}}`:                   true,
		`{last: {observation: fit1, pointer: /output/n, equals: "3"}}`:                 false,
		`{last: {observation: fit1, pointer: /output/n, gt: 2.9, lt: 3.1}}`:            true,
		`{last: {observation: fit1, pointer: /output/n, gt: 3}}`:                       false,
		`{last: {observation: fit1, pointer: /output/s, lt: 10}}`:                      false, // a string
		`{last: {observation: fit1, pointer: /output/list/0/a~1b, equals: null}}`:      true,
		`{last: {observation: fit1, pointer: /output/list/1}}`:                         false,
		`{last: {observation: fit1, pointer: /output/list/00}}`:                        false,
		`{last: {observation: fit1, pointer: /output/list, equals: [{"a/b": null}]}}`:  true,
		`{last: [{observation: fit1}, {contains: nothing}]}`:                           false,
		`{turn: 1, last: {observation: fit1}, any: [{contains: care}]}`:                true,
	} {
		client, _, _ := play(t, "model: scripted/test\nrules: [{when: "+when+", reply: {text: yes}}]")
		for _, last := range []openai.ChatCompletionMessage{tool, parts} {
			conversation[2] = last
			if _, err := client.CreateChatCompletion(context.Background(), ask(conversation...)); (err == nil) != holds {
				t.Errorf("%s holds of a %s message: %v; want %v", when, last.Role, err, holds)
			}
		}
	}
}

func TestNoRuleNamesTheNearest(t *testing.T) {
	client, _, log := play(t, `
model: scripted/test
rules:
- {when: {turn: 4, any: {contains: z}}, reply: {text: a}}
- name: converged
  when: {turn: 0, last: {observation: fit1, pointer: /error/type, equals: rlam.NotConverged}}
  reply: {text: b}
- {when: {turn: 0, any: {observation: fit9, pointer: /status, equals: failed}, last: {role: tool}}, reply: {text: c}}
`)
	_, err := client.CreateChatCompletion(context.Background(), ask(user(`{"id":"fit1","error":{"type":"rlam.Transient"}}`)))
	if err == nil {
		t.Fatal("there was an answer")
	}
	for _, part := range []string{"400", "turn 0", "rule 2 (converged)", `last: observation "fit1" pointer "/error/type" equals "rlam.NotConverged": it is "rlam.Transient"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
	if e := entries(t, log); len(e) != 1 || e[0].Status != 400 || e[0].Rule != 0 || !strings.Contains(e[0].Error, "converged") {
		t.Errorf("logged %+v", e)
	}
}

func TestWhatIsSentVerbatim(t *testing.T) {
	client, _, log := play(t, `
model: scripted/test
rules:
- reply: {calls: [{action: shell.run, arguments: '{"id": "a", "params": 1e1000001'}], give_up: no more}
`)
	r, err := client.CreateChatCompletion(context.Background(), ask(user("go")))
	if err != nil {
		t.Fatal(err)
	}
	calls := r.Choices[0].Message.ToolCalls
	if len(calls) != 2 || calls[0].Function.Name != "shell_run" || calls[0].Function.Arguments != `{"id": "a", "params": 1e1000001` ||
		calls[1].Function.Name != "give_up" || calls[1].Function.Arguments != `{"reason":"no more"}` {
		t.Errorf("%+v", calls)
	}
	if e := entries(t, log)[0]; len(e.NotOffered) != 1 || e.NotOffered[0] != "shell_run" {
		t.Errorf("not offered: %v", e.NotOffered)
	}
	request := ask(user("go"))
	request.Tools = nil
	r, err = client.CreateChatCompletion(context.Background(), request)
	if want := `{"calls":[{"id": "a", "params": 1e1000001],"give_up":{"reason":"no more"}}`; err != nil || r.Choices[0].Message.Content != want {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestNumbersOfAScenario(t *testing.T) {
	client, _, _ := play(t, `
model: scripted/test
rules: [{reply: {finish: [1, 1e-8, 3.0750560385E-04, 0x10, .5, +1, "1", y, true, null, 2020-01-02, {"a<b": []}]}}]
`)
	r, err := client.CreateChatCompletion(context.Background(), ask(user("go")))
	const want = `{"result":[1,1e-8,3.0750560385E-04,16,0.5,1,"1","y",true,null,"2020-01-02",{"a<b":[]}]}`
	if err != nil || r.Choices[0].Message.ToolCalls[0].Function.Arguments != want {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestATemplateWithoutItsValue(t *testing.T) {
	client, _, _ := play(t, "model: scripted/test\nrules: [{reply: {finish: {$observed: {observation: fit1, pointer: /output}}}}]")
	for content, want := range map[string]string{`{"id":"fit2"}`: "no such observation", `{"id":"fit1"}`: "no such value"} {
		_, err := client.CreateChatCompletion(context.Background(), ask(user(content)))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "400") {
			t.Errorf("%s: %v", content, err)
		}
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	_, srv, log := play(t, "model: scripted/test\nrules: [{reply: {text: a}}]")
	const message = `"messages":[{"role":"user","content":"a"}]`
	bodies := map[string]string{
		``:                                   "reading request",
		`[]`:                                 "reading request",
		`{"model":"scripted/test"}`:          "no messages",
		`{"model":"gpt-4o",` + message + `}`: `no model "gpt-4o"`,
		`{"model":"scripted/test","n":2,` + message + `}`:           "n is 2",
		`{"model":"scripted/test",` + message + `,` + message + `}`: "duplicate",
		`{"model":"scripted/test",` + message + `} {}`:              "more after",
		`{"model":"scripted/test",` + message[:20]:                  "unexpected EOF",
		`{"model":"scripted/test","messages":[{"content":"a"}]}`:    "no role",
		`{"model":"scripted/test","messages":7}`:                    "want",
	}
	for body, want := range bodies {
		resp, err := http.Post(srv.URL()+"/chat/completions", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		var refusal struct {
			Error struct{ Message, Type string }
		}
		if err := json.Unmarshal(text, &refusal); err != nil || resp.StatusCode < 400 || !strings.Contains(refusal.Error.Message, want) {
			t.Errorf("%s: %s: %s; want %q", body, resp.Status, text, want)
		}
	}
	if got := len(entries(t, log)); got != len(bodies) {
		t.Errorf("%d of %d refusals were logged", got, len(bodies))
	}
}

func TestModels(t *testing.T) {
	client, srv, log := play(t, "model: scripted/test\nrules: [{reply: {text: a}}]")
	list, err := client.ListModels(context.Background())
	if err != nil || len(list.Models) != 1 || list.Models[0].ID != "scripted/test" || list.Models[0].OwnedBy != "scripted" {
		t.Errorf("%+v, %v", list, err)
	}
	if m, err := client.GetModel(context.Background(), "scripted/test"); err != nil || m.ID != "scripted/test" {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := client.GetModel(context.Background(), "gpt-4o"); err == nil {
		t.Error("there is a gpt-4o")
	}
	if resp, err := http.Get(srv.URL() + "/embeddings"); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("%v, %v", resp, err)
	}
	if n := len(entries(t, log)); n != 0 {
		t.Errorf("%d entries, though the model was asked nothing", n)
	}
}

func TestSeveralServersShareALog(t *testing.T) {
	s, err := scripted.Load([]byte("model: scripted/test\nrules: [{reply: {text: a}}]"))
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "model.jsonl")
	const each = 20
	var wg sync.WaitGroup
	for range 3 {
		srv, err := scripted.Start(s, scripted.Options{Log: log, LogBodies: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { srv.Close() })
		for i := range each {
			wg.Go(func() {
				body := fmt.Sprintf(`{"model":"scripted/test","messages":[{"role":"user","content":"%d %s"}]}`, i, strings.Repeat("x", 9000))
				if resp, err := http.Post(srv.URL()+"/chat/completions", "application/json", strings.NewReader(body)); err != nil {
					t.Error(err)
				} else {
					resp.Body.Close()
				}
			})
		}
	}
	wg.Wait()
	all := entries(t, log)
	if len(all) != 3*each || len(all[0].Body) < 9000 {
		t.Errorf("%d entries, want %d", len(all), 3*each)
	}
}

func TestOnlyLoopback(t *testing.T) {
	s, err := scripted.Load([]byte("model: scripted/test\nrules: [{reply: {text: a}}]"))
	if err != nil {
		t.Fatal(err)
	}
	if srv, err := scripted.Start(s, scripted.Options{Addr: "0.0.0.0:0"}); err == nil {
		srv.Close()
		t.Error("it listens to everyone")
	}
}

// BenchmarkLongRequest is a request of 500 kB, of which one observation is wanted.
func BenchmarkLongRequest(b *testing.B) {
	text, err := os.ReadFile("testdata/mgh09.yaml")
	if err != nil {
		b.Fatal(err)
	}
	s, err := scripted.Load(text)
	if err != nil {
		b.Fatal(err)
	}
	srv, err := scripted.Start(s, scripted.Options{Log: filepath.Join(b.TempDir(), "log")})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	request := openai.ChatCompletionRequest{Model: "scripted/mgh09", Tools: offered("finish")}
	request.Messages = append(request.Messages, user("residual"), openai.ChatCompletionMessage{Role: "tool", Content: observations["data"]})
	for i := range 500 {
		request.Messages = append(request.Messages,
			openai.ChatCompletionMessage{Role: "assistant", Content: "next"},
			openai.ChatCompletionMessage{Role: "tool", Content: fmt.Sprintf(`{"call":"%d","id":"x%d","output":{"text":"%s"}}`, i, i, strings.Repeat("a\\n", 300))})
	}
	request.Messages = append(request.Messages, openai.ChatCompletionMessage{Role: "tool", Content: observations["fit2"]})
	body, err := json.Marshal(request)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		resp, err := http.Post(srv.URL()+"/chat/completions", "application/json", strings.NewReader(string(body)))
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatal(resp, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
