package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"rlam/activities/executor"
	"rlam/activities/executor/mcp"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/worker/host"
)

// pinnedTool is what became of one tool.
type pinnedTool struct {
	Tool   string `json:"tool"`
	Action string `json:"action,omitempty"`
	File   string `json:"file,omitempty"`
	Digest string `json:"digest,omitempty"`
	Status string `json:"status"` // written, unchanged, kept (the file there pins another definition) or skipped
	Reason string `json:"reason,omitempty"`
}

func (pinnedTool) MessageType() string { return "pinned_tool" }

// newFromTools writes an action file for each tool of an MCP server.
func newFromTools(ctx context.Context, a *app, o newActionOptions) error {
	binding, err := o.binding()
	if err != nil {
		return err
	}
	server, tools, unread, err := listTools(ctx, a, binding)
	if err != nil {
		return fmt.Errorf("asking the MCP server %q for its tools: %w", o.mcp, err)
	}
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return fmt.Errorf("making the folder of actions: %w", err)
	}
	a.notef("%s has %d tools.", server, len(tools)+len(unread))
	taken := map[string]bool{}
	kept := 0
	for _, t := range tools {
		m := pin(server, *binding, t, taken, o)
		if m.Status == "kept" {
			kept++
		}
		a.printer.Print(m)
	}
	for _, err := range unread {
		a.printer.Print(pinnedTool{Status: "skipped", Reason: err.Error()})
	}
	if kept > 0 {
		return fmt.Errorf("%d tools have changed since their files were written: look at the difference, then pin them anew with --force", kept)
	}
	return nil
}

// binding is the server as action files name it.
func (o newActionOptions) binding() (*schemas.MCP, error) {
	m := &schemas.MCP{Pass: o.pass}
	if strings.HasPrefix(o.mcp, "http://") || strings.HasPrefix(o.mcp, "https://") {
		if o.pass != nil {
			return nil, badUsage("--pass is for a server that is started")
		}
		m.URL = o.mcp
		for _, h := range o.headers {
			name, value, ok := strings.Cut(h, ":")
			if !ok {
				return nil, badUsage("the header %q has no colon: it is NAME: VALUE", h)
			}
			if m.Headers == nil {
				m.Headers = map[string]string{}
			}
			m.Headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		return m, nil
	}
	if o.headers != nil {
		return nil, badUsage("--header is for a server at a URL")
	}
	m.Argv = strings.Fields(o.mcp)
	if len(m.Argv) == 0 {
		return nil, badUsage("--mcp names no server")
	}
	// An attempt runs in a folder of its own, with a search path of its own.
	program, err := exec.LookPath(m.Argv[0])
	if err != nil {
		return nil, badUsage("there is no program %q: %v", m.Argv[0], err)
	}
	if strings.ContainsRune(m.Argv[0], filepath.Separator) || !slices.Contains([]string{"/usr/local/bin", "/usr/bin", "/bin"}, filepath.Dir(program)) {
		if m.Argv[0], err = filepath.Abs(program); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// listTools asks as an attempt would, so that what fails there fails here.
func listTools(ctx context.Context, a *app, m *schemas.MCP) (string, []mcp.Tool, []error, error) {
	dir, err := os.MkdirTemp("", "rlam-mcp-")
	if err != nil {
		return "", nil, nil, err
	}
	defer os.RemoveAll(dir)
	set, err := executor.New(executor.Config{Blobs: &store.Mem{}, AllowAddresses: host.AllowedAddresses(a.getenv(host.AllowVariable))})
	if err != nil {
		return "", nil, nil, err
	}
	server, tools, unread, err := set.ListTools(ctx, m, dir)
	var f *executor.Failure
	if errors.As(err, &f) && f.Stderr != "" {
		err = fmt.Errorf("%w\n%s", err, f.Stderr)
	}
	return server, tools, unread, err
}

// pin writes one tool's action file.
func pin(server string, binding schemas.MCP, t mcp.Tool, taken map[string]bool, o newActionOptions) pinnedTool {
	m := pinnedTool{Tool: t.Name}
	refuse := func(err error) pinnedTool {
		m.Status, m.Reason = "skipped", err.Error()
		return m
	}
	d, err := t.Digest()
	if err != nil {
		return refuse(err)
	}
	binding.Tool, binding.Digest = t.Name, d
	m.Digest, m.Action = d.String(), actionName(t.Name, taken)
	m.File = filepath.Join(o.out, m.Action+".yaml")
	text, err := toolFile(server, m.Action, binding, t)
	if err != nil {
		return refuse(err)
	}
	if _, problems := schemas.ParseAction(m.File, text, nil); len(problems) > 0 {
		return refuse(fmt.Errorf("its definition makes no action: %w", problems.Err()))
	}
	there, problems := schemas.LoadAction(m.File)
	switch {
	case errors.Is(statError(m.File), os.ErrNotExist):
	case len(problems) == 0 && there.Pinned.MCP != nil && there.Pinned.MCP.Digest == d && !o.force:
		m.Status = "unchanged"
		return m
	case !o.force:
		m.Status, m.Reason = "kept", "the file there pins another definition; --force replaces it"
		return m
	}
	if err := os.WriteFile(m.File, text, 0o666); err != nil {
		return refuse(err)
	}
	m.Status = "written"
	return m
}

func statError(file string) error {
	_, err := os.Lstat(file)
	return err
}

func (p *textPrinter) pinnedTool(m pinnedTool) {
	line := m.File
	if m.Status != "written" {
		line = strings.TrimSpace(m.Tool + ": " + m.Reason)
	}
	if m.Status == "unchanged" {
		line = m.File
	}
	p.printf("%-9s  %s\n", m.Status, printable(line))
}
