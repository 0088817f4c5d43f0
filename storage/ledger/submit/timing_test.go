package submit_test

import (
	"context"
	"flag"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gaenkit/gaen/storage/ledger/ledgertest"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
	"github.com/gaenkit/gaen/storage/ledger/submit"
)

// slow takes its time, and more for some.
type slow struct {
	submit.Authorizer
	by map[string]time.Duration // token
}

func (s slow) Authorize(ctx context.Context, r *submit.Request) (submit.Grant, error) {
	time.Sleep(s.by[r.Token])
	return s.Authorizer.Authorize(ctx, r)
}

// TestBeat has answers leave at beats alone, whatever the work took.
func TestBeat(t *testing.T) {
	all, err := submit.Anybody(given)
	if err != nil {
		t.Fatal(err)
	}
	work := slow{all, map[string]time.Duration{"a": time.Millisecond, "b": 400 * time.Millisecond, "c": 600 * time.Millisecond, "d": 1700 * time.Millisecond}}
	d := newDesk(t, nil, submit.Options{Beat: 500 * time.Millisecond}, work)
	d.http.Close() // the bubble has no network
	synctest.Test(t, func(t *testing.T) {
		for token, want := range map[string]time.Duration{"": 500, "a": 500, "b": 500, "c": 1000, "d": 2000} {
			begun := time.Now()
			d.server.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", submit.DefaultPath, strings.NewReader(phoneBody(token, d.upload(2), nil))))
			if took := time.Since(begun); took != want*time.Millisecond {
				t.Errorf("work of %v is answered after %v, want %v", work.by[token], took, want*time.Millisecond)
			}
			if o := d.last(); o.Late != (want > 500) {
				t.Errorf("work of %v: late %v", work.by[token], o.Late)
			}
		}
	})
}

// TestSameSteps has every kind ask the same of the ledger.
func TestSameSteps(t *testing.T) {
	var calls []string
	store := ledgertest.Faulty(memledger.New(&memledger.Options{Clock: func() time.Time { return noon }}), func(_ context.Context, c ledgertest.Call) ledgertest.Verdict {
		calls = append(calls, c.Op)
		return ledgertest.Pass
	})
	d := newDesk(t, store, submit.Options{}, nil)
	spent := d.issue(given)
	d.post(phoneBody(spent, d.upload(1), nil), nil)
	for name, body := range map[string]string{
		"real": phoneBody(d.issue(given), d.upload(12), nil), "unknown": phoneBody("0f1e2d3c-0000-4000-8000-000000000001", d.upload(12), nil),
		"spent": phoneBody(spent, d.upload(12), nil), "no token": phoneBody("", d.upload(12), nil), "decoy": phoneBody("", nil, nil), "decoy with a token": phoneBody(d.issue(given), nil, nil),
		"invalid": "{", "too many": phoneBody(d.issue(given), append(d.upload(9), d.upload(9)...), nil),
	} {
		calls = nil
		d.post(body, nil)
		if want := []string{"registers", "registers", "accept"}; !slices.Equal(calls, want) {
			t.Errorf("%s asks %v, want %v", name, calls, want)
		}
	}
	if registers, err := d.ledger.Registers(t.Context(), "submission/decoy/"); err != nil || len(registers) == 0 || len(registers) > 7 {
		t.Errorf("%d registers of decoys, %v", len(registers), err)
	}
}

var timing = flag.Int("timing", 0, "measure the times of so many `requests` of each kind, against a ledger in a file")

// TestTimes measures the distribution of times. It depends on the machine, so it
// is asked for by name: go test ./storage/ledger/submit -run TestTimes -v -timing 500
func TestTimes(t *testing.T) {
	if *timing == 0 {
		t.Skip("a measurement; -timing says how large")
	}
	for _, beat := range []time.Duration{time.Microsecond, submit.DefaultBeat} {
		d := newDesk(t, inFile(t), submit.Options{Beat: beat}, nil)
		took := map[string][]time.Duration{}
		for range *timing {
			// One after the other, so that all kinds meet the same weather.
			for kind, body := range map[string]string{
				"real": phoneBody(d.issue(given), d.upload(12), nil), "refused": phoneBody("0f1e2d3c-0000-4000-8000-000000000001", d.upload(12), nil),
				"decoy": phoneBody("", nil, map[string]any{"padding": strings.Repeat("x", 1100)}),
			} {
				begun := time.Now()
				d.post(body, nil)
				took[kind] = append(took[kind], time.Since(begun))
			}
		}
		at := func(kind string, percent int) time.Duration {
			slices.Sort(took[kind])
			return took[kind][len(took[kind])*percent/100]
		}
		for _, percent := range []int{50, 95} {
			real := at("real", percent)
			for _, kind := range []string{"real", "refused", "decoy"} {
				other := at(kind, percent)
				t.Logf("beat %v: p%d of %-7s %v", beat, percent, kind, other.Round(10*time.Microsecond))
				if off := float64(other-real) / float64(real); beat > time.Millisecond && (off > 0.1 || off < -0.1) {
					t.Errorf("beat %v: p%d of %s differs by %.0f %%", beat, percent, kind, 100*off)
				}
			}
		}
	}
}
