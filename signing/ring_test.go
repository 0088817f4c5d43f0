package signing_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/signing"
)

func identities(signers []*signing.Signer) (ids []string) {
	for _, s := range signers {
		ids = append(ids, s.Identity().String())
	}
	return ids
}

func TestRingRotation(t *testing.T) {
	always := newSigner(t, "262-v0", signing.Validity{})
	first := newSigner(t, "262-v1", signing.Validity{NotBefore: day(1), NotAfter: day(10)})
	second := newSigner(t, "262-v2", signing.Validity{NotBefore: day(8), NotAfter: day(20)})
	ring, err := signing.NewRing(first, second)
	if err != nil {
		t.Fatal(err)
	}
	open, err := signing.NewRing(always, first, second)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		ring *signing.Ring
		at   time.Time
		want []string
	}{
		{"before all", ring, day(1).Add(-time.Nanosecond), nil},
		{"first moment", ring, day(1), []string{"262-v1"}},
		{"before the second", ring, day(8).Add(-time.Nanosecond), []string{"262-v1"}},
		{"overlap begins", ring, day(8), []string{"262-v2", "262-v1"}},
		{"overlap ends", ring, day(10), []string{"262-v2", "262-v1"}},
		{"after the first", ring, day(10).Add(time.Nanosecond), []string{"262-v2"}},
		{"last moment", ring, day(20), []string{"262-v2"}},
		{"after all", ring, day(20).Add(time.Nanosecond), nil},
		{"without bounds, always oldest", open, day(9), []string{"262-v2", "262-v1", "262-v0"}},
		{"without bounds, before all", open, time.Time{}, []string{"262-v0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.ring.ValidAt(tt.at)
			if !slices.Equal(identities(got), tt.want) {
				t.Errorf("got %v, want %v", identities(got), tt.want)
			}
			if (len(tt.want) == 0) != errors.Is(err, signing.ErrNoSigner) {
				t.Errorf("got error %v for %d signers", err, len(got))
			}
		})
	}

	if s, ok := ring.Lookup(first.Identity()); !ok || s != first {
		t.Errorf("Lookup gives %v, %t, want %v", s, ok, first)
	}
	if s, ok := ring.Lookup(always.Identity()); ok {
		t.Errorf("Lookup of a signer that is not in the ring gives %v", s)
	}
	if list, err := signing.NewTrustList(open.PublicKeys()...); err != nil || list.Len() != 3 {
		t.Errorf("the ring's public keys: %d, %v, want 3", list.Len(), err)
	}
}

func TestRingLimit(t *testing.T) {
	signers := func(n int, v func(i int) signing.Validity) []*signing.Signer {
		all := make([]*signing.Signer, n)
		for i := range all {
			all[i] = newSigner(t, fmt.Sprintf("262-v%d", i), v(i))
		}
		return all
	}
	always := func(int) signing.Validity { return signing.Validity{} }
	one := func(i int) signing.Validity {
		return signing.Validity{NotBefore: day(1 + i), NotAfter: day(2 + i).Add(-time.Second)}
	}
	overlapping := func(i int) signing.Validity { return signing.Validity{NotBefore: day(1 + i), NotAfter: day(11 + i)} }
	tests := []struct {
		name    string
		signers []*signing.Signer
		ok      bool
	}{
		{"ten always", signers(10, always), true},
		{"eleven always", signers(11, always), false},
		{"twenty, one at a time", signers(20, one), true},
		{"eleven on the eleventh day only", signers(11, overlapping), false},
		{"two with one identity", []*signing.Signer{newSigner(t, "262-v1", one(0)), newSigner(t, "262-v1", one(5))}, false},
		{"nil", []*signing.Signer{newSigner(t, "262-v1", one(0)), nil}, false},
		{"none", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.signers)
			ring, err := signing.NewRing(tt.signers...)
			if (err == nil) != tt.ok || (ring != nil) != tt.ok {
				t.Errorf("got %v, %v, want ok %t", ring, err, tt.ok)
			}
			if !slices.Equal(before, tt.signers) {
				t.Error("the caller's signers have moved")
			}
		})
	}
}
