package test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReplayNamesChangedCode builds the command line with other workflow code, as a later
// version would have, and has it replay what this code recorded.
func TestReplayNamesChangedCode(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a program")
	}
	dir := t.TempDir()
	file, err := filepath.Abs("../workflows/dispatch.go")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const was = "Seen: seen,"
	if n := strings.Count(string(code), was); n != 1 {
		t.Fatalf("workflows/dispatch.go has %q %d times, want once: say the change anew", was, n)
	}
	changed := filepath.Join(dir, "dispatch.go")
	overlay := filepath.Join(dir, "overlay.json")
	raw, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{changed: []byte(strings.Replace(string(code), was, "Seen: 0,", 1)), overlay: raw} {
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	starter := filepath.Join(dir, "starter")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", starter, "../starter").CombinedOutput(); err != nil {
		t.Fatalf("building the command line with changed code: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), starter, "replay", "--json", historyFile("success"), historyFile("retry"))
	cmd.Env = append(os.Environ(), "RLAM_HOME="+dir, "TEMPORAL_ADDRESS=127.0.0.1:1")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 11 {
		t.Errorf("replaying with changed code: %v, want exit code 11", err)
	}
	event, _ := placeOf(t, readHistory(t, "retry"), "1.1#2")
	type divergence struct {
		Event                    int64
		Step                     int
		Call, What, Field        string
		Recorded, Replayed, Next string
	}
	want := divergence{Event: event, Step: 1, Call: "1.1", What: "activity 1.1#2", Field: "/seen", Recorded: "1", Replayed: "0"}
	var got []string
	for line := range strings.Lines(string(out)) {
		var m struct {
			History, Verdict string
			Divergence       *divergence
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Verdict)
		if m.Divergence != nil && *m.Divergence != want {
			t.Errorf("%s: %+v, want %+v", m.History, *m.Divergence, want)
		}
	}
	if strings.Join(got, " ") != "agrees diverges " {
		t.Errorf("verdicts %q, want that a history that goes the changed way diverges, and no other", got)
	}
}
