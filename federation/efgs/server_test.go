package efgs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// TestServerUpload has an upload that is good, and everything that can be wrong with
// one, with what the gateway answers. Of what is not answered 201 nothing is stored.
func TestServerUpload(t *testing.T) {
	one := func(change func(k *DiagnosisKey)) func(*world, *an) {
		return func(_ *world, u *an) { change(&u.keys[1]) }
	}
	head := func(name string, values ...string) func(*call) {
		return func(c *call) {
			delete(c.header, http.CanonicalHeaderKey(name))
			for _, v := range values {
				c.header.Add(name, v)
			}
		}
	}
	midnight := uint32(keys.IntervalAt(noon.Truncate(24 * time.Hour)))
	for _, tt := range []struct {
		name   string
		upload func(w *world, u *an)
		call   func(c *call)
		want   int
	}{
		{"as clients send it", nil, nil, 201},
		{"in JSON", func(_ *world, u *an) { u.format = JSON }, nil, 201},
		{"tag of 1024 characters", func(_ *world, u *an) { u.tag = strings.Repeat("t", 1024) }, nil, 201},

		{"no tag", nil, head("batchTag"), 400},
		{"an empty tag", nil, head("batchTag", ""), 400},
		{"two tags", nil, head("batchTag", "a", "b"), 400},
		{"tag of 1025 characters", func(_ *world, u *an) { u.tag = strings.Repeat("t", 1025) }, nil, 400},
		{"a tag with a space", nil, head("batchTag", "a b"), 400},
		{"no signature", nil, head("batchSignature"), 400},
		{"two signatures", nil, func(c *call) { c.header.Add("batchSignature", c.header.Get("batchSignature")) }, 400},
		{"no media type", nil, head("Content-Type"), 400},
		{"an unknown media type", nil, head("Content-Type", "text/plain; version=1.0"), 400},
		{"no version", nil, head("Content-Type", "application/protobuf"), 400},
		{"version 1.1", nil, head("Content-Type", "application/protobuf; version=1.1"), 406},
		{"version 2.0", nil, head("Content-Type", "application/protobuf; version=2.0"), 406},
		{"compressed", nil, head("Content-Encoding", "gzip"), 400},
		{"JSON called protobuf", nil, func(c *call) { c.body = []byte(`{"keys":[]}`) }, 400},
		{"GET", nil, func(c *call) { c.method = "GET" }, 405},

		{"no keys", func(_ *world, u *an) { u.keys = nil }, nil, 400},
		{"not protobuf", func(_ *world, u *an) { u.body = []byte{0xff} }, nil, 400},
		{"cut off", nil, func(c *call) { c.body = c.body[:len(c.body)-1] }, 400},
		{"5001 keys", func(w *world, u *an) { u.keys = BatchOf(w.newKeys("DE", 5001)).Keys }, nil, 413},
		{"15 bytes", one(func(k *DiagnosisKey) { k.KeyData = k.KeyData[:15] }), nil, 400},
		{"17 bytes", one(func(k *DiagnosisKey) { k.KeyData = append(slices.Clone(k.KeyData), 0) }), nil, 400},
		{"period 0", one(func(k *DiagnosisKey) { k.RollingPeriod = 0 }), nil, 400},
		{"period 145", one(func(k *DiagnosisKey) { k.RollingPeriod = 145 }), nil, 400},
		{"before 15 days ago", one(func(k *DiagnosisKey) { k.RollingStartIntervalNumber = midnight - 15*144 - 1 }), nil, 400},
		{"after the next interval", one(func(k *DiagnosisKey) { k.RollingStartIntervalNumber = uint32(keys.IntervalAt(noon)) + 2 }), nil, 400},
		{"risk 9", one(func(k *DiagnosisKey) { k.TransmissionRiskLevel = 9 }), nil, 400},
		{"risk -1", one(func(k *DiagnosisKey) { k.TransmissionRiskLevel = -1 }), nil, 400},
		{"risk not stated", one(func(k *DiagnosisKey) { k.TransmissionRiskLevel = 0x7fffffff }), nil, 201},
		{"report type 6", one(func(k *DiagnosisKey) { k.ReportType = 6 }), nil, 400},
		{"onset 5000", one(func(k *DiagnosisKey) { k.DaysSinceOnsetOfSymptoms = 5000 }), nil, 400},
		{"no origin", one(func(k *DiagnosisKey) { k.Origin = "" }), nil, 400},

		{"a forged origin", one(func(k *DiagnosisKey) { k.Origin = "FR" }), nil, 400},
		{"an origin in lower case", one(func(k *DiagnosisKey) { k.Origin = "de" }), nil, 400},
		{"signed by another nation", func(w *world, u *an) { u.signer = w.signers["FR"] }, nil, 400},
		{"signed by the certificate for authentication", func(w *world, u *an) { u.signer = w.auth["DE"] }, nil, 400},
		{"other keys signed", func(w *world, u *an) { u.signed = BatchOf(w.newKeys("DE", 2)).Keys }, nil, 400},
		{"one key more than was signed", func(w *world, u *an) {
			u.signed = u.keys
			u.keys = append(slices.Clone(u.keys), Of(&w.newKeys("DE", 1)[0]))
		}, nil, 400},
		{"a field changed after it was signed", func(_ *world, u *an) {
			u.signed = slices.Clone(u.keys)
			u.keys[0].DaysSinceOnsetOfSymptoms++
		}, nil, 400},
		{"signature that is no base64", nil, head("batchSignature", "!"), 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			own := w.newKeys("DE", 2)
			u := an{country: "DE", tag: "tag", keys: BatchOf(own).Keys}
			if tt.upload != nil {
				tt.upload(w, &u)
			}
			c := w.request(u)
			if tt.call != nil {
				tt.call(&c)
			}
			g := w.do(c)
			if g.status != tt.want {
				t.Errorf("got %d %s, want %d", g.status, g.body, tt.want)
			}
			if n := w.stored("de"); (n == 2) != (tt.want == 201) || n != 0 && n != 2 {
				t.Errorf("stored %d keys", n)
			}
			var message struct{ Message string }
			if tt.want != 201 && (json.Unmarshal([]byte(g.body), &message) != nil || message.Message == "") {
				t.Errorf("got %q, want a message", g.body)
			}
			if tt.want == 201 && g.header.Get("batchTag") != u.tag {
				t.Error("the answer has not the tag")
			}
			noLeak(t, "the answer", g.body, own)
			noLeak(t, "the log", w.log.String(), own)
			if tt.want == 400 && !strings.Contains(w.log.String(), "status=400") {
				t.Errorf("the log does not say it: %s", w.log)
			}
		})
	}
}

