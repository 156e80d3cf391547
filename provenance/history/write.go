package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	historypb "go.temporal.io/api/history/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// WriteJSON writes a history that is given in protobuf as Temporal's own tools do: an
// object with a member events, indented. The same history gives the same bytes.
func WriteJSON(w io.Writer, protobuf []byte) error {
	h := &historypb.History{}
	if err := proto.Unmarshal(protobuf, h); err != nil {
		return fmt.Errorf("reading a history in protobuf: %w", err)
	}
	raw, err := protojson.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing a history in JSON: %w", err)
	}
	// protojson adds spaces by chance, so that nobody relies on its bytes.
	var compact, indented bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return fmt.Errorf("writing a history in JSON: %w", err)
	}
	if err := json.Indent(&indented, compact.Bytes(), "", "  "); err != nil {
		return fmt.Errorf("writing a history in JSON: %w", err)
	}
	indented.WriteByte('\n')
	if _, err := indented.WriteTo(w); err != nil {
		return fmt.Errorf("writing a history in JSON: %w", err)
	}
	return nil
}
