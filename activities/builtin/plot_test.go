package builtin_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rlam/internal/canon"
)

func TestPlot(t *testing.T) {
	b := newBench(t)
	fit := b.run("fit.nonlinear", b.mgh09Fit(nil))
	data := b.putFile("../../examples/mgh09/mgh09.csv")
	image := b.get(at[string](t, b.run("fit.plot", object{"data": data, "fit": fit, "title": "MGH09"}), "plot"))
	decoded, err := png.Decode(bytes.NewReader(image))
	if err != nil {
		t.Fatal(err)
	}
	if size := decoded.Bounds().Size(); size.X != 960 || size.Y != 660 {
		t.Errorf("the image has %v pixels", size)
	}
	drawing := b.get(at[string](t, b.run("fit.plot", object{"data": data, "fit": fit, "format": "svg", "title": "MGH09 <&>", "x_label": "concentration", "y_label": "velocity", "log_x": true, "log_y": true}), "plot"))
	for d := xml.NewDecoder(bytes.NewReader(drawing)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"MGH09 &lt;&amp;&gt;", "concentration", "velocity", "data", "fit"} {
		if !strings.Contains(string(drawing), ">"+want+"<") {
			t.Errorf("the drawing doesn't show %q", want)
		}
	}
	if dir := os.Getenv("RLAM_TEST_PLOTS"); dir != "" {
		for name, data := range map[string][]byte{"plot.png": image, "plot.svg": drawing} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPlotRefusals(t *testing.T) {
	b := newBench(t)
	fit := b.run("fit.nonlinear", b.mgh09Fit(nil))
	two := object{"model": "a*x+b*z", "response": "y", "observations": 9, "residual_sum_of_squares": 1, "parameters": object{"a": object{"estimate": 1}, "b": object{"estimate": 1}}}
	for _, c := range []struct {
		name    string
		params  object
		typ     string
		message string
	}{
		{"two predictors", object{"data": b.put("x,z,y\n1,2,3\n"), "fit": two}, "rlam.InvalidParams", `predictors are ["x" "z"]`},
		{"another predictor", object{"data": fit["data"], "fit": fit, "predictor": "z"}, "rlam.InvalidParams", `predictors are ["x"]`},
		{"zero on a logarithmic axis", object{"data": b.put("x,y\n1,2\n0,3\n"), "fit": fit, "log_x": true}, "rlam.BadData", "line 3: (0, 3) has no place"},
		{"a range that overflows", object{"data": b.put("x,y\n-1e308,1\n1.7e308,2\n"), "fit": fit}, "rlam.BadData", "range of the values overflows"},
		{"no column of that name", object{"data": b.put("u,y\n1,2\n"), "fit": fit}, "rlam.InvalidParams", `unknown name "x"`},
		{"no fit", object{"data": fit["data"], "fit": object{}}, "rlam.InvalidParams", "whole output of fit.nonlinear"},
	} {
		f := b.fail("fit.plot", c.params)
		if f.Type != c.typ || !strings.Contains(f.Message, c.message) {
			t.Errorf("%s: %v; want %s with %q", c.name, f, c.typ, c.message)
		}
	}
}

func TestPlotsOfLittleData(t *testing.T) {
	b := newBench(t)
	line := object{"model": "a*x+b", "response": "y", "observations": 9, "residual_sum_of_squares": 1, "parameters": object{"a": object{"estimate": 1}, "b": object{"estimate": 0}}}
	pole := object{"model": "a/(x-b)", "response": "y", "observations": 9, "residual_sum_of_squares": 1, "parameters": object{"a": object{"estimate": 1}, "b": object{"estimate": 2}}}
	for name, params := range map[string]object{
		"one point":            {"data": b.put("x,y\n1,1\n"), "fit": line},
		"equal points":         {"data": b.put("x,y\n1,1\n1,1\n"), "fit": line},
		"one x":                {"data": b.put("x,y\n1,1\n1,2\n"), "fit": line},
		"one y, logarithmic":   {"data": b.put("x,y\n1,1\n2,1\n"), "fit": line, "log_y": true, "log_x": true},
		"a pole in the middle": {"data": b.put("x,y\n1,-1\n1.5,-2\n2.5,2\n3,1\n"), "fit": pole},
		"far from the points":  {"data": b.put("x,y\n1,1000\n2,1001\n"), "fit": line},
	} {
		image := b.get(at[string](t, b.run("fit.plot", params), "plot"))
		if _, err := png.Decode(bytes.NewReader(image)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBitwise runs every action in processes of their own, whose maps have other
// seeds, on one and on two processors: the specs promise the same bytes.
func TestBitwise(t *testing.T) {
	const file = "RLAM_TEST_DIGESTS"
	if path := os.Getenv(file); path != "" {
		if err := os.WriteFile(path, digests(t), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := digests(t)
	for _, processors := range []string{"1", "2"} {
		path := filepath.Join(t.TempDir(), "digests")
		cmd := exec.Command(os.Args[0], "-test.run=^TestBitwise$")
		cmd.Env = append(os.Environ(), file+"="+path, "GOMAXPROCS="+processors)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("on %s processor(s): %s\nhere: %s", processors, got, want)
		}
	}
}

// digests names what each action gave: its output, in which artifacts stand by their digests.
func digests(t *testing.T) []byte {
	b := newBench(t)
	data := b.putFile("../../examples/mgh09/mgh09.csv")
	named := map[string]string{}
	note := func(name, action string, params object) object {
		out := b.run(action, params)
		d, _, err := canon.Of(out)
		if err != nil {
			t.Fatal(err)
		}
		named[name] = d.String()
		return out
	}
	note("describe", "table.describe", object{"data": data})
	fits := []any{}
	for _, algorithm := range []string{"gauss-newton", "levenberg-marquardt", "nelder-mead", "bfgs"} {
		out := note(algorithm, "fit.nonlinear", b.mgh09Fit(object{"algorithm": algorithm}))
		fits = append(fits, object{"label": algorithm, "fit": out})
	}
	note("compare", "fit.compare", object{"fits": fits})
	note("read", "artifact.read", object{"handle": fits[0].(object)["fit"].(object)["residuals"]})
	for _, format := range []string{"png", "svg"} {
		note(format, "fit.plot", object{"data": data, "fit": fits[0].(object)["fit"], "format": format, "title": "MGH09", "log_x": true})
	}
	note("linear", "fit.linear", object{"data": data, "response": "y", "terms": []any{"x", "x^2"}, "weights": "1/x"})
	note("integrate", "ode.integrate", object{"equations": object{"x": "v", "v": "-sin(x)"}, "initial": object{"x": 1, "v": 0}, "to": 10})
	note("monte carlo", "montecarlo.integrate", quarterCircle(object{"samples": 1000}))
	note("bootstrap", "table.bootstrap", object{"data": data, "statistic": "slope", "of": []any{"x", "y"}})
	note("split", "table.split", object{"data": data, "test_share": 0.3})
	trained := note("train", "model.train", object{"data": data, "response": "y", "features": []any{"x"}, "kind": "tree", "task": "regression"})
	note("predict", "model.predict", object{"data": data, "model": trained["model"]})
	if len(b.ran) != len(b.specs) {
		t.Errorf("only %v were run, of %d actions", slices.Sorted(maps.Keys(b.ran)), len(b.specs))
	}
	out, err := json.MarshalIndent(named, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return out
}
