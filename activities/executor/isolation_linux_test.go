package executor_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/canon"
	"rlam/internal/store"
	"rlam/schemas"
	"rlam/test/need"
)

// shell is a task that runs a script, which says "got it" in the file "got" if it could do
// what it must not.
func shell(t *testing.T, script string) executor.Task {
	task := command(t, `{}`)
	task.Binding = schemas.Binding{Command: &schemas.Command{Argv: []string{"bash", "-c", "echo {} >result.json\n" + script}}}
	return task
}

// got says what a task's script wrote at a level of isolation.
func got(t *testing.T, c executor.Config, level schemas.Isolation, task executor.Task) string {
	t.Helper()
	c.Isolation = level
	if _, f := outcome(t, newSet(t, c), task); f != nil {
		t.Fatalf("%s: %v\n%s", level, f, f.Stderr)
	}
	text, err := os.ReadFile(filepath.Join(task.Dir, "work", "got"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestSandboxHolds has a hostile program do each thing where nothing keeps it from it, and
// then in a sandbox.
func TestSandboxHolds(t *testing.T) {
	t.Parallel()
	need.Program(t, "bwrap")
	need.Need(t, "root", os.Getuid() == 0) // so that without walls nothing is beyond it
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("of another attempt"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	abstract, err := net.Listen("unix", "@rlam-test-"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { abstract.Close() })
	queue := fmt.Sprintf("0x%x", os.Getpid())
	for name, script := range map[string]string{
		"reading a password's hash":       `head -c 1 /etc/shadow && echo got it >got`,
		"reading another attempt":         `cat ` + outside + `/secret && echo got it >got`,
		"listing the folder above":        `ls ../.. | grep -v attempt && echo got it >got; ls -d ` + outside + ` && echo got it >got`,
		"the worker's environment":        fmt.Sprintf(`head -c 1 /proc/%d/environ && echo got it >got`, os.Getpid()),
		"the worker's open files":         fmt.Sprintf(`ls /proc/%d/fd && echo got it >got`, os.Getpid()),
		"signalling the worker":           fmt.Sprintf(`kill -0 %d && echo got it >got`, os.Getpid()),
		"writing beside its folder":       `touch ` + outside + `/mark && echo got it >got`,
		"writing to the system":           `touch /usr/.rlam-test && rm /usr/.rlam-test && echo got it >got`,
		"writing at the root":             `touch /.rlam-test && rm /.rlam-test && echo got it >got`,
		"the machine's loopback":          `exec 9<>/dev/tcp/127.0.0.1/` + port + ` && echo got it >got`,
		"an abstract socket":              `python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).connect("\0rlam-test-` + port + `")' && echo got it >got`,
		"shared memory":                   `ipcmk -M 64 -p 0600 >id && ipcrm -m $(tr -dc 0-9 <id) && test "$(readlink /proc/self/ns/ipc)" = "` + namespace(t, "ipc") + `" && echo got it >got`,
		"the machine's name":              `hostname | grep -qx "$(cat <<<'` + hostname(t) + `')" && echo got it >got`,
		"namespaces of its own":           `unshare -Ur true && echo got it >got`,
		"mounting":                        `mkdir m && mount -t tmpfs none m && echo got it >got && umount m`,
		"devices":                         `test -e /dev/kmsg && echo got it >got`,
		"what it was given":               `chmod u+w params.json; echo '{}' >>params.json && echo got it >got`,
		"a file left in /tmp" + queue[2:]: `touch /tmp/rlam-test-` + queue + ` && mv /tmp/rlam-test-` + queue + ` ` + outside + ` && echo got it >got`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if said := got(t, executor.Config{}, schemas.IsolationNone, shell(t, script+"\ntrue")); said != "got it" {
				t.Errorf("where nothing keeps it from it, it can't either: the test shows nothing")
			}
			if said := got(t, executor.Config{}, schemas.IsolationSandbox, shell(t, script+"\ntrue")); said != "" {
				t.Errorf("in a sandbox it says %q", said)
			}
		})
	}
}

func namespace(t *testing.T, kind string) string {
	name, err := os.Readlink("/proc/self/ns/" + kind)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func hostname(t *testing.T) string {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// What a study's files say of the network, of folders and of variables holds in a sandbox.
func TestSandboxShowsWhatItShould(t *testing.T) {
	t.Parallel()
	need.Program(t, "bwrap")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	task := shell(t, `exec 9<>/dev/tcp/127.0.0.1/`+port+` && echo got it >got`)
	task.Network = true
	if said := got(t, executor.Config{}, schemas.IsolationSandbox, task); said != "got it" {
		t.Errorf("with the network it says %q", said)
	}

	shared := t.TempDir()
	hidden := filepath.Join(shared, "store")
	if err := os.MkdirAll(hidden, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{filepath.Join(shared, "data"), filepath.Join(hidden, "blob")} {
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	task = shell(t, `ls `+shared+` `+hidden+` >got; touch `+shared+`/new `+hidden+`/new; true`)
	task.Dir = filepath.Join(hidden, "attempts", "one")
	c := executor.Config{Readable: []string{shared}, Hidden: []string{hidden}}
	said := got(t, c, schemas.IsolationSandbox, task)
	if want := shared + ":\ndata\nstore\n\n" + hidden + ":\nattempts"; said != want {
		t.Errorf("it sees %q, want %q", said, want)
	}
	for _, file := range []string{filepath.Join(shared, "new"), filepath.Join(hidden, "new")} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("it wrote %s", file)
		}
	}
}

// A variable of the action's must not reach what stands outside of the walls: the library
// that it names would run there.
func TestWallsComeBeforeTheActionsVariables(t *testing.T) {
	t.Parallel()
	need.Program(t, "bwrap")
	for _, level := range []schemas.Isolation{schemas.IsolationProcess, schemas.IsolationSandbox} {
		task := shell(t, `echo $LD_DEBUG_OUTPUT >got`)
		trace := filepath.Join(t.TempDir(), "trace")
		task.Binding.Command.Env = map[string]string{"LD_DEBUG": "libs", "LD_DEBUG_OUTPUT": trace}
		if said := got(t, executor.Config{}, level, task); said != trace {
			t.Fatalf("%s: the program got %q", level, said)
		}
		logs, err := filepath.Glob(trace + "*")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range logs {
			text, err := os.ReadFile(name)
			if err != nil || strings.Contains(string(text), "libselinux") || strings.Contains(string(text), "libcap.") {
				t.Errorf("%s: bubblewrap was started with the action's variables (%v)", level, err)
			}
		}
		if level == schemas.IsolationSandbox && len(logs) > 0 {
			t.Errorf("a trace was written outside: %q", logs)
		}
	}
}

// A program that forks twice, in a session of its own and without its mark, can't be
// found where it isn't in a namespace.
func TestNothingOutlivesASandbox(t *testing.T) {
	t.Parallel()
	need.Program(t, "bwrap")
	const script = `(env -i PATH=$PATH setsid bash -c 'echo $$ >pid; exec flock lock sleep 600' >/dev/null 2>&1 &)
		until [ -s pid ] && ! flock -n lock true; do sleep 0.01; done`
	for level, outlives := range map[schemas.Isolation]bool{schemas.IsolationProcess: true, schemas.IsolationSandbox: false} {
		task := shell(t, script)
		if _, f := outcome(t, newSet(t, executor.Config{Isolation: level}), task); f != nil {
			t.Fatal(f)
		}
		lock, err := os.Open(filepath.Join(task.Dir, "work", "lock"))
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Close()
		if outlives {
			if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EWOULDBLOCK) {
				t.Errorf("%s: nothing is left, %v: the test shows nothing", level, err)
			}
			text, _ := os.ReadFile(filepath.Join(task.Dir, "work", "pid"))
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
				syscall.Kill(-pid, syscall.SIGKILL)
			}
			continue
		}
		eventually(t, func() bool { return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil })
	}
}

func TestLimitsOfAProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script string
		with         func(*executor.Task)
	}{
		{"a large file", `head -c 20000 /dev/zero >f; [ $(wc -c <f) = 20000 ] && echo got it >got; true`, func(t *executor.Task) { t.FileSize = 10000 }},
		{"memory", `dd if=/dev/zero of=/dev/null bs=200M count=1 && echo got it >got; true`, func(t *executor.Task) { t.Memory = 64 << 20 }},
		{"a core dump", `ulimit -c unlimited && echo got it >got; true`, nil},
		{"privileges by setuid", `grep -q 'NoNewPrivs:.0' /proc/self/status && echo got it >got; true`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for level, want := range map[schemas.Isolation]string{schemas.IsolationNone: "got it", schemas.IsolationProcess: ""} {
				task := shell(t, c.script)
				if c.with != nil {
					c.with(&task)
				}
				if said := got(t, executor.Config{}, level, task); said != want {
					t.Errorf("%s: it says %q, want %q", level, said, want)
				}
			}
		})
	}
}

