package host

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/proto"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// Archive puts the history of a closed Temporal run into the store, once.
func Archive(ctx context.Context, c client.Client, s store.Store, run canon.Digest, id, temporalRun string) error {
	if _, err := s.Entry(ctx, record.HistoryKey(run, temporalRun)); err == nil {
		return nil
	}
	h := &historypb.History{}
	for it := c.GetWorkflowHistory(ctx, id, temporalRun, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
		e, err := it.Next()
		if err != nil {
			return fmt.Errorf("reading the history of run %q: %w", id, err)
		}
		h.Events = append(h.Events, e)
	}
	b, err := EncodeHistory(h)
	if err != nil {
		return fmt.Errorf("archiving the history of run %q: %w", id, err)
	}
	d, _, err := s.Put(ctx, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("archiving the history of run %q: %w", id, err)
	}
	if _, _, err := store.PutIfAbsent(ctx, s, record.HistoryKey(run, temporalRun), []byte(d.String())); err != nil {
		return fmt.Errorf("archiving the history of run %q: %w", id, err)
	}
	return nil
}

// EncodeHistory is a history's protobuf, the same bytes whenever it is the same history.
func EncodeHistory(h *historypb.History) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(h)
}

// Archived reads the archived histories of a run, by Temporal run ID.
func Archived(ctx context.Context, s store.Store, run canon.Digest) (map[string]*historypb.History, error) {
	found := map[string]*historypb.History{}
	prefix := record.HistoryKey(run, "")
	for key, err := range s.List(ctx, prefix) {
		if err != nil {
			return nil, fmt.Errorf("listing archived histories: %w", err)
		}
		value, err := s.Entry(ctx, key)
		if err != nil {
			return nil, err
		}
		d, err := canon.Parse(string(value))
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", key, err)
		}
		b, err := store.Read(ctx, s, d, 1<<30)
		if err != nil {
			return nil, fmt.Errorf("reading %q: %w", key, err)
		}
		h := &historypb.History{}
		if err := proto.Unmarshal(b, h); err != nil {
			return nil, fmt.Errorf("reading %q: %w", key, err)
		}
		found[strings.TrimPrefix(key, prefix)] = h
	}
	return found, nil
}

// archiver waits for runs that were sealed here to close, and archives their histories.
// What it misses, a later look at the run archives.
type archiver struct {
	client client.Client
	store  store.Store
	ctx    context.Context
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

// archiveLimit is how long a run may take to close after its last activity.
const archiveLimit = time.Minute

func newArchiver(c client.Client, s store.Store) *archiver {
	a := &archiver{client: c, store: s}
	a.ctx, a.stop = context.WithCancel(context.Background())
	return a
}

func (a *archiver) closing(run canon.Digest, id, temporalRun string) {
	a.wg.Add(1)
	go func() {
		defer a.wg.Done()
		ctx, cancel := context.WithTimeout(a.ctx, archiveLimit)
		defer cancel()
		// The close event ends the long poll; what the run came to doesn't matter here.
		it := a.client.GetWorkflowHistory(ctx, id, temporalRun, true, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
		if !it.HasNext() {
			return
		}
		if _, err := it.Next(); err != nil {
			return
		}
		Archive(ctx, a.client, a.store, run, id, temporalRun)
	}()
}

// close gives what is under way a moment.
func (a *archiver) close() {
	timer := time.AfterFunc(2*time.Second, a.stop)
	defer timer.Stop()
	a.wg.Wait()
	a.stop()
}
