//go:build linux || darwin

package executor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"rlam/activities/executor"
	"rlam/internal/store"
)

// programVariable makes the test binary the program under test.
const programVariable = "EXECUTOR_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) == "" {
		os.Exit(m.Run())
	}
	os.Exit(program(os.Args[1], os.Args[2:]))
}

// program is what the tests run: one of many small programs, by name.
func program(name string, args []string) int {
	write := func(file, text string) { os.WriteFile(file, []byte(text), 0o600) }
	switch name {
	case "describe": // says what it was given
		params, _ := os.ReadFile("params.json")
		dir, _ := os.Getwd()
		stdin := make([]byte, 1)
		n, _ := os.Stdin.Read(stdin)
		_, tty := os.Open("/dev/tty")
		out, _ := json.Marshal(map[string]any{
			"args": args, "params": json.RawMessage(params), "env": os.Environ(), "dir": dir, "stdin": n, "terminal": tty == nil,
			"leads": syscall.Getpgrp() == os.Getpid(),
		})
		write("result.json", string(out))
	case "result":
		write("result.json", args[0])
	case "copy": // an input to an output
		b, err := os.ReadFile(args[0])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		os.Mkdir("out", 0o700)
		write("out/copy.csv", string(b))
		write("result.json", `{"file":"out/copy.csv","again":"out/copy.csv","note":"out/copy.csv"}`)
	case "link":
		os.Symlink(args[0], "link")
		os.Symlink(".", "folder")
		syscall.Mkfifo("pipe", 0o600)
		write("real.txt", "x")
		write("result.json", `{"file":"`+args[1]+`"}`)
	case "link result":
		write("elsewhere", `{}`)
		os.Symlink("elsewhere", "result.json")
	case "fail":
		fmt.Fprint(os.Stderr, args[1])
		if args[0] != "" {
			write("error.json", args[0])
		}
		write("result.json", `{"so_far":1}`)
		return len(args) - 1
	case "print":
		line := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
		for range 100 {
			os.Stdout.Write(line)
		}
		write("result.json", `{}`)
	case "echo variable":
		for _, b := range []byte("<" + os.Getenv(args[0]) + ">") { // in pieces
			os.Stderr.Write([]byte{b})
		}
		write("error.json", `{"type":"lab.Denied","message":"token `+os.Getenv(args[0])+`"}`)
		return 1
	case "tree": // children in the group, out of the group, deaf and with the environment wiped
		return family(args[0], args[1] == "stay")
	case "leaf":
		if args[1] == "deaf" {
			signal.Ignore(syscall.SIGTERM)
		}
		c, err := net.Dial("unix", args[0])
		if err != nil {
			return 1
		}
		fmt.Fprintln(c, os.Getpid())
		c.Read(make([]byte, 1)) // for ever
	case "worker": // a worker that starts a command, tells its handle, and lives on
		s, err := executor.New(executor.Config{Blobs: &store.Mem{}})
		if err != nil {
			return 1
		}
		h, err := s.Start(context.Background(), executor.Task{Dir: args[1], Binding: self("tree", args[0], "stay"), Params: json.RawMessage(`{}`)})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		json.NewEncoder(os.Stdout).Encode(h)
		select {}
	}
	return 0
}

// family starts leaves, each of which connects to the socket and stays.
func family(socket string, stay bool) int {
	exe, _ := os.Executable()
	var leaves []*exec.Cmd
	for _, kind := range []string{"heeding", "deaf", "session", "wiped"} {
		c := exec.Command(exe, "leaf", socket, kind)
		switch kind {
		case "session":
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		case "wiped":
			c.Env = []string{programVariable + "=1"}
		}
		if c.Start() != nil {
			return 1
		}
		leaves = append(leaves, c)
	}
	if stay {
		for _, c := range leaves {
			c.Wait()
		}
		select {}
	}
	os.WriteFile("result.json", []byte(`{}`), 0o600)
	return 0
}
