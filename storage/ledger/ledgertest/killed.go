package ledgertest

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

var killedClause = clause{
	name: "killed",
	must: "what a method has answered survives the death of the process, and the step that it dies in is there whole or not at all",
}

// TestKilled kills a process that writes to the ledger at a place, where there must be
// none yet, again and again, in the middle of whatever it does, also of opening the
// ledger. It expects that everything the process was answered is there, that the step
// it was in is there whole or not at all, and that the books balance. The process is the test
// binary itself, started once more: its TestMain must call [Victim] with the same open.
//
// How often it is killed is up to the caller: 20 is enough to find what is done in two
// steps, more to find what is rarely in the way. Where in a step the process dies is
// left to chance, and to how long that step took before, so that it means the same on any
// machine.
//
// A process that dies leaves to the system what it has written: whether that is on the
// disk is for other tests to say.
func TestKilled(t *testing.T, place string, open OpenPlace, kills int) {
	newKilling(t, place, open).run(kills)
}

// TestServerCrash has the server crash that keeps the ledger at a place, where there
// must be none yet, so many times: each time in another way of writing to it has just
// been answered. crash kills the server, which must lose whatever it has not made
// durable, and starts it again. What was answered must be there.
func TestServerCrash(t *testing.T, place string, open OpenPlace, crash func(), crashes int) {
	newKilling(t, place, open).runServer(crash, crashes)
}

// killing is one TestKilled or TestServerCrash.
type killing struct {
	*trial
	place string
	open  OpenPlace
	rand  *rand.Rand

	before answers // that are there for good

	// How long opening took, and each step of a round, the last time.
	opening time.Duration
	took    [stepsOfVictim]time.Duration
}

func newKilling(tb testing.TB, place string, open OpenPlace) *killing {
	return &killing{
		trial: &trial{tb: tb, ctx: tb.Context(), clause: killedClause},
		place: place,
		open:  open,
		rand:  rand.New(rand.NewPCG(1, 9)),
	}
}

// run kills victims: every fifth while it opens the ledger, the others in each step of
// a round in turn. The first ones die young, so that the first cuts are looked at
// before they are pruned; the others live long enough to prune.
func (k *killing) run(kills int) {
	k.tb.Helper()
	turn := 0
	for i := range kills {
		steps := 0
		if i%5 != 0 {
			steps = turn % stepsOfVictim
			switch turn++; {
			case steps == 0:
				steps = stepsOfVictim
			case i > 2:
				steps += (2 + k.rand.IntN(3)) * stepsOfVictim
			}
		}
		told := k.kill(steps)
		k.before = k.examine(fmt.Sprintf("after %d kills", i+1), told)
	}
	if b := k.before; kills >= 5 && (b.deliveries == 0 || b.cuts == 0 || b.swaps == 0 || b.removed == 0) {
		k.fail("too little happened to tell: %+v", b)
	}
}

// runServer has the server crash when a delivery, a cut or a swap has been answered.
func (k *killing) runServer(crash func(), crashes int) {
	k.tb.Helper()
	for i := range crashes {
		var told answers
		v, err := newVictim(k.ctx, k.place, k.open)
		k.must(err)
		for _, step := range []func() (string, error){v.deliver, v.cut, v.swap}[:1+i%3] {
			said, err := step()
			k.must(err)
			k.note(&told, said)
		}
		crash()
		k.must(v.close())
		k.before = k.examine(fmt.Sprintf("after %d crashes", i+1), told)
	}
}

// answers are what a victim has been answered, or what is there.
type answers struct{ deliveries, cuts, swaps, removed int64 }

