package jsonpointer_test

import (
	"testing"

	"rlam/internal/jsonpointer"
)

// TestEscape has the names of RFC 6901's own examples, and those in which the order of
// replacing matters.
func TestEscape(t *testing.T) {
	for name, token := range map[string]string{"": "", "foo": "foo", "a/b": "a~1b", "m~n": "m~0n", "~1": "~01", "/~": "~1~0"} {
		if got := jsonpointer.Escape(name); got != token {
			t.Errorf("%q is spelled %q, want %q", name, got, token)
		}
		if got := jsonpointer.Unescape(token); got != name {
			t.Errorf("%q stands for %q, want %q", token, got, name)
		}
	}
	if got := jsonpointer.Item(jsonpointer.Member("/a", "b/c"), 2); got != "/a/b~1c/2" {
		t.Errorf("got %q", got)
	}
}
