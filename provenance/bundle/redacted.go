package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"rlam/internal/canon"
	"rlam/internal/record"
	"rlam/internal/store"
)

// redactedKeeper is a store that has what is left of contents that an earlier bundle
// withheld in part: a bundle, or a store into which one was imported.
type redactedKeeper interface {
	redacted(ctx context.Context) ([]redacted, error)
}

// earlierRedacted is what a store has of contents that were withheld in part before. It
// goes into a bundle that withholds nothing more: of one that does, nobody looked whether
// it quotes that.
func earlierRedacted(ctx context.Context, s store.Store) ([]redacted, error) {
	if k, is := s.(redactedKeeper); is {
		return k.redacted(ctx)
	}
	return nil, nil
}

// redactedFiles are the files of a bag that are left of contents that were withheld in part.
func (b *Bundle) redactedFiles() []string {
	var names []string
	for _, name := range b.Files() {
		if strings.HasPrefix(name, payloadDir+redactedDir) {
			names = append(names, name)
		}
	}
	return names
}

func (k *kept) redacted(context.Context) ([]redacted, error) {
	var all []redacted
	for _, name := range k.bundle.redactedFiles() {
		raw, err := k.bundle.read(name, record.MaxContent)
		if err != nil {
			return nil, err
		}
		var r redacted
		if err := json.Unmarshal(raw, &r); err != nil {
			return nil, fmt.Errorf("reading %q: %w", name, err)
		}
		// One of another version, and one of a content that isn't withheld, is none.
		if a := k.absent[r.Of]; r.Format == redactedFormat && a != nil && a.Why == Withheld {
			all = append(all, r)
		}
	}
	return all, nil
}

func (r *recalling) redacted(ctx context.Context) ([]redacted, error) {
	var all []redacted
	for _, d := range r.copies {
		raw, err := store.Read(ctx, r.Store, d, record.MaxContent)
		if err != nil {
			return nil, fmt.Errorf("reading what is left of a withheld content: %w", err)
		}
		var one redacted
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, fmt.Errorf("reading what is left of a withheld content, %s: %w", d, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// redacted takes the bundle's redacted copies into the store, and returns their digests.
func (im *importing) redacted() ([]canon.Digest, error) {
	copies, err := earlierRedacted(im.ctx, im.bundle.Store)
	if err != nil {
		return nil, err
	}
	var blobs [][]byte
	var digests []canon.Digest
	for _, r := range copies {
		raw, err := canon.Marshal(r)
		if err != nil {
			return nil, err
		}
		blobs, digests = append(blobs, raw), append(digests, canon.Sum(raw))
	}
	_, _, err = im.store.Commit(im.ctx, store.Batch{Blobs: blobs})
	return digests, err
}
