package interop

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/remote"
	"github.com/gaenkit/gaen/keys"
)

// pageOf is how many keys servers of the field put into one page.
const pageOf = 1000

func perKey(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}

func BenchmarkEncode(b *testing.B) {
	w := newWorld(b, nil)
	page := &federation.Page{Tag: uuid, Keys: sorted(w.newKeys(ie, pageOf))}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := appendPage(page, false); err != nil {
			b.Fatal(err)
		}
	}
	perKey(b, pageOf)
}

func BenchmarkDecode(b *testing.B) {
	w := newWorld(b, nil)
	body, err := appendPage(&federation.Page{Tag: uuid, Keys: sorted(w.newKeys(ie, pageOf))}, false)
	if err != nil {
		b.Fatal(err)
	}
	c := connect(b, "https://h", nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		page, err := c.page(federation.Place{}, &remote.Answer{Status: http.StatusOK, Body: body})
		if err != nil || len(page.Keys) != pageOf {
			b.Fatal(page, err)
		}
	}
	perKey(b, pageOf)
}

// BenchmarkReceive is what the server does with an upload before the hub has it:
// it verifies and reads.
func BenchmarkReceive(b *testing.B) {
	for _, n := range []int{pageOf, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, nil)
			body := []byte(w.envelope("ie", uuid, payload(w.newKeys(ie, n)...)))
			m := w.table["ie"]
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				_, signed, err := parseUpload(body)
				if err != nil {
					b.Fatal(err)
				}
				if in, err := w.server.open(signed, &m); err != nil || len(in.Keys) != n {
					b.Fatal(err)
				}
			}
			perKey(b, n)
		})
	}
}

// BenchmarkUpload is new keys from a client to a hub on a ledger in memory, over
// loopback.
func BenchmarkUpload(b *testing.B) {
	w := newWorld(b, nil)
	c := w.client("ie")
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		batch := &federation.Batch{Tag: fmt.Sprint(n), Keys: w.newKeys(ie, pageOf)}
		b.StartTimer()
		if answer, err := c.Upload(b.Context(), batch); err != nil || answer.Inserted != pageOf {
			b.Fatal(answer, err)
		}
	}
	perKey(b, pageOf)
}

// BenchmarkHandOut is the server's side of downloads, with the hub's batches in
// memory, as they are when several nations follow; BenchmarkDownload has the
// client and loopback, too.
func BenchmarkHandOut(b *testing.B) {
	w, path, token := filled(b)
	for b.Loop() {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", token)
		answer := httptest.NewRecorder()
		if w.server.ServeHTTP(answer, r); answer.Code != http.StatusOK || answer.Body.Len() < 100*pageOf {
			b.Fatal(answer)
		}
	}
	perKey(b, pageOf)
}

func BenchmarkDownload(b *testing.B) {
	w, _, _ := filled(b)
	c := w.client("gi")
	at := federation.Place{Day: federation.DayOf(noon)}
	for b.Loop() {
		if page, err := c.Download(b.Context(), at); err != nil || len(page.Keys) != pageOf {
			b.Fatal(page, err)
		}
	}
	perKey(b, pageOf)
}

// filled returns a world whose hub has pages, and a request for the first.
func filled(b *testing.B) (w *world, path, token string) {
	b.Helper()
	w = newWorld(b, nil)
	hub, err := federation.NewHub(w.ledger, &federation.HubOptions{Fresh: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	var all []keys.DiagnosisKey
	for range 5 {
		all = append(all, w.newKeys(ie, pageOf)...)
	}
	if got := w.upload("ie", "t", payload(all...)); got.status != http.StatusOK {
		b.Fatal(got)
	}
	w.release()
	w.server.hub = hub
	return w, "/download/2021-06-02", "Bearer " + w.token("gi")
}
