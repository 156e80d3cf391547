package need

import "testing"

func TestRequired(t *testing.T) {
	for _, c := range []struct {
		variable, what string
		want           bool
	}{
		{"", "root", false},
		{"all", "root", true},
		{"go,root", "root", true},
		{"go, root", "root", true},
		{"rootless", "root", false},
	} {
		if got := required(c.variable, c.what); got != c.want {
			t.Errorf("%s=%q: %s is required: %t, want %t", Variable, c.variable, c.what, got, c.want)
		}
	}
}

func TestNeedThatIsMetGoesOn(t *testing.T) {
	t.Setenv(Variable, "all")
	Need(t, "nothing", true)
	if Program(t, "go") == "" {
		t.Error("no path to go")
	}
}

func TestNeedThatIsNotMetSkips(t *testing.T) {
	t.Setenv(Variable, "")
	var skipped bool
	t.Run("lacking", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		Need(t, "a thing that nobody has", false)
		t.Error("the test went on")
	})
	if !skipped {
		t.Error("the test was not skipped")
	}
}
