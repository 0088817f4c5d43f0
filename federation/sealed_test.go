package federation_test

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// relay is a gateway that seals: it brings keys of Italy and of its own region.
var relay = federation.Nation{Name: "relay", Region: ch, Relays: keys.Only(it), Withdrawals: true}

// sealedSite is a hub, and what the bodies of all sealed uploads say.
type sealedSite struct {
	*hubSite
	said map[ledger.Hash][]keys.DiagnosisKey
	data *keystest.Generator
}

func newSealed(t testing.TB) *sealedSite {
	return &sealedSite{hubSite: newHub(t), said: map[ledger.Hash][]keys.DiagnosisKey{}, data: keystest.New(77, nil)}
}

// key returns a key that may leave after a time, which may be negative.
func (h *sealedSite) key(r keys.Region, due time.Duration) keys.DiagnosisKey {
	end := keys.IntervalAt(h.clock.Add(due - keys.Embargo))
	return keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData: h.data.KeyData(), RollingStartIntervalNumber: end - keys.IntervalsPerDay, RollingPeriod: keys.IntervalsPerDay,
			ReportType: keys.Some(keys.ReportSelfReport),
		},
		Origin: r,
	}
}

func (h *sealedSite) keysOf(r keys.Region, n int) (all []keys.DiagnosisKey) {
	for range n {
		all = append(all, h.key(r, -time.Hour))
	}
	return all
}

func revoked(k keys.DiagnosisKey) keys.DiagnosisKey {
	k.ReportType = keys.Some(keys.ReportRevoked)
	return k
}

func as(k keys.DiagnosisKey, r keys.ReportType) keys.DiagnosisKey {
	k.ReportType = keys.Some(r)
	return k
}

// seal returns an upload of keys. Its body is of a length of its own.
func (h *sealedSite) seal(tag string, all ...keys.DiagnosisKey) *federation.Sealed {
	s := &federation.Sealed{Tag: tag, Keys: all, Body: plain(all), Seal: []byte("sealed by " + tag)}
	h.said[sha256.Sum256(s.Body)] = all
	return s
}

// put has a nation upload what is to be stored.
func (h *sealedSite) put(n *federation.Nation, tag string, all ...keys.DiagnosisKey) *federation.Sealed {
	h.t.Helper()
	s := h.seal(tag, all...)
	if a := must(h.hub.UploadSealed(h.t.Context(), n, s)); !a.Stored || a.Again {
		h.t.Fatalf("%s of %s: %d known, refused %v", tag, n.Name, len(a.Known), a.Refused)
	}
	return s
}

// A checker reads what is sealed, and believes what it was told last.
type checker struct {
	h      *sealedSite
	nation *federation.Nation
	at     federation.Place
	state  map[ledger.UnitID]keys.ReportType
	pages  []*federation.SealedPage
	pieces []federation.Piece
	loose  []keys.DiagnosisKey // told by no piece
}

func (h *sealedSite) checker(n *federation.Nation) *checker {
	return &checker{h: h, nation: n, at: federation.Place{Day: federation.DayOf(epoch)}, state: map[ledger.UnitID]keys.ReportType{}}
}

// read reads what there is, and returns c.
func (c *checker) read() *checker {
	c.h.t.Helper()
	for range 10_000 {
		page := must(c.h.hub.DownloadSealed(c.h.t.Context(), c.nation, c.at))
		if page == nil {
			return c
		}
		c.take(page)
	}
	c.h.t.Fatal("there is no end")
	return c
}

// take holds a page against what every page is.
func (c *checker) take(page *federation.SealedPage) {
	t := c.h.t
	t.Helper()
	if len(page.Pieces) > 0 && len(page.Keys) > 0 {
		t.Errorf("batch %s has pieces and keys", page.Tag)
	}
	if last := len(c.pages) - 1; last >= 0 && c.pages[last].Following != "" && c.pages[last].Following != page.Tag {
		t.Errorf("batch %s is followed by %s, and said %s", c.pages[last].Tag, page.Tag, c.pages[last].Following)
	}
	n := 0
	for i, p := range page.Pieces {
		all := c.h.said[p.Hash]
		if sha256.Sum256(p.Body) != p.Hash || all == nil || len(all) != p.Keys || string(p.Seal) != "sealed by "+p.Tag {
			t.Errorf("piece %d of batch %s is not as it was uploaded", i, page.Tag)
		}
		if i > 0 && bytes.Compare(page.Pieces[i-1].Hash[:], p.Hash[:]) > 0 {
			t.Errorf("batch %s is not in the order of hashes", page.Tag)
		}
		for j := range all {
			c.learn(&all[j])
		}
		n += len(all)
	}
	if n > federation.MaxSealedKeys {
		t.Errorf("batch %s has %d keys", page.Tag, n)
	}
	if !slices.IsSortedFunc(page.Keys, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) }) {
		t.Errorf("batch %s is not in canonical order", page.Tag)
	}
	for i := range page.Keys {
		c.learn(&page.Keys[i])
	}
	c.pages, c.pieces, c.loose, c.at = append(c.pages, page), append(c.pieces, page.Pieces...), append(c.loose, page.Keys...), page.Next
}

func (c *checker) learn(k *keys.DiagnosisKey) {
	if c.h.clock.Before(k.End().Add(keys.Embargo)) {
		c.h.t.Errorf("%s is told of a key %s before it may be", c.nation.Name, k.End().Add(keys.Embargo).Sub(c.h.clock))
	}
	c.state[ledger.IDOf(k)] = k.ReportType.Or(keys.ReportUnknown)
}

