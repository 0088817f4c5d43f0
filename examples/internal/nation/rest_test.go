package nation

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/distribution/deltaset"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/pgledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
	"github.com/gaenkit/gaen/storage/memstore"
)

var (
	restHistories = flag.Int("nation.histories", 3, "how many random histories of two nations")
	restSeed      = flag.Uint64("nation.seed", 1, "of the first of them")
)

// restless is two nations at one hub, that publish in all layouts, in which things
// happen at random.
type restless struct {
	*world
	rand      *rand.Rand
	hub       *hub
	hubFuse   *fuse
	reopenHub func()
	nations   []*country
	fuses     map[*country]*fuse
	witnesses map[*country]*witness
	keys      []keys.DiagnosisKey
	readers   []*reader
	ordered   map[*country]map[ledger.UnitID]bool // what its operator has withdrawn last (true), or reinstated
	held      map[*country]map[keys.Region]bool
	crashes   int
}

// reader follows a package of a nation's delta set from some time on.
type reader struct {
	*deltaset.Client
	of  *country
	pkg string
}

// TestAtRest: whatever is submitted, withdrawn, reinstated, held, resumed and pruned in
// two nations, by their people and by others that may not, and wherever they and their
// hub are cut off and restarted, the invariants hold in every hour. Once everything
// rests those who follow a delta set have just what is active and relevant, from
// whatever time they read on; phones match what is active, and what is not only if
// they cannot forget it; and every withdrawal has arrived.
func TestAtRest(t *testing.T) {
	n, hours := *restHistories, 18
	if testing.Short() {
		n, hours = 1, 5
	}
	for i := range n {
		seed := *restSeed + uint64(i)
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			r := newRestless(t, seed)
			for range hours + r.rand.IntN(hours) {
				for range r.rand.IntN(5) {
					r.happen()
				}
				if seed%2 == 1 && r.rand.IntN(3) == 0 {
					r.add(20 * time.Hour) // so that keys get too old, and are pruned
				}
				r.hour(true)
				r.follow()
				if t.Failed() {
					return
				}
			}
			r.rest()
			for _, c := range r.nations {
				r.checkNation(c)
				r.nothingWaits(c.region.String(), c.backend.ledger)
			}
			r.nothingWaits("hub", r.hub.ledger)
			r.withdrawalsArrived()
			r.clean(r.keys, r.nations...)
			t.Logf("%d ticks and cuts were cut off", r.crashes)
		})
	}
}

// newRestless returns the nations of a seed.
func newRestless(t *testing.T, seed uint64) *restless {
	w := newWorld(t)
	r := &restless{
		world: w, rand: rand.New(rand.NewPCG(seed, 1)), hubFuse: &fuse{},
		fuses: map[*country]*fuse{}, witnesses: map[*country]*witness{}, ordered: map[*country]map[ledger.UnitID]bool{}, held: map[*country]map[keys.Region]bool{},
	}
	r.openHub()
	in := plain("hub")
	in.Rules.Rules = federation.Relay()
	in.Rules.Withdrawals = true
	for i, region := range []keys.Region{de, fr} {
		c, f := w.country(region), &fuse{}
		c.config.API.Layouts = []string{deploy.CWA, deploy.NHS, deploy.Deltaset}
		c.config.API.PublicationMap = []string{"identity", "revocable"}[r.rand.IntN(2)]
		c.config.ObjectStore.Threads, c.config.ObjectStore.RetryBackoff = 1, deploy.Duration(time.Millisecond)
		c.config.Schedule.AllowGap = true
		c.joins(r.hub, in, interop.Member{})
		c.config.Instances[0].URL = f.network(t, r.hub.http.URL)
		tree := r.place(c, f, seed, i)
		r.fuses[c], r.ordered[c], r.held[c] = f, map[ledger.UnitID]bool{}, map[keys.Region]bool{}
		r.nations = append(r.nations, c.open())
		r.witnesses[c] = newWitness(c, tree)
		f.beforeRemoval = r.witnesses[c].look
	}
	return r
}

