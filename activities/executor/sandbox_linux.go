package executor

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"rlam/activities/executor/confine"
)

const (
	bubblewrap = "bwrap"
	// nobody is who a program in a sandbox is to itself. Outside it is the worker's user.
	nobody = "65534"
	// What a launch passes on begins at descriptor 5.
	argsFD   = "5"
	statusFD = "6"

	sandboxTrial = 10 * time.Second
)

// system is what a sandbox shows of the machine, read-only, where it exists: programs,
// libraries, and of /etc what those look at. No file with a password's hash or a key is
// among it.
var system = []string{
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store",
	"/etc/R", "/etc/alternatives", "/etc/ca-certificates", "/etc/fonts", "/etc/group", "/etc/host.conf", "/etc/hosts",
	"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/localtime", "/etc/magic", "/etc/mime.types",
	"/etc/nsswitch.conf", "/etc/openmpi", "/etc/passwd", "/etc/protocols", "/etc/resolv.conf", "/etc/services",
	"/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/timezone", "/sys/devices/system",
	"/var/lib/dpkg", "/var/lib/rpm", // which packages there are, for probes
}

// apart has a program live in namespaces of its own, without capabilities, unable to
// make further namespaces, and ended with bubblewrap.
func apart(network bool) []string {
	args := []string{
		"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
		"--uid", nobody, "--gid", nobody, "--hostname", "sandbox", "--cap-drop", "ALL", "--disable-userns",
		"--die-with-parent", "--new-session", "--clearenv",
	}
	if !network {
		args = append(args, "--unshare-net")
	}
	return args
}

// view is the file system of a sandbox, up to the attempt's own folder.
func (w walls) view() []string {
	var args []string
	for _, path := range system {
		if to, err := os.Readlink(path); err == nil && slices.Contains([]string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}, path) {
			args = append(args, "--symlink", to, path)
			continue
		}
		args = append(args, "--ro-bind-try", path, path)
	}
	args = append(args, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")
	for _, path := range w.readable {
		args = append(args, "--ro-bind-try", path, path)
	}
	for _, path := range w.covered() {
		args = append(args, "--tmpfs", path)
	}
	return args
}

// covered are the hidden folders that would be seen otherwise.
func (w walls) covered() []string {
	shown := slices.Concat(system, w.readable)
	return slices.DeleteFunc(slices.Clone(w.hidden), func(path string) bool { return !below(path, shown) })
}

// below says whether path is one of folders, or in one of them.
func below(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool {
		rest, found := strings.CutPrefix(path, strings.TrimSuffix(f, "/"))
		return found && (rest == "" || rest[0] == '/')
	})
}

// sandbox has cmd run by bubblewrap, which gives the program cmd.Env.
func (f *fence) sandbox(w walls, cmd *exec.Cmd, t Task) error {
	if err := w.shows(cmd); err != nil {
		return err
	}
	wrapper, err := findProgram(bubblewrap, "/", w.search)
	if err != nil {
		return fmt.Errorf("making a sandbox: %w", err)
	}
	args := append(apart(t.Network), w.view()...)
	args = append(args, "--bind", cmd.Dir, cmd.Dir)
	args = append(args, readOnly(cmd.Dir, t)...)
	args = append(args, "--chdir", cmd.Dir)
	for _, path := range w.covered() {
		args = append(args, "--remount-ro", path)
	}
	args = append(args, "--remount-ro", "/", "--json-status-fd", statusFD)
	for _, variable := range cmd.Env {
		name, value, _ := strings.Cut(variable, "=")
		args = append(args, "--setenv", name, value)
	}
	// Not on the command line, which every user of the machine can read.
	list, err := confine.File("arguments", []byte(strings.Join(args, "\x00")+"\x00"))
	if err != nil {
		return fmt.Errorf("making a sandbox: %w", err)
	}
	f.files = append(f.files, list)
	if f.status, err = confine.File("status", nil); err != nil {
		return fmt.Errorf("making a sandbox: %w", err)
	}
	f.files = append(f.files, f.status)
	cmd.Args = append([]string{bubblewrap, "--args", argsFD, "--", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = wrapper
	return nil
}

// readOnly are what is in the attempt's folder before the program: it can't change what
// it was given.
func readOnly(dir string, t Task) []string {
	command := commandOf(t.Binding)
	names := slices.Concat([]string{"inputs", "params.json"}, command.Files)
	for _, in := range command.In {
		if in.Tree == "" { // the files of which a program may change
			names = append(names, in.Path)
		}
	}
	var args []string
	for _, name := range names {
		path := filepath.Join(dir, name)
		args = append(args, "--ro-bind-try", path, path)
	}
	return args
}

// shows refuses a program that a sandbox doesn't show, or only by a link to elsewhere.
func (w walls) shows(cmd *exec.Cmd) error {
	file, err := filepath.EvalSymlinks(cmd.Path)
	if err != nil {
		return err
	}
	dir, err := filepath.EvalSymlinks(cmd.Dir)
	if err != nil {
		return err
	}
	visible := slices.Concat(system, w.readable, []string{dir, cmd.Dir})
	for _, path := range []string{cmd.Path, file} {
		if !below(path, visible) {
			return &Failure{Type: TypeNotStarted, Message: fmt.Sprintf("running %q: a sandbox doesn't show it; have the worker show its folder: --readable %s", path, filepath.Dir(path))}
		}
	}
	return nil
}

// sandboxes are those that were seen to work, by the search path of bubblewrap.
var sandboxes sync.Map

// sandboxWorks makes a sandbox and runs nothing in it that matters: the program may be
// absent, and the kernel or a container may refuse the namespaces.
func (w walls) sandboxWorks(ctx context.Context) error {
	if _, ok := sandboxes.Load(w.search); ok {
		return nil
	}
	wrapper, err := findProgram(bubblewrap, "/", w.search)
	if err != nil {
		return errors.New("bubblewrap is not installed; on Debian and Ubuntu: apt-get install bubblewrap")
	}
	ctx, cancel := context.WithTimeout(ctx, sandboxTrial)
	defer cancel()
	args := slices.Concat(apart(false), walls{}.view(), []string{"--remount-ro", "/", "--", "/usr/bin/env", "true"})
	cmd := exec.CommandContext(ctx, wrapper, args...)
	cmd.Env = []string{"LC_ALL=C.UTF-8"}
	said, err := cmd.CombinedOutput()
	if err != nil {
		text := cmp.Or(strings.TrimSpace(string(bytes.ToValidUTF8(said, nil))), err.Error())
		return fmt.Errorf("bubblewrap can't make a sandbox here (%s); in a container, allow it user namespaces", head(text, 400))
	}
	sandboxes.Store(w.search, true)
	return nil
}
