//go:build linux || darwin

package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"

	"rlam/internal/record"
	"rlam/workflows"
)

// quiet makes the model's log, for a run in which nothing may reach the model.
func (x *trial) quiet() {
	x.t.Helper()
	if err := os.WriteFile(x.log, nil, 0o644); err != nil {
		x.t.Fatal(err)
	}
}

// TestModelFaults spoils the first answer. Where it isn't an answer at all the model is
// asked again; where it is one, but no whole proposal, the planner is told. Nothing of
// it is dispatched.
func TestModelFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, fault string
		failed      string // type of the failed activity; none where there was an answer
		outcome     string // of the first proposal, where there was an answer
	}{
		{name: "429", fault: "{status: 429, times: 1}", failed: workflows.TypeRateLimited},
		{name: "500", fault: "{status: 500, body: html, times: 1}", failed: workflows.TypeModelUnavailable},
		{name: "503 in vllm's words", fault: "{status: 503, body: vllm, times: 1}", failed: workflows.TypeModelUnavailable},
		{name: "stalls and breaks", fault: "{stall: 500ms, truncate_body: 40, times: 1}", failed: workflows.TypeModelGarbled},
		{name: "truncated body", fault: "{truncate_body: 300, times: 1}", failed: workflows.TypeModelGarbled},
		{name: "garbage", fault: "{garbage: true, times: 1}", failed: workflows.TypeModelGarbled},
		{name: "no choices", fault: "{empty: true, times: 1}", failed: workflows.TypeModelGarbled},
		{name: "empty", fault: "{empty_content: true}", outcome: "empty"},
		{name: "refusal", fault: "{refusal: I would rather not.}", outcome: "refused"},
		{name: "truncated", fault: "{truncated: true}", outcome: "truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := step{call("spoilt", "work"), call("spoilt-too", "work")}
			steps := []step{first, {call("a", "work")}}
			if c.failed != "" {
				steps = []step{{call("a", "work")}} // the same answer, whole
			}
			x := try(t, script(steps, map[int]string{0: c.fault}, "a"))
			x.worker("one", workerOptions{})
			r := x.start(nil)
			r.completed("a")
			account := r.agree()
			if account.Executed != 1 || x.count("begin", "a") != 1 {
				t.Errorf("%v were executed, want the call of the whole answer alone", x.effects())
			}
			got := failures(r.history(), "1.plan#")
			p := r.chain()[1].Record.(*record.Proposal)
			if c.failed != "" {
				if got[c.failed] != 1 || len(got) != 1 {
					t.Errorf("the history has the failures %v, want one of %s", got, c.failed)
				}
				if account.Requests != 3 || account.Turns != 3 || account.Answers != 2 {
					t.Errorf("account %+v, want 3 requests and 2 answers", account)
				}
				return
			}
			if len(got) != 0 || p.Outcome != c.outcome || len(p.Calls) != 0 || p.Reason.IsZero() {
				t.Errorf("failures %v and the proposal %s, want %s, with a reason and no calls", got, mustJSON(p), c.outcome)
			}
			if account.Requests != 3 || account.Answers != 3 {
				t.Errorf("account %+v, want 3 answers", account)
			}
		})
	}
}

// TestAnotherModelAnswers records who was asked and who answered.
func TestAnotherModelAnswers(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}}, map[int]string{0: "{model: somebody-else}"}, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	r.completed("a")
	m := r.chain()[1].Record.(*record.Proposal).Model
	if m.Asked != "scripted/faults" || m.Answered != "somebody-else" || m.Fingerprint == "" {
		t.Errorf("on record is %+v", m)
	}
	r.agree()
}

// TestFallback uses the second model when the first is unavailable, and says so.
func TestFallback(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}}, nil, "a"))
	target, err := url.Parse(x.modelURL)
	if err != nil {
		t.Fatal(err)
	}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var asked struct {
			Model string `json:"model"`
		}
		if err != nil || json.Unmarshal(body, &asked) != nil || asked.Model == "gone" {
			http.Error(w, "overloaded", http.StatusServiceUnavailable)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		forward.ServeHTTP(w, r)
	}))
	defer server.Close()
	x.worker("one", workerOptions{})
	r := x.start(map[string]string{
		"/planner/model": `"gone"`, "/planner/fallbacks": `["scripted/faults"]`, "/planner/attempts/max": "2",
		"/planner/base_url": fmt.Sprintf("%q", server.URL+target.Path),
	})
	r.completed("a")
	if got := failures(r.history(), "1.plan#"); got[workflows.TypeModelUnavailable] != 2 || len(got) != 1 {
		t.Errorf("the history has the failures %v, want two of %s", got, workflows.TypeModelUnavailable)
	}
	m := r.chain()[1].Record.(*record.Proposal).Model
	if m.Asked != "scripted/faults" || m.Answered != "scripted/faults" || m.Candidate != 1 {
		t.Errorf("on record is %+v, want candidate 1", m)
	}
	if a := r.agree(); a.Turns != 4 || a.Answers != 2 || a.Requests != 2 {
		t.Errorf("account %+v, want 4 intents of which 2 were answered", a)
	}
}

// TestNoModelAnswers ends the run with a status of its own, and a reason.
func TestNoModelAnswers(t *testing.T) {
	t.Parallel()
	x := try(t, script([]step{{call("a", "work")}}, map[int]string{1: "{status: 500}"}, "a"))
	x.worker("one", workerOptions{})
	r := x.start(nil)
	result := r.result()
	if result.Status != record.ModelUnavailable {
		t.Fatalf("the run ended as %s", result.Status)
	}
	if got := failures(r.history(), "2.plan#"); got[workflows.TypeModelUnavailable] != 3 {
		t.Errorf("the history has the failures %v, want three", got)
	}
	if c := r.call("1.1"); c.Status != record.CallCompleted {
		t.Errorf("call 1.1 is on record as %s", c.Status)
	}
	r.agree()
}
