package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rlam/schemas"
)

// exportFormat is one way to hand a run to somebody else.
type exportFormat struct {
	name   string
	about  string // a line for people
	suffix string // how a file of the format is named, and known by: ".svg", ".prov.json"
	also   string // another end of the name that it is known by, or none
	binary bool   // an archive or the like, which a terminal is spared
	// flags adds what can be said of this format alone; nil adds nothing.
	flags func(*cobra.Command, *exportOptions)
	write func(ctx context.Context, w io.Writer, e *evidence, o exportOptions) error
	// folder writes a folder instead of a file, where one is asked for; nil if it can't be.
	folder func(ctx context.Context, dir string, e *evidence) error
}

// exportFormats are all formats, in the order in which they are listed. Each is a file
// export_NAME.go of its own.
var exportFormats = []exportFormat{
	bundleFormat,
	traceFormat,
	historyFormat,
	htmlFormat,
	provFormat,
	svgFormat,
	dotFormat,
	rocrateFormat,
	otlpFormat,
}

// defaultExport is the format of a file whose name says none.
const defaultExport = "bundle"

// exportOptions are the flags of export.
type exportOptions struct {
	app    *app
	store  string
	format string
	file   string // "-" is stdout
	force  bool

	runID   string // of history
	metrics bool   // of trace
	bundle  bundleOptions
	content bool // of otlp
}

func newExportCommand(a *app) *cobra.Command {
	o := exportOptions{app: a}
	var formats strings.Builder
	for _, f := range exportFormats {
		name := fmt.Sprintf("\n  %-8s %-13s ", f.name, f.suffix)
		below := "\n" + strings.Repeat(" ", len(name)-1)
		formats.WriteString(name + strings.Join(wrap(f.about, defaultWidth-len(below)), below))
	}
	c := &cobra.Command{
		Use: "export RUN [-o FILE] [--format FORMAT]", Short: "Write a run to a file that others can read",
		Long: `Write a run to a file that others can read. Nothing is executed.

Formats, and the end of the file's name that each is known by:
` + formats.String() + `

Without --format, the file's name says which. Without -o, the file is named after
the run. The same run gives the same bytes.`,
		Example: "  starter export @last -o run.trace.json\n  starter export @last --format history -o - | jq '.events | length'",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runExport(c.Context(), a, args[0], o) },
	}
	c.Flags().StringVar(&o.store, "store", "", "`DIR` of the store in which RUN is looked for")
	c.Flags().StringVarP(&o.file, "output", "o", "", "`FILE` to write; - is stdout")
	c.Flags().StringVar(&o.format, "format", "", "the `FORMAT`, if the file's name doesn't say it")
	c.Flags().BoolVar(&o.force, "force", false, "write over a FILE that is there")
	for _, f := range exportFormats {
		if f.flags != nil {
			f.flags(c, &o)
		}
	}
	return c
}

// exportedMessage is a file that was written.
type exportedMessage struct {
	Run    string `json:"run"`
	File   string `json:"file"`
	Format string `json:"format"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // of the file, in hexadecimal; of a folder, of the file that describes it
}

func (exportedMessage) MessageType() string { return "exported" }

func runExport(ctx context.Context, a *app, id string, o exportOptions) error {
	f, err := chooseExport(o.format, o.file)
	if err != nil {
		return err
	}
	if o.asFolder(f) {
		return a.exportFolder(ctx, id, f, o)
	}
	if err := o.writable(); err != nil {
		return err
	}
	if o.file == "-" && f.binary && isTerminal(a.stdout) {
		return badUsage("%s is no text for a terminal: name a file with -o, or pass stdout to a program", f.name)
	}
	e, err := a.gather(ctx, id, gatherOptions{store: o.store, strays: true})
	if err != nil {
		return err
	}
	if o.file == "-" {
		w := bufio.NewWriter(a.stdout)
		return errors.Join(f.write(ctx, w, e, o), w.Flush())
	}
	if o.file == "" {
		o.file = fileName(e.Trace.ID) + f.suffix
		if err := o.writable(); err != nil {
			return err
		}
	}
	m := exportedMessage{Run: e.Trace.ID, File: o.file, Format: f.name}
	m.Bytes, m.SHA256, err = writeWhole(o.file, func(w io.Writer) error { return f.write(ctx, w, e, o) })
	if err != nil {
		return err
	}
	a.printer.Print(m)
	return nil
}

// chooseExport finds the format by its name, or else by the file's.
func chooseExport(name, file string) (*exportFormat, error) {
	var names []string
	byFile, longest := -1, 0
	for i, f := range exportFormats {
		names = append(names, f.name)
		for _, end := range []string{f.suffix, f.also} {
			if strings.HasSuffix(strings.ToLower(file), end) && len(end) > longest {
				byFile, longest = i, len(end)
			}
		}
	}
	if name == "" && byFile >= 0 {
		return &exportFormats[byFile], nil
	}
	if name == "" && file != "" && file != "-" && filepath.Ext(file) != "" {
		return nil, badUsage("the name %q doesn't say which format it is to have: add --format, one of %s", file, strings.Join(names, ", "))
	}
	wanted := cmp.Or(name, defaultExport)
	if i := slices.Index(names, wanted); i >= 0 {
		return &exportFormats[i], nil
	}
	if near := schemas.Nearest(wanted, names); near != "" {
		return nil, badUsage("there is no format %q; did you mean %q?", wanted, near)
	}
	return nil, badUsage("there is no format %q: it is one of %s", wanted, strings.Join(names, ", "))
}

// writable says whether the file may be written, before there is any work.
func (o *exportOptions) writable() error {
	if o.file == "" || o.file == "-" {
		return nil
	}
	info, err := os.Stat(o.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return badUsage("looking for %q: %w", o.file, err)
	case info.IsDir():
		return badUsage("%q is a folder: name a file in it", o.file)
	case !o.force:
		return badUsage("%q is there already: --force writes over it", o.file)
	}
	return nil
}

// fileName is a run's id as the name of a file.
func fileName(id string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\:*?"<>|`, r) || r < ' ' {
			return '_'
		}
		return r
	}, id)
	return strings.TrimLeft(name, ".-")
}

// writeWhole writes a file that is there as a whole or not at all: beside it first, and
// then renamed. It returns the number of bytes, and their SHA-256 in hexadecimal.
func writeWhole(file string, write func(io.Writer) error) (int64, string, error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return 0, "", fmt.Errorf("writing %q: %w", file, err)
	}
	defer os.Remove(f.Name()) // of no effect once it is renamed
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<16)
	err = write(w)
	if err == nil {
		err = errors.Join(w.Flush(), f.Chmod(0o644), f.Sync())
	}
	var size int64
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return 0, "", fmt.Errorf("writing %q: %w", file, err)
	}
	return size, hex.EncodeToString(sum.Sum(nil)), nil
}

// exported says that a file was written.
func (p *textPrinter) exported(m exportedMessage) {
	p.pairs("file", m.File, "format", m.Format, "size", size(m.Bytes), "sha256", m.SHA256)
}
