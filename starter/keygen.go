package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"rlam/provenance/attest"
)

// keygenOptions are the flags of keygen.
type keygenOptions struct{ out, typ string }

func newKeygenCommand(a *app) *cobra.Command {
	var o keygenOptions
	c := &cobra.Command{
		Use: "keygen", Short: "Make a key that signs what is exported",
		Long: `Make a key that signs what is exported.

The private key is written to FILE, for its owner alone, and the public one to
FILE.pub. A file that is there is never overwritten. Without -o it is the key that
export signs with by default, below RLAM_HOME.

Hand the public key, or its id, to those who will verify, by another way than the
bundles: the key within a bundle shows only that the bundle is consistent.`,
		Example: "  starter keygen\n  starter keygen -o lab.key --type ed25519",
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runKeygen(a, o) },
	}
	c.Flags().StringVarP(&o.out, "output", "o", "", "`FILE` of the private key")
	c.Flags().StringVar(&o.typ, "type", string(attest.P256), "`ALGORITHM`: p256 or ed25519")
	return c
}

// keyMessage says where a key is.
type keyMessage struct {
	ID      string         `json:"id"`
	Type    attest.KeyType `json:"type"`
	Private string         `json:"private"`
	Public  string         `json:"public"`
}

func (keyMessage) MessageType() string { return "key" }

func runKeygen(a *app, o keygenOptions) error {
	typ := attest.KeyType(o.typ)
	if typ != attest.P256 && typ != attest.Ed25519 {
		return badUsage("making a key: --type is %q, want %q or %q", o.typ, attest.P256, attest.Ed25519)
	}
	path := o.out
	if path == "" {
		var err error
		if path, err = a.defaultKey(); err != nil {
			return err
		}
	}
	m, err := makeKey(path, typ)
	if err != nil {
		return err
	}
	a.printer.Print(m)
	return nil
}

// defaultKey is the file of the key that export signs with where it is given none.
func (a *app) defaultKey() (string, error) {
	home, err := a.home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, "keys", "signing.key"), nil
}

// signingKey reads the private key in a file, or the default one, which is made if it
// isn't there.
func (a *app) signingKey(path string) (*attest.Key, error) {
	if path != "" {
		return readKey(path)
	}
	path, err := a.defaultKey()
	if err != nil {
		return nil, err
	}
	key, err := readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	made, err := makeKey(path, attest.P256)
	if err != nil {
		return nil, err
	}
	a.notef("Made a key to sign with, %s. Reviewers need its public half, %s, by another way than the bundle.", short(made.Private), short(made.Public))
	return readKey(path)
}

func readKey(path string) (*attest.Key, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key %q: %w", path, err)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, fmt.Errorf("reading the key %q: others may read it (its mode is %#o); make another one, or: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key %q: %w", path, err)
	}
	key, err := attest.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("reading the key %q: %w", path, err)
	}
	return key, nil
}

// makeKey writes a new key and its public half, and nothing if one of them is there.
func makeKey(path string, typ attest.KeyType) (keyMessage, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return keyMessage{}, fmt.Errorf("making the key %q: %w", path, err)
	}
	key, err := attest.NewKey(typ)
	if err != nil {
		return keyMessage{}, err
	}
	text, err := key.PEM()
	if err != nil {
		return keyMessage{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return keyMessage{}, fmt.Errorf("making the key %q: %w", path, err)
	}
	public := path + ".pub"
	for _, f := range []string{path, public} {
		if _, err := os.Lstat(f); err == nil {
			return keyMessage{}, fmt.Errorf("making the key %q: %q is there, and a key is never overwritten; give another name with -o", path, f)
		}
	}
	if err := writeNew(path, text, 0o600); err != nil {
		return keyMessage{}, fmt.Errorf("making the key %q: %w", path, err)
	}
	if err := writeNew(public, key.Public().PEM(), 0o644); err != nil {
		return keyMessage{}, fmt.Errorf("making the key %q: %w", path, err)
	}
	return keyMessage{ID: key.Public().ID.String(), Type: typ, Private: path, Public: public}, nil
}

// writeNew writes a file that isn't there.
func writeNew(path string, b []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// key writes where a key is.
func (p *textPrinter) key(m keyMessage) {
	p.pairs("private", short(m.Private), "public", short(m.Public), "key id", m.ID)
}
