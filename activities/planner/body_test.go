package planner_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rlam/activities/planner"
	"rlam/schemas"
)

var update = flag.Bool("update", false, "write the golden files of testdata")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; if that is meant, run the test with -update\n got: %s\nwant: %s", path, got, want)
	}
}

// fitTools are two actions and the ends of a run.
func fitTools(t testing.TB) []planner.Tool {
	t.Helper()
	parameters := func(params string) json.RawMessage {
		return json.RawMessage(`{"type": "object", "required": ["id", "params"], "properties": {"id": {"type": "string"}, "why": {"type": "string"}, "params": ` + params + `}}`)
	}
	return planner.Tools([]planner.ToolSpec{
		{Action: "fit.nonlinear", Summary: "Fit a model to data by least squares.", Parameters: parameters(`{"type": "object", "properties": {"tolerance": {"type": "number", "default": 1E-8}}}`)},
		{Action: "artifact.read", Summary: "Read part of an artifact.", Parameters: parameters(`{"type": "object"}`)},
	}, json.RawMessage(`{"type": "object", "required": ["result"], "definitions": {"n": {"type": "number"}},
		"properties": {"result": {"type": "object", "properties": {"b1": {"$ref": "#/definitions/n"}}}}}`))
}

var mgh09 = &schemas.Study{
	Title:  "MGH09",
	Goal:   "Fit the model to the data & say how well it fits (<1e-6).\n",
	Limits: schemas.Limits{Steps: 50, Calls: 200},
	Result: json.RawMessage(`{"type": "object", "properties": {"b1": {"$ref": "#/definitions/n"}}, "definitions": {"n": {"type": "number"}}}`),
}

// conversation is a step that failed and one observation that came back empty.
func conversation(t testing.TB) []planner.Message {
	t.Helper()
	system, err := planner.System(mgh09, fitTools(t), []planner.Input{
		{Name: "raw/data", Description: "eleven\nmeasurements", MediaType: "text/csv", Size: 156},
		{Name: "data", Size: 156},
	})
	if err != nil {
		t.Fatal(err)
	}
	return []planner.Message{
		system,
		{Role: planner.RoleUser, Content: "Begin."},
		{Role: planner.RoleAssistant, ToolCalls: []planner.ToolCall{
			{ID: "call_1", Name: "fit_nonlinear", Arguments: `{"id":"fit1","why":"the given start","params":{"tolerance":1e-8}}`},
			{ID: "call_2", Name: "artifact_read", Arguments: `{"id":"look","params":{}}`},
		}},
		planner.Observe(planner.Observation{
			Call: "1.1", ID: "fit1", Action: "fit.nonlinear", Status: "failed", Attempts: 2, ToolCallID: "call_1",
			Error: &planner.ObservedError{Type: "rlam.NotConverged", Message: "singular gradient"},
		}, 0),
		{Role: planner.RoleTool, ToolCallID: "call_2", Call: "1.2"},
	}
}

func request(t testing.TB) planner.Request {
	return planner.Request{
		Model: "qwen3-32b", BaseURL: "http://127.0.0.1:8000/v1", Key: "sk-canary-0123456789",
		MaxTokens: 4096, Messages: conversation(t), Tools: fitTools(t),
	}
}