// place says where a nation has its ledger and its tree, by the seed, and returns the
// tree. Of three histories one has both in files, one the ledger of a nation in
// PostgreSQL, and one both in memory, where much more can happen in the same time.
func (r *restless) place(c *country, f *fuse, seed uint64, i int) storage.Bucket {
	r.t.Helper()
	c.opts.Store, c.opts.Bucket = f.store, f.bucket
	if seed%3 == 1 {
		www := filepath.Join(c.dir, "www")
		if err := os.MkdirAll(www, 0o755); err != nil {
			r.t.Fatal(err)
		}
		tree, err := filestore.New(www, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		return tree
	}
	tree := memstore.New(nil)
	c.opts.Bucket = func(storage.Bucket) storage.Bucket { return f.bucket(tree) }
	open := func() (ledger.Store, error) { return nil, nil }
	if inMemory := memledger.New(&memledger.Options{Clock: r.clock}); seed%3 == 0 {
		open = func() (ledger.Store, error) { return inMemory, nil }
	} else if i == 0 {
		pool := pgtest.Database(r.t)
		open = func() (ledger.Store, error) {
			return pgledger.Open(r.t.Context(), pool, &pgledger.Options{Clock: r.clock})
		}
	}
	c.opts.Store = func(s ledger.Store) ledger.Store {
		other, err := open()
		if err != nil {
			r.t.Fatal(err)
		}
		if other != nil {
			s = other
		}
		return f.store(s)
	}
	return tree
}

// openHub starts the hub, whose ledger is a file, and has it be started again by
// reopenHub.
func (r *restless) openHub() {
	path := filepath.Join(r.t.TempDir(), "hub.db")
	var open *sqliteledger.Store
	start := func() ledger.Store {
		var err error
		if open, err = sqliteledger.Open(r.t.Context(), path, &sqliteledger.Options{Clock: r.clock}); err != nil {
			r.t.Fatal(err)
		}
		return r.hubFuse.store(open)
	}
	r.hub = r.world.hubOn(start())
	r.reopenHub = func() {
		open.Close()
		r.hub.open(start())
	}
	r.t.Cleanup(func() { open.Close() })
}

// hour lets an hour pass, in which everybody does what is due. If it is a rough one,
// some are cut off in it, and started again.
func (r *restless) hour(rough bool) {
	r.t.Helper()
	r.add(time.Hour)
	hubCtx := r.hubFuse.arm(r.t.Context(), 0, fails)
	if rough && r.rand.IntN(5) == 0 {
		hubCtx = r.hubFuse.arm(r.t.Context(), 1+r.rand.IntN(max(r.hubFuse.usual, 1)), ending(r.rand.IntN(int(endings))))
	}
	rested := map[*country]bool{}
	for _, c := range r.nations {
		rested[c] = r.tick(c, rough && r.rand.IntN(4) == 0)
		c.cutOff = !rested[c]
	}
	_, err := r.hub.hub.Release(hubCtx, &ledger.ReleaseOptions{AllowGap: true})
	if r.hubFuse.disarm() {
		r.crashes++
		r.reopenHub()
	} else if err != nil {
		r.t.Fatalf("hub: %v", err)
	}
	for _, c := range r.nations {
		r.witnesses[c].look()
		r.witnesses[c].check(rested[c])
		r.nobodyElse(c)
		r.holdsHold(c)
		if rested[c] {
			r.cutsTakeWithdrawals(c)
		}
	}
	r.booksBalance()
}

// tick has a nation do what is due, and reports whether all of it was done. If it is
// rough, it is cut off, and perhaps started again in the same hour.
func (r *restless) tick(c *country, rough bool) bool {
	r.t.Helper()
	f := r.fuses[c]
	at := 0
	if rough {
		at = 1 + r.rand.IntN(max(f.usual, 1))
	}
	report, err := c.backend.Tick(f.arm(r.t.Context(), at, ending(r.rand.IntN(int(endings)))))
	switch blown := f.disarm(); {
	case blown:
		r.crashes++
		c.open()
		r.witnesses[c].look()
		r.witnesses[c].check(false)
		return r.rand.IntN(2) == 0 && r.tick(c, false)
	case err != nil && !r.hubFuse.burnt():
		r.t.Fatalf("%s: %v", c.region, err)
	}
	return err == nil && !report.Waiting
}

// happen lets one thing happen to one nation.
func (r *restless) happen() {
	c := r.nations[r.rand.IntN(2)]
	switch r.rand.IntN(14) {
	case 0, 1, 2, 3:
		r.keys = append(r.keys, c.submit(1)...)
	case 4, 12, 13:
		r.order(c, &ledger.Order{Action: ledger.OrderWithdraw, Select: r.some(), Immediately: r.rand.IntN(2) == 0})
	case 5:
		r.order(c, &ledger.Order{Action: ledger.OrderReinstate, Select: r.some()})
	case 6:
		r.order(c, &ledger.Order{Action: ledger.OrderHold, Holds: ledger.Holds{Origins: []keys.Region{[]keys.Region{de, fr}[r.rand.IntN(2)]}}})
	case 7:
		r.order(c, &ledger.Order{Action: ledger.OrderResume, Holds: ledger.Holds{Origins: []keys.Region{de, fr}}})
	case 8:
		c.open()
	case 9:
		if k, ok := r.recent(); ok { // that another nation has, too
			c.submitKeys([]keys.DiagnosisKey{k})
		}
	case 10:
		r.imposture(c)
	case 11:
		r.stranger()
	}
}

// recent returns a key of yesterday or today, without an origin.
func (r *restless) recent() (k keys.DiagnosisKey, ok bool) {
	if len(r.keys) == 0 {
		return k, false
	}
	k = r.keys[len(r.keys)-1-r.rand.IntN(min(len(r.keys), 5))]
	k.Origin = keys.Region{}
	return k, r.clock().Sub(k.End()) < 48*time.Hour
}

// imposture has the nation's hub, or a source that it does not know, withdraw keys
// that it has not brought.
func (r *restless) imposture(c *country) {
	r.t.Helper()
	d := &ledger.Delivery{Source: "stranger"}
	origins := []keys.Region{de, fr}
	if r.rand.IntN(2) == 0 {
		d.Source, origins = "hub", []keys.Region{c.region} // of which it is sent none
	}
	for _, id := range r.some().Units {
		if slices.Contains(origins, id.Origin) {
			d.Withdrawals = append(d.Withdrawals, id)
		}
	}
	if _, err := c.backend.ledger.Accept(r.t.Context(), d); err != nil {
		r.t.Fatal(err)
	}
}

// stranger is a nation that may relay, and uploads to the hub: keys that others have,
// as its own, and withdrawals of what it has not brought.
func (r *restless) stranger() {
	r.t.Helper()
	n := &federation.Nation{Name: "stranger", Region: ie, Relays: keys.Only(de, fr)}
	in := &federation.Incoming{Tag: fmt.Sprint(r.rand.Uint64())}
	for range 2 {
		if k, ok := r.recent(); ok {
			k.Origin, k.ConsentToFederate = ie, keys.ConsentUnstated
			in.Keys = append(in.Keys, k)
			k.Origin, k.ReportType = []keys.Region{de, fr}[r.rand.IntN(2)], keys.Some(keys.ReportRevoked)
			in.Keys = append(in.Keys, k)
		}
	}
	if _, err := r.hub.hub.Upload(r.t.Context(), n, in); err != nil {
		r.t.Fatal(err)
	}
}

// some selects some keys of either nation.
func (r *restless) some() ledger.Selection {
	s := ledger.Selection{Units: []ledger.UnitID{{Origin: de, KeyData: keys.KeyData{1}}}}
	for range 1 + r.rand.IntN(4) {
		if len(r.keys) == 0 {
			break
		}
		k := r.keys[len(r.keys)-1-r.rand.IntN(min(len(r.keys), 12))]
		for _, origin := range []keys.Region{de, fr} { // which of them, the ledger knows
			s.Units = append(s.Units, ledger.UnitID{Origin: origin, KeyData: k.KeyData})
		}
	}
	return s
}

// order gives an order, which the ledger may refuse. If it is cut off, it is given
// again.
func (r *restless) order(c *country, o *ledger.Order) {
	r.t.Helper()
	o.ID, o.By, o.Why = fmt.Sprintf("%x", r.rand.Uint64()), "ada", "at random"
	if _, err := c.backend.Office().Preview(r.t.Context(), o); err != nil {
		r.t.Fatal(err)
	}
	var known []ledger.UnitID
	for _, id := range o.Select.Units {
		u := unitIn(r.t, c.backend.ledger, id)
		if u != nil && !(u.SourceWithdrew && o.Action == ledger.OrderReinstate) { // which is its source's to say
			known = append(known, id)
		}
	}
	if r.rand.IntN(4) == 0 {
		f := r.fuses[c]
		_, err := c.backend.Office().Order(f.arm(r.t.Context(), 1+r.rand.IntN(8), ending(r.rand.IntN(int(endings)))), o)
		if blown := f.disarm(); blown {
			c.open()
		} else if _, refused := errors.AsType[*ledger.OrderError](err); err != nil && !refused {
			r.t.Fatal(err)
		}
	}
	_, err := c.backend.Office().Order(r.t.Context(), o)
	if _, refused := errors.AsType[*ledger.OrderError](err); refused {
		return
	} else if err != nil {
		r.t.Fatal(err)
	}
	switch o.Action {
	case ledger.OrderWithdraw, ledger.OrderReinstate:
		for _, id := range known {
			r.ordered[c][id] = o.Action == ledger.OrderWithdraw
		}
	case ledger.OrderHold, ledger.OrderResume:
		for _, origin := range o.Holds.Origins {
			r.held[c][origin] = o.Action == ledger.OrderHold
		}
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
	client, err := deltaset.NewClient(r.t.TempDir(), deltaset.FromBucket(r.witnesses[c].bucket, "deltaset/"+pkg+"/"), c.trusted(), &deltaset.ClientOptions{Package: pkg, MaxAge: -1, Now: r.clock})
	if err != nil {
		r.t.Fatal(err)
	}
	return &reader{client, c, pkg}
}

func (r *reader) update() {
	t := r.of.w.t
	t.Helper()
	_, err := r.Update(t.Context())
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, deltaset.ErrTryAgain) && r.of.cutOff: // between two indexes
	default:
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
	for range 8 {
		r.hour(false)
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
	for _, content := range r.archives(c, pkg) {
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
	for _, content := range r.archives(c, pkg) {
		for _, revised := range content.RevisedKeys {
			if revised.KeyData == k && revised.ReportType == keys.Some(keys.ReportRevoked) {
				return true
			}
		}
	}
	return false
}

// archives returns what the hours of a package say, in their order.
func (r *restless) archives(c *country, pkg string) []*export.Content {
	hours := r.witnesses[c].lines[line{deploy.CWA, pkg, "hour"}]
	var contents []*export.Content
	for _, start := range slices.SortedFunc(maps.Keys(hours), time.Time.Compare) {
		contents = append(contents, hours[start])
	}
	return contents
}
