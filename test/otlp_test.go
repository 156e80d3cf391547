package test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"rlam/activities/executor"
	"rlam/provenance/export"
	"rlam/provenance/export/otlp"
	"rlam/test/lab"
)

var otlpID = regexp.MustCompile(`"(traceId|spanId|parentSpanId)": "([^"]*)"`)

// readTraces reads traces with OpenTelemetry's own types; a member that they don't know is
// an error. In OTLP's JSON ids are hexadecimal, and everything else is as protobuf has it.
func readTraces(t *testing.T, raw []byte) *tracepb.ScopeSpans {
	t.Helper()
	in64 := otlpID.ReplaceAllFunc(raw, func(m []byte) []byte {
		sub := otlpID.FindSubmatch(m)
		id, err := hex.DecodeString(string(sub[2]))
		if want := map[bool]int{true: 16, false: 8}[string(sub[1]) == "traceId"]; err != nil || len(id) != want {
			t.Errorf("the id %s is not of %d bytes in hexadecimal", m, want)
		}
		return []byte(`"` + string(sub[1]) + `": "` + base64.StdEncoding.EncodeToString(id) + `"`)
	})
	var data tracepb.TracesData
	if err := protojson.Unmarshal(in64, &data); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(raw, []byte(`UnixNano": 1`)) || regexp.MustCompile(`"intValue": -?[0-9]`).Match(raw) {
		t.Error("a 64-bit number is no string")
	}
	r := data.GetResourceSpans()
	if len(r) != 1 || len(r[0].GetScopeSpans()) != 1 || r[0].GetSchemaUrl() != "https://opentelemetry.io/schemas/"+otlp.Conventions || r[0].GetScopeSpans()[0].GetSchemaUrl() != r[0].GetSchemaUrl() {
		t.Fatalf("the resource spans are %v", r)
	}
	return r[0].GetScopeSpans()[0]
}

func tracesOf(t *testing.T, run *export.Run, o otlp.Options) ([]byte, *tracepb.ScopeSpans) {
	t.Helper()
	var b bytes.Buffer
	if err := otlp.Write(t.Context(), &b, run, o); err != nil {
		t.Fatal(err)
	}
	spans := readTraces(t, b.Bytes())
	checkSpans(t, spans.GetSpans())
	return b.Bytes(), spans
}

// checkSpans holds what is true of any trace: one root, parents that are there and last
// longer, links that lead somewhere, and an error type on what failed.
func checkSpans(t *testing.T, spans []*tracepb.Span) {
	t.Helper()
	byID := map[string]*tracepb.Span{}
	for _, s := range spans {
		if byID[string(s.GetSpanId())] != nil {
			t.Errorf("the id of %s is there twice", s.GetName())
		}
		byID[string(s.GetSpanId())] = s
	}
	roots := 0
	for _, s := range spans {
		parent := byID[string(s.GetParentSpanId())]
		switch {
		case len(s.GetParentSpanId()) == 0:
			roots++
		case parent == nil:
			t.Errorf("%s has a parent that isn't there", s.GetName())
		case parent.GetStartTimeUnixNano() > s.GetStartTimeUnixNano() || parent.GetEndTimeUnixNano() < s.GetEndTimeUnixNano():
			t.Errorf("%s doesn't lie within %s", s.GetName(), parent.GetName())
		}
		if s.GetStartTimeUnixNano() == 0 || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
			t.Errorf("%s lasts from %d to %d", s.GetName(), s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano())
		}
		for _, l := range s.GetLinks() {
			if byID[string(l.GetSpanId())] == nil || !bytes.Equal(l.GetTraceId(), s.GetTraceId()) {
				t.Errorf("%s has a link to nothing: %v", s.GetName(), l)
			}
		}
		failed := s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR
		if failed != (attr(s, "error.type") != "") {
			t.Errorf("%s has the status %v and the error type %q", s.GetName(), s.GetStatus(), attr(s, "error.type"))
		}
		seen := map[string]bool{}
		for _, a := range s.GetAttributes() {
			if seen[a.GetKey()] {
				t.Errorf("%s has the attribute %s twice", s.GetName(), a.GetKey())
			}
			seen[a.GetKey()] = true
		}
	}
	if roots != 1 {
		t.Errorf("there are %d roots", roots)
	}
}

// attr is an attribute as text; "" if the span hasn't it.
func attr(s *tracepb.Span, key string) string {
	for _, a := range s.GetAttributes() {
		if a.GetKey() == key {
			return valueText(a.GetValue())
		}
	}
	return ""
}

func valueText(v *commonpb.AnyValue) string {
	if s, ok := v.GetValue().(*commonpb.AnyValue_StringValue); ok {
		return s.StringValue
	}
	b, err := protojson.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(string(b), " ", "")
}

