package devserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func TestHome(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("has other directories")
	}
	for name, test := range map[string]struct {
		rlam, xdg, want string
	}{
		"RLAM_HOME":                {"/r", "/x", "/r"},
		"XDG_DATA_HOME":            {"", "/x", "/x/rlam"},
		"relative XDG_DATA_HOME":   {"", "x", "/h/.local/share/rlam"},
		"the user's home is last":  {"", "", "/h/.local/share/rlam"},
		"RLAM_HOME is made plain":  {"/r/../s", "", "/s"},
		"RLAM_HOME alone suffices": {"/r", "", "/r"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("RLAM_HOME", test.rlam)
			t.Setenv("XDG_DATA_HOME", test.xdg)
			t.Setenv("HOME", "/h")
			if got, err := Home(); err != nil || got != test.want {
				t.Errorf("Home is %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestProcessIdentity(t *testing.T) {
	own, err := processStart(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if again, err := processStart(os.Getpid()); err != nil || again != own {
		t.Errorf("this process started at %q and at %q, %v", own, again, err)
	}
	if !(record{PID: os.Getpid(), Start: own}).alive() {
		t.Error("this process is not alive")
	}
	if (record{PID: os.Getpid(), Start: own + "0"}).alive() || (record{PID: os.Getpid()}).alive() {
		t.Error("another process's start counts as this one's")
	}

	// A process that was killed and not yet reaped is not alive.
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.timeout=1m")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	eventually(t, "the unreaped process counts as ended", func() bool {
		_, err := processStart(pid)
		return err != nil
	})
	_ = cmd.Wait()
}

func TestUnreadableRecordIsNoServer(t *testing.T) {
	home := t.TempDir()
	d, err := stateBelow(home)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.make(); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{", `{"pid":"x"}`} {
		if err := os.WriteFile(d.recordFile(), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if rec, err := d.read(); err != nil || rec != (record{}) {
			t.Errorf("record %q: %+v, %v", content, rec, err)
		}
	}
}

func TestRunningMakesNothing(t *testing.T) {
	home := filepath.Join(t.TempDir(), "home")
	if _, err := Running(home); err == nil {
		t.Error("a server runs below an empty home")
	}
	if _, err := os.Stat(home); err == nil {
		t.Error("asking made the home")
	}
}

func TestKeptPortIsGivenUpOnlyWhenTaken(t *testing.T) {
	free, err := choosePort(t.Context(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := choosePort(t.Context(), free, 0); err != nil || got != free {
		t.Errorf("a free port %d became %d, %v", free, got, err)
	}
	if got, err := choosePort(t.Context(), free, free); err != nil || got == free {
		t.Errorf("frontend and UI share the port %d, %v", got, err)
	}
}
