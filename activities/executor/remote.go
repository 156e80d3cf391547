package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"rlam/activities/executor/web"
	"rlam/schemas"
)

// Outlives says whether work that b binds to can go on when its worker has died: it runs
// in processes of its own, and has a handle that is worth keeping. A handler in
// Go, or a request, lives and dies with the worker.
func Outlives(b schemas.Binding) bool { return commandOf(b) != nil }

// commandOf is the program that a binding starts; nil if it starts none.
func commandOf(b schemas.Binding) *schemas.Command {
	if b.MCP != nil && b.MCP.URL == "" {
		return &schemas.Command{Argv: b.MCP.Argv, Env: b.MCP.Env, Pass: b.MCP.Pass}
	}
	return b.Command
}

// secretNames are the secrets that a binding's templates name, in order.
func secretNames(b schemas.Binding) []string {
	var templates []string
	switch {
	case b.HTTP != nil:
		templates = append(slices.Collect(maps.Values(b.HTTP.Headers)), b.HTTP.URL)
	case b.MCP != nil:
		templates = slices.Collect(maps.Values(b.MCP.Headers))
	}
	found := map[string]bool{}
	for _, t := range templates {
		parts, err := schemas.ParseTemplate(t)
		if err != nil {
			continue // the request will say so
		}
		for _, p := range parts {
			if p.Secret != "" {
				found[p.Secret] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// allowed are the addresses that the worker lets through, if b makes requests.
func (s *Set) allowed(b schemas.Binding) []string {
	if b.HTTP == nil && b.MCP == nil {
		return nil
	}
	return slices.Sorted(slices.Values(s.allow))
}

// request is the handler of a binding to a web service.
func (b *builtins) request(t Task) Builtin {
	return Builtin{Name: t.Action, own: true, run: func(ctx context.Context, params json.RawMessage) (json.RawMessage, error) {
		r, err := web.NewRequest(t.Binding.HTTP, web.Inputs{Params: params, Key: t.IdempotencyKey, Idempotent: t.Idempotent, Lookup: os.LookupEnv})
		if err != nil {
			return nil, fromWeb(err)
		}
		Progress(ctx, r.Secrets.Redact(r.Method+" "+r.URL.String()))
		response, sendErr := b.web.Send(ctx, r, func(handle string) (io.ReadCloser, error) { return Open(ctx, handle) })
		body := ""
		if response != nil {
			if body, err = keepResponse(context.WithoutCancel(ctx), t.Binding.HTTP, response); err != nil {
				return nil, errors.Join(sendErr, err)
			}
		}
		if sendErr != nil {
			return nil, fromWeb(sendErr)
		}
		out, err := response.Output(t.Binding.HTTP.Result, t.Returns, body)
		return out, fromWeb(err)
	}}
}

// keepResponse saves a response and what belongs to it, and returns its handle.
func keepResponse(ctx context.Context, b *schemas.HTTP, r *web.Response) (handle string, err error) {
	Progress(ctx, fmt.Sprintf("%d from %s, %d bytes of %s", r.Status, r.Address, len(r.Body), r.MediaType()))
	name := b.Response
	if name == "" {
		name = "response"
	}
	exchange, err := r.Record()
	if err != nil {
		return "", err
	}
	if _, err := Save(ctx, name+".http.json", "application/json", exchange); err != nil {
		return "", err
	}
	return Save(ctx, name, r.MediaType(), r.Body)
}

// fromWeb makes the failure of a request an attempt's.
func fromWeb(err error) error {
	var e *web.Error
	if errors.As(err, &e) {
		return &Failure{Type: e.Type, Message: e.Message, RetryAfter: schemas.Duration(e.RetryAfter)}
	}
	return err
}