// TestServerAnswers207: a key that is there keeps an upload from being stored, which
// says so key by key, and without the tag.
func TestServerAnswers207(t *testing.T) {
	w := newWorld(t, nil)
	all := w.newKeys("DE", 4)
	w.put("DE", "1", all[1], all[3])
	g := w.do(w.request(an{country: "DE", tag: "2", keys: BatchOf(all).Keys}))
	if g.status != 207 || g.body != `{"201":[0,2],"409":[1,3],"500":[]}` || g.header.Get("batchTag") != "" {
		t.Errorf("got %d %s", g.status, g.body)
	}
	if n := w.stored("de"); n != 2 {
		t.Errorf("stored %d", n)
	}
	// The rest goes, by the same tag as the Finnish client has it.
	w.put("DE", "2", all[0], all[2])
	if n := w.stored("de"); n != 4 {
		t.Errorf("stored %d", n)
	}
}

// TestServerTags: a tag is a nation's own.
func TestServerTags(t *testing.T) {
	w := newWorld(t, nil)
	first := w.newKeys("DE", 2)
	w.put("DE", "1", first...)
	w.put("FR", "1", w.newKeys("FR", 1)...)
	for name, again := range map[string][]keys.DiagnosisKey{"the same": first, "others": w.newKeys("DE", 2), "some": {first[0], w.newKeys("DE", 1)[0]}} {
		if g := w.do(w.request(an{country: "DE", tag: "1", keys: BatchOf(again).Keys})); g.status != 409 {
			t.Errorf("%s: got %d %s", name, g.status, g.body)
		}
	}
	if g := w.do(w.request(an{country: "DE", tag: "1", format: JSON, keys: BatchOf(first).Keys})); g.status != 409 {
		t.Errorf("got %d %s", g.status, g.body)
	}
}

