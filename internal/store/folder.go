package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"rlam/internal/canon"
)

const (
	formatLine = "rlam store 1\n"
	packSuffix = "@p"
	tmpPrefix  = "rlam-"
	// staleAfter is far longer than any write goes without a byte.
	staleAfter = 24 * time.Hour
)

// Folder is a store in a directory, shared by any number of processes of one
// machine. The package comment has its format.
type Folder struct {
	dir string
	// What depends on the disk: tests watch it, and make it fail.
	sync func(*os.File) error
	link func(oldname, newname string) error
	// known has the directories below entries/ that were seen to be durable.
	known sync.Map
}

var (
	_ Store  = (*Folder)(nil)
	_ Locker = (*Folder)(nil)
)

// OpenFolder opens the store in dir, and makes one there if there is none. It
// refuses a store of a newer version, and a file system without hard links. It
// removes files that processes left in tmp/ and locks/ when they died a day ago
// or earlier.
func OpenFolder(dir string) (*Folder, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening store %q: %w", dir, err)
	}
	f := &Folder{dir: dir, sync: (*os.File).Sync, link: os.Link}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("opening store %q: %w", dir, f.explain(err))
	}
	return f, nil
}

// Dir is the store's directory, as an absolute path.
func (f *Folder) Dir() string { return f.dir }

func (f *Folder) open() error {
	if err := f.checkFormat(); err != nil {
		return err
	}
	for _, name := range []string{"blobs/sha256", "entries", "tmp", "locks"} {
		if err := os.MkdirAll(f.path(name), 0o777); err != nil {
			return err
		}
	}
	if err := f.markFormat(); err != nil {
		return err
	}
	stale := time.Now().Add(-staleAfter)
	if err := f.sweepTmp(stale); err != nil {
		return err
	}
	return f.sweepLocks(stale)
}

// checkFormat comes before anything is written: a newer store stays as it is.
func (f *Folder) checkFormat() error {
	got, err := os.ReadFile(f.path("format"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case string(got) == formatLine:
		return nil
	}
	var version int
	if _, err := fmt.Sscanf(string(got), "rlam store %d\n", &version); err == nil && version > 1 {
		return fmt.Errorf("it has version %d and this program knows version 1: use a newer R-LAM", version)
	}
	return fmt.Errorf("its file %q has %.40q, and not %q: it is no store of R-LAM", "format", got, formatLine)
}

// markFormat writes the file format by way of a hard link: that shows whether
// the file system has them, and another process sees the whole line or none.
func (f *Folder) markFormat() error {
	tmp, err := f.writeTmp(func(w *os.File) error {
		_, err := w.WriteString(formatLine)
		return err
	})
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	probe := tmp + ".link"
	if err := f.link(tmp, probe); err != nil {
		return fmt.Errorf("its file system makes no hard links: keep the store on a local disk (ext4, xfs, btrfs, APFS, NTFS): %w", err)
	}
	defer os.Remove(probe)
	if err := f.link(tmp, f.path("format")); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// The directory may be the only thing that is ours to open.
	if err := f.syncDir(filepath.Dir(f.dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return f.syncDirs(map[string]bool{f.dir: true, f.path("blobs"): true})
}

// sweepTmp removes what writers that died before stale left behind.
func (f *Folder) sweepTmp(stale time.Time) error {
	left, err := os.ReadDir(f.path("tmp"))
	if err != nil {
		return err
	}
	for _, file := range left {
		info, err := file.Info()
		// Gone meanwhile, or not ours: then it stays.
		if err != nil || !strings.HasPrefix(file.Name(), tmpPrefix) || info.ModTime().After(stale) {
			continue
		}
		if err := os.Remove(f.path("tmp", file.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (f *Folder) path(names ...string) string {
	return filepath.Join(append([]string{f.dir}, names...)...)
}

func (f *Folder) blobPath(d canon.Digest) string { return f.path("blobs", "sha256", d.Hex()) }

func (f *Folder) entryPath(key string) string {
	return f.path("entries", filepath.FromSlash(escape(key))) + packSuffix
}

// tmpPath is the path of a file that nobody else has.
func (f *Folder) tmpPath() string { return f.path("tmp", tmpPrefix+strings.ToLower(rand.Text())) }

// writeTmp makes a durable, read-only file in tmp/, and returns its path.
func (f *Folder) writeTmp(write func(*os.File) error) (path string, err error) {
	path = f.tmpPath()
	// Read-only from birth: the mode binds those who open it later.
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return "", err
	}
	err = write(w)
	if err == nil {
		err = f.sync(w)
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(path)
		return "", err
	}
	return path, nil
}

// syncDirs makes the names in dirs durable, all at the same time.
func (f *Folder) syncDirs(dirs map[string]bool) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for dir := range dirs {
		wg.Go(func() {
			if err := f.syncDir(dir); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (f *Folder) syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // NTFS logs names itself, and Windows syncs no directory
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return f.sync(d)
}

// diskFull is ERROR_DISK_FULL of Windows; elsewhere the number means something else.
const diskFull = syscall.Errno(112)

// explain says what to do about an error, where there is something to do.
func (f *Folder) explain(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		runtime.GOOS == "windows" && errors.Is(err, diskFull) {
		return fmt.Errorf("no space left in the store %q: free some and resume; nothing recorded is lost: %w", f.dir, err)
	}
	return err
}
