package export_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/gaenkit/gaen/export"
)

var hold = &export.ReadOptions{Hold: true}

// What is held is what is read.
func TestHold(t *testing.T) {
	signers := oneSigner(t)
	for _, n := range []int{0, 1, 127, 128, 129, 5000, 40_000} {
		c := sorted(content(n))
		a := mustOpen(t, mustWrite(t, c, signers, nil), hold)
		v, err := a.Verify(trust(t, signers...), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // more than once
			got, errs := collect(v.Keys())
			revised, more := collect(v.RevisedKeys())
			if !slices.Equal(got, c.Keys) || !slices.Equal(revised, c.RevisedKeys) || len(errs)+len(more) > 0 {
				t.Errorf("%d keys: others are held: %d and %d, %v %v", n, len(got), len(revised), errs, more)
			}
			got, revised = nil, nil
			for k := range v.Keys() {
				if got = append(got, k); len(got) == 2 {
					break
				}
			}
			if !slices.Equal(got, c.Keys[:min(2, len(c.Keys))]) {
				t.Errorf("%d keys: abandoned after %d", n, len(got))
			}
		}
		back, err := v.Content()
		if err != nil || !sameContent(back, c) {
			t.Errorf("%d keys: other content: %v", n, err)
		}
		if n > 1 { // what was handed out is the caller's
			back.Keys[0].KeyData[0] ^= 1
			if again, err := v.Content(); err != nil || !sameContent(again, c) {
				t.Errorf("%d keys: the content has changed: %v", n, err)
			}
		}
	}
}

// What is held is what was verified, whatever becomes of the file, which is not
// read again.
func TestHoldReadsOnce(t *testing.T) {
	signers := oneSigner(t)
	c := sorted(content(3000))
	r := &readerAt{data: mustWrite(t, c, signers, nil)}
	a, err := export.Open(r, int64(len(r.data)), hold)
	if err != nil {
		t.Fatal(err)
	}
	clear(r.data)
	was := r.n.Load()
	v, err := a.Verify(trust(t, signers...), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Content(); err != nil || !sameContent(got, c) {
		t.Errorf("other content: %v", err)
	}
	if n := r.n.Load() - was; n > 0 {
		t.Errorf("%d bytes were read again", n)
	}
}

// A key that no archive may have is among those that are ranged over, held or
// not.
func TestHoldWithRejectedKeys(t *testing.T) {
	bin := entry(t, mustWrite(t, content(300), oneSigner(t), nil), "export.bin")
	bin = append(bin, "\x3a\x12\x0a\x10................"+"\x3a\x12\x0a\x10"+string(make([]byte, 16))+"\x3a\x12\x0a\x10,,,,,,,,,,,,,,,,"...)
	for _, opts := range []*export.ReadOptions{nil, hold} {
		a, err := export.OpenBin(bytes.NewReader(bin), int64(len(bin)), opts)
		if err != nil {
			t.Fatal(err)
		}
		got, errs := collect(a.Unverified().Keys())
		if len(got) != 242 || len(errs) != 1 || !errors.Is(errs[0], export.KindKey) {
			t.Errorf("got %d keys, %v, want 242 and one rejected", len(got), errs)
		}
		if _, err := a.Unverified().Content(); !errors.Is(err, export.KindKey) {
			t.Errorf("content: got %v, want %v", err, export.KindKey)
		}
	}
}
