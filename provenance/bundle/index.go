package bundle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// readIndex reads the index, and checks that it can be what it says. What it lists is taken
// in one blob and one entry after the other; b.Index has the rest of it.
func (b *Bundle) readIndex(ctx context.Context) error {
	if _, _, there := b.files.size(payloadDir + IndexFile); !there {
		return fmt.Errorf("it is no bundle of R-LAM: there is no %q", payloadDir+IndexFile)
	}
	err := b.indexMembers(func(name string, dec *jsontext.Decoder) error {
		if strings.EqualFold(name, "format") {
			return value(dec, &b.Index.Format)
		}
		return nil
	})
	if err == nil && b.Index.Format != Format {
		return b.formatError(ctx)
	}
	s := &kept{bundle: b}
	if err == nil {
		err = b.indexMembers(s.member)
	}
	if err == nil {
		err = s.close()
	}
	if err != nil {
		return fmt.Errorf("reading %q: %w", payloadDir+IndexFile, err)
	}
	b.Store = s
	return nil
}

// formatError is why an index of another format isn't read: it was damaged, if the manifest
// has another SHA-512 of it, and else it is of another version.
func (b *Bundle) formatError(ctx context.Context) error {
	size, _, _ := b.files.size(payloadDir + IndexFile)
	for line := range b.manifest(manifestFile) {
		if line.path != payloadDir+IndexFile {
			continue
		}
		var damage error
		err := b.compare(ctx, line, size, func(file, format string, args ...any) {
			damage = fmt.Errorf("reading %q: %s", file, fmt.Sprintf(format, args...))
		})
		if err = cmp.Or(err, damage); err != nil {
			return err
		}
	}
	return &FormatError{b.Index.Format}
}

// indexMembers calls member at the value of each member of the index, and skips what that
// doesn't read.
func (b *Bundle) indexMembers(member func(name string, dec *jsontext.Decoder) error) error {
	f, err := b.stream(payloadDir+IndexFile, maxIndex)
	if err != nil {
		return err
	}
	defer f.Close()
	dec := jsontext.NewDecoder(f, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '{' {
		return errors.Join(err, errors.New("it is no JSON object"))
	}
	for dec.PeekKind() == '"' {
		t, err := dec.ReadToken()
		if err != nil {
			return err
		}
		at := dec.InputOffset()
		if err := member(t.String(), dec); err != nil {
			return err
		}
		if dec.InputOffset() == at {
			if err := dec.SkipValue(); err != nil {
				return err
			}
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.Join(err, errors.New("something follows its object"))
	}
	return nil
}

// value reads the next value into v.
func value(dec *jsontext.Decoder, v any) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, v)
}

// each calls take with each value of an array; null has none.
func each[T any](dec *jsontext.Decoder, take func(T) error) error {
	if dec.PeekKind() == 'n' {
		return dec.SkipValue()
	}
	if t, err := dec.ReadToken(); err != nil || t.Kind() != '[' {
		return errors.Join(err, errors.New("what it lists is no array"))
	}
	for dec.PeekKind() != ']' {
		var one T
		if err := value(dec, &one); err != nil {
			return err
		}
		if err := take(one); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// member takes in a member of the index, and refuses one that contradicts the files.
func (k *kept) member(name string, dec *jsontext.Decoder) error {
	x := &k.bundle.Index
	switch strings.ToLower(name) {
	case "engine":
		return value(dec, &x.Engine)
	case "run":
		return value(dec, &x.Run)
	case "absent":
		return value(dec, &x.Absent)
	case "blobs":
		return each(dec, k.blob)
	case "entries":
		return each(dec, k.entry)
	}
	return nil
}
