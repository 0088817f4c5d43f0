// Package keystest makes up uploads that look like production: about a dozen
// keys each, one a day for up to two weeks, with an onset of symptoms that the
// transmission risk follows, from several countries. [Leak] finds key data where
// it must not be.
//
// Everything comes from a seed, so a test that fails can be run again, and two
// benchmarks measure the same keys. Every key passes [keys.FromPhone] at the
// time of its upload. Shapes: 11 to 13 keys an upload, as published of Germany;
// a third of the phones with gaps in their two weeks, one upload in twelve from
// a traveller, one in forty with two keys for one day, each of a part of it.
package keystest

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// An Upload is what one phone submits at one time.
type Upload struct {
	ID   string
	At   time.Time
	Keys []keys.DiagnosisKey
}

// Options shape what a [Generator] makes.
type Options struct {
	// Origins are the countries that uploads come from, each upload from one,
	// drawn evenly: name one twice to have it drawn twice as often. None is DE.
	Origins []keys.Region

	// Visited are the countries that travellers may have been to, their own
	// not counted. None is a handful in Europe.
	Visited []keys.Region

	// EndOfPeriod makes every key's period end before the upload, as where
	// phones do not hand out the key of the present day.
	EndOfPeriod bool
}

// Generator makes uploads. It is not safe for concurrent use.
type Generator struct {
	rand    *rand.Rand
	secret  *rand.ChaCha8
	opts    Options
	uploads int
	seed    uint64
}

// New returns a generator. The same seed and options give the same uploads.
func New(seed uint64, opts *Options) *Generator {
	g := &Generator{rand: rand.New(rand.NewPCG(seed, 0x6761656e)), seed: seed}
	var s [32]byte
	for i := range 8 {
		s[i] = byte(seed >> (8 * i))
	}
	g.secret = rand.NewChaCha8(s)
	if opts == nil {
		opts = new(Options)
	}
	g.opts = Options{
		Origins:     orElse(opts.Origins, "DE"),
		Visited:     orElse(opts.Visited, "AT", "BE", "DK", "ES", "FR", "IE", "IT", "NL", "PL"),
		EndOfPeriod: opts.EndOfPeriod,
	}
	return g
}

// orElse returns a copy of the regions, or if there are none those of the codes.
func orElse(regions []keys.Region, codes ...string) []keys.Region {
	if len(regions) > 0 {
		return slices.Clone(regions)
	}
	for _, code := range codes {
		regions = append(regions, keys.MustRegion(code))
	}
	return regions
}

// KeyData returns random key data.
func (g *Generator) KeyData() keys.KeyData {
	var k keys.KeyData
	g.secret.Read(k[:])
	return k
}

// riskByOnset is the transmission risk of a day, by its distance from the onset
// of symptoms, from 4 days before to 10 after: highest around the onset.
var riskByOnset = [...]keys.TransmissionRiskLevel{2, 4, 6, 7, 8, 8, 7, 6, 5, 4, 3, 3, 2, 2, 1}

// maxKeys is how many keys the strictest back ends, the German and the British,
// take in one upload. Apps hand out no more, and leave out the oldest.
const maxKeys = 14

// Upload returns what one phone submits at the given time.
func (g *Generator) Upload(at time.Time) Upload {
	at = at.UTC()
	g.uploads++
	up := Upload{ID: fmt.Sprintf("upload-%d-%d", g.seed, g.uploads), At: at}

	person := g.person()
	today := keys.IntervalAt(at).Day()
	for age := person.days; age >= 0; age-- {
		if age == 0 && (g.opts.EndOfPeriod || g.rand.IntN(4) > 0) {
			continue // most phones keep the key that is still in use
		}
		if age > 0 && g.rand.Float64() < person.gaps {
			continue // the phone or the app was off
		}
		up.Keys = append(up.Keys, g.key(person, today-age, at))
		if age > 0 && age == person.reset {
			up.Keys = g.split(up.Keys)
		}
	}
	if len(up.Keys) == 0 {
		up.Keys = append(up.Keys, g.key(person, today-1, at))
	}
	up.Keys = up.Keys[max(0, len(up.Keys)-maxKeys):]
	return up
}

// person is what the keys of one upload have in common.
type person struct {
	days    int     // how long the app has been in use, up to 13
	gaps    float64 // share of the days without a key
	reset   int     // how many days ago the phone changed its key at noon or so; 0 if never
	onset   keys.Optional[int]
	origin  keys.Region
	visited keys.Regions
	report  keys.ReportType
	test    keys.TestType
	consent keys.Consent
}

