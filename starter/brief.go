package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"rlam/internal/quantity"

	"rlam/internal/canon"
	"rlam/starter/follow"
)

// brief is a value for a line or two: JSON without what people read without, and
// without the members that known says they have seen.
func brief(v follow.Value, known func(name string, value json.RawMessage) bool) string {
	if len(v.Value) == 0 {
		return v.Preview
	}
	var members []member
	if err := json.Unmarshal(v.Value, (*object)(&members)); err != nil {
		return briefJSON(v.Value)
	}
	if known != nil {
		members = slices.DeleteFunc(members, func(m member) bool { return known(m.name, m.value) })
	}
	return strings.Join(glued(briefMembers(members)), ", ")
}

// glue stands for a space at which a line is not to be broken. See [wrap].
const glue = '\ue000'

// glued keeps members that are short from being broken.
func glued(members []string) []string {
	for i, m := range members {
		if len(m) <= defaultWidth/2 {
			members[i] = strings.ReplaceAll(m, " ", string(glue))
		}
	}
	return members
}

// member is one of an object's, in the object's order.
type member struct {
	name  string
	value json.RawMessage
}

// object reads a JSON object in its order.
type object []member

func (o *object) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("reading %.20q: no object", b)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		m := member{name: name.(string)}
		if err := d.Decode(&m.value); err != nil {
			return err
		}
		*o = append(*o, m)
	}
	return nil
}

// briefMembers says plain values first: what is long doesn't hide what is short.
func briefMembers(members []member) []string {
	var short, long []string
	for _, m := range members {
		text := m.name + ": " + briefJSON(m.value)
		if c := m.value[0]; c == '{' || c == '[' {
			long = append(long, text)
		} else {
			short = append(short, text)
		}
	}
	return append(short, long...)
}

// most is how many elements of an array are shown.
const most = 4

func briefJSON(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return briefString(s)
		}
	case '[':
		var all []json.RawMessage
		if json.Unmarshal(raw, &all) == nil {
			var shown []string
			for i, e := range all {
				if i == most {
					shown = append(shown, fmt.Sprintf("… %d in all", len(all)))
					break
				}
				shown = append(shown, briefJSON(e))
			}
			return "[" + strings.Join(shown, ", ") + "]"
		}
	case '{':
		var members []member
		if json.Unmarshal(raw, (*object)(&members)) == nil {
			return "{" + strings.Join(briefMembers(members), ", ") + "}"
		}
	}
	return briefNumber(string(raw))
}

// briefNumber rounds a number with many digits to six. Those in a result are never rounded.
func briefNumber(text string) string {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || len(text) <= 10 || f == math.Trunc(f) {
		return text
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}

var ambiguous = regexp.MustCompile(`^$|^[\s\-0-9.\[{"]|[,:\]}"\s]$|[,\n\]}]|: `)

func briefString(s string) string {
	if d, err := canon.Parse(s); err == nil {
		return "sha256:" + d.Short() + "…"
	}
	if ambiguous.MatchString(s) || s == "true" || s == "false" || s == "null" {
		q, _ := json.Marshal(s)
		return string(q)
	}
	return s
}

// duration is seconds as people say them.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %02d min", int(d.Hours()), int(d.Minutes())%60)
}

// size is bytes as people say them.
func size(bytes int64) string {
	const k = 1000
	switch {
	case bytes < k:
		return fmt.Sprintf("%d B", bytes)
	case bytes < k*k:
		return fmt.Sprintf("%.1f kB", float64(bytes)/k)
	case bytes < k*k*k:
		return fmt.Sprintf("%.1f MB", float64(bytes)/(k*k))
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/(k*k*k))
}

// count is a number with its noun, in the plural where it has one.
func count(n int, noun string) string { return quantity.Of(n, noun) }

func thousands(n int) string { return quantity.Thousands(n) }
