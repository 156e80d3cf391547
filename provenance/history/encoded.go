package history

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	historypb "go.temporal.io/api/history/v1"
)

// Decode reads a whole history from its bytes: JSON as Temporal's tools write it, or a
// History message in protobuf. Bytes that begin with a brace are JSON; no message does.
func Decode(b []byte) (*historypb.History, error) {
	events := FromProtobuf(b)
	text := bytes.TrimLeft(b, " \t\r\n\ufeff")
	inJSON := len(text) > 0 && text[0] == '{'
	if inJSON {
		events = FromJSON(bytes.NewBuffer(text))
	}
	h := &historypb.History{}
	for e, err := range events {
		switch {
		case err != nil && !inJSON && len(h.Events) == 0:
			return nil, fmt.Errorf("%w: this is no history, neither in JSON nor in protobuf", err)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("%w: the history is cut off after %d whole events", err, len(h.Events))
		case err != nil:
			return nil, err
		}
		h.Events = append(h.Events, e)
	}
	if len(h.Events) == 0 {
		return nil, fmt.Errorf("reading a history: it has no events; write one with: temporal workflow show --output json")
	}
	return h, nil
}
