package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"rlam/internal/store"
	"rlam/schemas"
	"rlam/worker/host"
)

// runOptions are the flags of run.
type runOptions struct {
	set     []string
	model   string
	actions []string
	id      string
	store   string
	carry   carryOptions
}

func newRunCommand(a *app) *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use: "run STUDY", Short: "Start a run of a study and follow it",
		Long: `Start a run of a study and follow it to its end.

A worker runs in this process while it follows. Ctrl-C stops both and leaves the
run open: resume goes on where it was. A second Ctrl-C ends at once.

The result is printed on stdout, and nothing else is: what happens meanwhile is
told on stderr. With --json, all of it is JSON lines on stdout, the last of them
"end".`,
		Example: `  starter run examples/mgh09/study.yaml
  starter run study.yaml --model gpt-4.1-2025-04-14 --set limits.steps=30
  starter run study.yaml --set 'planner={"plan": "plan.yaml"}' > result.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return runRun(c.Context(), a, args[0], o) },
	}
	f := c.Flags()
	f.StringArrayVar(&o.set, "set", nil, "`PATH=VALUE` to change in the study: limits.steps=30 or /limits/steps=30; VALUE is JSON, or else a string (repeatable)")
	f.StringVar(&o.model, "model", "", "`NAME` of the model to ask instead of the study's planner")
	f.StringArrayVar(&o.actions, "actions", nil, "`DIR` with action files (or one file) to allow beside the study's (repeatable)")
	f.StringVar(&o.id, "id", "", "the run's `ID`; one is made from the study's name by default")
	f.StringVar(&o.store, "store", "", "`DIR` of the store; $RLAM_STORE or $RLAM_HOME/store by default")
	o.carry.addFlags(c)
	return c
}

func addDetachFlags(c *cobra.Command, detach *bool, idle *time.Duration) {
	c.Flags().BoolVar(detach, "detach", false, "leave the run to a worker in the background, and return")
	c.Flags().DurationVar(idle, "idle", time.Minute, "how long a background worker outlives its last open run")
}

// launched says that a run was started and goes on without this command.
type launched struct {
	Run  string   `json:"run"`
	URL  string   `json:"url,omitempty"`
	Log  string   `json:"log,omitempty"` // of the background worker
	Next []string `json:"next"`
}

func (launched) MessageType() string { return "launched" }

func (c *connection) launched(id, runID, log string) launched {
	p := c.program()
	return launched{
		Run: id, URL: c.server.RunURL(id, runID), Log: log,
		Next: []string{p + " resume " + id, p + " show " + id, p + " cancel " + id},
	}
}

func runRun(ctx context.Context, a *app, path string, o runOptions) error {
	study, err := prepareStudy(ctx, path, o)
	if err != nil {
		return err
	}
	if !o.carry.elsewhere() {
		if err := checkMachine(ctx, a, study, o.actions); err != nil {
			return err
		}
	}
	c, s, err := a.connectWithStore(ctx, o.store)
	if err != nil {
		return err
	}
	defer c.close()
	dir := s.Dir()
	launch := host.LaunchOptions{ID: o.id, StoreDir: dir, Actions: o.actions, SearchAttributes: c.searchAttributes(ctx)}
	return c.carry(ctx, s, dir, o.carry, func(queue string) (started, error) {
		launch.TaskQueue = queue
		return launchAs(ctx, c, s, study, launch)
	})
}

// prepareStudy loads a study, changes it as the flags say, and checks it as a whole.
func prepareStudy(ctx context.Context, path string, o runOptions) (*schemas.LoadedStudy, error) {
	if strings.HasPrefix(o.id, "@") || len(o.id) > 200 {
		return nil, badUsage("the id %q can't be used: it begins with @ or has more than 200 bytes", o.id)
	}
	set, err := parseSettings(o.set)
	if err != nil {
		return nil, err
	}
	study, problems := schemas.LoadStudy(path)
	if len(problems) > 0 { // then those of the files that it names besides
		return nil, checkFile(ctx, "study", path, nil).Err()
	}
	if study, err = unlocated(host.WithChanges(study, set)); err != nil {
		return nil, err
	}
	if o.model != "" {
		if study, err = unlocated(host.WithModel(study, o.model)); err != nil {
			return nil, err
		}
	}
	for i, dir := range o.actions {
		if o.actions[i], err = filepath.Abs(dir); err != nil {
			return nil, err
		}
	}
	if problems := checkStudy(ctx, study, o.actions, nil); len(problems) > 0 {
		return nil, problems.Err()
	}
	if p := study.Study.Planner; p.Model == "" && p.Scripted == "" && p.Plan == "" {
		return nil, badUsage("%s names no planner: add planner: {model: NAME} to it, or run it with --model NAME", path)
	}
	return study, nil
}

// checkMachine refuses a study that a worker on this machine is known not to carry out,
// before anything of it is on record.
func checkMachine(ctx context.Context, a *app, study *schemas.LoadedStudy, actions []string) error {
	registry, err := schemas.NewRegistry()
	if err != nil {
		return err
	}
	resolved, problems := registry.Resolve(study, actions...)
	if len(problems) > 0 {
		return problems.Err()
	}
	err = host.ReadWalls(a.getenv).Check(ctx, study, slices.SortedFunc(maps.Values(resolved), func(a, b *schemas.Bound) int {
		return strings.Compare(a.Action.Name, b.Action.Name)
	}))
	if err != nil {
		return &codedError{exitUsage, err}
	}
	return nil
}

// parseSettings reads the values of --set: JSON pointers with the JSON to put there.
func parseSettings(set []string) (map[string]json.RawMessage, error) {
	changes := map[string]json.RawMessage{}
	for _, s := range set {
		path, text, ok := strings.Cut(s, "=")
		if !ok || path == "" {
			return nil, badUsage("--set %q has no value: want PATH=VALUE", s)
		}
		if !strings.Contains(path, "/") {
			path = strings.ReplaceAll(path, ".", "/")
		}
		value := json.RawMessage(text)
		if !json.Valid(value) {
			value, _ = json.Marshal(text) // a string always can be
		}
		changes["/"+strings.TrimPrefix(path, "/")] = value
	}
	return changes, nil
}

// unlocated is a study that was changed, or why it can't be. Lines of the problems that
// come of it would be lines of no file, so that they are left out.
func unlocated(changed *schemas.LoadedStudy, err error) (*schemas.LoadedStudy, error) {
	var problems schemas.Problems
	if errors.As(err, &problems) {
		for i := range problems {
			problems[i].Line, problems[i].Column = 0, 0
		}
		return nil, problems
	}
	if err != nil {
		return nil, &codedError{exitUsage, err}
	}
	return changed, nil
}

// launchAs starts a run, under an id of its own if none was given.
func launchAs(ctx context.Context, c *connection, s store.Store, study *schemas.LoadedStudy, o host.LaunchOptions) (started, error) {
	if o.ID != "" {
		return host.Launch(ctx, c.client, s, study, o)
	}
	for {
		o.ID = newID(study.Path)
		run, err := host.Launch(ctx, c.client, s, study, o)
		var taken *host.TakenError
		if !errors.As(err, &taken) {
			return run, err
		}
	}
}

// started is a run that goes on.
type started interface {
	GetID() string
	GetRunID() string
}

var notInID = regexp.MustCompile(`[^a-z0-9]+`)

// newID is a run's id that can be typed: the study's name and five random letters.
func newID(studyPath string) string {
	abs, err := filepath.Abs(studyPath)
	if err != nil {
		abs = studyPath
	}
	name := strings.TrimSuffix(filepath.Base(abs), filepath.Ext(abs))
	if name == "study" {
		name = filepath.Base(filepath.Dir(abs))
	}
	name = strings.Trim(notInID.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(name) > 40 {
		name = name[:40]
	}
	return fmt.Sprintf("%s-%s", name, strings.ToLower(rand.Text()[:5]))
}