// TestServerDownload walks over three batches, one of them by another protocol.
func TestServerDownload(t *testing.T) {
	for _, format := range []Format{Protobuf, JSON} {
		w := newWorld(t, nil)
		german, french := w.newKeys("DE", 3), w.newKeys("FR", 2)
		w.put("DE", "1", german...)
		w.release()
		w.put("FR", "1", french...)
		w.release()

		g := w.get("IT", "2021-06-02", "", format)
		if g.status != 200 || g.header.Get("Content-Type") != format.MediaType() ||
			g.header.Get("X-Protobuf-Schema") == "" || g.header.Get("X-Protobuf-Message") == "" {
			t.Fatalf("got %d %v", g.status, g.header)
		}
		first, second := g.header.Get("batchTag"), g.header.Get("nextBatchTag")
		if tag, ok := ParseTag(first); !ok || tag.N != 1 || tag.Day != today {
			t.Errorf("the tag is %q", first)
		}
		batch := must(format.Decode([]byte(g.body), 10))
		if !bytes.Equal(SigningBytes(batch.Keys), SigningBytes(BatchOf(german).Keys)) || !bytes.Equal(batch.Keys[0].KeyData, german[0].KeyData[:]) {
			t.Error("not what was uploaded, in its order")
		}
		if same := w.get("IT", "2021-06-02", first, format); same.body != g.body || same.header.Get("nextBatchTag") != second {
			t.Error("the batch by its tag is another")
		}
		g = w.get("IT", "2021-06-02", second, format)
		if g.status != 200 || g.header.Get("batchTag") != second || g.header.Get("nextBatchTag") != "null" {
			t.Errorf("got %d %v", g.status, g.header)
		}
		// Whose keys they are is spared them, and gets an empty batch.
		g = w.get("FR", "2021-06-02", second, format)
		if batch := must(format.Decode([]byte(g.body), 10)); g.status != 200 || len(batch.Keys) != 0 {
			t.Errorf("got %d with %d keys", g.status, len(batch.Keys))
		}
	}
}

// TestServerDays has the rules of days and tags, in the gateway's order.
func TestServerDays(t *testing.T) {
	w := newWorld(t, nil)
	w.clock.add(11*time.Hour + 50*time.Minute)
	w.put("DE", "1", w.newKeys("DE", 1)...)
	w.release() // on 2 June
	w.clock.add(10 * time.Minute)
	w.put("DE", "2", w.newKeys("DE", 1)...)
	w.release() // on 3 June
	june2 := w.get("FR", "2021-06-02", "", Protobuf).header.Get("batchTag")
	june3 := w.get("FR", "2021-06-03", "", Protobuf).header.Get("batchTag")
	if !strings.HasPrefix(june2, "20210602-1-") || !strings.HasPrefix(june3, "20210603-1-") {
		t.Fatalf("batches %q and %q", june2, june3)
	}
	type row struct {
		name, day, tag string
		want           int
		batch          string
	}
	rows := []row{
		{"first of a day before there was one", "2021-06-01", "", 200, june2},
		{"too old", "2021-05-31", "", 410, ""},
		{"too old, with a tag", "2021-05-31", june2, 410, ""},
		{"oldest", "2021-06-01", june2, 200, june2},
		{"tomorrow", "2021-06-04", "", 404, ""},
		{"unknown tag", "2021-06-02", "20210602-9", 404, ""},
		{"unknown tag without its hash", "2021-06-02", "20210602-1", 404, ""},
		{"a later batch with an earlier day", "2021-06-02", june3, 200, june3},
		{"an earlier batch with a later day", "2021-06-03", june2, 400, ""},
		{"no day", "today", "", 400, ""},
		{"no such day", "2021-06-31", "", 400, ""},
		{"a tag longer than any", "2021-06-02", strings.Repeat("x", 1025), 404, ""},
	}
	for _, tt := range rows {
		if g := w.get("FR", tt.day, tt.tag, Protobuf); g.status != tt.want || g.header.Get("batchTag") != tt.batch {
			t.Errorf("%s: got %d %q, want %d %q", tt.name, g.status, g.header.Get("batchTag"), tt.want, tt.batch)
		}
	}
	for _, tt := range []row{
		{"its day", "2021-06-02", june2, 200, ""},
		{"another day", "2021-06-03", june2, 404, ""},
		{"an earlier day", "2021-06-02", june3, 404, ""},
		{"too old", "2021-05-31", june2, 410, ""},
		{"unknown tag", "2021-06-02", "20210602-9", 404, ""},
		{"no day", "x", june2, 400, ""},
	} {
		if g := w.do(call{path: "/audit/download/" + tt.day + "/" + tt.tag, header: w.headers("FR")}); g.status != tt.want {
			t.Errorf("audit: %s: got %d, want %d", tt.name, g.status, tt.want)
		}
	}
	for _, tt := range []struct {
		name   string
		accept []string
		want   int
	}{
		{"none", nil, 400},
		{"empty", []string{""}, 400},
		{"unknown", []string{"text/html"}, 415},
		{"anything", []string{"*/*"}, 415},
		{"no version", []string{"application/json"}, 415},
		{"version 1.1", []string{"application/json; version=1.1"}, 415},
		{"two", []string{JSON.MediaType(), Protobuf.MediaType()}, 400},
	} {
		h := w.headers("FR")
		h["Accept"] = tt.accept
		if g := w.do(call{path: "/download/2021-06-02", header: h}); g.status != tt.want {
			t.Errorf("Accept: %s: got %d, want %d", tt.name, g.status, tt.want)
		}
	}
	h := w.headers("FR")
	h.Set("Accept", Protobuf.MediaType())
	if g := w.do(call{method: "POST", path: "/download/2021-06-02", header: h}); g.status != 405 || g.header.Get("Allow") != "GET" {
		t.Errorf("got %d", g.status)
	}
	for _, path := range []string{"", "/", "/upload/", "/download/2021-06-02/x", "/audit/2021-06-02/x", "/audit/download/2021-06-02", "/callback/a/b", "/uploads"} {
		if g := w.do(call{path: path, header: h}); g.status != 404 {
			t.Errorf("%q: got %d", path, g.status)
		}
	}
}

