package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"rlam/worker/host"
)

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { a.printer.Print(thisVersion()) },
	}
}

// version says what this program was built from.
type version struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	System   string `json:"system"`
	SDK      string `json:"temporal_sdk,omitempty"`
}

func (version) MessageType() string { return "version" }

func thisVersion() version {
	v := version{Version: host.Version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	for _, m := range info.Deps {
		if m.Path == "go.temporal.io/sdk" {
			v.SDK = m.Version
		}
	}
	return v
}
