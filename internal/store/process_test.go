package store_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rlam/internal/canon"
	"rlam/internal/store"
)

// childEnv makes the test binary a process that uses the store in os.Args[1].
const childEnv = "RLAM_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	role := os.Getenv(childEnv)
	if role == "" {
		os.Exit(m.Run())
	}
	if err := child(role, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const raceKeys = 40

// child prints a line for each thing that the store has confirmed.
func child(role, dir, name string) error {
	ctx := context.Background()
	f, err := store.OpenFolder(dir)
	if err != nil {
		return err
	}
	switch role {
	case "race": // puts the keys that the others put
		fmt.Println("ready")
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return err
		}
		for k := range raceKeys {
			current, stored, err := store.PutIfAbsent(ctx, f, fmt.Sprintf("race/%d", k), []byte(name), []byte("shared"))
			if err != nil {
				return err
			}
			fmt.Println(k, stored, string(current))
		}
	case "commit": // commits until it is killed
		for i := 0; ; i++ {
			blob := fmt.Appendf(nil, "blob %s.%d %s", name, i, strings.Repeat("x", i%5000))
			key := fmt.Sprintf("journal/%s/%d", name, i)
			if _, stored, err := store.PutIfAbsent(ctx, f, key, []byte(canon.Sum(blob).String()), blob); err != nil || !stored {
				return fmt.Errorf("%v %w", stored, err)
			}
			fmt.Println(key)
		}
	case "lock": // holds a lock until it is killed
		if _, err := f.Lock(ctx, name); err != nil {
			return err
		}
		fmt.Println("locked")
		_, err := io.Copy(io.Discard, os.Stdin) // a program in which nothing can go on ends by itself
		return err
	}
	return nil
}

// start starts a child, which is killed when the test ends.
func start(t *testing.T, role, dir, name string) (cmd *exec.Cmd, in *os.File, out *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	stdin, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	cmd = exec.Command(self, dir, name)
	cmd.Env = append(os.Environ(), childEnv+"="+role)
	cmd.Stdin = stdin
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Process.Kill()
		cmd.Wait()
		if stderr.Len() > 0 {
			t.Errorf("child %s: %s", name, &stderr)
		}
	})
	return cmd, in, bufio.NewScanner(pipe)
}

func TestProcessesAgreeOnAWinner(t *testing.T) {
	dir := t.TempDir() // the children make the store, at the same time
	const processes = 4
	var outs [processes]*bufio.Scanner
	var ins [processes]*os.File
	for p := range processes {
		_, ins[p], outs[p] = start(t, "race", dir, fmt.Sprint("p", p))
	}
	for _, out := range outs {
		if !out.Scan() {
			t.Fatal("a child has ended")
		}
	}
	for _, in := range ins {
		fmt.Fprintln(in, "go")
	}
	won, value := map[string]int{}, map[string]string{}
	for p, out := range outs {
		n := 0
		for ; out.Scan(); n++ {
			f := strings.Fields(out.Text())
			if f[1] == "true" {
				won[f[0]]++
			}
			if v, ok := value[f[0]]; ok && v != f[2] {
				t.Errorf("key %s has %q for one process and %q for another", f[0], v, f[2])
			}
			value[f[0]] = f[2]
		}
		if n != raceKeys {
			t.Errorf("process %d reports %d keys; want %d", p, n, raceKeys)
		}
	}
	f := openFolder(t, dir)
	for k := range raceKeys {
		v, err := f.Entry(t.Context(), fmt.Sprintf("race/%d", k))
		if err != nil || won[fmt.Sprint(k)] != 1 || string(v) != value[fmt.Sprint(k)] {
			t.Errorf("key %d: %d winners, %q, %v", k, won[fmt.Sprint(k)], v, err)
		}
	}
}

// TestKilledProcesses kills writers at any moment: what they had reported is
// there, and what is there is whole.
func TestKilledProcesses(t *testing.T) {
	dir := t.TempDir()
	reported := map[string]bool{}
	for round := range 5 {
		cmd, _, out := start(t, "commit", dir, fmt.Sprint(round))
		for n := 1 + rand.IntN(60); n > 0 && out.Scan(); n-- {
			reported[out.Text()] = true
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for out.Scan() { // what it reported before it died
			reported[out.Text()] = true
		}
	}
	f := openFolder(t, dir)
	found := 0
	for key, err := range f.List(t.Context(), "journal/") {
		if err != nil {
			t.Fatal(err)
		}
		v, err := f.Entry(t.Context(), key)
		if err != nil {
			t.Error(err)
			continue
		}
		d, err := canon.Parse(string(v))
		if err != nil {
			t.Errorf("entry %q has %q", key, v)
		}
		if _, err := store.Read(t.Context(), f, d, 1<<20); err != nil {
			t.Errorf("the blob of entry %q: %v", key, err)
		}
		if reported[key] {
			found++
		}
	}
	if found != len(reported) || found < 5 {
		t.Errorf("%d of %d reported entries are there", found, len(reported))
	}
}

func TestALockEndsWithItsProcess(t *testing.T) {
	f := openFolder(t, t.TempDir())
	cmd, _, out := start(t, "lock", f.Dir(), "run/1")
	if !out.Scan() {
		t.Fatal("the child has ended")
	}
	short, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Lock(short, "run/1"); err == nil {
		t.Error("the lock was given to two processes")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	unlock, err := f.Lock(t.Context(), "run/1")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if left := files(t, f, "locks"); len(left) > 0 {
		t.Errorf("left in locks: %q", left)
	}
}
