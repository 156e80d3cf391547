package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"rlam/internal/scripted"
)

// models starts one server with several models, each of which plays a script, and has the
// programs that follow ask it: models FILE... It writes a line into asked.log for each
// question, with the name of the model that was asked.
func models(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: models FILE...")
	}
	play := map[string]http.Handler{}
	for _, file := range args {
		scenario, err := scripted.Load([]byte(ts.ReadFile(file)))
		ts.Check(err)
		model, err := scripted.Start(scenario, scripted.Options{})
		ts.Check(err)
		ts.Defer(func() { model.Close() })
		play[scenario.Model()] = model.Handler()
	}
	asked, err := os.Create(ts.MkAbs("asked.log"))
	ts.Check(err)
	ts.Defer(func() { asked.Close() })
	var one sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request struct{ Model string }
		if err != nil || json.Unmarshal(body, &request) != nil || play[request.Model] == nil {
			http.Error(w, fmt.Sprintf("there is no model %q here", request.Model), http.StatusNotFound)
			return
		}
		one.Lock()
		fmt.Fprintln(asked, request.Model)
		one.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		play[request.Model].ServeHTTP(w, r)
	}))
	ts.Defer(s.Close)
	ts.Setenv("OPENAI_BASE_URL", s.URL+"/v1")
	ts.Setenv("OPENAI_API_KEY", "none")
}
