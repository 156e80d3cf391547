package scripted

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Entry is a line of the log: one request, and what was answered. It is written
// before the answer is sent, so a line stands for a request that arrived, whether
// or not its client lived to see the answer.
type Entry struct {
	Time     time.Time `json:"time"`
	Model    string    `json:"model"`   // of the scenario
	Request  string    `json:"request"` // digest of the body
	Bytes    int       `json:"bytes"`
	Messages int       `json:"messages"`
	Turn     int       `json:"turn"`
	Tools    int       `json:"tools"`
	Stream   bool      `json:"stream,omitempty"`

	Rule   int    `json:"rule,omitempty"` // counted from 1; 0 if none answered
	Name   string `json:"name,omitempty"` // of the rule
	Fault  string `json:"fault,omitempty"`
	Status int    `json:"status"` // 0 if not even a status is sent
	Error  string `json:"error,omitempty"`

	Answer     json.RawMessage `json:"answer,omitempty"` // the assistant message
	Finish     string          `json:"finish,omitempty"` // its finish reason
	Prompt     int             `json:"prompt_tokens,omitempty"`
	Completion int             `json:"completion_tokens,omitempty"`
	NotOffered []string        `json:"not_offered,omitempty"` // tools that were called though the request has none such
	Body       string          `json:"body,omitempty"`        // with [Options.LogBodies]
}

// append writes e in one piece, so that several servers can share a file.
func (e *Entry) append(to io.Writer) error {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = to.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("logging a request: %w", err)
	}
	return nil
}

// ReadLog reads what servers wrote to the file at path, oldest first. A file that no
// server has opened yet is an error.
func ReadLog(path string) ([]Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading log of a scripted model: %w", err)
	}
	defer f.Close()
	var entries []Entry
	for d := json.NewDecoder(f); ; {
		var e Entry
		switch err := d.Decode(&e); err {
		case nil:
			entries = append(entries, e)
		case io.EOF:
			return entries, nil
		default:
			return entries, fmt.Errorf("reading log %q: entry %d: %w", path, len(entries)+1, err)
		}
	}
}
