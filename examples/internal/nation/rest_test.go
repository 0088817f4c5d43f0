package nation

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
)

var (
	restHistories = flag.Int("nation.histories", 2, "how many random histories of two nations")
	restSeed      = flag.Uint64("nation.seed", 1, "of the first of them")
)

// restless is two nations at one hub, that publish in all layouts, in which things
// happen at random.
type restless struct {
	*world
	rand    *rand.Rand
	hubs    []*hub
	nations []*country
	keys    []keys.DiagnosisKey
	readers []*reader
}

// reader follows a package of a nation's delta set from some time on.
type reader struct {
	*deltaset.Client
	of  *country
	pkg string
}

// TestAtRest: whatever is submitted, withdrawn, reinstated, held, resumed, pruned and
// restarted in two nations, once everything rests those who follow a delta set have
// just what is active and relevant, from whatever time they read on; phones match
// what is active, and what is not only if they cannot forget it.
func TestAtRest(t *testing.T) {
	n, hours := *restHistories, 30
	if testing.Short() {
		n, hours = 1, 5
	}
	for i := range n {
		t.Run(fmt.Sprintf("seed=%d", *restSeed+uint64(i)), func(t *testing.T) {
			t.Parallel()
			r := newRestless(t, *restSeed+uint64(i))
			for range hours + r.rand.IntN(hours) {
				for range r.rand.IntN(4) {
					r.happen()
				}
				if i%2 == 0 && r.rand.IntN(3) == 0 {
					r.add(20 * time.Hour) // so that keys get too old, and are pruned
				}
				r.world.hour(r.hubs, r.nations...)
				r.follow()
			}
			r.rest()
			for _, c := range r.nations {
				r.checkNation(c)
			}
			r.clean(r.keys, r.nations...)
		})
	}
}

func newRestless(t *testing.T, seed uint64) *restless {
	w := newWorld(t)
	r := &restless{world: w, rand: rand.New(rand.NewPCG(seed, 1)), hubs: []*hub{w.hub()}}
	in := plain("hub")
	in.Rules.Rules = federation.Relay()
	in.Rules.Withdrawals = true
	for _, region := range []keys.Region{de, fr} {
		c := w.country(region)
		c.config.API.Layouts = []string{deploy.CWA, deploy.NHS, deploy.Deltaset}
		c.config.API.PublicationMap = []string{"identity", "revocable"}[r.rand.IntN(2)]
		c.joins(r.hubs[0], in, interop.Member{})
		r.nations = append(r.nations, c.open())
	}
	return r
}

// happen lets one thing happen to one nation.
func (r *restless) happen() {
	c := r.nations[r.rand.IntN(2)]
	switch r.rand.IntN(9) {
	case 0, 1, 2, 3:
		r.keys = append(r.keys, c.submit(1)...)
	case 4:
		r.order(c, &ledger.Order{Action: ledger.OrderWithdraw, Select: r.some(), Immediately: r.rand.IntN(2) == 0})
	case 5:
		r.order(c, &ledger.Order{Action: ledger.OrderReinstate, Select: r.some()})
	case 6:
		r.order(c, &ledger.Order{Action: ledger.OrderHold, Holds: ledger.Holds{Origins: []keys.Region{[]keys.Region{de, fr}[r.rand.IntN(2)]}}})
	case 7:
		r.order(c, &ledger.Order{Action: ledger.OrderResume, Holds: ledger.Holds{Origins: []keys.Region{de, fr}}})
	case 8:
		c.open()
	}
}

// some selects some keys of either nation.
func (r *restless) some() ledger.Selection {
	s := ledger.Selection{Units: []ledger.UnitID{{Origin: de, KeyData: keys.KeyData{1}}}}
	for range 1 + r.rand.IntN(4) {
		if len(r.keys) == 0 {
			break
		}
		k := r.keys[r.rand.IntN(len(r.keys))]
		for _, origin := range []keys.Region{de, fr} { // which of them, the ledger knows
			s.Units = append(s.Units, ledger.UnitID{Origin: origin, KeyData: k.KeyData})
		}
	}
	return s
}

// order gives an order, which the ledger may refuse.
func (r *restless) order(c *country, o *ledger.Order) {
	r.t.Helper()
	o.By, o.Why = "ada", "at random"
	if _, err := c.backend.Office().Preview(r.t.Context(), o); err != nil {
		r.t.Fatal(err)
	}
	_, err := c.backend.Office().Order(r.t.Context(), o)
	if _, refused := errors.AsType[*ledger.OrderError](err); err != nil && !refused {
		r.t.Fatal(err)
	}
}

// follow has some readers read, and now and then a new one begin.
func (r *restless) follow() {
	r.t.Helper()
	if r.rand.IntN(6) == 0 {
		c := r.nations[r.rand.IntN(2)]
		r.readers = append(r.readers, r.reader(c, []string{"EUR", c.region.String()}[r.rand.IntN(2)]))
	}
	for _, reader := range r.readers {
		if r.rand.IntN(3) == 0 {
			reader.update()
		}
	}
}

