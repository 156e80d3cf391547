package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/workflows"
)

// Keys of the memo of a run or an ensemble.
const (
	MemoStore    = workflows.StoreMemo
	MemoRun      = workflows.RunMemo
	MemoEnsemble = workflows.EnsembleMemo
)

// SearchAttributes are those that R-LAM sets where the server knows them.
func SearchAttributes() map[string]enumspb.IndexedValueType {
	return map[string]enumspb.IndexedValueType{
		workflows.StudyAttribute:      enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.StatusAttribute:     enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.ModelAttribute:      enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.ForkedFromAttribute: enumspb.INDEXED_VALUE_TYPE_KEYWORD,
		workflows.ApprovalAttribute:   enumspb.INDEXED_VALUE_TYPE_BOOL,
	}
}

// LaunchOptions say where a run goes.
type LaunchOptions struct {
	ID        string // workflow ID
	TaskQueue string
	StoreDir  string   // of the store, for the memo
	Actions   []string // added to the study's
	Plan      []byte   // see [BeginOptions]
	// SearchAttributes says that the server knows [SearchAttributes].
	SearchAttributes bool
}

// TakenError says that a workflow ID is in use.
type TakenError struct{ ID string }

func (e *TakenError) Error() string {
	return fmt.Sprintf("there is a run %q already: choose another --id, or go on with it by: starter resume %s", e.ID, e.ID)
}

// Launch puts a run on record and starts it.
func Launch(ctx context.Context, c client.Client, s store.Store, study *schemas.LoadedStudy, o LaunchOptions) (client.WorkflowRun, error) {
	if err := Vacant(ctx, c, o.ID); err != nil {
		return nil, err
	}
	begun, err := Begin(ctx, s, study, BeginOptions{ID: o.ID, Actions: o.Actions, Plan: o.Plan, Client: c})
	if err != nil {
		return nil, err
	}
	return start(ctx, c, begun, o)
}

// LaunchFork starts a fork that is on record. Of o, the id and what a study brings along
// are the fork's own.
func LaunchFork(ctx context.Context, c client.Client, f *Forked, o LaunchOptions) (client.WorkflowRun, error) {
	o.ID = f.ID
	return start(ctx, c, &f.Begun, o, temporal.NewSearchAttributeKeyKeyword(workflows.ForkedFromAttribute).ValueSet(clip(f.From, 200)))
}

// Vacant is a *[TakenError] if a workflow ID is in use.
func Vacant(ctx context.Context, c client.Client, id string) error {
	_, err := c.DescribeWorkflowExecution(ctx, id, "")
	var none *serviceerror.NotFound
	switch {
	case err == nil:
		return &TakenError{ID: id}
	case !errors.As(err, &none):
		return fmt.Errorf("asking whether run %q exists: %w", id, err)
	}
	return nil
}

func start(ctx context.Context, c client.Client, begun *Begun, o LaunchOptions, more ...temporal.SearchAttributeUpdate) (client.WorkflowRun, error) {
	study := begun.Study.Study
	dir, err := filepath.Abs(o.StoreDir)
	if err != nil {
		return nil, err
	}
	opts := client.StartWorkflowOptions{
		ID: o.ID, TaskQueue: o.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		StaticSummary:                            clip(study.Title, 200),
		StaticDetails:                            clip(details(begun), 4000),
		Memo:                                     map[string]any{MemoStore: dir, MemoRun: begun.Run.String()},
	}
	if o.SearchAttributes {
		opts.TypedSearchAttributes = temporal.NewSearchAttributes(append(more,
			temporal.NewSearchAttributeKeyKeyword(workflows.StudyAttribute).ValueSet(clip(study.Title, 200)),
			temporal.NewSearchAttributeKeyKeyword(workflows.StatusAttribute).ValueSet("running"),
			temporal.NewSearchAttributeKeyKeyword(workflows.ModelAttribute).ValueSet(clip(begun.Model, 200)),
			temporal.NewSearchAttributeKeyBool(workflows.ApprovalAttribute).ValueSet(false),
		)...)
	}
	run, err := c.ExecuteWorkflow(ctx, opts, workflows.StudyName, workflows.StudyInput{Run: begun.Run, Head: begun.Run, SearchAttributes: o.SearchAttributes})
	var taken *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &taken) {
		return nil, &TakenError{ID: o.ID}
	}
	if err != nil {
		return nil, fmt.Errorf("starting run %q: %w", o.ID, err)
	}
	return run, nil
}

func details(b *Begun) string {
	return fmt.Sprintf("%s\n\nPlanner: %s  \nRun record: `%s`", b.Study.Study.Goal, b.Model, canon.Digest(b.Run))
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n]
}
