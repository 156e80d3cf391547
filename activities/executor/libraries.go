package executor

import (
	"bufio"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"rlam/internal/canon"
	"rlam/schemas"
)

// loaded adds to an identity what its program brings with it: the interpreter that a
// script's first line names, and the shared libraries that either is linked with. The
// program is read and never run: ldd, for one, would run it.
func (s *Set) loaded(ctx context.Context, t Task, search string, id *Identity) error {
	if id.Program == nil {
		return nil
	}
	file := id.Program.Path
	line, err := s.firstLine(ctx, id.Program)
	if err != nil {
		return err
	}
	if name := interpreter(line); name != "" {
		path, err := findProgram(name, "/", search)
		if err != nil { // it doesn't run here: in an image, perhaps, that only it can name
			id.Interpreter = &Program{Name: name}
			return nil
		}
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
		d, err := programs.digest(ctx, path)
		if err != nil {
			return err
		}
		id.Interpreter, file = &Program{Name: name, Path: path, Digest: d}, path
	}
	if file == "" {
		return nil // a program that came with the binding, and no script: see Program
	}
	id.Libraries, err = libraries(ctx, file, variableOf(commandOf(t.Binding), "LD_LIBRARY_PATH"))
	return err
}

// firstLine is a script's first line; "" of another program.
func (s *Set) firstLine(ctx context.Context, p *Program) (string, error) {
	var r io.ReadCloser
	var err error
	if p.Path != "" {
		r, err = os.Open(p.Path)
	} else {
		r, err = s.blobs.Get(ctx, p.Digest)
	}
	if err != nil {
		return "", err
	}
	defer r.Close()
	head := make([]byte, 256) // no kernel reads more of it
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	line, _, _ := bytes.Cut(head[:n], []byte("\n"))
	return string(line), nil
}

// interpreter is the program that a script's first line names, looked through env(1).
func interpreter(line string) string {
	rest, script := strings.CutPrefix(line, "#!")
	words := strings.Fields(rest)
	if !script || len(words) == 0 {
		return ""
	}
	if filepath.Base(words[0]) != "env" {
		return words[0]
	}
	for _, word := range words[1:] {
		if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
			return word
		}
	}
	return words[0]
}

// variableOf is what a command's variable is to the program; "" if it has none.
func variableOf(cmd *schemas.Command, name string) string {
	if slices.Contains(cmd.Pass, name) {
		return os.Getenv(name)
	}
	return cmd.Env[name]
}

// linkings are the files that programs were found to be linked with, by program and search
// path, as long as the files look the same.
var linkings struct {
	sync.Mutex
	found map[[2]string]linked
}

type linked struct {
	info  os.FileInfo
	files map[string]string // by the name in the program; "" if there is none such
}

// libraries are the digests of what an ELF file is linked with, the dynamic loader
// included; none of any other file.
func libraries(ctx context.Context, file, search string) (map[string]canon.Digest, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	key := [2]string{file, search}
	linkings.Lock()
	l, ok := linkings.found[key]
	linkings.Unlock()
	if !ok || !os.SameFile(l.info, info) || l.info.Size() != info.Size() || !l.info.ModTime().Equal(info.ModTime()) || !there(l.files) {
		l = linked{info: info, files: link(file, filepath.SplitList(search))}
		linkings.Lock()
		if linkings.found == nil {
			linkings.found = map[[2]string]linked{}
		}
		linkings.found[key] = l
		linkings.Unlock()
	}
	var all map[string]canon.Digest
	for name, path := range l.files {
		var d canon.Digest
		if path != "" {
			if d, err = programs.digest(ctx, path); err != nil {
				return nil, err
			}
		}
		if all == nil {
			all = map[string]canon.Digest{}
		}
		all[name] = d
	}
	return all, nil
}

func there(files map[string]string) bool {
	for path := range maps.Values(files) {
		if _, err := os.Stat(path); path != "" && err != nil {
			return false
		}
	}
	return true
}

// link finds the libraries of an ELF file, and theirs, where the dynamic loader of GNU
// systems looks: the run path of the program, the search path, the run path of the file
// that needs it, the folders of ld.so.conf, and the usual ones. Variants for later
// processors (glibc-hwcaps) are not looked for.
func link(program string, search []string) map[string]string {
	found := map[string]string{}
	var inherited []string
	for queue := []string{program}; len(queue) > 0; queue = queue[1:] {
		f, err := elf.Open(queue[0])
		if err != nil {
			continue // no ELF file: a script, or another system's
		}
		own := runPath(f, queue[0])
		if queue[0] == program {
			inherited = own
			if loader := loaderOf(f); loader != "" {
				found[filepath.Base(loader)] = loader
			}
		}
		needed, err := f.ImportedLibraries()
		if err != nil {
			needed = nil
		}
		for _, name := range needed {
			if _, known := found[name]; known {
				continue
			}
			found[name] = lookUp(name, f, slices.Concat(inherited, search, own, systemFolders()))
			if found[name] != "" {
				queue = append(queue, found[name])
			}
		}
		f.Close()
	}
	return found
}

// runPath are the folders that an ELF file names for its libraries.
func runPath(f *elf.File, file string) []string {
	var all []string
	for _, tag := range []elf.DynTag{elf.DT_RUNPATH, elf.DT_RPATH} {
		values, err := f.DynString(tag)
		if err != nil {
			continue
		}
		for _, v := range values {
			all = append(all, filepath.SplitList(strings.NewReplacer("${ORIGIN}", filepath.Dir(file), "$ORIGIN", filepath.Dir(file)).Replace(v))...)
		}
	}
	return all
}

func loaderOf(f *elf.File) string {
	for _, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		b, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
		if err != nil {
			return ""
		}
		return string(bytes.TrimRight(b, "\x00"))
	}
	return ""
}

// lookUp finds a library for the machine of f.
func lookUp(name string, f *elf.File, folders []string) string {
	candidates := []string{name}
	if !strings.ContainsRune(name, '/') {
		candidates = nil
		for _, folder := range folders {
			if filepath.IsAbs(folder) {
				candidates = append(candidates, filepath.Join(folder, name))
			}
		}
	}
	for _, file := range candidates {
		lib, err := elf.Open(file)
		if err != nil {
			continue
		}
		fits := lib.Machine == f.Machine && lib.Class == f.Class
		lib.Close()
		if fits {
			return file
		}
	}
	return ""
}

// systemFolders are where libraries of the system lie.
var systemFolders = sync.OnceValue(func() []string {
	return append(configured("/etc/ld.so.conf", 0), "/lib", "/usr/lib", "/lib64", "/usr/lib64")
})

// configured are the folders that a file like ld.so.conf names.
func configured(file string, depth int) []string {
	f, err := os.Open(file)
	if err != nil || depth > 8 {
		return nil
	}
	defer f.Close()
	var all []string
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "include":
			pattern := words[1]
			if !filepath.IsAbs(pattern) {
				pattern = filepath.Join(filepath.Dir(file), pattern)
			}
			included, _ := filepath.Glob(pattern) // sorted; a bad pattern includes nothing
			for _, name := range included {
				all = append(all, configured(name, depth+1)...)
			}
		case len(words) == 1:
			all = append(all, words[0])
		}
	}
	return all
}