// TestNoPrivilegesBySetuid runs a program of root's as somebody else.
func TestNoPrivilegesBySetuid(t *testing.T) {
	t.Parallel()
	need.Need(t, "root", os.Getuid() == 0)
	setpriv := need.Program(t, "setpriv")
	dir, err := os.MkdirTemp("/var/tmp", "rlam-test-") // of tmpfs nobody knows how it is mounted
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	id, err := os.ReadFile("/usr/bin/id")
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(dir, "id")
	if err := errors.Join(os.WriteFile(tool, id, 0o755), os.Chmod(tool, 0o755|os.ModeSetuid), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	script := setpriv + ` --reuid=65534 --clear-groups ` + tool + ` -u >got`
	for level, want := range map[schemas.Isolation]string{schemas.IsolationNone: "0", schemas.IsolationProcess: "65534"} {
		if said := got(t, executor.Config{}, level, shell(t, script)); said != want {
			t.Errorf("%s: it is user %q, want %q", level, said, want)
		}
	}
}

func TestLevelIsTheStrongestThatIsAskedFor(t *testing.T) {
	t.Parallel()
	none, process, sandbox := schemas.IsolationNone, schemas.IsolationProcess, schemas.IsolationSandbox
	for _, c := range []struct{ worker, needs, want schemas.Isolation }{
		{"", "", process}, {none, "", none}, {none, process, process}, {process, none, process}, {"", sandbox, sandbox}, {sandbox, process, sandbox},
	} {
		if c.want == sandbox {
			need.Program(t, "bwrap")
		}
		s := newSet(t, executor.Config{Isolation: c.worker})
		task := shell(t, `true`)
		task.Isolation = c.needs
		h, err := s.Start(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Collect(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		env, err := s.Environment(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		if h.Isolation != c.want || env.Isolation != c.want || (env.Identity.Confinement == nil) != (c.want == none) {
			t.Errorf("worker %q, task %q: handle %q, environment %q %+v, want %q", c.worker, c.needs, h.Isolation, env.Isolation, env.Identity.Confinement, c.want)
		}
	}
}

// Where bubblewrap is missing, what needs a sandbox is refused with what to do, and not run.
func TestNoSandbox(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	task := shell(t, `true`)
	task.Isolation = schemas.IsolationSandbox
	s := newSet(t, executor.Config{Path: empty})
	for name, err := range map[string]error{
		"asked": second(s.Isolation(t.Context(), task)), "started": second(s.Start(t.Context(), task)), "described": second(s.Environment(t.Context(), task)),
	} {
		var f *executor.Failure
		if !errors.As(err, &f) || f.Type != executor.TypeNoIsolation && f.Type != executor.TypeNotStarted || name != "started" && !strings.Contains(f.Message, "apt-get install bubblewrap") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A program that the sandbox doesn't show, or can't execute, is told from one that fails.
func TestProgramsThatASandboxCantRun(t *testing.T) {
	t.Parallel()
	need.Program(t, "bwrap")
	s := newSet(t, executor.Config{Isolation: schemas.IsolationSandbox})
	_, f := outcome(t, s, command(t, `{}`, "result", `{}`)) // this test's own binary
	if f == nil || f.Type != executor.TypeNotStarted || !strings.Contains(f.Message, "--readable") {
		t.Errorf("a program out of sight: %v", f)
	}
	blobs := &store.Mem{}
	script, _, _ := blobs.Put(t.Context(), strings.NewReader("#!/no/such/interpreter\n"))
	task := shell(t, "")
	task.Binding.Command.Argv, task.Binding.Command.Files = []string{"./run"}, []string{"run"}
	task.Files = map[string]canon.Digest{"run": script}
	if _, f = outcome(t, newSet(t, executor.Config{Blobs: blobs, Isolation: schemas.IsolationSandbox}), task); f == nil || f.Type != executor.TypeNotStarted || !strings.Contains(f.Message, "No such file") {
		t.Errorf("a script without an interpreter: %v", f)
	}
	_, f = outcome(t, s, shell(t, `exit 3`))
	if f == nil || f.Type != executor.TypeExitStatus || *f.Exit != 3 {
		t.Errorf("status 3: %v", f)
	}
	_, f = outcome(t, s, shell(t, `kill -SEGV $$`))
	if f == nil || f.Type != executor.TypeExitStatus || *f.Exit != 139 || !strings.Contains(f.Message, "SIGSEGV") {
		t.Errorf("a crash: %v", f)
	}
}

// Cancelled, a program in a sandbox is asked before it is ended, as any other.
func TestCancelInASandbox(t *testing.T) {
	t.Parallel()
	need.Program(t, "bwrap")
	s := newSet(t, executor.Config{Isolation: schemas.IsolationSandbox})
	task := shell(t, `trap 'echo asked >got; exit 0' TERM; echo >ready; while :; do sleep 0.01; done`)
	h, err := s.Start(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { _, err := os.Stat(filepath.Join(task.Dir, "work", "ready")); return err == nil })
	if err := s.Cancel(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	_, err = s.Collect(t.Context(), h)
	var f *executor.Failure
	if !errors.As(err, &f) || f.Type != executor.TypeCancelled {
		t.Errorf("%v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(task.Dir, "work", "got")); strings.TrimSpace(string(text)) != "asked" {
		t.Errorf("it was not asked: %q", text)
	}
}