func body(t testing.TB, r planner.Request) []byte {
	t.Helper()
	b, err := planner.Body(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBodyGolden(t *testing.T) {
	seed := 7
	asText := request(t)
	asText.Mode, asText.Seed = planner.ModeResponseFormat, &seed
	study := *mgh09
	study.Planner.Calls = planner.ModeResponseFormat
	system, err := planner.System(&study, asText.Tools, nil)
	if err != nil {
		t.Fatal(err)
	}
	asText.Messages[0] = system
	reasoning := request(t)
	reasoning.Model = "o3-mini"
	for name, r := range map[string]planner.Request{"body_tools.json": request(t), "body_response_format.json": asText, "body_reasoning.json": reasoning} {
		got := body(t, r)
		golden(t, name, append(got, '\n'))
		if !json.Valid(got) {
			t.Errorf("%s is not JSON", name)
		}
		if strings.Contains(string(got), r.Key) {
			t.Errorf("%s holds the API key", name)
		}
	}
}

func TestBodyDependsOnMeaningAlone(t *testing.T) {
	want := body(t, request(t))
	r := request(t)
	r.Key, r.BaseURL = "another", "http://another:1/v1"
	for i := range r.Tools {
		var b bytes.Buffer
		if err := json.Indent(&b, r.Tools[i].Parameters, "  ", "\t"); err != nil {
			t.Fatal(err)
		}
		r.Tools[i].Parameters = b.Bytes()
	}
	for i := range r.Messages {
		r.Messages[i].Stub = "something else"
	}
	// Messages are kept as JSON, and read again for each step.
	kept, err := json.Marshal(r.Messages)
	if err != nil {
		t.Fatal(err)
	}
	r.Messages = nil
	if err := json.Unmarshal(kept, &r.Messages); err != nil {
		t.Fatal(err)
	}
	if got := body(t, r); !bytes.Equal(got, want) {
		t.Errorf("the body changed:\n got: %s\nwant: %s", got, want)
	}
}

func TestBodyHasWhatTheClientLibraryDrops(t *testing.T) {
	var sent struct {
		Temperature *float64                     `json:"temperature"`
		Messages    []map[string]json.RawMessage `json:"messages"`
	}
	if err := json.Unmarshal(body(t, request(t)), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.Temperature == nil || *sent.Temperature != 0 {
		t.Errorf("temperature is %v, want 0 in the body", sent.Temperature)
	}
	last := sent.Messages[len(sent.Messages)-1]
	if string(last["role"]) != `"tool"` || string(last["content"]) != `""` {
		t.Errorf("the empty observation is sent as %s", last)
	}
	if assistant := sent.Messages[2]; string(assistant["content"]) != "null" {
		t.Errorf("the assistant's missing content is sent as %s, want null", assistant["content"])
	}
}

func TestBodyOfReasoningModels(t *testing.T) {
	for model, reasoning := range map[string]bool{
		"o1": true, "o3-mini": true, "o4-mini-2025-04-16": true, "gpt-5": true, "gpt-5.1": true, "openai/gpt-5-mini": true,
		"gpt-4o": false, "gpt-oss-20b": false, "o1mini": false, "olmo-2": false, "llama3": false, "phi-o3": false,
	} {
		r := request(t)
		r.Model, r.Temperature = model, 0.5
		var sent map[string]any
		if err := json.Unmarshal(body(t, r), &sent); err != nil {
			t.Fatal(err)
		}
		_, temperature := sent["temperature"]
		_, newer := sent["max_completion_tokens"]
		_, older := sent["max_tokens"]
		if temperature == reasoning || newer != reasoning || older == reasoning {
			t.Errorf("%s: temperature %t, max_completion_tokens %t, max_tokens %t", model, temperature, newer, older)
		}
	}
}

func TestBodyNamesAnUnansweredToolCall(t *testing.T) {
	r := request(t)
	r.Messages = r.Messages[:4]
	if _, err := planner.Body(r); err == nil || !strings.Contains(err.Error(), `"call_2"`) {
		t.Errorf("error %v, want one that names call_2", err)
	}
	r.Messages = append(r.Messages, planner.Message{Role: planner.RoleAssistant, Content: "on"})
	if _, err := planner.Body(r); err == nil || !strings.Contains(err.Error(), `"call_2"`) {
		t.Errorf("error %v, want one that names call_2", err)
	}
}

func TestObservationsOfCallsThatCameAsText(t *testing.T) {
	r := request(t)
	r.Messages = []planner.Message{
		{Role: planner.RoleAssistant, Content: `{"calls":[{"id":"a","action":"artifact.read","params":{}}]}`},
		planner.Observe(planner.Observation{Call: "1.1", ID: "a", Action: "artifact.read", Status: "completed"}, 0),
	}
	var sent struct {
		Messages []planner.Message `json:"messages"`
	}
	if err := json.Unmarshal(body(t, r), &sent); err != nil {
		t.Fatal(err)
	}
	if got := sent.Messages[1].Role; got != planner.RoleUser {
		t.Errorf("an observation that answers no tool call has the role %q, want %q", got, planner.RoleUser)
	}
}

func TestSystemGolden(t *testing.T) {
	study := *mgh09
	study.Planner.Instructions = "Try both starts."
	inputs := []planner.Input{{Name: "b"}, {Name: "a~/", Description: "x", Size: 3}}
	for _, mode := range []string{planner.ModeTools, planner.ModeResponseFormat} {
		study.Planner.Calls = mode
		m, err := planner.System(&study, fitTools(t), inputs)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "system_"+mode+".txt", []byte(m.Content+"\n"))
		swapped, err := planner.System(&study, fitTools(t), []planner.Input{inputs[1], inputs[0]})
		if err != nil {
			t.Fatal(err)
		}
		if swapped.Content != m.Content {
			t.Errorf("%s: the message depends on the order of the inputs", mode)
		}
	}
}
