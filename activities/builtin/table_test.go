package builtin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDescribeMGH09(t *testing.T) {
	b := newBench(t)
	out := b.run("table.describe", object{"data": b.putFile("../../examples/mgh09/mgh09.csv")})
	if at[float64](t, out, "rows") != 11 || at[string](t, out, "columns", 0, "name") != "y" || at[string](t, out, "columns", 1, "kind") != "number" {
		t.Errorf("described as %v", out)
	}
	for name, want := range map[string]float64{"n": 11, "missing": 0, "min": 0.0235, "max": 0.1957, "median": 0.0627} {
		if got := at[float64](t, out, "columns", 0, name); got != want {
			t.Errorf("%s of y is %v; want %v", name, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	b := newBench(t)
	const file = "\xef\xbb\xbfa, b ,c,d\r\n1,x,,1\r\n2,y,NA,1e400\r\n,\"x\",NaN,0x10\r\n4,y,n/a,inf\r\n"
	got, err := json.Marshal(b.run("table.describe", object{"data": b.put(file)}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"columns":[` +
		`{"kind":"number","max":4,"mean":2.3333333333333335,"median":2,"min":1,"missing":1,"n":3,"name":"a","sd":1.5275252316519465},` +
		`{"distinct":2,"kind":"text","missing":0,"n":4,"name":"b","text":{"line":2,"value":"x"}},` +
		`{"kind":"empty","missing":4,"n":0,"name":"c"},` +
		`{"distinct":4,"kind":"text","missing":0,"n":4,"name":"d","text":{"line":3,"value":"1e400"}}],` +
		`"first":[["1","x","","1"],["2","y","NA","1e400"],["","x","NaN","0x10"],["4","y","n/a","inf"]],"rows":4}`
	if string(got) != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
}

func TestDescribeLargeNumbersAndOneRow(t *testing.T) {
	b := newBench(t)
	out := b.run("table.describe", object{"data": b.put("v\n1e308\n1.5e308\n")})
	if got := at[float64](t, out, "columns", 0, "median"); got != 1.25e308 {
		t.Errorf("median is %v", got)
	}
	out = b.run("table.describe", object{"data": b.put("v\n7\n")})
	if _, has := at[object](t, out, "columns", 0)["sd"]; has {
		t.Errorf("one value has no standard deviation: %v", out)
	}
	if out := b.run("table.describe", object{"data": b.put("v,w\n")}); at[float64](t, out, "rows") != 0 {
		t.Errorf("a table without rows: %v", out)
	}
}

func TestBadTablesAreNamedByPlace(t *testing.T) {
	b := newBench(t)
	for file, want := range map[string]string{
		"":                            "line 1: the table is empty",
		"a,b\n1,2\n3\n":               "line 3: 1 cells, but line 1 names 2 columns (a,b)",
		"a,b\n\"1\n2\",2\n3\n":        "line 4: 1 cells",
		"a,b\n1,\"2\n":                "line 2, byte 6: extraneous or missing",
		"a,b\n1,2\"3\n":               `line 2, byte 4: bare " in non-quoted`,
		"a,,c\n":                      "line 1, column 2: a column without a name",
		"a,b, a\n":                    `line 1, column 3: the name "a" is that of column 1`,
		"a;b\n1;2\n":                  "separated by commas",
		"a\n\x00\xff\n":               "line 2, byte 2: invalid UTF-8",
		strings.Repeat("a,", 1000):    "1001 columns, 1000 is the most",
		"\x89PNG\r\n\x1a\n\x00\x00\n": "line 1, byte 1: invalid UTF-8",
	} {
		f := b.fail("table.describe", object{"data": b.put(file)})
		if f.Type != "rlam.BadData" || !strings.Contains(f.Message, want) {
			t.Errorf("%.20q: %v; want rlam.BadData with %q", file, f, want)
		}
	}
}

func TestReadPagesJoinWithoutLoss(t *testing.T) {
	b := newBench(t)
	text := strings.Repeat("aé€𝄞\n", 5000)
	handle := b.put(text)
	for _, length := range []int{4, 5, 7, 999, 16000} {
		if length < 100 && testing.Short() {
			continue
		}
		var joined strings.Builder
		offset, pages := 0.0, 0
		for more := true; more && pages < 40; pages++ {
			out := b.run("artifact.read", object{"handle": handle, "offset": offset, "length": length})
			part := at[string](t, out, "text")
			if !utf8.ValidString(part) || len(part) > length || part == "" || at[bool](t, out, "binary") || at[float64](t, out, "total_bytes") != float64(len(text)) {
				t.Fatalf("length %d, offset %v: %v", length, offset, out)
			}
			joined.WriteString(part)
			offset, more = out["next_offset"].(float64)
		}
		if want := text[:min(joined.Len(), len(text))]; joined.String() != want || pages < 40 && joined.Len() != len(text) {
			t.Errorf("length %d: %d pages are not the text", length, pages)
		}
	}
}

func TestRead(t *testing.T) {
	b := newBench(t)
	if out := b.run("artifact.read", object{"handle": b.put("")}); at[string](t, out, "text") != "" || out["next_offset"] != nil {
		t.Errorf("an empty artifact: %v", out)
	}
	if out := b.run("artifact.read", object{"handle": b.put("a\x00b")}); !at[bool](t, out, "binary") {
		t.Errorf("a NUL: %v", out)
	}
	if out := b.run("artifact.read", object{"handle": b.put("\x89PNG\r\n")}); !at[bool](t, out, "binary") || at[string](t, out, "text") != "" {
		t.Errorf("an image: %v", out)
	}
	if out := b.run("artifact.read", object{"handle": b.put("a€b"), "offset": 2}); at[string](t, out, "text") != "b" || at[float64](t, out, "offset") != 4 {
		t.Errorf("from within a character: %v", out)
	}
	if out := b.run("artifact.read", object{"handle": b.put("abc"), "offset": 3}); at[string](t, out, "text") != "" {
		t.Errorf("from the end: %v", out)
	}
	f := b.fail("artifact.read", object{"handle": b.put("abc"), "offset": 4})
	if f.Type != "rlam.InvalidParams" || !strings.Contains(f.Message, "has 3 bytes") {
		t.Errorf("past the end: %v", f)
	}
	f = b.fail("artifact.read", object{"handle": b.put("abc"), "length": 16001})
	if f.Type != "rlam.InvalidParams" || !strings.Contains(f.Message, "4 to 16000") {
		t.Errorf("a length that is too large: %v", f)
	}
}
