package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"rlam/worker/host"
)

// pollFresh is how long after its last poll a worker counts as there: a poll lasts up
// to a minute.
const pollFresh = 75 * time.Second

// startWorker serves a task queue in this process, with at most parallel attempts at
// once; 0 leaves that to the worker.
func (c *connection) startWorker(queue, storeDir string, parallel int) (*host.Host, error) {
	room, err := host.ReadRoom(c.getenv)
	if err != nil {
		return nil, &codedError{exitUsage, err}
	}
	h, err := host.New(host.Config{
		Client: c.client, Store: storeDir, TaskQueue: queue, Parallel: parallel,
		BaseURL: c.getenv("OPENAI_BASE_URL"), Key: c.getenv("OPENAI_API_KEY"),
		Walls: host.ReadWalls(c.getenv), Room: room,
		AllowAddresses: host.AllowedAddresses(c.getenv(host.AllowVariable)),
	})
	if err != nil {
		return nil, err
	}
	return h, h.Start()
}

// served says whether a worker serves a task queue. The server remembers those that
// ended a while ago; of those on this machine it is known whether they live.
func (c *connection) served(ctx context.Context, queue string) (bool, error) {
	d, err := c.client.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return false, fmt.Errorf("looking for workers on task queue %q: %w", queue, err)
	}
	hostname, _ := os.Hostname()
	for _, p := range d.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < pollFresh && !gone(p.GetIdentity(), hostname) {
			return true, nil
		}
	}
	return false, nil
}

// gone says whether a worker is known to have ended, by its identity PID@HOST.
func gone(identity, hostname string) bool {
	pid, rest, ok := strings.Cut(identity, "@")
	machine, _, _ := strings.Cut(rest, "@")
	n, err := strconv.Atoi(pid)
	return ok && err == nil && machine == hostname && !alive(n)
}

// foreign says whether a run waits for another worker than the starter can be: one
// with actions of its own.
func foreign(queue, storeDir string) bool {
	return strings.HasPrefix(queue, "rlam-") && queue != host.DefaultTaskQueue(storeDir)
}
