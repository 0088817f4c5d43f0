package distribution_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// TestPaddingIsAlike has a classifier look at the published files of many
// windows and tell made-up keys from real ones. Padding as the ledger makes it
// leaves it guessing; padding drawn key by key gives itself away, which shows
// that the classifier is worth something.
func TestPaddingIsAlike(t *testing.T) {
	windows, limit := 1000, 0.52
	if testing.Short() {
		windows, limit = 150, 0.53 // fewer keys, more chance
	}
	echoed := observe(t, windows, fillWithEchoes)
	if auc := classify(echoed); auc > limit {
		t.Errorf("the classifier tells echoes from real keys: AUC %.3f over %d keys, want at most %.2f", auc, len(echoed), limit)
	} else {
		t.Logf("echoes: AUC %.3f over %d keys", auc, len(echoed))
	}
	drawn := observe(t, windows, fillKeyByKey)
	if auc := classify(drawn); auc < 0.8 {
		t.Errorf("the classifier misses padding that was drawn key by key: AUC %.3f over %d keys, want at least 0.8", auc, len(drawn))
	} else {
		t.Logf("drawn key by key: AUC %.3f over %d keys", auc, len(drawn))
	}
}

// sighting is one key as somebody sees it who has all files of a window: what can
// be said of it, alone and among the others, as numbers of tokens.
type sighting struct {
	tokens []int32
	real   bool
}

// tokens numbers what is said of keys.
type tokens map[string]int32

func (t tokens) of(words []string) []int32 {
	numbers := make([]int32, len(words))
	for i, w := range words {
		n, ok := t[w]
		if !ok {
			n = int32(len(t))
			t[w] = n
		}
		numbers[i] = n
	}
	return numbers
}

// observe publishes windows of 1 to 20 real uploads and looks at every key.
func observe(t *testing.T, windows int, fill func(*world, int)) []sighting {
	t.Helper()
	var all []sighting
	known := tokens{}
	for i := range windows {
		w := newWorld(t, uint64(i))
		w.policy.MinKeys, w.policy.MinUploads = 1, 1
		w.clock = time.Date(2026, 3, 1, 23, 10, 0, 0, time.UTC)
		w.gen = keystest.New(uint64(i), &keystest.Options{Origins: []keys.Region{de}, EndOfPeriod: true})
		uploads := 1 + w.rand.IntN(20)
		realKeys := map[keys.KeyData]bool{}
		var submit []ledger.Upload
		for range uploads {
			up := w.upload(de)
			for _, k := range up.Keys {
				realKeys[k.KeyData] = true
			}
			submit = append(submit, up)
		}
		w.rand.Shuffle(len(submit), func(i, j int) { submit[i], submit[j] = submit[j], submit[i] })
		fill(w, uploads)
		w.accept(ledger.Own, submit...)
		w.release()
		w.run()
		all = append(all, w.sightings(known, realKeys)...)
	}
	return all
}

// echoes is how often every real upload of the test is hidden.
const echoes = 3

// fillWithEchoes has the ledger pad.
func fillWithEchoes(w *world, uploads int) { w.policy.Padding.Echoes = echoes }

// fillKeyByKey adds as much padding as the ledger would, each key of it drawn
// for itself from everything a key may say.
func fillKeyByKey(w *world, uploads int) {
	r := rand.New(rand.NewPCG(w.rand.Uint64(), 2))
	today := keys.IntervalAt(w.clock).Day()
	for n := range echoes * uploads {
		up := ledger.Upload{ID: fmt.Sprintf("padding-%d", n)}
		for range 12 {
			up.Keys = append(up.Keys, keys.DiagnosisKey{
				TemporaryExposureKey: keys.TemporaryExposureKey{
					KeyData:                    w.gen.KeyData(),
					RollingStartIntervalNumber: keys.StartOfDay(today - 1 - r.IntN(13)),
					RollingPeriod:              keys.IntervalsPerDay,
					TransmissionRiskLevel:      keys.Some(keys.TransmissionRiskLevel(1 + r.IntN(8))),
					ReportType:                 keys.Some(keys.ReportConfirmedTest),
					DaysSinceOnsetOfSymptoms:   keys.Some(keys.DaysSinceOnset(r.IntN(15) - 7)),
				},
				Origin:            de,
				ConsentToFederate: keys.ConsentRefused,
			})
		}
		w.accept(ledger.Own, up)
	}
}

// sightings returns every key that is in some file, with what can be said of it.
func (w *world) sightings(known tokens, realKeys map[keys.KeyData]bool) []sighting {
	presence := map[keys.KeyData]string{}
	var listed []keys.TemporaryExposureKey
	position := map[keys.KeyData]float64{}
	for _, pkg := range []string{"DE", "EUR"} {
		for _, span := range []string{"hour", "day"} {
			for _, f := range w.have(pkg, span) {
				for k := range f.keys {
					presence[k] += pkg + span
				}
			}
		}
	}
	for _, f := range w.have("DE", "hour") {
		for _, k := range f.keys {
			listed = append(listed, k)
		}
	}
	slices.SortFunc(listed, func(a, b keys.TemporaryExposureKey) int { return a.Compare(&b) })
	for i, k := range listed {
		position[k.KeyData] = float64(i) / float64(len(listed))
	}
	view := newView(listed)
	var all []sighting
	for _, k := range listed {
		said := append(view.say(k), "in="+presence[k.KeyData], fmt.Sprintf("at=%d", int(position[k.KeyData]*10)))
		all = append(all, sighting{known.of(said), realKeys[k.KeyData]})
	}
	return all
}