// TestTraces reads the traces of the newcomer's run as a collector would.
func TestTraces(t *testing.T) {
	t.Parallel()
	run := studied(t, lab.New(t), "../examples/mgh09/study.yaml", nil)
	raw, scope := tracesOf(t, run, otlp.Options{})
	again, _ := tracesOf(t, run, otlp.Options{})
	if !bytes.Equal(raw, again) {
		t.Error("the same run gave two traces")
	}
	names := map[string]int{}
	for _, s := range scope.GetSpans() {
		names[s.GetName()]++
		want := tracepb.Span_SPAN_KIND_INTERNAL
		switch attr(s, "gen_ai.operation.name") {
		case "chat":
			want = tracepb.Span_SPAN_KIND_CLIENT
			if attr(s, "gen_ai.request.model") == "" || attr(s, "gen_ai.response.finish_reasons") == "" || attr(s, "gen_ai.usage.input_tokens") == "" ||
				attr(s, "gen_ai.provider.name") == "" || attr(s, "gen_ai.request.temperature") == "" || attr(s, "gen_ai.response.id") == "" {
				t.Errorf("%s lacks something: %v", s.GetName(), s.GetAttributes())
			}
		case "execute_tool":
			if attr(s, "gen_ai.tool.name") == "" || attr(s, "gen_ai.tool.call.id") == "" || attr(s, "gen_ai.tool.description") == "" {
				t.Errorf("%s lacks something: %v", s.GetName(), s.GetAttributes())
			}
		case "invoke_workflow", "invoke_agent":
		default:
			t.Errorf("%s is no operation of the conventions", s.GetName())
		}
		if s.GetKind() != want {
			t.Errorf("%s is %v, want %v", s.GetName(), s.GetKind(), want)
		}
		if attr(s, "rlam.call") == "2.1" && (attr(s, "error.type") != "rlam.NotConverged" || !strings.Contains(s.GetStatus().GetMessage(), "Gauss-Newton")) {
			t.Errorf("the failed attempt is %v", s)
		}
		if attr(s, "rlam.step") == "{\"intValue\":\"3\"}" && attr(s, "gen_ai.operation.name") == "chat" &&
			(len(s.GetEvents()) != 1 || s.GetEvents()[0].GetName() != "rlam.refused") {
			t.Errorf("the turn whose call was refused has the events %v", s.GetEvents())
		}
	}
	want := map[string]int{
		"invoke_workflow MGH09: a bad start, and recovery": 1, "invoke_agent planner": 1, "chat scripted/mgh09": 6, "execute_tool table.describe": 1,
		"execute_tool fit.nonlinear": 3, "execute_tool fit.compare": 1, "execute_tool fit.plot": 1,
	}
	for name, n := range want {
		if names[name] != n {
			t.Errorf("%d spans %q, want %d; there are %v", names[name], name, n, names)
		}
	}
	for _, key := range contentKeys {
		if strings.Contains(string(raw), `"`+key+`"`) {
			t.Errorf("%s is there, and nobody asked for content", key)
		}
	}
}

var contentKeys = []string{
	"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
}

// TestTracesWithContent looks for what was said, in the form of the conventions.
func TestTracesWithContent(t *testing.T) {
	t.Parallel()
	run := studied(t, lab.New(t), "../examples/mgh09/study.yaml", nil)
	_, scope := tracesOf(t, run, otlp.Options{Content: true})
	found := map[string]bool{}
	var kinds []string
	for _, s := range scope.GetSpans() {
		for _, key := range contentKeys {
			text := attr(s, key)
			if text == "" {
				continue
			}
			found[key] = true
			if !json.Valid([]byte(text)) {
				t.Errorf("%s of %s is no JSON: %.100s", key, s.GetName(), text)
			}
			if !strings.HasSuffix(key, ".messages") {
				continue
			}
			var messages []struct {
				Role  string `json:"role"`
				Parts []struct {
					Type string `json:"type"`
				} `json:"parts"`
				FinishReason string `json:"finish_reason"`
			}
			if err := json.Unmarshal([]byte(text), &messages); err != nil {
				t.Errorf("%s of %s: %v", key, s.GetName(), err)
			}
			for _, m := range messages {
				if m.Role == "" || len(m.Parts) == 0 || key == "gen_ai.output.messages" && m.FinishReason == "" {
					t.Errorf("%s of %s has the message %+v", key, s.GetName(), m)
				}
				for _, p := range m.Parts {
					kinds = append(kinds, p.Type)
				}
			}
		}
	}
	if len(found) != len(contentKeys) {
		t.Errorf("there are %v", found)
	}
	for _, kind := range []string{"text", "tool_call", "tool_call_response"} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no part is a %s", kind)
		}
	}
}

// TestTracesOfOtherEnds reads those of retries, of a run that came to nothing, and of a
// plan.
func TestTracesOfOtherEnds(t *testing.T) {
	t.Parallel()
	for _, p := range []struct {
		name   string
		study  string
		set    map[string]string
		busy   int32
		failed int // execute_tool spans
		linked int // attempts that follow another
		root   string
	}{
		{name: "retries", study: "studies/study.yaml", busy: 2, failed: 2, linked: 2},
		{name: "no-result", study: "studies/study.yaml", busy: 3, failed: 3, linked: 2, root: "no_result"},
		{name: "plan", study: "../examples/mgh09/study.yaml", set: map[string]string{"/planner": `{"plan": "plan.yaml"}`}},
	} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			run := studied(t, lab.New(t, executor.Typed("lab.measure", busy(p.busy))), p.study, p.set)
			_, scope := tracesOf(t, run, otlp.Options{Content: true})
			failed, linked := 0, 0
			for _, s := range scope.GetSpans() {
				if strings.HasPrefix(s.GetName(), "execute_tool") && attr(s, "error.type") != "" {
					failed++
				}
				for _, l := range s.GetLinks() {
					if valueText(l.GetAttributes()[0].GetValue()) == "retried" {
						linked++
					}
				}
				if p.name == "plan" && (strings.HasPrefix(s.GetName(), "chat") || strings.HasPrefix(s.GetName(), "invoke_agent")) {
					t.Errorf("a plan has no model, and there is %s", s.GetName())
				}
			}
			if failed != p.failed || linked != p.linked {
				t.Errorf("%d failed, want %d; %d follow another, want %d", failed, p.failed, linked, p.linked)
			}
			if got := attr(scope.GetSpans()[0], "error.type"); got != p.root {
				t.Errorf("the run's error type is %q, want %q", got, p.root)
			}
		})
	}
}