// TestServerAudit: slices of a batch verify, the caller's own upload is in the audit
// and not in the batch, and nothing tells in what order uploads came.
func TestServerAudit(t *testing.T) {
	w := newWorld(t, nil)
	own := map[string][]keys.DiagnosisKey{}
	for _, country := range []string{"DE", "FR", "IT"} {
		own[country] = w.newKeys(country, 3)
		w.put(country, "1", own[country]...)
	}
	w.release()
	tag := w.get("FR", "2021-06-02", "", Protobuf).header.Get("batchTag")
	g := w.do(call{path: "/audit/download/2021-06-02/" + tag, header: w.headers("FR")})
	var entries []AuditEntry
	if err := json.Unmarshal([]byte(g.body), &entries); err != nil || len(entries) != 3 || g.status != 200 || g.header.Get("Content-Type") != JSON.MediaType() {
		t.Fatalf("got %d %v, %d entries", g.status, err, len(entries))
	}
	for _, e := range entries {
		if e.Amount != 3 || e.UploaderThumbprint != w.auth[e.Country].thumbprint().String() || e.UploaderSigningThumbprint != w.signers[e.Country].thumbprint().String() ||
			e.UploaderCertificate != w.auth[e.Country].pem() || e.SigningCertificate != w.signers[e.Country].pem() || !e.UploadedTime.Equal(noon.Add(5*time.Minute)) {
			t.Errorf("got %+v", e)
		}
		for signature, certificate := range map[string]string{e.UploaderOperatorSignature: e.UploaderCertificate, e.SigningCertificateOperatorSignature: e.SigningCertificate} {
			if err := cms.VerifyAnchor(w.anchor.Certificate(), certificate, signature); err != nil {
				t.Error(err)
			}
		}
		if _, err := must(cms.NewVerifier(w.list, nil)).Verify(t.Context(), SigningBytes(BatchOf(own[e.Country]).Keys), e.BatchSignature, noon); err != nil {
			t.Error(err)
		}
	}
	for _, country := range []string{"DE", "FR", "AT"} {
		for _, format := range []Format{Protobuf, JSON} {
			got := w.drain(w.client(country, &ClientOptions{Audit: w.audit(), Format: format}))
			if want := map[string]int{"DE": 6, "FR": 6, "AT": 9}[country]; len(got) != want {
				t.Errorf("%s has got %d keys, want %d", country, len(got), want)
			}
		}
	}
}

