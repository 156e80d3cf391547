package history

import (
	"bytes"
	"fmt"
	"maps"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rlam/internal/canon"
)

// Withhold is a history in protobuf, with each event stripped of what it shows of contents
// that are withheld: see [Strip].
func Withhold(protobuf []byte, withheld func(canon.Digest) bool) ([]byte, error) {
	h := &historypb.History{}
	for e, err := range FromProtobuf(protobuf) {
		if err != nil {
			return nil, err
		}
		Strip(e, withheld)
		h.Events = append(h.Events, e)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("writing a history in protobuf: %w", err)
	}
	return b, nil
}

// Contents are the digests of the contents that a history's payloads refer to (see
// record.Ref), each once, in the order in which they come.
func Contents(protobuf []byte) ([]canon.Digest, error) {
	c := &contents{seen: map[canon.Digest]bool{}}
	for e, err := range FromProtobuf(protobuf) {
		if err != nil {
			return nil, err
		}
		c.message(e.ProtoReflect())
	}
	return c.found, nil
}

type contents struct {
	seen  map[canon.Digest]bool
	found []canon.Digest
}

// message looks at payloads by their order in the event: fields and lists, since maps hold
// memos and headers, which name no contents.
func (c *contents) message(m protoreflect.Message) {
	if p, ok := m.Interface().(*commonpb.Payload); ok {
		c.payload(p)
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.Message() == nil || f.IsMap() || !m.Has(f) {
			continue
		}
		if !f.IsList() {
			c.message(m.Get(f).Message())
			continue
		}
		for list, j := m.Get(f).List(), 0; j < list.Len(); j++ {
			c.message(list.Get(j).Message())
		}
	}
}

func (c *contents) payload(p *commonpb.Payload) {
	if !bytes.Equal(p.GetMetadata()[converter.MetadataEncoding], []byte(converter.MetadataEncodingJSON)) || !bytes.Contains(p.GetData(), []byte(`"digest"`)) {
		return
	}
	if v, err := canon.Decode(p.GetData()); err == nil {
		c.value(v)
	}
}

// value finds the objects that are references: they have a digest and a size.
func (c *contents) value(v any) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			c.value(one)
		}
	case map[string]any:
		text, _ := v["digest"].(string)
		if _, sized := v["size"]; sized && text != "" {
			if d, err := canon.Parse(text); err == nil && !c.seen[d] {
				c.seen[d] = true
				c.found = append(c.found, d)
			}
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			c.value(v[key])
		}
	}
}
