package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"rlam/provenance/attest"
	"rlam/provenance/bundle"
	"rlam/provenance/verify"
	"rlam/worker/host"
)

// verifyOptions are the flags of verify.
type verifyOptions struct {
	keys     []string
	reveal   []string
	unsigned bool
}

func newVerifyCommand(a *app) *cobra.Command {
	var o verifyOptions
	c := &cobra.Command{
		Use: "verify BUNDLE [--key FILE]...", Short: "Check that a bundle is what was recorded",
		Long: `Check that a bundle is what was recorded: a run that export wrote, as a zip
archive or unpacked. It works offline, needs no server and no account, executes
nothing of the bundle, and changes nothing.

Each line is a check: whether the archive is safe; whether its files are those
that its manifests list; whether the manifests are signed; whether each record
follows from the one before it; whether everything that the records name is
there; whether history, records and journal tell of the same run; whether the
gates judge again as they did; whether the workflow's code decides again as it
did; how much is on record; and what was left out.

The signature is checked against the public keys that you give with --key, which
you have from their owners. Without --key it is checked against the key that
came with the bundle, and that shows only that the bundle is consistent: whoever
made it could have signed it.

The exit code is 12 if something was changed or is missing, and also if a newer
version of R-LAM is needed to say.`,
		Example: "  starter verify run.zip\n  starter verify run.zip --key lab.key.pub\n  starter verify run.zip --reveal output.json",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return runVerify(c.Context(), a, args[0], o) },
	}
	c.Flags().StringArrayVar(&o.keys, "key", nil, "`FILE` of a public key that you trust; one of several is enough")
	c.Flags().StringArrayVar(&o.reveal, "reveal", nil, "`FILE` of a content that the bundle withholds: check that it is what was recorded")
	c.Flags().BoolVar(&o.unsigned, "unsigned", false, "take a bundle without a signature")
	return c
}

// checkMessage is one check of a bundle.
type checkMessage struct{ verify.Check }

func (checkMessage) MessageType() string { return "check" }

// revealMessage says what a content is that was shown beside the bundle.
type revealMessage struct {
	File string `json:"file"`
	verify.Revealed
}

func (revealMessage) MessageType() string { return "revealed" }

// verdictMessage is what all checks came to.
type verdictMessage struct {
	Bundle string `json:"bundle"`
	Run    string `json:"run,omitempty"`
	Status string `json:"status,omitempty"`
	verify.Verdict
}

func (verdictMessage) MessageType() string { return "verdict" }

func runVerify(ctx context.Context, a *app, path string, o verifyOptions) error {
	var trusted []*attest.PublicKey
	for _, file := range o.keys {
		key, err := publicKey(file)
		if err != nil {
			return err
		}
		trusted = append(trusted, key)
	}
	for _, file := range o.reveal {
		if _, err := os.Stat(file); err != nil {
			return badUsage("reading what is revealed: %w", err)
		}
	}
	b, archive, err := verify.Open(ctx, path, bundle.Limits{})
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no file %q: name a bundle, such as starter export RUN -o run.zip writes", path)
	}
	if err != nil {
		return &codedError{code: exitNotFound, err: err}
	}
	a.printer.Print(checkMessage{archive})
	if b == nil {
		m := verdictMessage{Bundle: path, Verdict: verify.Closed(archive)}
		a.printer.Print(m)
		return &codedError{code: exitUnverified}
	}
	defer b.Close()
	in, err := verify.Of(ctx, b)
	if err != nil {
		return err
	}
	in.Trusted, in.Unsigned = trusted, o.unsigned
	in.Code, in.Judge, in.Step = replayer(), host.Rejudge, host.StepDigest
	verdict, err := verify.Verify(ctx, in, func(c verify.Check) { a.printer.Print(checkMessage{c}) })
	if err != nil {
		return err
	}
	var others error
	for _, file := range o.reveal {
		m, err := revealed(in, file)
		if err != nil {
			return err
		}
		if m.What == "" {
			others = errors.Join(others, fmt.Errorf("%q is not what the run has", m.File))
		}
		a.printer.Print(m)
	}
	a.printer.Print(verdictMessage{Bundle: path, Run: in.Claims.WorkflowID, Status: in.Claims.Status, Verdict: verdict})
	if !verdict.Good() || others != nil {
		return &codedError{code: exitUnverified, err: others}
	}
	return nil
}

// publicKey reads a public key, and the public half of a private one where somebody gave that.
func publicKey(file string) (*attest.PublicKey, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, badUsage("reading the public key %q: %w", file, err)
	}
	key, err := attest.ParsePublicKey(text)
	if err == nil {
		return key, nil
	}
	if private, privateErr := attest.ParseKey(text); privateErr == nil {
		return private.Public(), nil
	}
	return nil, badUsage("reading the public key %q: %w; starter keygen writes one beside each private key, FILE.pub", file, err)
}

// maxReveal bounds a file that is shown beside a bundle.
const maxReveal = 1 << 30

func revealed(in verify.Input, file string) (revealMessage, error) {
	f, err := os.Open(file)
	if err != nil {
		return revealMessage{}, badUsage("reading what is revealed: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxReveal+1))
	if err == nil && len(b) > maxReveal {
		err = fmt.Errorf("it has more than %d bytes", maxReveal)
	}
	if err != nil {
		return revealMessage{}, fmt.Errorf("reading %q, which is to be revealed: %w", file, err)
	}
	return revealMessage{File: file, Revealed: in.Reveal(b)}, nil
}
