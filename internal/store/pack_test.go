package store

import (
	"bytes"
	"fmt"
	"testing"

	"rlam/internal/canon"
)

// resum gives a pack that was changed a check line that is right again, as a
// forger would.
func resum(file []byte) []byte {
	i := bytes.Index(file, []byte("\ncheck "))
	j := i + 1 + len(checkLine(nil))
	if i < 0 || j > len(file) {
		return file
	}
	return append([]byte(string(file[:i+1])+checkLine(file[:i+1])), file[j:]...)
}

func FuzzPack(f *testing.F) {
	blob := []byte("blob")
	var p pack
	p.blob(canon.Sum(blob), blob)
	p.entry("a/key", []byte("value"))
	var file bytes.Buffer
	if err := p.writeTo(&file); err != nil {
		f.Fatal(err)
	}
	f.Add(file.Bytes())
	for _, change := range [][2]string{
		{" 000000000004", " 999999999999"},
		{" 000000000004", " -00000000004"},
		{" 000000000004", " 9223372036854775807"},
		{fmt.Sprintf("%012d", file.Len()-9), "000000000000"},
		{"a/key", ""},
		{"entry ", "blob "},
	} {
		f.Add(bytes.Replace(file.Bytes(), []byte(change[0]), []byte(change[1]), 2))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, file := range [][]byte{file, resum(file)} {
			for _, want := range []row{{digest: canon.Sum(blob)}, {key: "a/key"}} {
				r := bytes.NewReader(file)
				found, err := readRow(r, r.Size(), want)
				if err != nil {
					continue
				}
				value, err := found.read(r)
				if err == nil && (found.key != want.key || want.key == "" && !bytes.Equal(value, blob)) {
					t.Errorf("%q gives %q for %q", file, value, want.name())
				}
			}
		}
	})
}
