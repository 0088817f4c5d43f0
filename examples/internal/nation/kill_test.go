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

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/internal/pgtest"
	"github.com/gaenkit/gaen/keys"
)

// orders are what a victim is told: a back end that looks once, at that time.
type orders struct {
	Config string
	Now    time.Time
}

const ordersVariable = "GAEN_NATION_ORDERS"

// TestMain makes the test binary a victim, if it has orders.
func TestMain(m *testing.M) {
	text := os.Getenv(ordersVariable)
	if text == "" {
		os.Exit(pgtest.Main(m))
	}
	if err := obey(text); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}

func obey(text string) error {
	var o orders
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
	text, err := json.Marshal(orders{Config: filepath.Join(c.dir, "backend.json"), Now: c.w.clock()})
	if err != nil {
		c.w.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), ordersVariable+"="+string(text))
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