func (g *Generator) person() person {
	p := person{
		days:    13,
		origin:  g.opts.Origins[g.rand.IntN(len(g.opts.Origins))],
		report:  keys.ReportConfirmedTest,
		test:    keys.TestLab,
		consent: keys.ConsentGiven,
	}
	if g.rand.IntN(8) == 0 {
		p.days = 1 + g.rand.IntN(13) // installed lately
	}
	if g.rand.IntN(3) == 0 {
		p.gaps = 0.2
	}
	if g.rand.IntN(10) < 7 {
		p.onset = keys.Some(1 + g.rand.IntN(4) + g.rand.IntN(4)) // days ago
	}
	switch g.rand.IntN(20) {
	case 0:
		p.report, p.test = keys.ReportConfirmedClinicalDiagnosis, keys.TestUnstated
	case 1:
		p.report, p.test = keys.ReportSelfReport, keys.TestRapidSelfReported
	case 2, 3, 4:
		p.test = keys.TestRapid
	}
	if g.rand.IntN(12) == 0 {
		p.visited = g.journey(p.origin)
	}
	if g.rand.IntN(7) == 0 {
		p.consent = keys.ConsentRefused
	}
	if g.rand.IntN(40) == 0 {
		p.reset = 1 + g.rand.IntN(p.days)
	}
	return p
}

// journey returns one to three of the countries that may be visited.
func (g *Generator) journey(home keys.Region) keys.Regions {
	var visited [3]keys.Region // a zero region is none
	for i := range 1 + g.rand.IntN(3) {
		if r := g.opts.Visited[g.rand.IntN(len(g.opts.Visited))]; r != home {
			visited[i] = r
		}
	}
	set, err := keys.RegionsOf(visited[:]...)
	if err != nil {
		panic("keystest: " + err.Error()) // three are never too many
	}
	return set
}

// split makes two keys of the last one, as a phone does that is asked for its
// keys during the day: it closes the one in use and starts another.
func (g *Generator) split(all []keys.DiagnosisKey) []keys.DiagnosisKey {
	first := &all[len(all)-1]
	second := *first
	first.RollingPeriod = uint8(36 + g.rand.IntN(96))
	second.KeyData = g.KeyData()
	second.RollingStartIntervalNumber += keys.Interval(first.RollingPeriod)
	second.RollingPeriod -= first.RollingPeriod
	return append(all, second)
}

func (g *Generator) key(p person, day int, at time.Time) keys.DiagnosisKey {
	k := keys.DiagnosisKey{
		TemporaryExposureKey: keys.TemporaryExposureKey{
			KeyData:                    g.KeyData(),
			RollingStartIntervalNumber: keys.StartOfDay(day),
			RollingPeriod:              keys.IntervalsPerDay,
			ReportType:                 keys.Some(p.report),
			TransmissionRiskLevel:      keys.Some(keys.TransmissionRiskLevel(3)),
		},
		Origin:            p.origin,
		VisitedCountries:  p.visited,
		TestType:          p.test,
		ConsentToFederate: p.consent,
	}
	today := keys.IntervalAt(at)
	if day == today.Day() {
		// The phone closes the key of the day when it hands it out.
		k.RollingPeriod = uint8(max(1, int(today-k.RollingStartIntervalNumber)))
	}
	if ago, ok := p.onset.Get(); ok {
		days := day - (today.Day() - ago)
		k.DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(days))
		k.TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(1))
		if i := days + 4; 0 <= i && i < len(riskByOnset) {
			k.TransmissionRiskLevel = keys.Some(riskByOnset[i])
		}
	}
	return k
}

// Uploads returns n uploads from [from, to), in the order of their times, more
// of them by day than by night; none if that is empty. Ranging over it again
// gives other uploads, the generator's next.
func (g *Generator) Uploads(from, to time.Time, n int) iter.Seq[Upload] {
	return func(yield func(Upload) bool) {
		for _, at := range g.arrivals(from, to, n) {
			if !yield(g.Upload(at)) {
				return
			}
		}
	}
}

// Keys returns at least n keys, as the uploads of one moment hold them.
func (g *Generator) Keys(at time.Time, n int) []keys.DiagnosisKey {
	all := make([]keys.DiagnosisKey, 0, n+16)
	for len(all) < n {
		all = append(all, g.Upload(at).Keys...)
	}
	return all
}
