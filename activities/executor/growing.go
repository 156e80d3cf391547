//go:build linux || darwin

package executor

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	growthEvery = time.Second
	// growthMost is how much of a file is looked through at a time, so that one which grows
	// faster than it can be read doesn't hold up the end.
	growthMost = 64 << 20
)

// growing is a file in which a program says how far it is.
type growing struct {
	name string
	to   *scrubber // whose lines are looked through
	read int64     // bytes of it
}

// watchFiles looks through the files that progress is read from, as they grow, until the
// program has ended. What can't be read says nothing: the attempt doesn't depend on it.
func (e *execution) watchFiles(dir string) {
	if len(e.readings.growing) == 0 {
		return
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	files := make([]*growing, 0, len(e.readings.growing))
	for name, l := range e.readings.growing {
		files = append(files, &growing{name: name, to: &scrubber{to: l, secrets: e.secrets}})
	}
	tick := time.NewTicker(growthEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.done:
			return
		case <-tick.C:
		}
		for _, f := range files {
			f.look(root)
		}
	}
}

// look reads what is new. The program is at work in the folder: the name may lead to a pipe by
// now, at which opening would wait, or to anything else that is no file.
func (g *growing) look(root *os.Root) {
	f, err := root.OpenFile(filepath.FromSlash(g.name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if info.Size() < g.read {
		g.read = 0 // written anew
	}
	n, _ := io.Copy(g.to, io.NewSectionReader(f, g.read, min(info.Size()-g.read, growthMost)))
	g.read += n
}
