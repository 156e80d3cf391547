// Package history reads Temporal histories, whoever's workflow wrote them, and says what
// they tell in plain words: which activities were scheduled, how each ended, and, of a
// run of a study, which calls and turns they were. It is the only package of the
// provenance that knows Temporal's API.
//
// A history comes as a stream of events and is taken in one event at a time. What is odd
// about it (a gap in the ids, an event of an unknown type, a payload that can't be read)
// is a finding, never an error: an error means that there is no history to read.
package history

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/go-json-experiment/json/jsontext"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Events are a history's events as they come. An error ends them.
type Events = iter.Seq2[*historypb.HistoryEvent, error]

// FromServer reads the history of a Temporal run from a server, a page at a time.
func FromServer(ctx context.Context, c client.Client, id, runID string) Events {
	return func(yield func(*historypb.HistoryEvent, error) bool) {
		for it := c.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); it.HasNext(); {
			e, err := it.Next()
			if err != nil {
				yield(nil, fmt.Errorf("reading the history of run %q: %w", id, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// FromHistory reads a history that is in memory.
func FromHistory(h *historypb.History) Events {
	return func(yield func(*historypb.HistoryEvent, error) bool) {
		for _, e := range h.GetEvents() {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// FromProtobuf reads a History message, one event after the other.
func FromProtobuf(b []byte) Events {
	return func(yield func(*historypb.HistoryEvent, error) bool) {
		for i := 1; len(b) > 0; i++ {
			event, rest, err := nextField(b)
			if err != nil {
				yield(nil, fmt.Errorf("reading event %d of a history in protobuf: %w", i, err))
				return
			}
			if b = rest; event == nil {
				continue
			}
			e := &historypb.HistoryEvent{}
			if err := proto.Unmarshal(event, e); err != nil {
				yield(nil, fmt.Errorf("reading event %d of a history in protobuf: %w", i, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// eventsField is the number of History.events.
const eventsField = 1

// nextField takes one field off a message: the bytes of an event, or nil of any other field.
func nextField(b []byte) (event, rest []byte, err error) {
	number, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	b = b[n:]
	if number == eventsField && typ == protowire.BytesType {
		if event, n = protowire.ConsumeBytes(b); n < 0 {
			return nil, nil, protowire.ParseError(n)
		}
		return event, b[n:], nil
	}
	if n = protowire.ConsumeFieldValue(number, typ, b); n < 0 {
		return nil, nil, protowire.ParseError(n)
	}
	return nil, b[n:], nil
}

// FromJSON reads a history as Temporal's tools write it: an object with a member events,
// the types of events spelled either as EVENT_TYPE_TIMER_FIRED or as TimerFired.
func FromJSON(r io.Reader) Events {
	return func(yield func(*historypb.HistoryEvent, error) bool) {
		// What is said twice, or in no UTF-8, is the other reader's to judge.
		dec := jsontext.NewDecoder(r, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
		if err := toEvents(dec); err != nil {
			yield(nil, fmt.Errorf("reading a history in JSON: %w", err))
			return
		}
		for i := 1; dec.PeekKind() != ']'; i++ {
			e := &historypb.HistoryEvent{}
			raw, err := dec.ReadValue()
			if err == nil {
				// A newer server may write members and types that this build doesn't know.
				err = temporalproto.CustomJSONUnmarshalOptions{DiscardUnknown: true}.Unmarshal(raw, e)
			}
			if err != nil {
				yield(nil, fmt.Errorf("reading event %d of a history in JSON: %w", i, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// toEvents moves a decoder behind the bracket that opens the member events.
func toEvents(dec *jsontext.Decoder) error {
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return errors.Join(err, errors.New("it is no object with a member events; write one with: temporal workflow show --output json"))
	}
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if name.String() == "events" {
			if t, err := dec.ReadToken(); err != nil || t.Kind() != '[' {
				return errors.Join(err, errors.New("its member events is no array"))
			}
			return nil
		}
		if err := dec.SkipValue(); err != nil {
			return err
		}
	}
	return errors.New("it has no member events; write one with: temporal workflow show --output json")
}
