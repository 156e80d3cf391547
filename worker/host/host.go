// Package host runs R-LAM's workflows and activities in a process. The worker
// binary, the starter and a worker of your own share it:
//
//	package main
//
//	import (
//		"rlam/activities/executor"
//		"rlam/worker/host"
//	)
//
//	func main() {
//		host.Main(executor.Typed("spectrum.peaks", findPeaks))
//	}
//
//	func findPeaks(ctx context.Context, in Params) (Peaks, error) { … }
//
// The action's formal schema stays in its own file, with "run: {builtin:
// spectrum.peaks}", and a study lists that file. See docs/actions-in-go.md.
//
// It lives here and not in internal/, because a worker of your own may be in
// another module.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"rlam/activities"
	"rlam/activities/builtin"
	"rlam/activities/capacity"
	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/scripted"
	"rlam/internal/store"
	"rlam/workflows"
)

// Config says what a worker serves and with what.
type Config struct {
	Client    client.Client      // required; made by [Dial]
	Store     string             // folder; required
	TaskQueue string             // [TaskQueue] of the store and the actions if empty
	Actions   []executor.Builtin // beyond the shipped ones
	Identity  string             // in histories and the journal; PID@HOST if empty
	BaseURL   string             // of an OpenAI-compatible server, for studies that name none
	Key       string             // its API key
	// AllowAddresses are HOST:PORT of services that actions may reach though their
	// addresses aren't public. They are part of the environment that attempts record.
	AllowAddresses []string
	// ModelLog is a file to which scripted models append each request; none if empty.
	ModelLog string
	// Parallel bounds the activities that run at once; 1,000 if 0. Where few may run, Temporal
	// hands each out by its task queue, which costs it far more than with the decision to run it.
	Parallel int
	// Walls are how commands are kept from the rest of the machine.
	Walls Walls
	// Room is what attempts may take.
	Room Room
	// Patience is how long a call waits for what it takes before it is handed back; 10 min if 0.
	Patience time.Duration
	// StopTimeout is how long Stop waits for attempts to end; 10 s if 0.
	StopTimeout time.Duration
}

// Host is a worker.
type Host struct {
	TaskQueue string
	Store     *store.Folder

	worker  worker.Worker
	models  *scriptedModels
	archive *archiver
	fatal   chan error
}

// New checks c and makes a worker that does not serve yet.
func New(c Config) (*Host, error) {
	if c.Client == nil {
		return nil, errors.New("making a worker: no client")
	}
	if c.Store == "" {
		return nil, errors.New("making a worker: no store: name a folder with --store or RLAM_STORE")
	}
	s, err := store.OpenFolder(c.Store)
	if err != nil {
		return nil, err
	}
	builtins := append(builtin.All(), c.Actions...)
	executors, err := executor.New(c.Walls.executors(executor.Config{
		Blobs: s, Builtins: builtins, Grace: 3 * time.Second, AllowAddresses: c.AllowAddresses, MaxLog: int64(c.Room.Log),
	}, s.Dir()))
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	h := &Host{
		TaskQueue: cmp.Or(c.TaskQueue, TaskQueue(c.Store, builtins)), Store: s,
		models: &scriptedModels{log: c.ModelLog}, archive: newArchiver(c.Client, s), fatal: make(chan error, 1),
	}
	a, err := activities.New(activities.Config{
		Store: s, Executors: executors, Scratch: filepath.Join(c.Store, "attempts"),
		Identity: cmp.Or(c.Identity, fmt.Sprintf("%d@%s", os.Getpid(), host)),
		Closing:  h.archive.closing,
		Room:     capacity.Room{CPUs: c.Room.CPUs, Memory: c.Room.Memory}, Patience: c.Patience,
		Models: activities.Models{BaseURL: c.BaseURL, Key: c.Key, Scripted: h.models.serve},
	})
	if err != nil {
		return nil, err
	}
	h.worker = worker.New(c.Client, h.TaskQueue, worker.Options{
		Identity:                           c.Identity,
		MaxConcurrentActivityExecutionSize: cmp.Or(c.Parallel, 1000),
		WorkerStopTimeout:                  cmp.Or(c.StopTimeout, 10*time.Second),
		// A cancel is heard with a heartbeat: let them through once a second.
		MaxHeartbeatThrottleInterval:     time.Second,
		DefaultHeartbeatThrottleInterval: time.Second,
		OnFatalError: func(err error) {
			select {
			case h.fatal <- err:
			default:
			}
		},
	})
	Register(h.worker)
	a.Register(h.worker)
	return h, nil
}

