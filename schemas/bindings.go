package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"rlam/internal/canon"
)

// Bindings are alternatives that carry an action out, in order of preference: the first
// that the worker can carry out is used. In files one alone stands without a list.
type Bindings []Binding

// MarshalJSON writes one binding alone as an object.
func (b Bindings) MarshalJSON() ([]byte, error) {
	if len(b) == 1 {
		return json.Marshal(b[0])
	}
	return json.Marshal([]Binding(b))
}

// UnmarshalJSON reads either form.
func (b *Bindings) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte{'['}) {
		return json.Unmarshal(text, (*[]Binding)(b))
	}
	*b = make(Bindings, 1)
	return json.Unmarshal(text, &(*b)[0])
}

// Alternative is a binding with its name.
type Alternative struct {
	Pinned Pinned
	Digest canon.Digest
	JSON   []byte // canonical; Digest is its digest
}

// Bindings are all that carry the action out, the preferred one first.
func (b *Bound) Bindings() []Alternative {
	return append([]Alternative{{Pinned: b.Pinned, Digest: b.Binding, JSON: b.BindingJSON}}, b.Others...)
}

// By is the action with one of its bindings alone.
func (b *Bound) By(one Alternative) *Bound {
	by := *b
	by.Pinned, by.Binding, by.BindingJSON, by.Others = one.Pinned, one.Digest, one.JSON, nil
	return &by
}

// maxScript is the size at which a file of a command is refused: it is a script, no data.
const maxScript = 16 << 20

// pin reads the files of all bindings, which enter them by content, and refuses one
// that stands there twice.
func (d *document) pin(b *Bound, run Bindings, files fs.FS) {
	var seen []canon.Digest
	for i, binding := range run {
		at := d.bindingAt(i)
		pinned := d.pinFiles(b, binding, at, files)
		digest, _, err := canon.Of(pinned)
		if err != nil {
			d.refuse(at, "", "", "the binding can't be pinned: %v", err)
		}
		for j, other := range seen {
			if other == digest && !d.spoiled("/run") {
				d.refuse(at, "", "", "is the same binding as /run/%d, and would never be used", j)
			}
		}
		seen = append(seen, digest)
		if i == 0 {
			b.Pinned = pinned
		} else {
			b.Others = append(b.Others, Alternative{Pinned: pinned})
		}
	}
}

// bindingAt is where binding i stands in the file.
func (d *document) bindingAt(i int) string {
	if v, _ := d.value.(map[string]any); v != nil {
		if _, list := v["run"].([]any); list {
			return joinIndex("/run", i)
		}
	}
	return "/run"
}

// pinFiles is a binding with the digests of its command's files, whose contents b keeps.
func (d *document) pinFiles(b *Bound, binding Binding, at string, files fs.FS) Pinned {
	p := Pinned{Binding: binding}
	if binding.Command == nil {
		return p
	}
	take := func(at, name string) {
		if name == "" {
			return // it has problems of form
		}
		if !fs.ValidPath(name) || name == "." || strings.Contains(name, `\`) {
			d.refuse(at, "", "a path below the folder of the action file, with /", "%q leads elsewhere", name)
			return
		}
		content, err := readScript(files, name)
		if err != nil {
			d.refuse(at, "", "", "reading %q: %v", name, err)
			return
		}
		if b.Content == nil {
			b.Content = map[string][]byte{}
		}
		if p.Digests == nil {
			p.Digests = map[string]canon.Digest{}
		}
		b.Content[name], p.Digests[name] = content, canon.Sum(content)
	}
	for i, name := range binding.Command.Files {
		take(joinIndex(at+"/command/files", i), name)
	}
	for i, in := range binding.Command.In {
		if in.TemplateFile != "" {
			take(joinIndex(at+"/command/in", i)+"/template_file", in.TemplateFile)
		}
	}
	return p
}

func readScript(files fs.FS, name string) ([]byte, error) {
	if files == nil {
		return nil, errors.New("there is no folder to read it from")
	}
	info, err := fs.Stat(files, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxScript {
		return nil, fmt.Errorf("is no regular file of at most %d bytes", maxScript)
	}
	return fs.ReadFile(files, name)
}
