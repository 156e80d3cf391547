package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"rlam/worker/host"
)

// service starts a web service for the script's time, and puts its address into SERVICE.
// It tells what it was sent, but at /busy it first hangs up, and then asks to be asked again.
func service(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: service")
	}
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			asked++
		}
		switch asked {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Retry-After", "1")
			http.Error(w, "the queue is full", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{"told": r.Header.Get("Authorization"), "mass": "12.011", "for": r.URL.Query().Get("element")})
	}))
	ts.Defer(s.Close)
	ts.Setenv("SERVICE", strings.TrimPrefix(s.URL, "http://"))
}

// fill replaces $VARIABLES in files: fill FILE…
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fill FILE...")
	}
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o600))
	}
}

// build builds a command of a module that go.mod names: build PACKAGE FILE
func build(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: build PACKAGE FILE")
	}
	out, err := exec.Command("go", "build", "-o", ts.MkAbs(args[1]), args[0]).CombinedOutput()
	if err != nil {
		ts.Fatalf("building %s: %v\n%s", args[0], err, out)
	}
}

// nowhere searches all files of a folder, and a run's history, for a text that must not
// be there: nowhere TEXT DIR RUN. With a ! it must be there.
func nowhere(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: nowhere TEXT DIR RUN")
	}
	needle, found := []byte(args[0]), ""
	ts.Check(filepath.WalkDir(ts.MkAbs(args[1]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, needle) {
			found = path
		}
		return err
	}))
	if bytes.Contains(historyOf(ts, args[2]), needle) {
		found = "the history of " + args[2]
	}
	if (found != "") != neg {
		ts.Fatalf("%q is found in %q", args[0], found)
	}
}

// historyOf is a run's history as the server has it, payloads in it as they are.
func historyOf(ts *testscript.TestScript, run string) []byte {
	c, err := client.Dial(host.Options(client.Options{HostPort: ts.Getenv("SERVER")}))
	ts.Check(err)
	defer c.Close()
	var h historypb.History
	for events := c.GetWorkflowHistory(context.Background(), run, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		ts.Check(err)
		h.Events = append(h.Events, e)
	}
	b, err := proto.Marshal(&h)
	ts.Check(err)
	return b
}
