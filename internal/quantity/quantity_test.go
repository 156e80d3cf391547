package quantity

import "testing"

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Of(0, "step"), "0 steps"},
		{Of(1, "step"), "1 step"},
		{Of(-1, "step"), "-1 steps"},
		{Of(1234567, "token"), "1,234,567 tokens"},
		{Thousands(-123), "-123"},
		{Thousands(-1234), "-1,234"},
		{Listed(nil, 3), ""},
		{Listed([]string{"a", "b", "c"}, 3), "a, b, c"},
		{Listed([]string{"a", "b", "c", "d", "e"}, 3), "a, b, c and 2 more"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
