package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"rlam/activities/executor/mcp"
	"rlam/activities/executor/web"
	"rlam/schemas"
)

// maxToolMessage is how large a response of a remote MCP server may be.
const maxToolMessage = 64 << 20

// exchange is what is done in a session with an MCP server. params have paths in place of
// handles where the server runs here; redact takes secrets out of what the server says.
type exchange func(s *mcp.Session, params json.RawMessage, redact func(string) string) error

// remoteTool is the handler of a tool of a server at a URL.
func (b *builtins) remoteTool(t Task) Builtin {
	return Builtin{Name: t.Action, own: true, run: func(ctx context.Context, params json.RawMessage) (out json.RawMessage, err error) {
		err = b.reach(ctx, t, params, calling(ctx, t, &out))
		return out, err
	}}
}

// reach has one session with the server at a URL.
func (b *builtins) reach(ctx context.Context, t Task, params json.RawMessage, do exchange) error {
	headers, secrets, err := web.Headers(t.Binding.MCP.Headers, os.LookupEnv)
	if err != nil {
		return fromWeb(err)
	}
	client, refused := b.web.HTTP(headers, maxToolMessage)
	defer client.CloseIdleConnections()
	err = converse(ctx, t, mcp.Endpoint(t.Binding.MCP.URL, client), params, secrets.Redact, do)
	if why := refused(); err != nil && why != nil {
		return fromWeb(why)
	}
	return err
}

func converse(ctx context.Context, t Task, via mcp.Transport, params json.RawMessage, redact func(string) string, do exchange) error {
	s, err := mcp.Connect(ctx, via)
	if err == nil {
		defer s.Close()
		err = do(s, params, redact)
	}
	if err != nil {
		return fromTool(mcp.Lost(ctx, err), t, redact)
	}
	return nil
}

// calling calls the task's tool, keeps the files that it gives, and puts the output into out.
func calling(ctx context.Context, t Task, out *json.RawMessage) exchange {
	return func(s *mcp.Session, params json.RawMessage, redact func(string) string) error {
		Progress(ctx, redact(fmt.Sprintf("calling %q of %s", t.Binding.MCP.Tool, s.Server())))
		r, err := s.Call(ctx, t.Binding.MCP.Tool, t.Binding.MCP.Digest, params)
		var handles []string
		if r != nil {
			for _, f := range r.Files {
				h, saveErr := Save(context.WithoutCancel(ctx), f.Name, f.MediaType, f.Data)
				if saveErr != nil {
					return errors.Join(err, saveErr)
				}
				handles = append(handles, h)
			}
		}
		if err != nil {
			return err
		}
		output, err := r.Output(handles)
		*out = json.RawMessage(redact(string(output)))
		return err
	}
}

// fromTool makes the failure of a tool an attempt's.
func fromTool(err error, t Task, redact func(string) string) error {
	var own *Failure
	var e *mcp.Error
	switch {
	case errors.As(err, &own):
		return own
	case !errors.As(err, &e):
		return errors.New(redact(err.Error()))
	}
	f := &Failure{Type: e.Type, Message: redact(e.Message)}
	if e.Type == mcp.TypeServerLost && e.Sent && !t.Idempotent {
		f.Type = web.TypeInDoubt
		f.Message += ". The call was sent, no answer came, and the action is not idempotent: look whether the tool acted before it is called again"
	}
	return f
}

// ListTools asks an MCP server for its tools, as an attempt would reach it: with the same
// environment, guard and secrets. dir is a folder for a server that is started, made here and left
// to the caller. Tools whose definitions can't be read are told apart.
func (s *Set) ListTools(ctx context.Context, m *schemas.MCP, dir string) (server string, tools []mcp.Tool, unread []error, err error) {
	t := Task{Call: "0", Attempt: 1, Binding: schemas.Binding{MCP: m}, Dir: dir, ID: newID(), Idempotent: true, Params: json.RawMessage("{}")}
	list := func(session *mcp.Session, _ json.RawMessage, redact func(string) string) (err error) {
		server = redact(session.Server())
		tools, unread, err = session.Tools(ctx)
		return err
	}
	if _, err := s.forBinding(t.Binding); err != nil {
		return "", nil, nil, err
	}
	if m.URL != "" {
		err = s.builtin.reach(ctx, t, t.Params, list)
	} else {
		err = s.builtin.serve(ctx, t, t.Params, list)
	}
	return server, tools, unread, err
}