// TestServerAuditOfRunOut: a certificate runs out while an upload waits for its last
// key. Whoever judges it by the time of the upload takes the upload all the same, and
// learns nothing more of when that was.
func TestServerAuditOfRunOut(t *testing.T) {
	for name, c := range map[string]struct{ runsOut, want time.Duration }{ // from noon
		"before the batch":     {2 * time.Hour, 2 * time.Hour},
		"just before it":       {6*time.Hour - time.Second, 6*time.Hour - time.Second},
		"with it":              {6 * time.Hour, 6 * time.Hour},
		"after it":             {6*time.Hour + time.Second, 6 * time.Hour},
		"after it is verified": {48 * time.Hour, 6 * time.Hour},
	} {
		w := newWorld(t, nil)
		w.signers["FR"] = newAuthority(t, []string{"FR"}, noon.AddDate(-1, 0, 0), noon.Add(c.runsOut))
		w.admit(w.signers["FR"], cms.UseSigning)
		sent := w.newKeys("FR", 3)
		sent[0].RollingStartIntervalNumber = keys.IntervalAt(noon.Add(230*time.Minute)) - keys.IntervalsPerDay // may leave at 17:50
		sent[0].RollingPeriod = keys.IntervalsPerDay
		w.put("FR", "1", sent...)
		w.clock.add(6*time.Hour - 5*time.Minute) // w.release is 5 min later
		w.release()
		tag := w.get("DE", "2021-06-02", "", Protobuf).header.Get("batchTag")
		g := w.do(call{path: "/audit/download/2021-06-02/" + tag, header: w.headers("DE")})
		var entries []AuditEntry
		if err := json.Unmarshal([]byte(g.body), &entries); err != nil || len(entries) != 1 {
			t.Fatalf("%s: got %d %s", name, g.status, g.body)
		}
		if got := entries[0].UploadedTime; !got.Equal(noon.Add(c.want)) {
			t.Errorf("%s: uploaded at %s, want %s", name, got, noon.Add(c.want))
		}
		w.clock.add(time.Hour)
		if got := w.drain(w.client("DE", &ClientOptions{Audit: w.audit()})); len(got) != 3 {
			t.Errorf("%s: %d of 3 keys are taken", name, len(got))
		}
	}
}

// TestServerUnsigned: keys by other protocols come in batches with an empty audit,
// to whom wants them.
func TestServerUnsigned(t *testing.T) {
	w := newWorld(t, nil)
	w.put("DE", "1", w.newKeys("DE", 2)...)
	swiss := federation.Nation{Name: "ch", Region: keys.MustRegion("CH"), Withdrawals: true}
	must(w.hub.Upload(t.Context(), &swiss, &federation.Incoming{Tag: "x", Keys: w.newKeys("CH", 3)}))
	w.release()
	for country, want := range map[string]int{"FR": 5, "DE": 3, "AT": 2} {
		if got := w.drain(w.client(country, &ClientOptions{Audit: w.audit()})); len(got) != want {
			t.Errorf("%s has got %d keys, want %d", country, len(got), want)
		}
	}
	first := w.get("FR", "2021-06-02", "", Protobuf)
	other := first.header.Get("nextBatchTag")
	if g := w.do(call{path: "/audit/download/2021-06-02/" + other, header: w.headers("FR")}); g.status != 200 || g.body != "[]" {
		t.Errorf("got %d %s", g.status, g.body)
	}
	if g := w.get("FR", "2021-06-02", other, JSON); g.status != 200 || strings.Count(g.body, `"CH"`) != 3 {
		t.Errorf("got %d", g.status)
	}
	// And whoever seals may not do without.
	if _, err := w.hub.Upload(t.Context(), &theWorld[0], &federation.Incoming{Tag: "y", Keys: w.newKeys("DE", 1)}); err == nil {
		t.Error("DE has uploaded without a seal")
	}
	ch := newAuthority(t, []string{"CH"}, noon, noon.AddDate(1, 0, 0))
	w.auth["CH"], w.signers["CH"] = ch, ch
	w.admit(ch, cms.UseAuthentication)
	w.admit(ch, cms.UseSigning)
	if err := w.nations.Replace(append(slices.Clone(theWorld), swiss)...); err != nil {
		t.Fatal(err)
	}
	if g := w.do(w.request(an{country: "CH", tag: "1", keys: BatchOf(w.newKeys("CH", 1)).Keys})); g.status != 403 {
		t.Errorf("got %d %s", g.status, g.body)
	}
}

