package executor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"rlam/activities/executor"
	"rlam/activities/executor/mcp"
	"rlam/activities/executor/web"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
)

// everything is an MCP server that we did not write: an example of the SDK's module.
func everything(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds an MCP server")
	}
	file, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "rlam-everything")
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "everything")
	out, err := exec.Command("go", "build", "-o", file, "github.com/modelcontextprotocol/go-sdk/examples/server/everything").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the server: %w\n%s", err, out)
	}
	return file, nil
})

// pins are the digests of a server's tools, by name.
func pins(t *testing.T, set *executor.Set, server *schemas.MCP) map[string]mcp.Tool {
	t.Helper()
	_, tools, unread, err := set.ListTools(t.Context(), server, filepath.Join(t.TempDir(), "list"))
	if err != nil || len(unread) > 0 {
		t.Fatal(err, unread)
	}
	all := map[string]mcp.Tool{}
	for _, tool := range tools {
		all[tool.Name] = tool
	}
	return all
}

// toolTask is a call of a tool as it was pinned.
func toolTask(t *testing.T, server schemas.MCP, tool mcp.Tool, params string) executor.Task {
	t.Helper()
	d, err := tool.Digest()
	if err != nil {
		t.Fatal(err)
	}
	server.Tool, server.Digest = tool.Name, d
	return executor.Task{
		Call: "1.1", Attempt: 1, Action: "tool@1", Binding: schemas.Binding{MCP: &server}, Params: json.RawMessage(params),
		Takes: json.RawMessage(`{"properties":{"file":{"type":"string","format":"artifact"}}}`), Dir: filepath.Join(t.TempDir(), "attempt"), Idempotent: true,
	}
}

func TestToolsOfAServerWeDidNotWrite(t *testing.T) {
	t.Parallel()
	server := schemas.MCP{Argv: []string{everything(t)}}
	blobs := &store.Mem{}
	set := newSet(t, executor.Config{Blobs: blobs})
	tools := pins(t, set, &server)
	for _, c := range []struct{ tool, params, want string }{
		{"greet", `{"name":"Ada"}`, `{"text":"Hi Ada"}`},
		{"greet (structured)", `{"name":"Ada"}`, `{"message":"Hi Ada"}`},
		{"greet (content with ResourceLink)", `{"name":"Ada"}`, `{"links":["data:text/plain,Hi%20Ada"],"text":""}`},
	} {
		r, f := outcome(t, set, toolTask(t, server, tools[c.tool], c.params))
		if f != nil || string(r.Output) != c.want {
			t.Errorf("%s gives %s, %v; want %s", c.tool, r.Output, f, c.want)
		}
		if log := text(t, blobs, r.Log.Digest); !strings.Contains(log, "tools/call") {
			t.Errorf("%s: what the server wrote to stderr is not in the log: %s", c.tool, log)
		}
	}
	_, f := outcome(t, set, toolTask(t, server, tools["greet"], `{"name":1}`))
	wantFailure(t, f, mcp.TypeToolFailed, "")
	_, f = outcome(t, set, toolTask(t, server, tools["elicit (form)"], `{}`))
	if f == nil || f.Type != mcp.TypeToolFailed && f.Type != mcp.TypeToolRefused {
		t.Errorf("a tool that asks a person: %v", f)
	}
	changed := tools["greet"]
	changed.Description += " and mean it"
	_, f = outcome(t, set, toolTask(t, server, changed, `{"name":"Ada"}`))
	wantFailure(t, f, mcp.TypeToolChanged, "starter actions new --mcp")
	gone := tools["greet"]
	gone.Name = "leave"
	_, f = outcome(t, set, toolTask(t, server, gone, `{}`))
	wantFailure(t, f, mcp.TypeToolChanged, `no tool "leave"`)
}

func TestToolServersThatDontStart(t *testing.T) {
	t.Parallel()
	set := newSet(t, executor.Config{})
	_, f := outcome(t, set, toolTask(t, schemas.MCP{Argv: []string{"no-such-server"}}, mcp.Tool{Name: "t"}, `{}`))
	wantFailure(t, f, executor.TypeNotStarted, "no-such-server")
	_, f = outcome(t, set, toolTask(t, schemas.MCP{Argv: []string{"sh", "-c", "echo broken >&2; exit 3"}}, mcp.Tool{Name: "t"}, `{}`))
	wantFailure(t, f, mcp.TypeServerLost, "")
	if f.Stderr != "broken" || !strings.Contains(fmt.Sprint(f.Causes), "exit status 3") {
		t.Errorf("failure %+v", f)
	}
}