// tags returns the tags of the pieces read.
func (c *checker) tags() (tags []string) {
	for _, p := range c.pieces {
		tags = append(tags, string(p.Source)+"/"+p.Tag)
	}
	slices.Sort(tags)
	return tags
}

func (c *checker) expectPieces(tags ...string) {
	c.h.t.Helper()
	if got := c.tags(); !slices.Equal(got, tags) {
		c.h.t.Errorf("%s has read %q, want %q", c.nation.Name, got, tags)
	}
}

func (c *checker) expect(k keys.DiagnosisKey, want string) {
	c.h.t.Helper()
	got := "nothing"
	if r, ok := c.state[ledger.IDOf(&k)]; ok {
		got = r.String()
	}
	if got != want {
		c.h.t.Errorf("%s was told %s of a key, want %s", c.nation.Name, got, want)
	}
}

// TestSealedLeavesWhole: each key leaves for others when it is due, and the piece
// with its last.
func TestSealedLeavesWhole(t *testing.T) {
	h := newSealed(t)
	now, later := h.key(de, -time.Hour), h.key(de, 40*time.Minute)
	s := h.put(&germany, "a", now, later)
	h.put(&germany, "b", h.keysOf(de, 3)...)
	h.release()
	c := h.checker(&france).read()
	c.expectPieces("de/b")
	if got, _ := h.drain(&france, today(h.hubSite)); len(got) != 4 {
		t.Errorf("who checks no seals is given %d keys, want the 4 that are due", len(got))
	}
	h.clock = h.clock.Add(24 * time.Minute)
	for range 2 { // up to the cut of the very moment at which the last is due
		h.release()
		c.read().expectPieces("de/b")
	}
	h.release()
	c.read().expectPieces("de/a", "de/b")
	p := c.pieces[1]
	if !bytes.Equal(p.Body, s.Body) || !bytes.Equal(p.Seal, s.Seal) || p.Source != "de" || p.Region != de || p.Keys != 2 {
		t.Error("the piece is not what was uploaded")
	}
	if len(c.loose) > 0 {
		t.Errorf("%d keys are told twice", len(c.loose))
	}
	if got := h.checker(&germany).read(); len(got.pieces) > 0 || len(got.pages) != len(c.pages) {
		t.Errorf("Germany is given %d pieces of its own on %d pages, want none on %d", len(got.pieces), len(got.pages), len(c.pages))
	}
	for _, n := range []*federation.Nation{&germany, &france} {
		page := must(h.hub.Audit(t.Context(), n, c.pages[1].Tag))
		if page == nil || len(page.Pieces) != 1 || !bytes.Equal(page.Pieces[0].Body, s.Body) || page.Tag != c.pages[1].Tag {
			t.Errorf("the audit for %s is %+v", n.Name, page)
		}
	}
}

// TestSealedIsStoredWholeOrNotAtAll, and says for the sake of which keys.
func TestSealedIsStoredWholeOrNotAtAll(t *testing.T) {
	h := newSealed(t)
	known, gone, fresh := h.key(de, -time.Hour), h.key(de, -time.Hour), h.key(de, -time.Hour)
	h.put(&germany, "a", known, gone)
	h.upload(&gateway, "g", h.key(ch, -time.Hour))
	bad, foreign := h.key(de, -time.Hour), h.key(fr, -time.Hour)
	bad.RollingPeriod = 0
	before := must(h.ledger.Registers(t.Context(), "federation/"))
	s := h.seal("b", fresh, revoked(gone), known, foreign, revoked(gone), bad)
	a := must(h.hub.UploadSealed(t.Context(), &germany, s))
	var refused []string
	for _, r := range a.Refused {
		refused = append(refused, fmt.Sprint(r.Index, " ", r.Why.Field, " ", r.Why.Reason))
	}
	if a.Stored || !slices.Equal(a.Known, []int{2, 4}) || !slices.Equal(refused, []string{"3 origin not-allowed", "5 rolling_period range"}) {
		t.Errorf("got %+v with %q", a, refused)
	}
	if after := must(h.ledger.Registers(t.Context(), "federation/")); len(after) != len(before) {
		t.Errorf("%d registers were made", len(after)-len(before))
	}
	h.put(&germany, "b", fresh, revoked(gone)) // the tag is free
	h.release()
	h.release()
	c := h.checker(&france).read()
	c.expect(fresh, "SELF_REPORT")
	c.expect(known, "SELF_REPORT")
	c.expect(gone, "REVOKED")
	c.expect(bad, "nothing")
	if err := must(h.ledger.Stats(t.Context())).Check(); err != nil {
		t.Error(err)
	}
}

func TestSealedTags(t *testing.T) {
	h := newSealed(t)
	s := h.put(&germany, "a/ü \x00", h.keysOf(de, 2)...)
	if a := must(h.hub.UploadSealed(t.Context(), &germany, s)); !a.Stored || !a.Again {
		t.Errorf("the same again: %+v", a)
	}
	for name, all := range map[string][]keys.DiagnosisKey{"new keys": h.keysOf(de, 2), "some of its keys": s.Keys[:1]} {
		if _, err := h.hub.UploadSealed(t.Context(), &germany, h.seal(s.Tag, all...)); !errors.Is(err, federation.ErrTagTaken) {
			t.Errorf("the same tag with %s: %v", name, err)
		}
	}
	h.put(&france, s.Tag, h.keysOf(fr, 1)...) // the same tag: each nation has its own
	h.release()
	if got := h.checker(&italy).read(); len(got.pieces) != 2 || got.pieces[0].Tag != s.Tag || got.pieces[1].Tag != s.Tag {
		t.Errorf("Italy has read %d pieces", len(got.pieces))
	}
	if a := must(h.hub.UploadSealed(t.Context(), &germany, s)); !a.Again {
		t.Errorf("after it has left: %+v", a)
	}
}