// TestServerRevoked: what its origin takes back ends at every receiver.
func TestServerRevoked(t *testing.T) {
	w := newWorld(t, nil)
	all := w.newKeys("DE", 3)
	w.put("DE", "1", all...)
	w.release()
	receiver := newLedger(t, memledger.New(&memledger.Options{Clock: w.clock.Now}))
	client := w.client("FR", &ClientOptions{Audit: w.audit()})
	pull := must(federation.NewPull(receiver, "efgs", client, client.PullOptions()))
	if report := must(pull.Run(t.Context())); report.Accepted != 3 {
		t.Fatalf("%+v", report)
	}
	revoked := all[1]
	revoked.ReportType = keys.Some(keys.ReportRevoked)
	w.put("DE", "2", revoked)
	w.release()
	must(pull.Run(t.Context()))
	withdrawn := 0
	for rec, err := range receiver.Find(t.Context(), ledger.Query{Source: "efgs"}) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Unit.SourceWithdrew {
			withdrawn++
			if rec.Unit.Key.KeyData != revoked.KeyData {
				t.Error("another key is withdrawn")
			}
		}
	}
	if withdrawn != 1 {
		t.Errorf("%d keys withdrawn at the receiver, want 1", withdrawn)
	}
	// Another nation cannot take it back: to the gateway that is a forged origin.
	revoked = all[2]
	revoked.ReportType = keys.Some(keys.ReportRevoked)
	if g := w.do(w.request(an{country: "IT", tag: "1", keys: BatchOf([]keys.DiagnosisKey{revoked}).Keys})); g.status != 400 {
		t.Errorf("got %d", g.status)
	}
}

// TestServerUnsignedBytes: what is in a body and not signed goes no further.
func TestServerUnsignedBytes(t *testing.T) {
	w := newWorld(t, nil)
	all := BatchOf(w.newKeys("DE", 2)).Keys
	message := all[0].appendProto(nil)
	for range 200 { // more than others' decoders follow
		message = protowire.AppendTag(message, 99, protowire.StartGroupType)
	}
	for range 200 {
		message = protowire.AppendTag(message, 99, protowire.EndGroupType)
	}
	body := protowire.AppendBytes(protowire.AppendTag(nil, fieldKeys, protowire.BytesType), message)
	body = protowire.AppendString(protowire.AppendTag(body, 77, protowire.BytesType), "unknown")
	body = Protobuf.Append(body, all[1:])
	if g := w.do(w.request(an{country: "DE", tag: "1", keys: all, body: body})); g.status != 201 {
		t.Fatalf("got %d %s", g.status, g.body)
	}
	w.release()
	if g := w.get("FR", "2021-06-02", "", Protobuf); g.body != string(Protobuf.Append(nil, all)) {
		t.Error("it is handed on")
	}
}

// TestServerExactFields: what is signed is handed on as it came, whatever the model
// makes of it.
func TestServerExactFields(t *testing.T) {
	w := newWorld(t, nil)
	all := BatchOf(w.newKeys("DE", 3)).Keys
	all[0].VisitedCountries = []string{"FR", "", "DE", "AT", "FR"}
	all[1].VisitedCountries = []string{"it"}
	all[2].DaysSinceOnsetOfSymptoms = -14
	for i, format := range []Format{Protobuf, JSON} {
		for n := range all {
			all[n].KeyData = w.newKeys("DE", 1)[0].KeyData[:]
		}
		if g := w.do(w.request(an{country: "DE", tag: fmt.Sprint(i), format: format, keys: all})); g.status != 201 {
			t.Fatalf("got %d %s", g.status, g.body)
		}
		w.release()
		tag := ""
		for n, at := 0, w.get("FR", "2021-06-02", "", format); n <= i; n++ {
			tag = at.header.Get("batchTag")
			at = w.get("FR", "2021-06-02", at.header.Get("nextBatchTag"), format)
		}
		for _, to := range []Format{Protobuf, JSON} {
			if g := w.get("FR", "2021-06-02", tag, to); g.body != string(to.Append(nil, all)) {
				t.Errorf("%s as %s: it has changed", format, to)
			}
		}
	}
}

