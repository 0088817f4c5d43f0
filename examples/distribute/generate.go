package main

import (
	"context"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/storage/ledger"
)

// generator makes up the uploads of a country and, a quarter as many, of
// partners. What arrives in an hour depends on the seed and the hour alone, so
// that a replay can go on where an earlier one stopped.
type generator struct {
	seed     uint64
	uploads  int // own ones a day
	origin   keys.Region
	partners []keys.Region
	source   ledger.Source // who brings those of the partners

	day   time.Time // whose uploads are at hand
	hours [24][]*upload
}

func newGenerator(o *options) *generator {
	g := &generator{
		seed:    o.seed,
		uploads: int(o.generate),
		origin:  o.config.API.OriginCountry,
		source:  o.config.Input.PartnerSource,
	}
	for _, code := range []string{"AT", "DE", "FR", "IE", "IT"} {
		if r := keys.MustRegion(code); r != g.origin {
			g.partners = append(g.partners, r)
		}
	}
	return g
}

// hour returns what arrives in the hour that begins then.
func (g *generator) hour(begin time.Time) []*upload {
	if day := begin.Truncate(24 * time.Hour); !day.Equal(g.day) {
		g.make(day)
	}
	return g.hours[begin.Hour()]
}

// make makes the uploads of a day.
func (g *generator) make(day time.Time) {
	g.day, g.hours = day, [24][]*upload{}
	seed := g.seed<<20 + uint64(day.Unix()/86400)*2
	g.add(ledger.Own, keystest.New(seed, &keystest.Options{Origins: []keys.Region{g.origin}}), g.uploads)
	g.add(g.source, keystest.New(seed+1, &keystest.Options{Origins: g.partners}), g.uploads/4)
}

func (g *generator) add(source ledger.Source, from *keystest.Generator, n int) {
	for up := range from.Uploads(g.day, g.day.Add(24*time.Hour), n) {
		h := up.At.Hour()
		g.hours[h] = append(g.hours[h], &upload{source: source, id: up.ID, keys: up.Keys})
	}
}

// replayGenerated lets days pass, hour by hour, up to the end, with the uploads
// that arrive in each.
func (j *job) replayGenerated(ctx context.Context) error {
	end := j.end().Truncate(time.Hour)
	begin, err := j.resume(ctx, end.AddDate(0, 0, -j.days))
	if err != nil {
		return err
	}
	g := newGenerator(j.options)
	for t := begin; t.Before(end); t = t.Add(time.Hour) {
		j.progress.step("hour %d of %d: %s", int(t.Sub(begin)/time.Hour)+1, int(end.Sub(begin)/time.Hour), deploy.Shown(t))
		for _, u := range g.hour(t) {
			if err := j.intake.add(ctx, u); err != nil {
				return err
			}
		}
		if err := j.passHour(ctx, t.Add(time.Hour)); err != nil {
			return err
		}
	}
	j.clock.set(later(begin, end))
	return j.publish(ctx)
}

// resume returns where a replay begins: at the last cut of an earlier one, if
// there was one, else at begin.
func (j *job) resume(ctx context.Context, begin time.Time) (time.Time, error) {
	log, err := j.ledger.Log(ctx, 0)
	if err == nil && log.Last.Seq > 0 {
		begin = log.Last.Time
	}
	j.summary.begin = begin
	return begin, err
}

// passHour stores what arrived in the hour before t, makes the cut of t, and
// publishes at midnight.
func (j *job) passHour(ctx context.Context, t time.Time) error {
	j.clock.set(t.Add(-time.Second))
	if err := j.intake.flush(ctx); err != nil {
		return err
	}
	j.clock.set(t)
	if _, err := j.release(ctx, false); err != nil {
		return err
	}
	if t.Truncate(24 * time.Hour).Equal(t) {
		return j.publish(ctx)
	}
	return nil
}