func (r *restless) reader(c *country, pkg string) *reader {
	r.t.Helper()
	bucket, err := filestore.New(filepath.Join(c.dir, "www"), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client, err := deltaset.NewClient(r.t.TempDir(), deltaset.FromBucket(bucket, "deltaset/"+pkg+"/"), c.trusted(), &deltaset.ClientOptions{Package: pkg, MaxAge: -1, Now: r.clock})
	if err != nil {
		r.t.Fatal(err)
	}
	return &reader{client, c, pkg}
}

func (r *reader) update() {
	t := r.of.w.t
	t.Helper()
	if _, err := r.Update(t.Context()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s %s: %v", r.of.region, r.pkg, err)
	}
}

func (c *country) trusted() *signing.TrustList {
	c.w.t.Helper()
	key, err := signing.ReadPrivateKeyFile(filepath.Join(c.dir, c.config.Paths.PrivateKey))
	if err != nil {
		c.w.t.Fatal(err)
	}
	trusted, err := signing.NewTrustList(signing.PublicKey{Identity: c.config.Identity(), Key: &key.PublicKey})
	if err != nil {
		c.w.t.Fatal(err)
	}
	return trusted
}

// rest lets everything that waits go.
func (r *restless) rest() {
	for _, c := range r.nations {
		r.order(c, &ledger.Order{Action: ledger.OrderResume, Holds: ledger.Holds{Origins: []keys.Region{de, fr}}})
	}
	for range 12 {
		r.world.hour(r.hubs, r.nations...)
	}
}

// checkNation compares what a nation shows with its ledger.
func (r *restless) checkNation(c *country) {
	r.t.Helper()
	for _, pkg := range []string{"EUR", c.region.String()} {
		active, gone := map[keys.KeyData]bool{}, map[keys.KeyData]bool{}
		relevant := map[keys.KeyData]bool{}
		last := c.backend.lastCut(r.t)
		for rec, err := range c.backend.ledger.Find(r.t.Context(), ledger.Query{}) {
			switch {
			case err != nil:
				r.t.Fatal(err)
			case rec.Unit == nil || !rec.Unit.Released() || pkg != "EUR" && rec.ID.Origin != c.region:
				continue
			}
			k := rec.ID.KeyData
			if rec.Unit.Events[len(rec.Unit.Events)-1].Own == ledger.Active {
				active[k] = true
				if rec.Unit.Key.RollingStartIntervalNumber.Day() > keys.IntervalAt(last).Day()-c.config.Retention.Days {
					relevant[k] = true
				}
			} else {
				gone[k] = true
			}
		}
		r.t.Logf("%s %s: %d keys active, %d withdrawn, %d readers in all", c.region, pkg, len(active), len(gone), len(r.readers))
		r.checkReaders(c, pkg, relevant)
		r.checkPhone(c, pkg, active, gone)
	}
}

func (b *Backend) lastCut(t *testing.T) time.Time {
	log, err := b.ledger.Log(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return log.Last.Time
}

func (r *restless) checkReaders(c *country, pkg string, want map[keys.KeyData]bool) {
	r.t.Helper()
	for i, reader := range append(r.readers, r.reader(c, pkg)) {
		if reader.of != c || reader.pkg != pkg {
			continue
		}
		reader.update()
		n := 0
		for record, err := range reader.Keys() {
			if err != nil {
				r.t.Fatal(err)
			}
			if n++; !want[record.Key.KeyData] {
				r.t.Errorf("%s %s: reader %d has a key that is not active", c.region, pkg, i)
			}
		}
		if n != len(want) {
			r.t.Errorf("%s %s: reader %d has %d keys, want %d", c.region, pkg, i, n, len(want))
		}
	}
}

func (r *restless) checkPhone(c *country, pkg string, active, gone map[keys.KeyData]bool) {
	r.t.Helper()
	phone := &distribution.Phone{}
	for _, content := range c.archives(pkg) {
		phone.Read(content)
	}
	for k := range active {
		if _, matches := phone.Matches(k); !matches && !gone[k] {
			if r.everRevoked(c, pkg, k) {
				continue // reinstated: nothing leads out of REVOKED
			}
			r.t.Errorf("%s %s: a phone does not match an active key", c.region, pkg)
		}
	}
	for k := range gone {
		_, matches := phone.Matches(k)
		if can, _ := phone.CanForget(k); matches && can && !active[k] {
			r.t.Errorf("%s %s: a phone matches a key that is withdrawn, and could have forgotten it", c.region, pkg)
		}
	}
}

// everRevoked reports whether an hour of a package has a key as revoked.
func (r *restless) everRevoked(c *country, pkg string, k keys.KeyData) bool {
	for _, content := range c.archives(pkg) {
		for _, revised := range content.RevisedKeys {
			if revised.KeyData == k && revised.ReportType == keys.Some(keys.ReportRevoked) {
				return true
			}
		}
	}
	return false
}

// archives returns what the hours of a package say, in their order.
func (c *country) archives(pkg string) []*export.Content {
	c.w.t.Helper()
	type hour struct {
		date string
		n    int
		path string
	}
	var all []hour
	root := filepath.Join(c.dir, "www/version/v1/diagnosis-keys/country", pkg, "date")
	paths, err := filepath.Glob(root + "/*/hour/*/index")
	if err != nil {
		c.w.t.Fatal(err)
	}
	for _, path := range paths {
		parts := strings.Split(filepath.ToSlash(strings.TrimPrefix(path, root)), "/")
		n, err := strconv.Atoi(parts[3])
		if err != nil {
			c.w.t.Fatal(err)
		}
		all = append(all, hour{parts[1], n, path})
	}
	slices.SortFunc(all, func(a, b hour) int { return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.n, b.n)) })
	var contents []*export.Content
	for _, h := range all {
		text, err := os.ReadFile(h.path)
		if err != nil {
			c.w.t.Fatal(err)
		}
		a, err := export.Open(bytes.NewReader(text), int64(len(text)), nil)
		if err != nil {
			c.w.t.Fatal(err)
		}
		v, err := a.Verify(c.trusted(), nil)
		if err != nil {
			c.w.t.Fatal(err)
		}
		content, err := v.Content()
		if err != nil {
			c.w.t.Fatal(err)
		}
		contents = append(contents, content)
	}
	return contents
}
