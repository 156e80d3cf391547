package executor

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"rlam/internal/canon"
)

// The kinds of handles.
const (
	kindBuiltin = "builtin"
	kindCommand = "command"
	kindTool    = "mcp"
)

// newHandle is the handle of work in process pid of this machine.
func newHandle(kind string, pid int) (Handle, error) {
	host, err := os.Hostname()
	if err != nil {
		return Handle{}, fmt.Errorf("asking for the machine's name: %w", err)
	}
	started, err := startOf(pid)
	if err != nil {
		return Handle{}, fmt.Errorf("asking when process %d began: %w", pid, err)
	}
	return Handle{Kind: kind, ID: newID(), Host: host, Boot: boot(), PID: pid, Started: started}, nil
}

// Marked is a handle of whatever a program with this [Task].ID left running on this machine.
// It is for work whose own handle was not kept, since the worker died in the moment between
// start and handle; nothing can be done with it but Cancel.
func Marked(id string) (Handle, error) {
	host, err := os.Hostname()
	if err != nil {
		return Handle{}, fmt.Errorf("asking for the machine's name: %w", err)
	}
	// No process has this number, so that the mark alone decides.
	return Handle{Kind: kindCommand, ID: id, Host: host, Boot: boot(), PID: -1, Started: "0"}, nil
}

func newID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: see crypto/rand
	return hex.EncodeToString(b[:])
}

// gone says whether h's first process has ended. It is an ErrElsewhere if that can't be
// seen from here.
func gone(h Handle) (bool, error) {
	ended, err := beyondReach(h)
	if ended || err != nil {
		return ended, err
	}
	started, err := startOf(h.PID)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking when process %d began: %w", h.PID, err)
	}
	return started != h.Started, nil
}

// beyondReach says whether this machine was started anew since h was made, which ended
// everything, and refuses handles whose process ids mean nothing here.
func beyondReach(h Handle) (ended bool, err error) {
	host, err := os.Hostname()
	if err != nil {
		return false, fmt.Errorf("asking for the machine's name: %w", err)
	}
	now := boot()
	if h.Host != host {
		return false, fmt.Errorf("on %q, this is %q: %w", h.Host, host, ErrElsewhere)
	}
	if h.Boot == now {
		return false, nil
	}
	// "BOOT" or "BOOT PROCESS-NAMESPACE"
	theirs, _, _ := strings.Cut(h.Boot, " ")
	ours, _, _ := strings.Cut(now, " ")
	if theirs != ours {
		return true, nil
	}
	return false, fmt.Errorf("in another container of %q: %w", host, ErrElsewhere)
}

// running is the work of this process that wasn't collected, by handle id.
type running[W any] struct {
	mu   sync.Mutex
	work map[string]W
}

func (r *running[W]) add(id string, w W) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.work == nil {
		r.work = make(map[string]W)
	}
	r.work[id] = w
}

func (r *running[W]) get(id string) (W, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, ok := r.work[id]
	return w, ok
}

func (r *running[W]) take(id string) (W, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, ok := r.work[id]
	delete(r.work, id)
	return w, ok
}

// digestsIn are the digests among the strings of a JSON value.
func digestsIn(raw json.RawMessage) map[canon.Digest]bool {
	found := make(map[canon.Digest]bool)
	var v any
	if json.Unmarshal(raw, &v) == nil {
		collectDigests(v, found)
	}
	return found
}

func collectDigests(v any, found map[canon.Digest]bool) {
	switch v := v.(type) {
	case string:
		if d, err := canon.Parse(v); err == nil {
			found[d] = true
		}
	case []any:
		for _, e := range v {
			collectDigests(e, found)
		}
	case map[string]any:
		for _, e := range v {
			collectDigests(e, found)
		}
	}
}
