package devserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/api/enums/v1"
	namespacepb "go.temporal.io/api/namespace/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// retention is how long a started server keeps a closed run: ten years,
	// where a development server's default is a day.
	retention = 87600 * time.Hour

	// prepareLimit bounds the preparation of the namespace.
	prepareLimit = 30 * time.Second
)

// health is nil when the server says that it serves.
func health(ctx context.Context, o client.Options) error {
	o.Logger = silent{}
	c, err := client.NewLazyClient(o)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// serves says whether the process lives and serves, or comes to within the
// limit.
func (r record) serves(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	o := client.Options{HostPort: r.Address}
	alive, serving := true, false
	_ = poll(ctx, func() bool {
		alive = r.alive()
		serving = alive && health(ctx, o) == nil
		return serving || !alive
	})
	return serving
}

// serverVersion asks a server for its version.
func serverVersion(ctx context.Context, c client.Client) (string, error) {
	info, err := c.WorkflowService().GetSystemInfo(ctx, &workflowservice.GetSystemInfoRequest{})
	if err != nil {
		return "", fmt.Errorf("asking the Temporal server for its version: %w", err)
	}
	return info.GetServerVersion(), nil
}

// prepare waits for the default namespace, raises its retention and registers
// the attributes. Each command does it, since a newer one may need more. It is
// tried again until its time is over, because a second command may be changing
// the namespace at this moment.
func prepare(ctx context.Context, o client.Options, attributes map[string]enums.IndexedValueType) error {
	ctx, cancel := context.WithTimeout(ctx, prepareLimit)
	defer cancel()
	o.Logger = silent{}
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return fmt.Errorf("reaching the Temporal server at %q: %w", o.HostPort, err)
	}
	defer c.Close()
	var last error
	err = poll(ctx, func() bool {
		if err := raiseRetention(ctx, c, o.Namespace); err != nil {
			last = err
			return false
		}
		var conflict *TypeConflictError
		last = RegisterSearchAttributes(ctx, c, o.Namespace, attributes)
		return last == nil || errors.As(last, &conflict)
	})
	return errors.Join(last, err)
}

func raiseRetention(ctx context.Context, c client.Client, namespace string) error {
	have, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("waiting for the namespace %q: %w", namespace, err)
	}
	if have.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration() >= retention {
		return nil
	}
	_, err = c.WorkflowService().UpdateNamespace(ctx, &workflowservice.UpdateNamespaceRequest{
		Namespace: namespace,
		Config:    &namespacepb.NamespaceConfig{WorkflowExecutionRetentionTtl: durationpb.New(retention)},
	})
	if err != nil {
		return fmt.Errorf("raising the retention of the namespace %q: %w", namespace, err)
	}
	return nil
}

// TypeConflictError says that a search attribute is registered with another
// type than the wanted one. A type can't be changed.
type TypeConflictError struct {
	Name       string
	Have, Want enums.IndexedValueType
}

func (e *TypeConflictError) Error() string {
	return fmt.Sprintf("search attribute %q is registered as %s, not as %s", e.Name, e.Have, e.Want)
}

// MissingSearchAttributes returns the names of the wanted attributes that the
// namespace doesn't have, in order.
//
// A run must not use one of these: its workflow task would be retried for ever.
// A [TypeConflictError] is as bad.
func MissingSearchAttributes(ctx context.Context, c client.Client, namespace string, want map[string]enums.IndexedValueType) ([]string, error) {
	if len(want) == 0 {
		return nil, nil
	}
	have, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("listing the search attributes of the namespace %q: %w", namespace, err)
	}
	var missing []string
	for name, kind := range want {
		switch got, ok := have.GetCustomAttributes()[name]; {
		case !ok:
			missing = append(missing, name)
		case got != kind:
			return nil, &TypeConflictError{Name: name, Have: got, Want: kind}
		}
	}
	slices.Sort(missing)
	return missing, nil
}

// RegisterSearchAttributes registers the wanted attributes that the namespace
// lacks and returns once they are listed. Temporal Cloud doesn't let clients do
// this.
func RegisterSearchAttributes(ctx context.Context, c client.Client, namespace string, want map[string]enums.IndexedValueType) error {
	missing, err := MissingSearchAttributes(ctx, c, namespace, want)
	if err != nil || len(missing) == 0 {
		return err
	}
	add := make(map[string]enums.IndexedValueType, len(missing))
	for _, name := range missing {
		add[name] = want[name]
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: add,
	})
	if err != nil {
		return fmt.Errorf("registering the search attributes %s: %w", strings.Join(missing, ", "), err)
	}
	var last error
	err = poll(ctx, func() bool {
		missing, last = MissingSearchAttributes(ctx, c, namespace, want)
		return last == nil && len(missing) == 0
	})
	if err != nil {
		return fmt.Errorf("waiting for the search attributes %s: %w", strings.Join(missing, ", "), errors.Join(last, err))
	}
	return nil
}