// AllowVariable names the variable that holds [Config.AllowAddresses], divided by commas.
const AllowVariable = "RLAM_ALLOW_ADDRESS"

// AllowedAddresses are the addresses in a value of [AllowVariable].
func AllowedAddresses(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}

// Register registers R-LAM's workflows, for a worker or a replayer.
func Register(r worker.WorkflowRegistry) {
	r.RegisterWorkflowWithOptions(workflows.Study, workflow.RegisterOptions{Name: workflows.StudyName})
	r.RegisterWorkflowWithOptions(workflows.Ensemble, workflow.RegisterOptions{Name: workflows.EnsembleName})
}

// Start begins to serve.
func (h *Host) Start() error {
	if err := h.worker.Start(); err != nil {
		return fmt.Errorf("starting the worker on task queue %q: %w", h.TaskQueue, err)
	}
	return nil
}

// Run serves until ctx ends or the worker can't go on.
func (h *Host) Run(ctx context.Context) error {
	if err := h.Start(); err != nil {
		return err
	}
	defer h.Stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-h.fatal:
		return fmt.Errorf("serving task queue %q: %w", h.TaskQueue, err)
	}
}

// Stop takes no more work, gives running attempts a moment, ends them, and returns.
func (h *Host) Stop() {
	h.worker.Stop()
	h.models.close()
	h.archive.close()
}

// TaskQueue names a queue after the store and the handlers that a worker has, so that
// two terminals with different stores or programs don't take each other's calls.
func TaskQueue(storeDir string, builtins []executor.Builtin) string {
	if abs, err := filepath.Abs(storeDir); err == nil {
		storeDir = abs
	}
	names := make([]string, 0, len(builtins))
	for _, b := range builtins {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	return "rlam-" + canon.Key("rlam.queue.v1", append([]string{storeDir}, names...)...).Short()
}

// DefaultTaskQueue is the queue of a store and the shipped actions.
func DefaultTaskQueue(storeDir string) string { return TaskQueue(storeDir, builtin.All()) }

// Options completes the options of a client: worker, starter, replay and export all
// get their converters here, so that a payload is read the way it was written.
func Options(o client.Options) client.Options {
	o.DataConverter = DataConverter()
	o.FailureConverter = FailureConverter()
	if o.Logger == nil {
		o.Logger = log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	}
	return o
}

// DataConverter is the converter of all payloads.
func DataConverter() converter.DataConverter { return converter.GetDefaultDataConverter() }

// FailureConverter is the converter of all failures.
func FailureConverter() converter.FailureConverter { return temporal.GetDefaultFailureConverter() }

// Dial connects to a server.
//
// Within this machine nothing is compressed, unless o says otherwise: that would cost
// more processor time than a step's own work.
func Dial(ctx context.Context, o client.Options) (client.Client, error) {
	o = Options(o)
	if o.ConnectionOptions.GrpcCompression == nil && onLoopback(o.HostPort) {
		o.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	}
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("connecting to the Temporal server at %q: %w", o.HostPort, err)
	}
	return c, nil
}

// onLoopback says whether an address is plainly one of this machine.
func onLoopback(hostPort string) bool {
	name, _, err := net.SplitHostPort(hostPort)
	ip := net.ParseIP(name)
	return err == nil && (name == "localhost" || ip != nil && ip.IsLoopback())
}

// scriptedModels serves scenarios on loopback, one server each, for as long as the worker lives.
type scriptedModels struct {
	mu      sync.Mutex
	log     string
	servers map[canon.Digest]*scripted.Server
}

func (m *scriptedModels) serve(scenario []byte) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := canon.Sum(scenario)
	if s := m.servers[d]; s != nil {
		return s.URL(), nil
	}
	parsed, err := scripted.Load(scenario)
	if err != nil {
		return "", err
	}
	s, err := scripted.Start(parsed, scripted.Options{Log: m.log})
	if err != nil {
		return "", err
	}
	if m.servers == nil {
		m.servers = map[canon.Digest]*scripted.Server{}
	}
	m.servers[d] = s
	return s.URL(), nil
}

func (m *scriptedModels) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.servers {
		s.Close()
	}
	m.servers = nil
}
