package scripted_test

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"rlam/internal/scripted"
)

var update = flag.Bool("update", false, "rewrite golden files")

// play starts a scenario, and returns a client of it and the path of its log.
func play(t *testing.T, scenario string) (*openai.Client, *scripted.Server, string) {
	t.Helper()
	s, err := scripted.Load([]byte(scenario))
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "model.jsonl")
	srv, err := scripted.Start(s, scripted.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	config := openai.DefaultConfig("no-key")
	config.BaseURL = srv.URL()
	return openai.NewClientWithConfig(config), srv, log
}

func entries(t *testing.T, log string) []scripted.Entry {
	t.Helper()
	e, err := scripted.ReadLog(log)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// offered are the tools of a request.
func offered(names ...string) []openai.Tool {
	var tools []openai.Tool
	for _, name := range names {
		tools = append(tools, openai.Tool{Type: openai.ToolTypeFunction, Function: &openai.FunctionDefinition{
			Name: name, Parameters: json.RawMessage(`{"type":"object"}`),
		}})
	}
	return tools
}

func ask(messages ...openai.ChatCompletionMessage) openai.ChatCompletionRequest {
	return openai.ChatCompletionRequest{
		Model:    "scripted/test",
		Messages: messages,
		Tools:    offered("fit_nonlinear", "finish", "give_up"),
	}
}

func user(text string) openai.ChatCompletionMessage {
	return openai.ChatCompletionMessage{Role: "user", Content: text}
}

// The observations of the example, by the planner's id of the call.
var observations = map[string]string{
	"data": `{"call":"1.1","id":"data","action":"data.table","status":"completed","output":{"table":{"path":"mgh09.csv","rows":11}}}`,
	"fit1": `{"call":"2.1","id":"fit1","action":"fit.nonlinear","status":"failed","error":{"type":"rlam.NotConverged","message":"1000 iterations"}}`,
	"fit2": `{"call":"3.1","id":"fit2","action":"fit.nonlinear","status":"completed","output":{"b":[0.19280693458,0.19128232873],"rss":3.0750560385E-04}}`,
	"note": `{"call":"3.2","id":"note","action":"notebook.append","status":"refused","verdicts":[{"gate":"policy","reason":"not allowed"}]}`,
}

// converse plays a scenario to its end, once with tools and once without, and
// returns what the model said.
func converse(t *testing.T, scenario string, tools bool) string {
	t.Helper()
	client, _, _ := play(t, scenario)
	r := openai.ChatCompletionRequest{Model: "scripted/mgh09", Messages: []openai.ChatCompletionMessage{
		{Role: "system", Content: "You plan."}, user("Fit MGH09; state the residual sum of squares."),
	}}
	if tools {
		r.Tools = offered("data_table", "fit_nonlinear", "notebook_append", "finish", "give_up")
	} else {
		r.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: "calls", Schema: json.RawMessage(`{}`)},
		}
	}
	var said strings.Builder
	enc := json.NewEncoder(&said)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	for range 10 {
		resp, err := client.CreateChatCompletion(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		m := resp.Choices[0].Message
		if err := enc.Encode(m); err != nil {
			t.Fatal(err)
		}
		r.Messages = append(r.Messages, m)
		ids, ended := proposed(t, m)
		if ended {
			return said.String()
		}
		for i, id := range ids {
			o := openai.ChatCompletionMessage{Role: "user", Content: observations[id]}
			if tools {
				o.Role, o.ToolCallID = "tool", m.ToolCalls[i].ID
			}
			r.Messages = append(r.Messages, o)
		}
	}
	t.Fatal("the conversation doesn't end")
	return ""
}

// proposed reads the ids of the calls in m, and whether m ends the conversation.
func proposed(t *testing.T, m openai.ChatCompletionMessage) (ids []string, ended bool) {
	t.Helper()
	type proposal struct {
		ID     string
		Calls  []proposal
		Finish json.RawMessage
	}
	read := func(text string) (p proposal) {
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatalf("reading %s: %v", text, err)
		}
		return p
	}
	for _, c := range m.ToolCalls {
		ids = append(ids, read(c.Function.Arguments).ID)
		ended = ended || c.Function.Name == "finish"
	}
	if len(m.ToolCalls) == 0 {
		p := read(m.Content)
		for _, c := range p.Calls {
			ids = append(ids, c.ID)
		}
		ended = p.Finish != nil
	}
	return ids, ended
}

func TestAConversationToItsEnd(t *testing.T) {
	scenario, err := os.ReadFile("testdata/mgh09.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, tools := range map[string]bool{"tools": true, "content": false} {
		t.Run(name, func(t *testing.T) {
			got := converse(t, string(scenario), tools)
			if again := converse(t, string(scenario), tools); again != got {
				t.Errorf("another server says\n%s\nafter\n%s", again, got)
			}
			golden := filepath.Join("testdata", "mgh09."+name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the model said\n%s\nwant\n%s", got, want)
			}
		})
	}
}
