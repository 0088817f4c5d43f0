package nation

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
)

// errand is what a victim is told: a back end that looks once, at that time.
type errand struct {
	Config string
	Now    time.Time
}

const errandVariable = "GAEN_NATION_ERRAND"

// TestMain makes the test binary a victim, if it has an errand.
func TestMain(m *testing.M) {
	text := os.Getenv(errandVariable)
	if text == "" {
		os.Exit(pgtest.Main(m))
	}
	if err := obey(text); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func obey(text string) error {
	var o errand
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	c, err := Read(o.Config)
	if err != nil {
		return err
	}
	b, err := Open(context.Background(), c, &Options{Clock: func() time.Time { return o.Now }})
	if err != nil {
		return err
	}
	_, err = b.Tick(context.Background())
	return errors.Join(err, b.Close())
}

// look starts a process that looks once, and kills it after a while; zero is never.
// It reports whether the process came to its end.
func (c *country) look(after time.Duration) bool {
	c.w.t.Helper()
	text, err := json.Marshal(errand{Config: filepath.Join(c.dir, "backend.json"), Now: c.w.clock()})
	if err != nil {
		c.w.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), errandVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		c.w.t.Fatal(err)
	}
	if after > 0 {
		timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	if err != nil && after == 0 {
		c.w.t.Fatal(err)
	}
	return err == nil
}

// TestKilled has the processes of two nations be killed wherever they are, in every
// hour: each key arrives at the server, in the other ledger and in the archives,
// once.
func TestKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	w := newWorld(t)
	a := w.hub()
	germany, france := w.country(de), w.country(fr)
	both := []*country{germany, france}
	for _, c := range both {
		c.joins(a, plain("hub-a"), interop.Member{Nation: federation.Nation{}})
		c.open()
		c.tick()
	}
	var submitted [][]keys.DiagnosisKey
	random := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for hour := range 12 {
		if hour < 4 {
			for _, c := range both {
				c.open()
				submitted = append(submitted, c.submit(5))
			}
		}
		w.add(time.Hour)
		for _, c := range both {
			c.close()
			c.write("backend.json", c.config.String())
			for range 2 {
				if !c.look(time.Duration(1+random.IntN(400)) * time.Millisecond) {
					killed++
				}
			}
			c.look(0)
		}
		a.release()
	}
	if killed == 0 {
		t.Log("nobody was killed: the machine is too fast")
	}
	t.Logf("%d looks killed", killed)
	if o := a.origins(); o[de] != 20 || o[fr] != 20 {
		t.Errorf("the server has %v", o)
	}
	for _, c := range both {
		c.open()
		c.shows("EUR", submitted...)
	}
	w.clean(nil, both...)
}

// TestDoubtOfProcesses: a gateway never has the audit of one batch. A back end that is
// a process for each look, and killed anywhere, is held up by it for the hours that it
// is patient, and no longer.
func TestDoubtOfProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	w := today(t)
	g := w.gateway("DE", "FR")
	germany, france := w.country(de), w.country(fr)
	for _, c := range []*country{germany, france} {
		c.config.Instances = []partner.Instance{g.instance(c.region)}
		c.open().tick()
	}
	var tags []string
	for _, n := range []int{5, 3} { // a batch that is doomed, and one that follows
		france.submit(n)
		for range 3 {
			w.add(time.Hour)
			france.tick()
		}
		tags = append(tags, g.Assemble()...)
	}
	if len(tags) != 2 {
		t.Fatalf("the gateway has batches %v, want 2", tags)
	}
	g.SetHook(func(_ context.Context, r federationtest.Request) federationtest.Verdict {
		if r.Route == federationtest.RouteAudit && r.Tag == tags[0] {
			return 500
		}
		return federationtest.Pass
	})
	germany.close()
	germany.write("backend.json", germany.config.String())
	random := rand.New(rand.NewPCG(3, 4))
	killed := 0
	for hour := range 9 {
		for range 3 {
			if !germany.look(time.Duration(1+random.IntN(300)) * time.Millisecond) {
				killed++
			}
		}
		germany.look(time.Minute)
		germany.open()
		got := germany.units()["FR by efgs"]
		var given []federation.GivenUp
		if hour > 6 {
			given = germany.tick().Pulls[0].GivenUp
		}
		germany.close()
		if hour < 6 && got != 0 || hour > 6 && (got != 3 || len(given) != 1 || given[0].Page != tags[0] || given[0].Keys != 5 || given[0].Time.Sub(given[0].Since) < 6*time.Hour) {
			t.Errorf("after %d hours: has %d keys, given up %v", hour, got, given)
		}
		w.add(time.Hour)
	}
	t.Logf("%d processes were killed", killed)
}
