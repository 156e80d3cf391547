package subject

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Variable names the folder of [Outside] in the environment of a worker and of the
// programs that it starts. (Names that begin with RLAM_ are the engine's own: it passes none of them on.)
const Variable = "FAULTS_OUTSIDE"

// Outside is a folder that R-LAM doesn't know. What the actions did is counted there,
// and tests tell them there to go on.
type Outside string

// Effect is a line that an action wrote about itself.
type Effect struct {
	Event string `json:"event"` // "begin", "end", or "alive" of a process that a program left behind
	Label string `json:"label"` // the parameter that tells calls apart
	PID   int    `json:"pid"`
	Key   string `json:"key,omitempty"` // RLAM_IDEMPOTENCY_KEY, of a program
}

func (o Outside) effects() string { return filepath.Join(string(o), "effects.jsonl") }

// Note writes one line, in one piece, so that several processes can share the file.
func (o Outside) Note(e Effect) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(o.effects(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("writing an effect: %w", err)
	}
	defer f.Close()
	_, err = f.Write(append(line, '\n'))
	return err
}

// Effects reads what was written so far, oldest first.
func (o Outside) Effects() ([]Effect, error) {
	f, err := os.Open(o.effects())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []Effect
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var e Effect
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return all, fmt.Errorf("reading effect %d, %q: %w", len(all)+1, lines.Text(), err)
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// gate is the file that lets the actions of a label go on.
func (o Outside) gate(label string) string { return filepath.Join(string(o), "go."+label) }

// Open lets the actions of a label go on, those to come included.
func (o Outside) Open(label string) error { return os.WriteFile(o.gate(label), nil, 0o644) }

// await returns when the label's gate is open, or when done is closed.
func (o Outside) await(done <-chan struct{}, label string) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(o.gate(label)); err == nil {
			return true
		}
		select {
		case <-done:
			return false
		case <-tick.C:
		}
	}
}
