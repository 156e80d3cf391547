package history

import (
	"bytes"
	"fmt"
	"iter"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rlam/internal/canon"
	"rlam/workflows"
)

// Leaf is what a signature covers of an event: its protobuf, in the order of the fields'
// numbers and with maps sorted, without what is only there for people and may be withheld
// later. [Strip] says what that is; so an event has one leaf, whether its contents were
// withheld or not.
func Leaf(e *historypb.HistoryEvent) ([]byte, error) {
	bare := proto.CloneOf(e)
	Strip(bare, func(canon.Digest) bool { return true })
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(bare)
	if err != nil {
		return nil, fmt.Errorf("spelling event %d: %w", e.GetEventId(), err)
	}
	return b, nil
}

// Leaves are the leaves of a History message in protobuf, one for each event, in order.
func Leaves(protobuf []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for e, err := range FromProtobuf(protobuf) {
			if err != nil {
				yield(nil, err)
				return
			}
			if leaf, err := Leaf(e); !yield(leaf, err) || err != nil {
				return
			}
		}
	}
}

// Strip takes out of an event what people read and nothing decides by:
//
//   - summaries, details and memos;
//   - the preview of each content whose digest withheld names (see record.Ref), and the
//     note on a call whose parameters it names, which may quote them;
//   - the message and the stack trace of an activity's failure whose detail it names: they
//     are the beginning of that content.
//
// Payloads that are JSON come out in canonical JSON; others stay as they are.
func Strip(e *historypb.HistoryEvent, withheld func(canon.Digest) bool) {
	if f := e.GetActivityTaskFailedEventAttributes().GetFailure(); f != nil {
		var d workflows.Failure
		details := f.GetApplicationFailureInfo().GetDetails()
		if details != nil && converter.GetDefaultDataConverter().FromPayloads(details, &d) == nil && !d.Detail.Digest.IsZero() && withheld(d.Detail.Digest) {
			f.Message, f.StackTrace = "", ""
		}
	}
	strip(e.ProtoReflect(), withheld)
}

func strip(m protoreflect.Message, withheld func(canon.Digest) bool) {
	m.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case field.IsMap():
			if field.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, one protoreflect.Value) bool {
					stripMessage(one.Message(), withheld)
					return true
				})
			}
		case field.Message() == nil:
		case field.IsList():
			for i := range v.List().Len() {
				stripMessage(v.List().Get(i).Message(), withheld)
			}
		case field.Message().FullName() == "temporal.api.sdk.v1.UserMetadata", field.Message().FullName() == "temporal.api.common.v1.Memo":
			m.Clear(field)
		default:
			stripMessage(v.Message(), withheld)
		}
		return true
	})
}

func stripMessage(m protoreflect.Message, withheld func(canon.Digest) bool) {
	if p, ok := m.Interface().(*commonpb.Payload); ok {
		if bytes.Equal(p.GetMetadata()[converter.MetadataEncoding], []byte(converter.MetadataEncodingJSON)) {
			p.Data = WithoutPreviews(p.Data, withheld)
		}
		return
	}
	strip(m, withheld)
}

// WithoutPreviews is JSON in its canonical spelling, without the previews of withheld
// contents. What canonical JSON doesn't hold names no content of a run: it stays as it is.
func WithoutPreviews(data []byte, withheld func(canon.Digest) bool) []byte {
	v, err := canon.Decode(data)
	if err != nil {
		return data
	}
	dropPreviews(v, withheld)
	b, err := canon.Encode(v)
	if err != nil {
		return data
	}
	return b
}

func dropPreviews(v any, withheld func(canon.Digest) bool) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			dropPreviews(one, withheld)
		}
	case map[string]any:
		if text, ok := v["digest"].(string); ok {
			if d, err := canon.Parse(text); err == nil && withheld(d) {
				delete(v, "preview")
			}
		}
		if params, ok := v["params"].(map[string]any); ok {
			text, _ := params["digest"].(string)
			if d, err := canon.Parse(text); err == nil && withheld(d) {
				delete(v, "note")
			}
		}
		for _, one := range v {
			dropPreviews(one, withheld)
		}
	}
}
