package schemas

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Resources are what one attempt of an action takes of its worker as long as it runs. As an
// action declares them; see [Bound.Takes] for what counts.
type Resources struct {
	CPUs      int    `json:"cpus,omitempty"`      // processors it keeps busy
	Memory    Size   `json:"memory,omitempty"`    // of a command also the limit of each of its processes
	FileSize  Size   `json:"file_size,omitempty"` // of a command, the largest file it may write
	Exclusive string `json:"exclusive,omitempty"` // what no two attempts may use at once, on any worker of the store
}

// IsZero says whether an attempt takes nothing that anybody has to wait for or is limited in.
func (r Resources) IsZero() bool { return r == Resources{} }

// Waits says whether an attempt may have to wait for what it takes.
func (r Resources) Waits() bool { return r.CPUs > 0 || r.Memory > 0 || r.Exclusive != "" }

// Takes are the resources of an attempt by b's preferred binding: what its action declares,
// and one processor if that is a program of which none are declared. What the worker does by
// itself, a handler in Go or a request, isn't counted then: thousands may wait for answers.
func (b *Bound) Takes() Resources {
	r := b.Action.Resources
	if r.CPUs == 0 && b.Pinned.Program() {
		r.CPUs = 1
	}
	return r
}

// MayWait says whether an attempt by any of b's bindings may have to wait for what it takes.
func (b *Bound) MayWait() bool {
	return slices.ContainsFunc(b.Bindings(), func(one Alternative) bool { return b.By(one).Takes().Waits() })
}

// Size is a number of bytes. Files spell it as a number or with a unit: "512MiB", "2GB".
type Size int64

// units of a Size, largest first.
var units = []struct {
	name  string
	bytes float64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
}

// ParseSize reads a size such as "2GiB", "1.5 GB" or "4096".
func ParseSize(text string) (Size, error) {
	number, factor := text, 1.0
	for _, u := range units {
		if before, ok := strings.CutSuffix(text, u.name); ok {
			number, factor = strings.TrimSpace(before), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0 && n*factor <= 1<<53) {
		return 0, fmt.Errorf("reading the size %q: want a number of bytes, or one with a unit such as 512MiB or 2GB", text)
	}
	return Size(math.Round(n * factor)), nil
}

// UnmarshalJSON reads a number of bytes, or text with a unit.
func (s *Size) UnmarshalJSON(b []byte) error {
	text := string(b)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	v, err := ParseSize(text)
	*s = v
	return err
}

// String spells a size for people, "1.5 GiB".
func (s Size) String() string {
	for _, u := range units[:4] {
		if n := float64(s) / u.bytes; n >= 1 {
			return strconv.FormatFloat(math.Round(10*n)/10, 'f', -1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + " B"
}
