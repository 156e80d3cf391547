package test

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"

	"rlam/worker/host"
)

// decode reads a payload of a history.
func decode(t testing.TB, p *commonpb.Payloads, v any) {
	t.Helper()
	if err := host.DataConverter().FromPayloads(p, v); err != nil {
		t.Fatal(err)
	}
}
