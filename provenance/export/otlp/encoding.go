package otlp

import (
	"strconv"
	"time"
)

// The parts of opentelemetry.proto.trace.v1 that are written, as its JSON has them: ids in
// hexadecimal, 64-bit numbers as strings, enumerations as numbers.
type (
	traces struct {
		ResourceSpans []resourceSpans `json:"resourceSpans"`
	}
	resourceSpans struct {
		Resource   owner        `json:"resource"`
		ScopeSpans []scopeSpans `json:"scopeSpans"`
		SchemaURL  string       `json:"schemaUrl"`
	}
	owner struct {
		Attributes attributes `json:"attributes"`
	}
	scopeSpans struct {
		Scope     scope   `json:"scope"`
		Spans     []*span `json:"spans"`
		SchemaURL string  `json:"schemaUrl"`
	}
	scope struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	span struct {
		TraceID      string     `json:"traceId"`
		SpanID       string     `json:"spanId"`
		ParentSpanID string     `json:"parentSpanId,omitempty"`
		Name         string     `json:"name"`
		Kind         int        `json:"kind"`
		Start        string     `json:"startTimeUnixNano"`
		End          string     `json:"endTimeUnixNano"`
		Attributes   attributes `json:"attributes,omitempty"`
		Events       []event    `json:"events,omitempty"`
		Links        []link     `json:"links,omitempty"`
		Status       *status    `json:"status,omitempty"`
	}
	event struct {
		Time       string     `json:"timeUnixNano"`
		Name       string     `json:"name"`
		Attributes attributes `json:"attributes,omitempty"`
	}
	link struct {
		TraceID    string     `json:"traceId"`
		SpanID     string     `json:"spanId"`
		Attributes attributes `json:"attributes,omitempty"`
	}
	status struct {
		Message string `json:"message,omitempty"`
		Code    int    `json:"code"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value value  `json:"value"`
	}
	value struct {
		String *string  `json:"stringValue,omitempty"`
		Int    *string  `json:"intValue,omitempty"`
		Double *float64 `json:"doubleValue,omitempty"`
		Bool   *bool    `json:"boolValue,omitempty"`
		Array  *array   `json:"arrayValue,omitempty"`
	}
	array struct {
		Values []value `json:"values"`
	}
	attributes []attribute
)

// Kinds of spans, and the status of one that failed.
const (
	internal = 1
	client   = 3

	statusError = 2
)

// nanos spells a time.
func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }

// text adds a string. An empty one isn't known, and is left out.
func (a *attributes) text(key, v string) {
	if v != "" {
		*a = append(*a, attribute{key, value{String: &v}})
	}
}

func (a *attributes) int(key string, n int64) {
	s := strconv.FormatInt(n, 10)
	*a = append(*a, attribute{key, value{Int: &s}})
}

func (a *attributes) double(key string, v float64) {
	*a = append(*a, attribute{key, value{Double: &v}})
}

func (a *attributes) bool(key string, v bool) { *a = append(*a, attribute{key, value{Bool: &v}}) }

func (a *attributes) texts(key string, all ...string) {
	list := array{Values: make([]value, 0, len(all))}
	for i := range all {
		list.Values = append(list.Values, value{String: &all[i]})
	}
	*a = append(*a, attribute{key, value{Array: &list}})
}

// span begins a span; parent is nil of the first.
func (b *builder) span(node string, parent *span, name string, kind int, start time.Time) *span {
	s := &span{TraceID: b.traceID, SpanID: b.spanID(node), Name: name, Kind: kind, Start: nanos(start)}
	if parent != nil {
		s.ParentSpanID = parent.SpanID
	}
	b.spans = append(b.spans, s)
	return s
}

func (s *span) end(t time.Time) { s.End = nanos(t) }

// fail says that what the span tells of did not come off.
func (s *span) fail(typ, message string) {
	s.Attributes.text("error.type", typ)
	s.Status = &status{Code: statusError, Message: message}
}