// lacks says what is not there of what was there before and of what a victim has been
// told since. The one step that it was killed in may be there or not.
func (a answers) lacks(before, told answers) string {
	more := int64(0)
	for _, x := range []struct {
		what            string
		there, answered int64
	}{
		{"deliveries", a.deliveries, before.deliveries + told.deliveries},
		{"cuts", a.cuts, before.cuts + told.cuts},
		{"swaps", a.swaps, before.swaps + told.swaps},
	} {
		if x.there < x.answered {
			return fmt.Sprintf("%d %s are there, %d were answered", x.there, x.what, x.answered)
		}
		more += x.there - x.answered
	}
	if more > 1 {
		return fmt.Sprintf("%d steps more are there than were answered", more)
	}
	if a.removed < before.removed+told.removed {
		return fmt.Sprintf("%d keys are removed, %d were answered", a.removed, before.removed+told.removed)
	}
	return ""
}

// kill starts a victim, kills it somewhere in what it does once it has taken so many
// steps, or in opening the ledger if they are none, and returns what it was told.
func (k *killing) kill(steps int) (told answers) {
	k.tb.Helper()
	program, err := os.Executable()
	k.must(err)
	c := exec.CommandContext(k.ctx, program)
	c.Env = append(os.Environ(), victimPlace+"="+k.place)
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	k.must(err)
	k.must(c.Start())
	killed := false
	killIn := func(longest time.Duration) {
		killed = true
		time.AfterFunc(time.Duration(k.rand.Int64N(int64(longest)+1)), func() { c.Process.Kill() })
	}
	done, last := 0, time.Now()
	for lines := bufio.NewScanner(out); lines.Scan(); last = time.Now() {
		switch line := lines.Text(); line {
		case saidBegin:
			if steps == 0 {
				killIn(k.opening)
			}
		case saidOpen:
			k.opening = time.Since(last)
		default:
			k.took[done%stepsOfVictim] = time.Since(last)
			k.note(&told, line)
			if done++; done == steps {
				killIn(k.took[done%stepsOfVictim])
			}
		}
	}
	if err := c.Wait(); !killed || err == nil || c.ProcessState.Exited() {
		k.fail("the victim was not killed, but ended: %v", err)
	}
	return told
}

// note adds what a victim says to what it was told.
func (k *killing) note(told *answers, line string) {
	k.tb.Helper()
	switch {
	case line == saidDelivery:
		told.deliveries++
	case line == saidCut:
		told.cuts++
	case line == saidSwap:
		told.swaps++
	case line == saidWithdrawn:
	case strings.HasPrefix(line, saidRemoved):
		n, err := strconv.ParseInt(line[len(saidRemoved):], 10, 64)
		k.must(err)
		told.removed += n
	default:
		k.fail("the victim says %q", line)
	}
}

// examine opens what a killed process left, expects it to be sound, and to be what the
// process was told, and returns what is there.
func (k *killing) examine(when string, told answers) (there answers) {
	k.tb.Helper()
	v, err := newVictim(k.ctx, k.place, k.open)
	k.must(err)
	defer func() { k.must(v.close()) }()
	k.store, k.ledger = v.store, v.ledger
	log := k.checkLog()
	stats, err := v.ledger.Stats(k.ctx, everywhere{})
	k.must(err)
	if err := stats.Check(); err != nil {
		k.fail("%s: %v", when, err)
	}
	there.cuts = log.Last.Seq
	there.deliveries, _, err = v.counter(countDelivered)
	k.must(err)
	there.swaps, _, err = v.counter(countSwapped)
	k.must(err)
	accepted := log.Tallies["accepted/"+string(ledger.Own)]
	if accepted != there.deliveries*keysPerDelivery {
		k.fail("%s: %d keys are accepted, of %d deliveries of %d", when, accepted, there.deliveries, keysPerDelivery)
	}
	there.removed = accepted - k.units()
	if missing := there.lacks(k.before, told); missing != "" {
		k.fail("%s: %s\nbefore %+v\ntold   %+v\nthere  %+v", when, missing, k.before, told, there)
	}
	return there
}

// units returns how many units there are.
func (k *killing) units() (n int64) {
	k.tb.Helper()
	for _, err := range k.store.Find(k.ctx, ledger.Query{}) {
		k.must(err)
		n++
	}
	return n
}
