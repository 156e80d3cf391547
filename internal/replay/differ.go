package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"

	"rlam/internal/jsonpointer"
)

// differPayload compares two payloads as JSON without previews, else as bytes.
func differPayload(dc converter.DataConverter, a, b *commonpb.Payload) (field, recorded, replayed string, differ bool) {
	if bytes.Equal(a.GetData(), b.GetData()) {
		return "", "", "", false
	}
	var x, y any
	if dc.FromPayload(a, &x) != nil || dc.FromPayload(b, &y) != nil {
		return "data", fmt.Sprintf("%d bytes", len(a.GetData())), fmt.Sprintf("%d other bytes", len(b.GetData())), true
	}
	return differJSON("", x, y)
}

// differJSON finds the first difference of two JSON values, in the order of their names.
func differJSON(at string, a, b any) (field, x, y string, differ bool) {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			break
		}
		names := sortedKeys(a)
		for name := range b {
			if _, ok := a[name]; !ok {
				names = append(names, name)
			}
		}
		sort.Strings(names)
		_, isRef := a["digest"]
		for _, name := range names {
			if isRef && name == "preview" {
				continue
			}
			va, inA := a[name]
			vb, inB := b[name]
			p := at + "/" + jsonpointer.Escape(name)
			if inA != inB {
				return p, show(va, inA), show(vb, inB), true
			}
			if f, x, y, d := differJSON(p, va, vb); d {
				return f, x, y, true
			}
		}
		return "", "", "", false
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			break
		}
		for i := range a {
			if f, x, y, d := differJSON(fmt.Sprintf("%s/%d", at, i), a[i], b[i]); d {
				return f, x, y, true
			}
		}
		return "", "", "", false
	}
	if reflect.DeepEqual(a, b) {
		return "", "", "", false
	}
	return at, show(a, true), show(b, true), true
}

func show(v any, present bool) string {
	if !present {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(b) > 200 {
		return string(b[:200]) + "…"
	}
	return string(b)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
