package federation_test

import (
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestSealedToldOnce: what a nation seals of keys that have left is told by its piece
// alone, if that leaves with the cut; and at once, if the piece has to wait.
func TestSealedToldOnce(t *testing.T) {
	for name, change := range map[string]func(keys.DiagnosisKey) keys.DiagnosisKey{
		"REVOKED":        revoked,
		"CONFIRMED_TEST": func(k keys.DiagnosisKey) keys.DiagnosisKey { return as(k, keys.ReportConfirmedTest) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newSealed(t)
			now, waits, meanwhile := h.key(de, -time.Hour), h.key(de, -time.Hour), h.key(de, -time.Hour)
			h.put(&germany, "a", now, waits)
			h.put(&germany, "d", meanwhile, h.key(de, 9*time.Minute))
			h.release()
			c := h.checker(&france).read()
			h.put(&germany, "b", change(now))
			h.put(&germany, "c", change(waits), h.key(de, 30*time.Minute))
			h.release()
			c.read().expectPieces("de/a", "de/b")
			c.expect(now, name)
			c.expect(waits, name)
			if len(c.loose) != 1 || c.loose[0].KeyData != waits.KeyData {
				t.Errorf("%d things are told by no piece, want the one whose piece waits", len(c.loose))
			}
			h.put(&germany, "e", change(meanwhile))
			h.release() // with which d leaves, and e does not
			c.read().expectPieces("de/a", "de/b", "de/d")
			c.expect(meanwhile, name)
			if len(c.loose) != 2 || c.loose[1].KeyData != meanwhile.KeyData {
				t.Errorf("%d things are told by no piece, want one more: what d does not say", len(c.loose)-1)
			}
			for range 6 {
				h.release()
			}
			c.read().expectPieces("de/a", "de/b", "de/c", "de/d", "de/e")
			if len(c.loose) != 2 {
				t.Errorf("%d things more are told by no piece, want none", len(c.loose)-2)
			}
			if got := h.checker(&germany).read(); len(got.loose)+len(got.pieces) > 0 {
				t.Errorf("Germany is told %d things and %d pieces of its own", len(got.loose), len(got.pieces))
			}
		})
	}
}

// TestSealedToldOnceAmongOthers: what pieces tell is left out of what others, who do
// not seal, changed with the same cut, and it is known of the cut for as long as that.
func TestSealedToldOnceAmongOthers(t *testing.T) {
	h := newSealed(t)
	h.serve(&federation.HubOptions{Fresh: 1, BatchSize: 100})
	sealed, plain := h.keysOf(de, 4000), h.keysOf(it, 150)
	h.put(&germany, "a", sealed...)
	h.upload(&gateway, "1", plain...)
	h.release()
	c := h.checker(&france).read()
	pages := len(c.pages)
	for i := range sealed {
		sealed[i] = revoked(sealed[i])
	}
	for i := range plain {
		plain[i] = revoked(plain[i])
	}
	h.put(&germany, "b", sealed...)
	h.upload(&gateway, "2", plain...)
	h.release()
	c.read().expectPieces("de/a", "de/b")
	if len(c.loose) != 300 || !sameUnits(c.loose[150:], plain) {
		t.Errorf("%d things are told by no piece, want the 150 keys of the gateway, and that they are withdrawn", len(c.loose))
	}
	if got := h.checker(&gateway).read(); len(got.pages) != len(c.pages) || len(c.pages) < pages+3 || len(got.loose) > 0 {
		t.Errorf("the gateway is told %d things on %d pages, France on %d", len(got.loose), len(got.pages), len(c.pages))
	}
	said := func() []ledger.Register {
		return must(h.ledger.Registers(t.Context(), "federation/hub/sealed/said/"))
	}
	if n := len(said()); n != 2 {
		t.Errorf("%d registers of 4000 numbers that are said", n)
	}
	h.clock = h.clock.Add(16 * 24 * time.Hour)
	must(h.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	for range 6 {
		h.release()
	}
	if n := len(said()); n > 0 {
		t.Errorf("%d registers of what nobody can be told any more", n)
	}
}

// TestSealedToldToAll: where several bring a key, each that has it from another is
// told that it is withdrawn, whoever seals that.
func TestSealedToldToAll(t *testing.T) {
	for _, withdraws := range []*federation.Nation{&italy, &relay} {
		h := newSealed(t)
		k := h.key(it, -time.Hour)
		h.put(&italy, "a", k)
		h.release()
		readers := []*checker{h.checker(&france).read(), h.checker(&relay).read()}
		h.put(&relay, "b", k)
		h.release()
		h.put(withdraws, "c", revoked(k))
		h.release()
		for _, c := range readers {
			c.read().expect(k, "REVOKED")
		}
	}
}
