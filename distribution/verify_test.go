package distribution_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
)

// TestVerifyFinds plants what can be wrong with a tree, and has the verifier
// find it.
func TestVerifyFinds(t *testing.T) {
	const (
		date  = tree + "/DE/date/2026-03-02"
		hour0 = date + "/hour/0"
		hour1 = date + "/hour/1"
	)
	w := newWorld(t, 1)
	w.hours(28) // from 22:00 of the first day to 02:00 of the third
	w.run()
	w.verify()
	content := func(w *world, name string) *export.Content { return contentOf(w.t, objects(w.t, w.bucket)[name]) }

	for _, test := range []struct {
		name   string
		plant  func(w *world)
		object string
		want   string
	}{
		{"missing archive", func(w *world) { w.delete(hour0) }, hour0, "it is not there"},
		{"missing index", func(w *world) { w.delete(tree + "/DE/date") }, "indexes", "date"},
		{"missing root", func(w *world) { w.delete("version") }, "indexes", "version"},
		{"index no list", func(w *world) { w.putBytes(tree+"/DE/date", []byte("<html>")) }, "indexes", "invalid character"},
		{"index names no date", func(w *world) { w.putBytes(tree+"/DE/date", []byte(`["today"]`)) }, "indexes", "no archive of the layout"},
		{"index backwards", func(w *world) { w.putBytes(date+"/hour", []byte("[1,0]")) }, hour0, "which is later"},
		{"gap", func(w *world) { w.putBytes(date+"/hour", []byte("[0,1,3]")) }, date + "/hour/3", "gap"},
		{"listed twice", func(w *world) { w.putBytes(date+"/hour", []byte("[0,0,1]")) }, hour0, "which is later"},
		{"another hour's archive", func(w *world) { w.putBytes(hour0, objects(t, w.bucket)[hour1]) }, hour0, "start_timestamp"},
		{"another country's archive", func(w *world) {
			w.putBytes(hour0, objects(t, w.bucket)[strings.Replace(hour0, "/DE/", "/EUR/", 1)])
		}, hour0, "region"},
		{"unknown signer", func(w *world) { w.putArchive(hour0, content(w, hour0), newRing(t, "999-v1")) }, hour0, "no trusted key"},
		{"right name, wrong key", func(w *world) { w.putArchive(hour0, content(w, hour0), impostor(t)) }, hour0, "does not verify"},
		{"damaged", func(w *world) { w.putBytes(hour0, objects(t, w.bucket)[hour0][:200]) }, hour0, "zip"},
		{"a key more in the day", func(w *world) {
			c := content(w, date)
			c.Keys = append(c.Keys, someKeys(t, 1)...)
			w.putArchive(date, c, w.ring)
		}, date, "none of its windows"},
		{"a key less in the day", func(w *world) {
			c := content(w, date)
			c.Keys = c.Keys[1:]
			w.putArchive(date, c, w.ring)
		}, date, "lacks a key"},
		{"the day says otherwise", func(w *world) {
			c := content(w, date)
			c.Keys[0].ReportType = keys.Some(keys.ReportUnknown)
			w.putArchive(date, c, w.ring)
		}, date, "says otherwise"},
		{"revised in the hours, new in the day", func(w *world) {
			c := content(w, date)
			c.Keys, c.RevisedKeys = append(c.Keys, c.RevisedKeys...), nil
			w.putArchive(date, c, w.ring)
		}, date, "otherwise"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := w.copy()
			c.t = t
			test.plant(c)
			r := c.inspect(nil)
			for _, f := range r.Findings {
				if f.Object == test.object && strings.Contains(f.Problem, test.want) {
					return
				}
			}
			t.Errorf("not found; found %v", r.Findings)
		})
	}

	t.Run("fresh", func(t *testing.T) {
		for age, findings := range map[time.Duration]int{time.Minute: 2, time.Hour: 0} {
			r := w.inspect(&distribution.VerifyOptions{Now: w.clock.Add(30 * time.Minute), MaxAge: age})
			if len(r.Findings) != findings {
				t.Errorf("no older than %s: %v", age, r.Findings)
			}
		}
	})
	t.Run("counts", func(t *testing.T) {
		r := w.inspect(nil)
		if r.Archives != 60 || len(r.Unlisted) != 0 || r.Newest["DE"] != w.clock.Truncate(time.Hour) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("not named by an index", func(t *testing.T) {
		c := w.copy()
		c.putBytes(tree+"/DE/date/2025-01-01", []byte("x"))
		if r := c.inspect(nil); len(r.Findings) != 0 || len(r.Unlisted) != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// impostor is a ring whose signer says it is ours.
func impostor(t *testing.T) *signing.Ring {
	t.Helper()
	s, err := signing.NewSigner(signing.Identity{KeyID: "262", KeyVersion: "v1"}, fixedKey(t, "another"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := signing.NewRing(s)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
