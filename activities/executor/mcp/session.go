package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"rlam/internal/canon"
)

// The failure types that calls of tools give.
const (
	TypeToolFailed  = "rlam.ToolFailed"  // the tool itself says that it failed
	TypeToolChanged = "rlam.ToolChanged" // the tool isn't what was pinned, or isn't there
	TypeToolRefused = "rlam.ToolRefused" // the server answered with an error of the protocol
	TypeServerLost  = "rlam.ServerLost"  // the server didn't answer as the protocol has it, or ended
)

// Error is why a tool gave no result.
type Error struct {
	Type    string
	Message string
	Sent    bool // the call had been sent: the tool may have acted
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

const (
	maxMessage = 64 << 20 // bytes of one message of a server
	maxTools   = 10_000
)

// Transport leads to a server.
type Transport = sdk.Transport

// Pipes lead to a server that reads requests from its stdin and answers on its stdout.
func Pipes(stdout io.ReadCloser, stdin io.WriteCloser) Transport {
	return &sdk.IOTransport{Reader: stdout, Writer: stdin, MaxLineLength: maxMessage}
}

// Endpoint leads to a server at a URL. c should bound the size of responses.
func Endpoint(url string, c *http.Client) Transport {
	return &sdk.StreamableClientTransport{Endpoint: url, HTTPClient: c, MaxRetries: -1, DisableStandaloneSSE: true, MaxEventSize: maxMessage}
}

// Session is a connection to a server.
type Session struct{ session *sdk.ClientSession }

// Connect greets a server.
func Connect(ctx context.Context, t Transport) (*Session, error) {
	client := sdk.NewClient(&sdk.Implementation{Name: "rlam", Version: "0.1.0"}, &sdk.ClientOptions{
		Capabilities:   &sdk.ClientCapabilities{}, // none: a server may ask for nothing
		MultiRoundTrip: &sdk.MultiRoundTripOptions{Disabled: true},
	})
	s, err := client.Connect(ctx, t, nil)
	if err != nil {
		return nil, fmt.Errorf("greeting the MCP server: %w", err)
	}
	return &Session{s}, nil
}

// Close ends the session.
func (s *Session) Close() error { return s.session.Close() }

// Server is the server's name and version, as it gives them.
func (s *Session) Server() string {
	r := s.session.InitializeResult()
	if r == nil || r.ServerInfo == nil {
		return "unnamed"
	}
	return strings.TrimSpace(r.ServerInfo.Name + " " + r.ServerInfo.Version)
}

// Tools lists the server's tools in its order. A tool whose definition can't be
// read is in the list of errors.
func (s *Session) Tools(ctx context.Context) (tools []Tool, unread []error, err error) {
	for t, err := range s.session.Tools(ctx, nil) {
		if err != nil {
			return nil, nil, fmt.Errorf("listing the server's tools: %w", err)
		}
		if len(tools)+len(unread) == maxTools {
			return nil, nil, fmt.Errorf("listing the server's tools: there are more than %d", maxTools)
		}
		one, err := toolOf(t)
		if err != nil {
			unread = append(unread, err)
			continue
		}
		tools = append(tools, one)
	}
	return tools, unread, nil
}

// pinned finds the tool, and refuses it if it isn't what was pinned.
func (s *Session) pinned(ctx context.Context, name string, pin canon.Digest) (Tool, error) {
	tools, unread, err := s.Tools(ctx)
	if err != nil {
		return Tool{}, err
	}
	const anew = "look at what changed, and pin it anew with: starter actions new --mcp SERVER"
	for _, t := range tools {
		if t.Name != name {
			continue
		}
		d, err := t.Digest()
		if err != nil {
			return t, &Error{Type: TypeToolChanged, Message: err.Error()}
		}
		if d != pin {
			return t, &Error{Type: TypeToolChanged, Message: fmt.Sprintf(
				"the tool %q has changed since it was pinned: its definition is %s now, and the action has %s. It was not called; %s", name, d, pin, anew)}
		}
		return t, nil
	}
	return Tool{}, &Error{Type: TypeToolChanged, Message: fmt.Sprintf("the server has no tool %q any more, among its %d; %s", name, len(tools)+len(unread), anew)}
}

// Call calls a tool, if it still is what was pinned.
func (s *Session) Call(ctx context.Context, name string, pin canon.Digest, args json.RawMessage) (*Result, error) {
	tool, err := s.pinned(ctx, name, pin)
	if err != nil {
		return nil, lost(ctx, err, false)
	}
	answer, err := s.session.CallTool(ctx, &sdk.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		return nil, lost(ctx, err, true)
	}
	if answer.NeedsInput() {
		return nil, &Error{Type: TypeToolRefused, Message: fmt.Sprintf("the tool %q asks a person or a model for more, and nobody can be asked while a run goes on", name)}
	}
	r, err := resultOf(answer, tool.Output != nil)
	if err != nil {
		return r, err
	}
	if answer.IsError {
		message := r.Text
		if message == "" {
			message = fmt.Sprintf("the tool %q failed, and says nothing about it", name)
		}
		return r, &Error{Type: TypeToolFailed, Message: message}
	}
	return r, nil
}

// Lost is what an error of a session means that is no [*Error] yet.
func Lost(ctx context.Context, err error) error { return lost(ctx, err, false) }

func lost(ctx context.Context, err error, sent bool) error {
	var own *Error
	var wire *jsonrpc.Error
	switch {
	case errors.As(err, &own), ctx.Err() != nil:
		return err // the attempt's end has a reason of its own
	case errors.As(err, &wire) && !errors.Is(err, sdk.ErrConnectionClosed):
		return &Error{Type: TypeToolRefused, Message: fmt.Sprintf("the server refused: %s (code %d)", wire.Message, wire.Code)}
	}
	return &Error{Type: TypeServerLost, Message: err.Error(), Sent: sent}
}