func TestAToolServerIsEndedAtOnce(t *testing.T) {
	t.Parallel()
	set := newSet(t, executor.Config{})
	ready := filepath.Join(t.TempDir(), "ready")
	task := toolTask(t, schemas.MCP{Argv: []string{"sh", "-c", "touch " + ready + "; trap '' TERM; while :; do sleep 1; done"}}, mcp.Tool{Name: "t"}, `{}`)
	h, err := set.Start(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { _, err := os.Stat(ready); return err == nil })
	begun := time.Now()
	if err := set.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("ended after %v", took)
	}
	_, err = set.Collect(t.Context(), h)
	wantFailure(t, err.(*executor.Failure), executor.TypeCancelled, "")
}

// remote is an MCP server of the test, at a URL on loopback.
func remote(t *testing.T, add func(*sdk.Server)) (server schemas.MCP, address string, seen *[]http.Header) {
	t.Helper()
	s := sdk.NewServer(&sdk.Implementation{Name: "lab", Version: "1"}, nil)
	add(s)
	handler := sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, nil)
	var mu sync.Mutex
	var headers []http.Header
	address, origin := service(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		headers = append(headers, r.Header.Clone())
		mu.Unlock()
		handler.ServeHTTP(w, r)
	})
	return schemas.MCP{URL: origin + "/mcp"}, address, &headers
}

type named struct {
	Name string `json:"name"`
}

func TestRemoteTools(t *testing.T) {
	t.Setenv("RLAM_SECRET_TOKEN", canary)
	picture := []byte("\x89PNG…")
	server, address, headers := remote(t, func(s *sdk.Server) {
		sdk.AddTool(s, &sdk.Tool{Name: "look"}, func(_ context.Context, r *sdk.CallToolRequest, in named) (*sdk.CallToolResult, any, error) {
			return &sdk.CallToolResult{Content: []sdk.Content{
				&sdk.TextContent{Text: "saw " + in.Name}, &sdk.ImageContent{Data: picture, MIMEType: "image/png"},
				&sdk.TextContent{Text: "told " + r.Extra.Header.Get("Authorization")},
			}}, nil, nil
		})
		sdk.AddTool(s, &sdk.Tool{Name: "count"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, map[string]int64, error) {
			return nil, map[string]int64{"n": 1<<53 + 1}, nil
		})
		sdk.AddTool(s, &sdk.Tool{Name: "fail"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
			return nil, nil, fmt.Errorf("out of film")
		})
	})
	server.Headers = map[string]string{"Authorization": "Bearer {secret.TOKEN}"}
	blobs := &store.Mem{}
	set := newSet(t, executor.Config{Blobs: blobs, AllowAddresses: []string{address}})
	tools := pins(t, set, &server)

	r, f := outcome(t, set, toolTask(t, server, tools["look"], `{"name":"Ada"}`))
	want := `{"files":["` + canon.Sum(picture).String() + `"],"text":"saw Ada\n\ntold Bearer [secret.TOKEN]"}`
	if f != nil || string(r.Output) != want {
		t.Fatalf("output %s, %v; want %s", r.Output, f, want)
	}
	if len(r.Artifacts) != 1 || r.Artifacts[0].Name != "1.png" || text(t, blobs, r.Artifacts[0].Digest) != string(picture) {
		t.Errorf("artifacts %+v", r.Artifacts)
	}
	for _, h := range *headers {
		if h.Get("Authorization") != "Bearer "+canary {
			t.Errorf("the server was sent %q", h.Get("Authorization"))
		}
	}
	_, f = outcome(t, set, toolTask(t, server, tools["fail"], `{}`))
	wantFailure(t, f, mcp.TypeToolFailed, "out of film")
	_, f = outcome(t, set, toolTask(t, server, tools["count"], `{}`))
	wantFailure(t, f, executor.TypeInvalidOutput, "2^53")

	_, f = outcome(t, newSet(t, executor.Config{}), toolTask(t, server, tools["look"], `{"name":"Ada"}`))
	wantFailure(t, f, web.TypeAddressRefused, "no public address")
}

// A tool whose server vanishes in the middle of a call may have acted.
func TestToolsInDoubt(t *testing.T) {
	t.Parallel()
	dead := filepath.Join(t.TempDir(), "dead")
	// The server's own tools/list answers; the call ends it.
	server := schemas.MCP{Argv: []string{"sh", "-c", `{ while read -r line; do echo "$line"; case "$line" in *tools/call*) touch ` + dead + `; exit;; esac; done; } | ` + everything(t)}}
	set := newSet(t, executor.Config{})
	tools := pins(t, set, &server)
	task := toolTask(t, server, tools["ping"], `{}`)
	task.Idempotent = false
	_, f := outcome(t, set, task)
	if _, err := os.Stat(dead); err != nil || f == nil {
		t.Fatal(err, f)
	}
	wantFailure(t, f, web.TypeInDoubt, "look whether the tool acted")
	task = toolTask(t, server, tools["ping"], `{}`)
	_, f = outcome(t, set, task)
	wantFailure(t, f, mcp.TypeServerLost, "")
}

// eventually waits for a condition, and fails the test if it doesn't come to hold.
func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}
