package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
)

// downloadedName is the name, in programDir, of the SDK's download.
const downloadedName = "temporal-for-sdk-" + temporal.SDKVersion

// downloadStall is how long the download may go without a byte, the first one
// included. A machine without a network must not wait longer than this.
const downloadStall = 20 * time.Second

// errStalled is why a download was given up.
var errStalled = fmt.Errorf("nothing arrived for %v", downloadStall)

// download has the SDK fetch the release that it was made for.
//
// The SDK would keep it in the system's directory for temporary files, under a
// name that any user of the machine could have taken first; programDir is ours.
func download(ctx context.Context, o Options) (string, error) {
	dir, err := programDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making %q: %w", dir, err)
	}
	// A directory of its own: the SDK leaves its part behind when it is
	// interrupted, and two commands may be at it.
	tmp, err := os.MkdirTemp(dir, "download-")
	if err != nil {
		return "", fmt.Errorf("downloading Temporal: %w", err)
	}
	defer os.RemoveAll(tmp)

	o.note("downloading Temporal's command line, once")
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go watchStall(ctx, cancel, tmp)
	_, err = testsuite.StartDevServer(ctx, testsuite.DevServerOptions{
		CachedDownload: testsuite.CachedDownload{DestDir: tmp},
		// The SDK downloads first and then reads the address. One without a port
		// makes it stop there: the download is wanted, and not its server.
		ClientOptions: &client.Options{HostPort: host, Logger: silent{}},
	})
	found, globErr := filepath.Glob(filepath.Join(tmp, executable("temporal-cli-go-sdk-*")))
	if globErr != nil || len(found) != 1 {
		if context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return "", fmt.Errorf("downloading Temporal: %w", err)
	}
	path := filepath.Join(dir, executable(downloadedName))
	if err := os.Rename(found[0], path); err != nil {
		return "", fmt.Errorf("keeping the downloaded program: %w", err)
	}
	return path, nil
}

// watchStall ends the download when the files in dir stop growing.
func watchStall(ctx context.Context, end context.CancelCauseFunc, dir string) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	size, since := int64(0), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now, err := sizeOf(dir); err == nil && now != size {
			size, since = now, time.Now()
		}
		if time.Since(since) >= downloadStall {
			end(errStalled)
			return
		}
	}
}

func sizeOf(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	var size int64
	for _, e := range entries {
		info, statErr := e.Info()
		if statErr != nil {
			return 0, errors.Join(err, statErr)
		}
		size += info.Size()
	}
	return size, err
}
