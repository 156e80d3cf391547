// Package subject is the worker that fault tests kill, stop and cut off: an ordinary
// worker of package host, as a process of its own, whose actions count themselves in a
// folder that R-LAM doesn't know ([Outside]).
package subject

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"

	"rlam/worker/host"
)

// configVariable holds a Config as JSON.
const configVariable = "RLAM_FAULTS_SUBJECT"

// Ready is the line that a worker prints when it serves.
const Ready = "ready"

// Config says what a worker serves.
type Config struct {
	Address  string        // of the Temporal server, or of what stands in between
	Store    string        // folder
	Queue    string        // task queue
	Identity string        // in histories and the journal
	Stop     time.Duration // how long it may take to stop; the default of package host if 0
	Mute     bool          // its heartbeats never arrive
	CPUs     int           // for the actions that declare some; the machine's if 0
	Patience time.Duration // of calls that wait for what they take; the default of package host if 0
}

// Environ is the environment of a worker's process.
func (c Config) Environ(o Outside) ([]string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return append(os.Environ(), configVariable+"="+string(b), Variable+"="+string(o)), nil
}

// Asked says whether this process was started to be a worker.
func Asked() bool { return os.Getenv(configVariable) != "" }

// Main serves until stdin ends: a worker does not outlive the test that started it.
func Main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	var c Config
	if err := json.Unmarshal([]byte(os.Getenv(configVariable)), &c); err != nil {
		return fmt.Errorf("reading the environment variable %s: %w", configVariable, err)
	}
	outside := Outside(os.Getenv(Variable))
	if outside == "" {
		return errors.New("no folder to count effects in")
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		io.Copy(io.Discard, in)
	}()
	o := client.Options{HostPort: c.Address, Identity: c.Identity}
	if c.Mute {
		o.Interceptors = []interceptor.ClientInterceptor{&mute{}}
	}
	conn, err := host.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	h, err := host.New(host.Config{
		Client: conn, Store: c.Store, TaskQueue: c.Queue, Identity: c.Identity, Actions: Actions(outside), StopTimeout: c.Stop,
		Room: host.Room{CPUs: c.CPUs}, Patience: c.Patience,
	})
	if err != nil {
		return err
	}
	if err := h.Start(); err != nil {
		return err
	}
	defer h.Stop()
	fmt.Fprintln(out, Ready)
	<-ctx.Done()
	return nil
}

// mute loses the heartbeats of activities, as a network does that loses some packets and not others.
type mute struct{ interceptor.InterceptorBase }

func (*mute) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &muteInbound{interceptor.ActivityInboundInterceptorBase{Next: next}}
}

type muteInbound struct {
	interceptor.ActivityInboundInterceptorBase
}

func (i *muteInbound) Init(out interceptor.ActivityOutboundInterceptor) error {
	return i.Next.Init(&muteOutbound{interceptor.ActivityOutboundInterceptorBase{Next: out}})
}

type muteOutbound struct {
	interceptor.ActivityOutboundInterceptorBase
}

func (*muteOutbound) RecordHeartbeat(context.Context, ...any) {}
