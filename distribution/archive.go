package distribution

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// An Archive is one file of a window, encoded and signed. Of an [Encoder]'s file,
// Info has digest and size alone.
type Archive struct {
	File  File
	Bytes []byte
	Info  export.Info
}

func sortCanonically(k []keys.TemporaryExposureKey) {
	slices.SortFunc(k, func(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) })
}

func (r *run) pkg(name string) *Package {
	for i := range r.packages {
		if r.packages[i].Name == name {
			return &r.packages[i]
		}
	}
	return nil
}

// regionOf returns what a plan's archives say their region is.
func (r *run) regionOf(c *committed) string { return cmp.Or(c.Region, r.pkg(c.pkg).region()) }

// divide cuts a window into parts that phones take: as few as do, as even as
// can be. Where the layout cannot name parts there is one; the release policy
// sees to it that it is not too large.
func (r *run) divide(ctx context.Context, d *draft, span Span, signers []*signing.Signer) ([]part, error) {
	total := d.keys + d.revised
	for n := max(1, (total+r.opts.MaxKeys-1)/r.opts.MaxKeys); ; n++ {
		parts := evenly(d.keys, d.revised, n)
		if !span.Parts {
			parts = evenly(d.keys, d.revised, 1)
		}
		fits, err := r.fit(ctx, d, parts, signers)
		if err == nil && !fits && !span.Parts {
			r.warn("%s %s: more than %d keys or %d bytes in one file", r.regionOf(d.committed), d.window(), r.opts.MaxKeys, r.opts.MaxBytes)
		}
		if err != nil || fits || !span.Parts {
			return parts, err
		}
	}
}

// evenly cuts a sequence of keys and revised keys into n parts.
func evenly(keys, revised, n int) []part {
	parts := make([]part, n)
	total, taken := keys+revised, 0
	for i := range parts {
		end := total * (i + 1) / n
		parts[i].Keys = max(0, min(end, keys)-min(taken, keys))
		parts[i].Revised = end - taken - parts[i].Keys
		taken = end
	}
	return parts
}

// bytesPerKey is more than any key takes in an archive, compressed or not.
const bytesPerKey = 40

// fit reports whether every part stays within the limit of bytes, by writing it
// where that is in doubt. What was only counted is read for that.
func (r *run) fit(ctx context.Context, d *draft, parts []part, signers []*signing.Signer) (bool, error) {
	for i, p := range parts {
		if p.Keys+p.Revised > r.opts.MaxKeys {
			return false, nil
		}
		if int64(p.Keys+p.Revised+100)*bytesPerKey <= r.opts.MaxBytes {
			continue
		}
		if err := r.collect(ctx, d); err != nil {
			return false, err
		}
		info, err := export.Write(io.Discard, partOf(d.content, parts, i), signers, r.layout.Archive())
		if err != nil {
			return false, err
		}
		if info.Size > r.opts.MaxBytes && p.Keys+p.Revised > 1 {
			return false, nil
		}
	}
	return true, nil
}

// collect has a draft hold its keys in canonical order, if they were only counted.
func (r *run) collect(ctx context.Context, d *draft) (err error) {
	if d.content == nil {
		d.sorted = true
		d.content, err = r.contentOf(ctx, d.committed)
		return err
	}
	d.sort()
	return nil
}

// partOf returns what file i of a window says. Files of one window must differ
// in their bounds, because phones take two files with the same for one: the
// second ends a second later, and so on.
func partOf(c *export.Content, parts []part, i int) *export.Content {
	keys, revised := c.Keys, c.RevisedKeys
	for _, p := range parts[:i] {
		keys, revised = keys[p.Keys:], revised[p.Revised:]
	}
	part := *c
	part.End = c.End.Add(time.Duration(i) * time.Second)
	part.Keys, part.RevisedKeys = keys[:parts[i].Keys], revised[:parts[i].Revised]
	return &part
}

// encode writes and signs one file of a plan.
func (r *run) encode(c *committed, content *export.Content, i int) (*Archive, error) {
	if e, ok := r.layout.(Encoder); ok {
		encoded, err := e.Encode(c.files()[i], content)
		if err != nil {
			return nil, fmt.Errorf("distribution: %w", err)
		}
		return &Archive{File: c.files()[i], Bytes: encoded.Bytes, Info: export.Info{SHA256: encoded.SHA256, Size: int64(len(encoded.Bytes))}}, nil
	}
	signers, err := r.signersOf(c)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	info, err := export.Write(&buf, partOf(content, c.Parts, i), signers, r.layout.Archive())
	if err != nil {
		return nil, err
	}
	return &Archive{File: c.files()[i], Bytes: buf.Bytes(), Info: info}, nil
}

// A ConflictError says that an archive has been published with another content
// than its plan's. It is never overwritten.
type ConflictError struct {
	Name   string
	Have   string // hash of the content that is there, or what is wrong with it
	Want   string // hash of the plan's content
	Reason string

	// Damaged says that what is there is no archive that a trusted key signed.
	// If it was one before, the next run writes it again.
	Damaged bool
}

// Error names the object and both hashes.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("distribution: %s: %s: has %s, the plan says %s", e.Name, e.Reason, e.Have, e.Want)
}

// verifyOurs returns the digest of an archive's export.bin, if its content is
// want and a trusted key signed it: it is an earlier attempt at the plan, or
// another run's.
func (r *run) verifyOurs(name string, archive []byte, want *export.Content) (digest [32]byte, err error) {
	return r.verifyHash(name, archive, want.Hash(), want.Region)
}

// verifyHash is verifyOurs for a content of which the hash is known, and what its
// region is where archives have none.
func (r *run) verifyHash(name string, archive []byte, hash [32]byte, region string) (digest [32]byte, err error) {
	conflict := func(reason, have string, damaged bool) error {
		return &ConflictError{Name: name, Have: have, Want: hex.EncodeToString(hash[:]), Reason: reason, Damaged: damaged}
	}
	a, err := export.Open(bytes.NewReader(archive), int64(len(archive)), &export.ReadOptions{Format: r.layout.Archive().Format, Hold: true})
	if err != nil {
		return digest, conflict("not an archive", err.Error(), true)
	}
	v, err := a.Verify(r.trusted, nil)
	if err != nil {
		return digest, conflict("not signed by a trusted key", err.Error(), true)
	}
	content, err := v.Content()
	if err != nil {
		return digest, conflict("cannot be read", err.Error(), true)
	}
	if r.layout.Archive().NoRegion {
		content.Region = region
	}
	if have := content.Hash(); have != hash {
		return digest, conflict("published with another content", hex.EncodeToString(have[:]), false)
	}
	return a.Info().SHA256, nil
}

func isConflict(err error) bool {
	_, ok := errors.AsType[*ConflictError](err)
	return ok
}
