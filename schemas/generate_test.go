package schemas_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes parameters of the action sum: mostly sound, with references.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0))} }

// number is a number or a reference to one, and what it stands for.
func (g generator) number() (proposed, want string) {
	switch g.IntN(8) {
	case 0:
		return `{"$from":"summed","pointer":"/x"}`, "301"
	case 1:
		return `{"pointer":"/x","$from":"2.1"}`, "300"
	case 2:
		return fmt.Sprintf("%d.50e%d", g.IntN(100), g.IntN(20)-10), ""
	case 3:
		return fmt.Sprint(g.NormFloat64()), ""
	case 4:
		return "-0.0", ""
	case 5 + g.IntN(40):
		return `"text"`, ""
	}
	return fmt.Sprint(g.Int64N(1 << 53)), ""
}

// sum is a proposal, and what it says once references are replaced.
func (g generator) sum() (proposed, want string) {
	var given, meant []string
	for range g.IntN(5) {
		p, w := g.number()
		if w == "" {
			w = p
		}
		given, meant = append(given, p), append(meant, w)
	}
	scale, meansScale := g.number()
	if meansScale == "" {
		meansScale = scale
	}
	form := `{"terms": [%s],  "scale":%s}`
	switch g.IntN(12) {
	case 0:
		form = `{"terms":[%s],"scale":%s,"more":1}`
	case 1:
		form = `{"terms":[%s],"scale":%s,"scale":1}`
	case 2:
		form = `{"terms":[%s],"scale":[%s]}`
	case 3:
		form = `{"scale":{"$from":"lost"},"terms":[%s,%s]}`
	}
	return fmt.Sprintf(form, strings.Join(given, ", "), scale), fmt.Sprintf(form, strings.Join(meant, ","), meansScale)
}