// TestSealedOrNot: a source is of one kind for good.
func TestSealedOrNot(t *testing.T) {
	h := newSealed(t)
	h.put(&germany, "a", h.keysOf(de, 1)...)
	h.upload(&france, "a", h.keysOf(fr, 1)...)
	for range 2 { // and with what a process remembers, and without
		if _, err := h.hub.UploadSealed(t.Context(), &france, h.seal("b", h.keysOf(fr, 1)...)); !errors.Is(err, federation.ErrKind) {
			t.Errorf("France seals: %v", err)
		}
		if _, err := h.hub.Upload(t.Context(), &germany, &federation.Incoming{Tag: "b", Keys: h.keysOf(de, 1)}); !errors.Is(err, federation.ErrKind) {
			t.Errorf("Germany does not: %v", err)
		}
		h.serve(&federation.HubOptions{Fresh: 1})
	}
	longer := federation.Nation{Name: "relay-2", Region: ch}
	h.upload(&longer, "a", h.keysOf(ch, 1)...)
	h.put(&relay, "a", h.keysOf(ch, 1)...) // whose name the other's begins with
	hubs := []*federation.Hub{h.hub, must(federation.NewHub(h.ledger, nil))}
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored, kinds := 0, 0
	for i := range 20 {
		s := h.seal(fmt.Sprint(i), h.keysOf(it, 1)...)
		wg.Go(func() {
			_, err := hubs[i%2].UploadSealed(t.Context(), &italy, s)
			if i%4 > 1 {
				_, err = hubs[i%2].Upload(t.Context(), &italy, &federation.Incoming{Tag: s.Tag, Keys: s.Keys})
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				stored++
			case errors.Is(err, federation.ErrKind):
				kinds++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if stored+kinds != 20 || stored < 1 {
		t.Errorf("%d were stored and %d refused for their kind", stored, kinds)
	}
}

func TestSealedLimits(t *testing.T) {
	h := newSealed(t)
	some := h.keysOf(de, 1)
	for name, s := range map[string]federation.Sealed{
		"tag of 0 bytes":      {Body: []byte("b"), Seal: []byte("s"), Keys: some},
		"tag of 1025 bytes":   {Tag: strings.Repeat("t", federation.MaxTag+1), Body: []byte("b"), Seal: []byte("s"), Keys: some},
		"body of 0 bytes":     {Tag: "t", Seal: []byte("s"), Keys: some},
		"body of 2097153":     {Tag: "t", Body: make([]byte, federation.MaxSealed+1), Seal: []byte("s"), Keys: some},
		"seal of 0 bytes":     {Tag: "t", Body: []byte("b"), Keys: some},
		"seal of 32769 bytes": {Tag: "t", Body: []byte("b"), Seal: make([]byte, federation.MaxSeal+1), Keys: some},
		"0 keys":              {Tag: "t", Body: []byte("b"), Seal: []byte("s")},
		"5001 keys":           {Tag: "t", Body: []byte("b"), Seal: []byte("s"), Keys: make([]keys.DiagnosisKey, federation.MaxSealedKeys+1)},
	} {
		if _, err := h.hub.UploadSealed(t.Context(), &germany, &s); !errors.Is(err, federation.ErrRefused) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := federation.NewHub(h.ledger, &federation.HubOptions{SealedShelf: -1}); err == nil || !strings.Contains(err.Error(), "SealedShelf") {
		t.Errorf("got %v", err)
	}
	largest := &federation.Sealed{Tag: strings.Repeat("t", federation.MaxTag), Seal: bytes.Repeat([]byte("s"), federation.MaxSeal),
		Body: bytes.Repeat([]byte("b"), federation.MaxSealed), Keys: h.keysOf(de, federation.MaxSealedKeys)}
	if a := must(h.hub.UploadSealed(t.Context(), &germany, largest)); !a.Stored {
		t.Fatalf("the largest was not stored: %+v", a)
	}
	h.release()
	page := must(h.hub.DownloadSealed(t.Context(), &france, today(h.hubSite)))
	if p := page.Pieces[0]; p.Tag != largest.Tag || !bytes.Equal(p.Seal, largest.Seal) || !bytes.Equal(p.Body, largest.Body) {
		t.Error("the largest is not as it was uploaded")
	}
}

// TestSealedOrder: batches are packed by hash, not by arrival.
func TestSealedOrder(t *testing.T) {
	h := newSealed(t)
	h.serve(&federation.HubOptions{Fresh: 1, BatchSize: 100})
	for i := range 230 {
		h.put([]*federation.Nation{&germany, &france}[i%2], fmt.Sprint(i), h.keysOf([]keys.Region{de, fr}[i%2], 1+i%5)...)
	}
	h.put(&germany, "large", h.keysOf(de, 4600)...)
	h.upload(&gateway, "g", h.keysOf(it, 230)...)
	h.release()
	c := h.checker(&italy).read()
	loose := 0
	for _, p := range c.pages {
		if len(p.Pieces) == 0 {
			loose++
		}
	}
	if loose < 5 { // that few keys are spread over that many numbers
		t.Errorf("%d batches of what is not sealed, want none that goes over thousands of numbers", loose)
	}
	if len(c.pieces) != 231 || len(c.loose) != 0 {
		t.Errorf("Italy has read %d pieces and %d keys, want 231 and none", len(c.pieces), len(c.loose))
	}
	if !slices.IsSortedFunc(c.pieces, func(a, b federation.Piece) int { return bytes.Compare(a.Hash[:], b.Hash[:]) }) {
		t.Error("the batches of a cut are not in the order of hashes")
	}
	if got := h.checker(&germany).read(); slices.ContainsFunc(got.pages, func(p *federation.SealedPage) bool { return len(p.Keys) > 100 }) {
		t.Error("a batch of more than 100 keys that are not sealed")
	}
	for i, p := range c.pages {
		if len(p.Pieces) > 100 || i > 0 && len(p.Pieces) > 0 && len(c.pages[i-1].Pieces) == 0 {
			t.Errorf("batch %d has %d pieces, that before it %d", i, len(p.Pieces), len(c.pages[max(0, i-1)].Pieces))
		}
	}
	if got := h.checker(&france).read(); len(got.loose) != 230 || len(got.pages) != len(c.pages) {
		t.Errorf("France is given %d keys of others on %d pages, want 230 on %d", len(got.loose), len(got.pages), len(c.pages))
	}
}

// TestSealedLoads: a batch has neither too many keys nor too many bytes.
func TestSealedLoads(t *testing.T) {
	h := newSealed(t)
	for i := range 3 {
		h.put(&germany, fmt.Sprint(i), h.keysOf(de, 2000)...)
	}
	h.release()
	c := h.checker(&france).read()
	if len(c.pages) != 2 || len(c.pieces) != 3 {
		t.Errorf("%d pieces of 2000 keys in %d batches", len(c.pieces), len(c.pages))
	}
	for i := range 9 {
		s := &federation.Sealed{Tag: fmt.Sprint("large", i), Keys: h.keysOf(de, 1), Body: bytes.Repeat([]byte{byte(i)}, federation.MaxSealed), Seal: []byte("seal")}
		must(h.hub.UploadSealed(t.Context(), &germany, s))
	}
	h.release()
	sizes := []int{}
	for at := c.at; ; {
		page := must(h.hub.DownloadSealed(t.Context(), &france, at))
		if page == nil {
			break
		}
		sizes, at = append(sizes, len(page.Pieces)), page.Next
	}
	if !slices.Equal(sizes, []int{7, 2}) {
		t.Errorf("batches of %v pieces of 2 MiB", sizes)
	}
}

// TestSealedSiblings: what is told of two origins of one key data is told once each,
// though the numbers of their one cut are in several batches.
func TestSealedSiblings(t *testing.T) {
	h := newSealed(t)
	h.serve(&federation.HubOptions{Fresh: 1, BatchSize: 100})
	h.put(&germany, "a", h.keysOf(de, 1)...)
	all := h.keysOf(it, 250)
	for i := range all {
		all[i].RollingStartIntervalNumber -= keys.Interval(i)
	}
	twin := all[249]
	twin.Origin, twin.RollingStartIntervalNumber = ch, all[0].RollingStartIntervalNumber
	h.upload(&gateway, "1", append(all, twin)...)
	h.release()
	c := h.checker(&france).read()
	if len(c.loose) != 251 || !sameUnits(c.loose, append(all, twin)) {
		t.Errorf("%d keys are told, want 251", len(c.loose))
	}
	pages := len(c.pages)
	h.upload(&gateway, "2", as(all[240], keys.ReportConfirmedTest))
	h.release()
	if c.read(); len(c.pages) != pages+1 || len(c.loose) != 252 {
		t.Errorf("of one key that is revised %d things are told on %d pages", len(c.loose)-251, len(c.pages)-pages)
	}
}

// TestSealedWithdrawnBeforeDue: that a key is withdrawn is no reason to show it
// before it may be.
func TestSealedWithdrawnBeforeDue(t *testing.T) {
	h := newSealed(t)
	early := h.key(de, 40*time.Minute)
	h.put(&germany, "a", h.key(de, -time.Hour), early)
	h.put(&germany, "b", revoked(early), h.key(de, -time.Hour))
	c := h.checker(&france)
	for range 8 {
		h.release()
		c.read().expectPieces()
	}
	h.release()
	c.read().expectPieces("de/a")
	h.release()
	c.read().expectPieces("de/a", "de/b")
}

// TestSealedCutsMeanwhile: a piece leaves with no cut before that of its last key,
// whenever another process makes that.
func TestSealedCutsMeanwhile(t *testing.T) {
	for nth := 1; nth < 15; nth++ {
		h := newSealed(t)
		must(0, h.ledger.Hold(t.Context(), ledger.Holds{Origins: []keys.Region{de}}))
		k := h.key(de, -time.Hour)
		h.put(&germany, "a", k)
		h.clock = h.clock.Add(5 * time.Minute)
		calls := 0
		h.fault = func() ledgertest.Verdict {
			if calls++; calls == nth {
				must(0, h.ledger.Resume(t.Context(), ledger.Holds{Origins: []keys.Region{de}}))
				h.clock = h.clock.Add(5 * time.Minute)
				must(h.ledger.Release(t.Context(), nil))
			}
			return ledgertest.Pass
		}
		h.hub.Release(t.Context(), nil)
		h.fault = func() ledgertest.Verdict { return ledgertest.Pass }
		must(0, h.ledger.Resume(t.Context(), ledger.Holds{Origins: []keys.Region{de}}))
		h.release()
		h.release()
		c := h.checker(&france).read()
		c.expectPieces("de/a")
		id := ledger.IDOf(&k)
		for rec := range h.ledger.Find(t.Context(), ledger.Query{Unit: &id}) {
			for _, cut := range must(h.ledger.Log(t.Context(), 0)).Cuts {
				if cut.Last < rec.Unit.Events[0].Number && !c.pages[0].Time.After(cut.Time) {
					t.Errorf("after call %d: it leaves with the cut of %s, its key only after that", nth, cut.Time)
				}
			}
		}
	}
}

// TestSealedPermuted: the order of uploads within a cut shows nowhere (invariant
// 14).
func TestSealedPermuted(t *testing.T) {
	var first string
	for turn := range 4 {
		h := newSealed(t)
		jobs := []func(){}
		for i := range 12 {
			s := h.seal(fmt.Sprint(i), h.keysOf(de, 1+i)...)
			jobs = append(jobs, func() { must(h.hub.UploadSealed(t.Context(), &germany, s)) })
			all := h.keysOf(it, 3)
			jobs = append(jobs, func() { h.upload(&gateway, fmt.Sprint(i), all...) })
		}
		h.rand.Shuffle(turn*8, func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		for _, job := range jobs {
			job()
			h.clock = h.clock.Add(time.Second)
		}
		h.clock = epoch.Add(time.Minute)
		h.release()
		var b strings.Builder
		for _, p := range h.checker(&france).read().pages {
			for i := range p.Pieces {
				fmt.Fprintf(&b, "%+v", p.Pieces[i])
			}
			fmt.Fprintf(&b, "%x %s\n", plain(p.Keys), p.Time)
		}
		if first = cmp.Or(first, b.String()); b.String() != first {
			t.Error("another order gives other bytes")
		}
	}
}

// TestSealedTagsOfBatches: they count the batches of a day, over cuts.
func TestSealedTagsOfBatches(t *testing.T) {
	h := newSealed(t)
	form := regexp.MustCompile(`^(\d{8})-(\d+)-[0-9a-f]{8}$`)
	for i := range 3 {
		h.put(&germany, fmt.Sprint(i), h.keysOf(de, 2)...)
		h.upload(&gateway, fmt.Sprint(i), h.keysOf(it, 2)...)
		h.release()
	}
	h.clock = h.clock.Add(24*time.Hour - 5*time.Minute)
	h.put(&germany, "3", h.keysOf(de, 2)...)
	h.release()
	c := h.checker(&france).read()
	var got []string
	for _, p := range c.pages {
		m := form.FindStringSubmatch(p.Tag)
		if m == nil {
			t.Fatalf("the tag %q", p.Tag)
		}
		got = append(got, m[1]+"-"+m[2])
	}
	want := []string{"20260301-1", "20260301-2", "20260301-3", "20260301-4", "20260301-5", "20260301-6", "20260302-1"}
	if !slices.Equal(got, want) {
		t.Errorf("the tags are %q, want %q", got, want)
	}
	slow := must(federation.NewHub(h.ledger, &federation.HubOptions{Fresh: time.Hour}))
	at := federation.Place{Day: federation.DayOf(epoch)}
	must(slow.DownloadSealed(t.Context(), &france, at))
	h.put(&germany, "4", h.keysOf(de, 2)...)
	h.release()
	c.read()
	if page := must(slow.DownloadSealed(t.Context(), &france, c.pages[6].Next)); page != nil {
		t.Error("a process that has just looked looks again")
	}
	if page := must(slow.DownloadSealedBatch(t.Context(), &france, c.pages[7].Tag)); page == nil {
		t.Error("a process that has not looked for a while does not know the tags that others give")
	}
	for i, p := range c.pages {
		again := must(h.hub.DownloadSealedBatch(t.Context(), &france, p.Tag))
		if again == nil || again.Tag != p.Tag || len(again.Pieces) != len(p.Pieces) || len(again.Keys) != len(p.Keys) {
			t.Errorf("batch %s asked for by its tag is %+v", p.Tag, again)
		}
		if audit := must(h.hub.Audit(t.Context(), &france, p.Tag)); len(audit.Pieces) != len(p.Pieces) || len(audit.Keys) > 0 {
			t.Errorf("the audit of batch %s has %d pieces and %d keys", p.Tag, len(audit.Pieces), len(audit.Keys))
		}
		if next := ""; i+1 < len(c.pages) {
			next = c.pages[i+1].Tag
			if p.Following != "" && p.Following != next {
				t.Errorf("batch %s is followed by %q, want %q", p.Tag, p.Following, next)
			}
		}
	}
	for _, tag := range []string{"unknown", "20260301-1-00000000", "../x", ""} {
		if page := must(h.hub.DownloadSealedBatch(t.Context(), &france, tag)); page != nil {
			t.Errorf("there is a batch %q", tag)
		}
		if page := must(h.hub.Audit(t.Context(), &france, tag)); page != nil {
			t.Errorf("there is an audit of %q", tag)
		}
		page := must(h.hub.DownloadSealed(t.Context(), &france, federation.Place{Day: federation.DayOf(epoch) + 1, Tag: tag}))
		if page == nil || page.Tag != c.pages[6].Tag {
			t.Errorf("after the unknown tag %q comes %+v, want the first batch of the day", tag, page)
		}
	}
	if page := must(h.hub.DownloadSealed(t.Context(), &france, federation.Place{Day: federation.DayOf(epoch) + 2})); page != nil {
		t.Error("a batch of tomorrow")
	}
}

// TestSealedPruned: of what is pruned before its batches are made nothing is told,
// nor of batches that are still listed.
func TestSealedPruned(t *testing.T) {
	h := newSealed(t)
	h.put(&germany, "a", h.keysOf(de, 2)...)
	h.upload(&gateway, "1", h.keysOf(it, 2)...)
	h.release()
	h.put(&germany, "b", h.keysOf(de, 2)...)
	h.upload(&gateway, "2", h.keysOf(it, 2)...)
	h.clock = h.clock.Add(5 * time.Minute)
	must(h.ledger.Release(t.Context(), nil))
	h.clock = h.clock.Add(14*24*time.Hour + 12*time.Hour)
	later := h.keysOf(it, 1)
	h.upload(&gateway, "3", later...)
	h.clock = h.clock.Add(5 * time.Minute)
	must(h.ledger.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	must(h.ledger.Prune(t.Context()))
	must(h.hub.Release(t.Context(), nil))
	h.serve(&federation.HubOptions{Fresh: 1})
	if got := h.checker(&france).read(); len(got.pages) != 1 || !sameUnits(got.loose, later) {
		t.Errorf("France has read %d pages with %d keys", len(got.pages), len(got.loose))
	}
}

// TestSealedOnly: who wants nothing but pieces is given nothing else.
func TestSealedOnly(t *testing.T) {
	h := newSealed(t)
	only := france
	only.SealedOnly = true
	for i := range 2 {
		h.put(&germany, fmt.Sprint(i), h.keysOf(de, 2)...)
		h.upload(&gateway, fmt.Sprint(i), h.keysOf(it, 2)...)
		h.release()
	}
	c := h.checker(&only).read()
	c.expectPieces("de/0", "de/1")
	if len(c.loose) > 0 || len(c.pages) != 2 || c.pages[0].Following != c.pages[1].Tag || c.pages[1].Following != "" {
		t.Errorf("%d keys on %d pages", len(c.loose), len(c.pages))
	}
}

// TestSealedWithdrawnMeanwhile: what is withdrawn while its piece waits is in it, and
// its withdrawal comes after it.
func TestSealedWithdrawnMeanwhile(t *testing.T) {
	h := newSealed(t)
	never, numbered, stays := h.key(de, -time.Hour), h.key(de, -time.Hour), h.key(de, 40*time.Minute)
	h.put(&germany, "a", never, numbered, stays)
	h.put(&germany, "b", revoked(never)) // before its first cut
	h.release()
	h.put(&germany, "c", revoked(numbered)) // before the piece leaves
	h.release()
	c := h.checker(&france).read()
	c.expectPieces()
	for range 7 {
		h.release()
	}
	c.read().expectPieces("de/a") // neither overtakes it, nor leaves beside it
	c.expect(never, "REVOKED")
	c.expect(numbered, "REVOKED")
	c.expect(stays, "SELF_REPORT")
	h.release()
	c.read().expectPieces("de/a", "de/c") // b tells of nothing that was ever active
	if open := must(h.ledger.Registers(t.Context(), "federation/hub/sealed/open/")); len(open) > 0 {
		t.Error("what its nation took back is marked as if it could come back")
	}
	only := france
	only.SealedOnly = true
	d := h.checker(&only).read()
	d.expect(numbered, "REVOKED")
	without := france
	without.Withdrawals = false
	if got := h.checker(&without).read(); slices.ContainsFunc(got.loose, func(k keys.DiagnosisKey) bool { return k.ReportType == keys.Some(keys.ReportRevoked) }) {
		t.Error("who takes no withdrawals is told some")
	}
	if got := h.checker(&germany).read(); len(got.loose) > 0 {
		t.Errorf("Germany is told %d things of its own piece", len(got.loose))
	}
}

// TestSealedAfterTheCut: what comes after a cut does not leave with it, though its
// batches are made later.
func TestSealedAfterTheCut(t *testing.T) {
	h := newSealed(t)
	k := h.key(de, -time.Hour)
	h.put(&germany, "a", k)
	h.release()
	h.clock = h.clock.Add(5 * time.Minute)
	must(h.ledger.Release(t.Context(), nil))
	h.put(&germany, "b", revoked(k))
	h.put(&germany, "c", h.key(de, -time.Hour))
	must(h.hub.Release(t.Context(), nil))
	c := h.checker(&france).read()
	c.expectPieces("de/a")
	h.release()
	c.read().expectPieces("de/a", "de/b", "de/c")
}

// TestSealedInCircles: pieces that withdraw each other's keys, at the same moment or
// one after the other, do not wait for each other.
func TestSealedInCircles(t *testing.T) {
	for _, between := range []time.Duration{0, time.Microsecond} {
		h := newSealed(t)
		k := h.keysOf(de, 4)
		h.put(&germany, "a", k[0], k[1], revoked(k[2])) // known to nobody yet
		h.clock = h.clock.Add(between)
		h.put(&germany, "b", k[2], k[3], revoked(k[0]))
		h.release()
		h.release()
		c := h.checker(&france).read()
		c.expectPieces("de/a", "de/b")
		for i, want := range []string{"REVOKED", "SELF_REPORT", "REVOKED", "SELF_REPORT"} {
			c.expect(k[i], want)
		}
	}
}

// TestSealedRevised: a report type that rises is told by the piece that says so, and
// after a piece that says less.
func TestSealedRevised(t *testing.T) {
	h := newSealed(t)
	k, stays := h.key(de, -time.Hour), h.key(de, 40*time.Minute)
	h.put(&germany, "a", k, stays)
	h.release()
	h.put(&germany, "b", as(k, keys.ReportConfirmedTest))
	h.release()
	c := h.checker(&france).read()
	c.expectPieces()
	c.expect(k, "CONFIRMED_TEST") // the key itself is due and may be told
	for range 7 {
		h.release()
	}
	c.read().expectPieces("de/a")
	c.expect(k, "CONFIRMED_TEST")
	h.release()
	c.read().expectPieces("de/a", "de/b")
	c.expect(k, "CONFIRMED_TEST")
	before, pages := len(c.loose), len(c.pages)
	h.put(&germany, "c", revoked(k)) // long after
	h.release()
	c.read().expectPieces("de/a", "de/b", "de/c")
	c.expect(k, "REVOKED")
	if len(c.loose) != before || len(c.pages) != pages+1 {
		t.Errorf("%d things are told by no piece, on %d pages, want none, on one: c says it", len(c.loose)-before, len(c.pages)-pages)
	}
}

// TestSealedOperator: what the operator withdraws before it has a number is
// withdrawn after the piece, and told when it is reinstated.
func TestSealedOperator(t *testing.T) {
	for _, alone := range []bool{false, true} {
		h := newSealed(t)
		k, other := h.key(de, -time.Hour), h.key(de, -time.Hour)
		if h.put(&germany, "a", slices.Concat([]keys.DiagnosisKey{k}, map[bool][]keys.DiagnosisKey{false: {other}}[alone])...); true {
			must(h.ledger.Withdraw(t.Context(), ledger.IDOf(&k)))
		}
		h.release()
		c := h.checker(&france).read()
		if alone {
			c.expectPieces() // nothing of it was ever active
			c.expect(k, "nothing")
		} else {
			c.expectPieces("de/a")
			c.expect(k, "REVOKED")
		}
		must(h.ledger.Reinstate(t.Context(), ledger.IDOf(&k)))
		h.release()
		c.read().expect(k, "SELF_REPORT")
		if got, _ := h.drain(&france, today(h.hubSite)); len(got) == 0 || !slices.ContainsFunc(got, func(g keys.DiagnosisKey) bool { return g.KeyData == k.KeyData }) {
			t.Error("who checks no seals is not told of it")
		}
	}
}

// TestSealedOperatorAfterwards: what the operator withdraws after it was told beside a
// piece is in no batch from the next cut on, also where the process has read that
// before.
func TestSealedOperatorAfterwards(t *testing.T) {
	h := newSealed(t)
	k := h.key(de, -time.Hour)
	h.put(&germany, "a", k, h.key(de, 40*time.Minute))
	h.release()
	h.put(&germany, "b", as(k, keys.ReportConfirmedTest))
	for range 9 {
		h.release()
	}
	told := func() (n int) {
		for _, l := range h.checker(&france).read().loose {
			if ledger.IDOf(&l) == ledger.IDOf(&k) && l.ReportType != keys.Some(keys.ReportRevoked) {
				n++
			}
		}
		return n
	}
	if n := told(); n != 2 {
		t.Fatalf("told %d times, want that its report type rose, and once more after the piece that says less", n)
	}
	must(h.ledger.Withdraw(t.Context(), ledger.IDOf(&k)))
	h.release()
	if n := told(); n != 0 {
		t.Errorf("%d batches have it still", n)
	}
}

// TestSealedSeenAtOnce: whoever is called after a cut is called about the batches of
// that very cut, however lately the process has looked for others.
func TestSealedSeenAtOnce(t *testing.T) {
	h := newSealed(t)
	h.serve(&federation.HubOptions{Fresh: time.Hour})
	h.put(&germany, "a", h.keysOf(de, 1)...)
	h.release()
	c := h.checker(&france).read()
	h.put(&germany, "b", h.keysOf(de, 1)...)
	h.release()
	if got := must(h.hub.SealedBatches(t.Context(), &france, c.at)); len(got) != 1 {
		t.Errorf("%d batches, want the one that was just made", len(got))
	}
	c.read().expectPieces("de/a", "de/b")
}

// TestSealedHeld: a key beyond the quota holds its piece, and nothing else.
func TestSealedHeld(t *testing.T) {
	h := newSealed(t)
	policy := eager(5 * time.Minute)
	policy.Quota = 3
	_, version := h.ledger.Policy()
	if err := ledger.ChangePolicy(t.Context(), h.store, policy, version); err != nil {
		t.Fatal(err)
	}
	h.policy = policy
	h.open()
	h.serve(&federation.HubOptions{Fresh: 1})
	h.put(&germany, "a", h.keysOf(de, 2)...)
	h.put(&germany, "b", h.keysOf(de, 2)...)
	h.put(&france, "c", h.keysOf(fr, 2)...)
	h.release()
	h.release()
	c := h.checker(&italy).read()
	c.expectPieces("de/a", "fr/c")
	must(h.ledger.Admit(t.Context(), ledger.Pair{Source: "de", Origin: de}))
	h.release()
	c.read().expectPieces("de/a", "de/b", "fr/c")
	if len(c.loose) > 0 {
		t.Errorf("%d keys were told by no piece", len(c.loose))
	}
}

// TestSealedBroughtByOthers: no seal delays, nor withdraws, what another source
// brought.
func TestSealedBroughtByOthers(t *testing.T) {
	h := newSealed(t)
	shared, late := h.key(it, -time.Hour), h.key(it, 40*time.Minute)
	h.upload(&gateway, "1", shared)
	h.put(&italy, "a", shared, late)
	h.release()
	c := h.checker(&france).read()
	c.expectPieces()
	c.expect(shared, "SELF_REPORT") // by the gateway

	theirs := h.key(it, -time.Hour)
	neighbour := h.key(it, -time.Hour)
	h.put(&italy, "b", revoked(theirs), neighbour) // known to nobody yet
	h.upload(&gateway, "2", theirs)
	if a := must(h.hub.UploadSealed(t.Context(), &italy, h.seal("c", revoked(theirs), h.key(it, -time.Hour)))); a.Stored || !slices.Equal(a.Known, []int{0}) {
		t.Errorf("withdrawn twice: %+v", a)
	}
	others := h.key(it, -time.Hour)
	h.upload(&gateway, "3", others)
	if a := must(h.hub.UploadSealed(t.Context(), &italy, h.seal("c", revoked(others), h.key(it, -time.Hour)))); a.Stored || len(a.Refused) != 1 || a.Refused[0].Index != 0 {
		t.Errorf("withdrawing what others brought: %+v", a)
	}
	h.release()
	c.read().expectPieces() // b would withdraw what its nation never brought
	c.expect(theirs, "SELF_REPORT")
	c.expect(neighbour, "SELF_REPORT")
}

// TestSealedByGateways: a piece is spared those whose keys alone are in it.
func TestSealedByGateways(t *testing.T) {
	h := newSealed(t)
	ours, theirs := h.key(ch, -time.Hour), h.key(it, -time.Hour)
	h.put(&relay, "mixed", ours, theirs)
	h.put(&relay, "pure", h.key(ch, -time.Hour))
	h.release()
	second := federation.Nation{Name: "second", Region: ch, Withdrawals: true}
	c := h.checker(&second).read()
	c.expectPieces("relay/mixed")
	c.expect(theirs, "SELF_REPORT")
	if c.pieces[0].Region != (keys.Region{}) {
		t.Errorf("the region of several origins is %s", c.pieces[0].Region)
	}
	h.checker(&relay).read().expectPieces()
	h.checker(&france).read().expectPieces("relay/mixed", "relay/pure")
	h.upload(&gateway, "1", h.key(it, -time.Hour))
	h.release()
	if got := h.checker(&gateway).read(); len(got.loose) > 0 { // it may check seals though it makes none
		t.Errorf("the gateway is told %d keys that it brought", len(got.loose))
	}
	ours, theirs = h.key(ch, -time.Hour), h.key(it, -time.Hour)
	h.put(&relay, "late", ours, theirs, h.key(it, 9*time.Minute))
	h.release()
	must(h.ledger.Withdraw(t.Context(), ledger.IDOf(&ours)))
	h.put(&relay, "back", revoked(ours), revoked(theirs))
	h.release()
	h.release() // with which late leaves; back does not leave beside it
	h.checker(&relay).read().expect(theirs, "nothing")
	if got := h.checker(&second).read().loose; !slices.ContainsFunc(got, func(k keys.DiagnosisKey) bool { return k == revoked(theirs) }) || slices.ContainsFunc(got, func(k keys.DiagnosisKey) bool { return k.KeyData == ours.KeyData }) {
		t.Errorf("one of the region is told %d things by no piece, want that of others", len(got))
	}
	none := federation.Nation{Name: "hub2", Relays: keys.All[keys.Region]()}
	h.checker(&none).read().expectPieces("relay/late", "relay/mixed", "relay/pure")
}

// TestSealedOnDisk has a large upload taken, handed out and forgotten by a ledger
// that stores it.
func TestSealedOnDisk(t *testing.T) {
	now := epoch
	store := must(sqliteledger.Open(t.Context(), filepath.Join(t.TempDir(), "hub.db"), &sqliteledger.Options{Clock: func() time.Time { return now }}))
	defer store.Close()
	policy := eager(5 * time.Minute)
	l := must(ledger.Open(t.Context(), store, &ledger.Options{Policy: &policy}))
	hub := must(federation.NewHub(l, &federation.HubOptions{Fresh: 1}))
	phones := newSealed(t)
	s := &federation.Sealed{Tag: "a", Keys: phones.keysOf(de, 500), Body: bytes.Repeat([]byte("body"), federation.MaxSealed/4), Seal: []byte("seal")}
	gone := s.Keys[17]
	small := &federation.Sealed{Tag: "b", Keys: []keys.DiagnosisKey{revoked(gone)}, Body: []byte("b"), Seal: []byte("seal")}
	for _, s := range []*federation.Sealed{s, small} {
		if a := must(hub.UploadSealed(t.Context(), &germany, s)); !a.Stored || a.Again {
			t.Fatalf("%d known, refused %v", len(a.Known), a.Refused)
		}
		if a := must(hub.UploadSealed(t.Context(), &germany, s)); !a.Again {
			t.Error("the same again is not known")
		}
	}
	if a := must(hub.UploadSealed(t.Context(), &germany, &federation.Sealed{Tag: "c", Keys: s.Keys, Body: []byte("c"), Seal: []byte("seal")})); a.Stored || len(a.Known) != 500 {
		t.Errorf("of 500 keys that are known, %d are said to be", len(a.Known))
	}
	now = now.Add(5 * time.Minute)
	must(hub.Release(t.Context(), nil))
	page := must(hub.DownloadSealed(t.Context(), &france, federation.Place{}))
	if len(page.Pieces) != 1 || !bytes.Equal(page.Pieces[0].Body, s.Body) || page.Following == "" {
		t.Errorf("%d pieces, followed by %q", len(page.Pieces), page.Following)
	}
	page = must(hub.DownloadSealed(t.Context(), &france, page.Next))
	if len(page.Keys) != 1 || page.Keys[0] != revoked(gone) {
		t.Errorf("after it %d keys, want the one that was withdrawn", len(page.Keys))
	}
	now = now.Add(5 * time.Minute)
	must(hub.Release(t.Context(), nil))
	if page = must(hub.DownloadSealed(t.Context(), &france, page.Next)); page != nil {
		t.Errorf("after that %+v, want nothing: b tells of a key that was never active", page)
	}
	now = now.Add(16 * 24 * time.Hour)
	must(l.Release(t.Context(), &ledger.ReleaseOptions{AllowGap: true}))
	for range 2 {
		must(hub.Release(t.Context(), nil))
		now = now.Add(5 * time.Minute)
	}
	if left := must(l.Registers(t.Context(), "federation/hub/sealed/")); len(left) > 0 {
		t.Errorf("%d registers are left", len(left))
	}
}
