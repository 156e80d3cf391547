package canon

import (
	"strconv"
	"testing"
)

// TestSet: what was added is in, and nothing else, however much it is.
func TestSet(t *testing.T) {
	t.Parallel()
	s := NewSet()
	for i := range 10_000 {
		d := Sum([]byte(strconv.Itoa(i)))
		if s.Has(d) || !s.Add(d) || s.Add(d) {
			t.Fatalf("the %dth digest was in before it was added, or could be added twice", i)
		}
	}
	for i := range 20_000 {
		if in := s.Has(Sum([]byte(strconv.Itoa(i)))); in != (i < 10_000) {
			t.Errorf("the %dth digest: in the set is %v", i, in)
		}
	}
}