// TestServerParallel: a nation has so many requests at a time, and the others theirs.
func TestServerParallel(t *testing.T) {
	w := newWorld(t, &ServerOptions{Balancers: loopback, Parallel: 1})
	leave := must(w.server.turnstile.Enter("de"))
	if g := w.get("DE", "2021-06-02", "", Protobuf); g.status != 429 || g.header.Get("Retry-After") == "" {
		t.Errorf("got %d", g.status)
	}
	if g := w.get("FR", "2021-06-02", "", Protobuf); g.status != 404 {
		t.Errorf("got %d", g.status)
	}
	leave()
	if g := w.get("DE", "2021-06-02", "", Protobuf); g.status != 404 {
		t.Errorf("got %d", g.status)
	}
}

// TestServerAnswersAreNotKept by anybody in between, whatever they are.
func TestServerAnswersAreNotKept(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range []call{{path: "/download/2021-06-02", header: w.headers("DE")}, {path: "/download/2021-06-02"}, {path: "/nothing"}, {path: "/callback", header: w.headers("DE")}} {
		if g := w.do(c); g.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d may be kept: %q", c.path, g.status, g.header.Get("Cache-Control"))
		}
	}
}

// TestServerWithoutCallbacks has no such resource, for whoever asks.
func TestServerWithoutCallbacks(t *testing.T) {
	w := newWorld(t, nil)
	w.server.opts.Callbacks = nil
	for _, h := range []http.Header{nil, w.headers("DE")} {
		for _, path := range []string{"/callback", "/callback/a"} {
			if g := w.do(call{path: path, header: h}); g.status != http.StatusNotFound {
				t.Errorf("%s: %d", path, g.status)
			}
		}
	}
}

// TestServerShowsWhoSigned: where the list knows a certificate by its thumbprint alone,
// an audit shows the one that signed.
func TestServerShowsWhoSigned(t *testing.T) {
	w := newWorld(t, &ServerOptions{Balancers: loopback})
	w.revise(w.signers["FR"], func(e *cms.Entry) {
		*e = cms.Entry{Use: e.Use, Country: e.Country, Thumbprint: w.signers["FR"].thumbprint()}
	})
	w.put("FR", "1", w.newKeys("FR", 2)...)
	w.release()
	tag := w.get("DE", "2021-06-02", "", Protobuf).header.Get("batchTag")
	var entries []AuditEntry
	g := w.do(call{path: "/audit/download/2021-06-02/" + tag, header: w.headers("DE")})
	if err := json.Unmarshal([]byte(g.body), &entries); err != nil || len(entries) != 1 || entries[0].SigningCertificate != w.signers["FR"].pem() {
		t.Errorf("got %d %s", g.status, g.body)
	}
}

// TestValidityEnds: both ends are within.
func TestValidityEnds(t *testing.T) {
	midnight := noon.Truncate(24 * time.Hour)
	first, last := keys.IntervalAt(midnight.AddDate(0, 0, -15)), keys.IntervalAt(noon)+1
	for start, want := range map[keys.Interval]bool{first - 1: false, first: true, last: true, last + 1: false} {
		k := keys.DiagnosisKey{TemporaryExposureKey: keys.TemporaryExposureKey{RollingStartIntervalNumber: start}}
		if err := validity(noon).check(&k); (err == nil) != want {
			t.Errorf("a key from interval %d: %v, want it taken: %t", start, err, want)
		}
	}
}

// TestServerRefusesOne: of an upload of one key it is told what is wrong with it, and of
// several none of which is taken that they are not, so that clients look for it.
func TestServerRefusesOne(t *testing.T) {
	refused := func(n int) (a federation.SealedAnswer) {
		for i := range n {
			a.Refused = append(a.Refused, federation.Refusal{Index: i, Why: malformed(keys.FieldKeyData, "")})
		}
		return a
	}
	one := refused(1)
	if a, err := uploadReply("1", 1, &one); err != nil || a.Status != http.StatusMultiStatus {
		t.Errorf("one: %+v, %v", a, err)
	}
	two := refused(2)
	if a, err := uploadReply("1", 2, &two); err == nil {
		t.Errorf("two: %+v", a)
	}
	if a, err := uploadReply("1", 3, &two); err != nil || a.Status != http.StatusMultiStatus {
		t.Errorf("two of three: %+v, %v", a, err)
	}
}