// view is the metadata of a whole file: who else is like a key, and whether
// there are keys that would go before and after it in one upload.
type view struct {
	like  map[keys.TemporaryExposureKey]int
	first keys.Interval
	total int
}

func newView(listed []keys.TemporaryExposureKey) *view {
	v := &view{like: map[keys.TemporaryExposureKey]int{}, total: len(listed)}
	for i, k := range listed {
		if i == 0 || k.RollingStartIntervalNumber > v.first {
			v.first = k.RollingStartIntervalNumber
		}
		v.like[anonymous(k)]++
	}
	return v
}

func anonymous(k keys.TemporaryExposureKey) keys.TemporaryExposureKey {
	k.KeyData = keys.KeyData{}
	return k
}

// say returns what can be said of one key, alone and among the others.
func (v *view) say(k keys.TemporaryExposureKey) []string {
	age := int(v.first-k.RollingStartIntervalNumber) / keys.IntervalsPerDay
	return []string{
		fmt.Sprintf("age=%d", age),
		fmt.Sprintf("period=%d", k.RollingPeriod),
		fmt.Sprintf("risk=%v", k.TransmissionRiskLevel),
		fmt.Sprintf("type=%v", k.ReportType),
		fmt.Sprintf("onset=%v", k.DaysSinceOnsetOfSymptoms),
		fmt.Sprintf("risk+onset=%v,%v", k.TransmissionRiskLevel, k.DaysSinceOnsetOfSymptoms),
		fmt.Sprintf("age+onset=%d,%v", age, k.DaysSinceOnsetOfSymptoms),
		fmt.Sprintf("first byte=%d", k.KeyData[0]/32),
		fmt.Sprintf("chain=%d", v.chain(k)),
		fmt.Sprintf("like=%d", min(v.like[anonymous(k)], 15)),
		fmt.Sprintf("like+chain=%d,%d", min(v.like[anonymous(k)], 15), v.chain(k)),
		fmt.Sprintf("total=%d", v.total/20),
	}
}

// chain returns how many days in a row have a key that one person could have had
// with k: the day before its own, the onset a day earlier, and so on.
func (v *view) chain(k keys.TemporaryExposureKey) int {
	n := 1
	for _, step := range []int{-1, 1} {
		for next := anonymous(k); ; n++ {
			next.RollingStartIntervalNumber += keys.Interval(step * keys.IntervalsPerDay)
			if d, ok := next.DaysSinceOnsetOfSymptoms.Get(); ok {
				next.DaysSinceOnsetOfSymptoms = keys.Some(d + keys.DaysSinceOnset(step))
			}
			if !v.hasBut(next) {
				break
			}
		}
	}
	return n
}

// hasBut reports whether there is a key like k but for its risk.
func (v *view) hasBut(k keys.TemporaryExposureKey) bool {
	for risk := range keys.MaxTransmissionRiskLevel + 1 {
		k.TransmissionRiskLevel = keys.Some(risk)
		if v.like[k] > 0 {
			return true
		}
	}
	return false
}

// classify learns from half of the sightings what a real key looks like, by
// logistic regression over the tokens, and returns the AUC on the other half:
// how often it ranks a real key above a made-up one.
func classify(all []sighting) float64 {
	half := len(all) / 2
	weights := map[int32]float64{}
	score := func(s sighting) (sum float64) {
		for _, token := range s.tokens {
			sum += weights[token]
		}
		return sum
	}
	r := rand.New(rand.NewPCG(3, 4))
	for epoch := range 4 {
		rate := 0.05 / float64(1+epoch)
		for _, i := range r.Perm(half) {
			s := all[i]
			want := 0.0
			if s.real {
				want = 1
			}
			step := rate * (want - 1/(1+math.Exp(-score(s))))
			for _, token := range s.tokens {
				weights[token] += step
			}
		}
	}
	return auc(all[half:], score)
}

// auc ranks by score, and returns in what share of the pairs of a real key and a
// made-up one the real one is above. Ties count half.
func auc(all []sighting, score func(sighting) float64) float64 {
	type ranked struct {
		score float64
		real  bool
	}
	list := make([]ranked, len(all))
	for i, s := range all {
		list[i] = ranked{score(s), s.real}
	}
	slices.SortFunc(list, func(a, b ranked) int { return cmp.Compare(a.score, b.score) })
	var reals, fakes, wins float64
	for i := 0; i < len(list); {
		j, r, f := i, 0.0, 0.0
		for ; j < len(list) && list[j].score == list[i].score; j++ {
			if list[j].real {
				r++
			} else {
				f++
			}
		}
		wins += r*fakes + r*f/2
		reals, fakes = reals+r, fakes+f
		i = j
	}
	return wins / (reals * fakes)
}
