package efgs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/federationtest"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing/cms"
)

// mixed is a gateway with one batch of five uploads, two of them of DE.
func mixed(t *testing.T) (e *europe, others []keys.DiagnosisKey) {
	t.Helper()
	e = newEurope(t, nil)
	for i, country := range []string{"DE", "FR", "DE", "IT", "FR"} {
		all := e.newKeys(country, 3+i)
		e.upload(country, fmt.Sprint(i), all)
		if country != "DE" {
			others = append(others, all...)
		}
	}
	e.gateway.Assemble()
	return e, others
}

// audited returns the page that DE is given.
func (e *europe) audited(audit *Audit) (*federation.Page, error) {
	e.t.Helper()
	return e.client("DE", &ClientOptions{Audit: audit}).Download(e.t.Context(), federation.Place{Day: today})
}

// TestAudit: the uploads of whoever asks are in the audit, and their keys are not in
// the batch (a national client took them for others', and refused good keys).
func TestAudit(t *testing.T) {
	for _, format := range []Format{Protobuf, JSON} {
		e, others := mixed(t)
		for _, audit := range []*Audit{e.audit(), {Verifier: e.verifier()}} {
			c := e.client("DE", &ClientOptions{Audit: audit, Format: format})
			page, err := c.Download(t.Context(), federation.Place{Day: today})
			if err != nil || !slices.Equal(page.Keys, others) || len(page.Unreadable) > 0 {
				t.Errorf("%s: got %d keys, %d set aside, %v", format, len(page.Keys), len(page.Unreadable), err)
			}
		}
	}
	e := newEurope(t, nil)
	e.upload("DE", "1", e.newKeys("DE", 3))
	e.gateway.Assemble()
	if page, err := e.audited(e.audit()); err != nil || page == nil || len(page.Keys) != 0 {
		t.Errorf("a batch of nothing but our own: %v, %v", page, err)
	}
}

// TestAuditSetsAside: a nation whose signature is not good loses its uploads, and
// nobody else does.
func TestAuditSetsAside(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(e *europe, all []AuditEntry)
		want   string // of the keys that are left
		why    string
	}{
		{"nothing is wrong", func(*europe, []AuditEntry) {}, "FR:11 IT:6", ""},
		{"a certificate that is not trusted", func(e *europe, _ []AuditEntry) { e.trust("DE", "FR") }, "FR:11", "is not listed"},
		{"the signature of another upload", func(_ *europe, all []AuditEntry) { all[1].BatchSignature = all[4].BatchSignature }, "FR:7 IT:6", "the signature is not good"},
		{"no signature", func(_ *europe, all []AuditEntry) { all[3].BatchSignature = "" }, "FR:11", "the signature is not good"},
		{"another country's signature", func(_ *europe, all []AuditEntry) { all[3].Country = "FR" }, "FR:11", "of another country"},
		{"lower case is another country", func(_ *europe, all []AuditEntry) { all[3].Country = "it" }, "FR:11", "of another country"},
		{"another thumbprint", func(_ *europe, all []AuditEntry) {
			all[4].UploaderSigningThumbprint = all[3].UploaderSigningThumbprint
		}, "FR:4 IT:6", "that the gateway names"},
		{"another certificate shown", func(_ *europe, all []AuditEntry) {
			all[4].SigningCertificate = all[3].SigningCertificate
		}, "FR:4 IT:6", "that the gateway shows"},
		{"no certificate shown, with an anchor", func(_ *europe, all []AuditEntry) {
			all[4].SigningCertificate = ""
		}, "FR:4 IT:6", "that the gateway shows"},
		{"the anchor has not confirmed it", func(_ *europe, all []AuditEntry) {
			all[1].SigningCertificateOperatorSignature = all[3].SigningCertificateOperatorSignature
		}, "FR:7 IT:6", "has not confirmed"},
		{"an upload of no keys", func(_ *europe, all []AuditEntry) { all[0].Country, all[0].Amount = "AT", 0 }, "FR:11 IT:6", ""},
		{"upper case and lost zeros in the thumbprint", func(_ *europe, all []AuditEntry) {
			all[1].UploaderSigningThumbprint = "00" + strings.ToUpper(all[1].UploaderSigningThumbprint)
		}, "FR:11 IT:6", ""},
		{"no thumbprint", func(_ *europe, all []AuditEntry) { all[1].UploaderSigningThumbprint = "" }, "FR:11 IT:6", ""},
		{"slices that are shifted", func(_ *europe, all []AuditEntry) { all[1].Amount, all[3].Amount = 5, 5 }, "FR:7", "the signature is not good"},
	} {
		e, others := mixed(t)
		e.tamper(t, func(all []AuditEntry) { c.change(e, all) })
		page, err := e.audited(e.audit())
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := counts(page.Keys); got != c.want {
			t.Errorf("%s: %s is left, want %s", c.name, got, c.want)
		}
		if len(page.Keys)+len(page.Unreadable) != len(others) {
			t.Errorf("%s: %d keys and %d set aside, of %d", c.name, len(page.Keys), len(page.Unreadable), len(others))
		}
		for _, a := range page.Unreadable {
			if a.Field != FieldSignature || a.Reason != ReasonUnverified || a.ID.Origin.IsZero() || !strings.Contains(a.Detail, c.why) || c.why == "" {
				t.Errorf("%s: set aside for %s/%s: %s", c.name, a.Field, a.Reason, a.Detail)
			}
			if keystest.Leak(fmt.Sprint(a.Detail), a.ID.KeyData) != "" {
				t.Errorf("%s: key data in the reason", c.name)
			}
		}
	}
}

// counts says how many keys are of which country.
func counts(all []keys.DiagnosisKey) string {
	n := map[string]int{}
	for i := range all {
		n[all[i].Origin.String()]++
	}
	return strings.Trim(fmt.Sprint(n), "map[]")
}

// tamper puts something between the gateway and its clients that changes audits.
func (e *europe) tamper(t *testing.T, change func(all []AuditEntry)) {
	e.between(t, func(r *http.Request, a *recorded) {
		if !strings.Contains(r.URL.Path, "/audit/") || a.status != http.StatusOK {
			return
		}
		var all []AuditEntry
		if err := json.Unmarshal(a.body, &all); err != nil {
			t.Fatal(err)
		}
		change(all)
		a.body = must(json.Marshal(all))
	})
}

// TestAuditOfWrongOrigin: a country signs keys of another one. The gateway would not
// have taken them; a client does not rely on that.
func TestAuditOfWrongOrigin(t *testing.T) {
	e, _ := mixed(t)
	forged := e.newKeys("FR", 2)
	part := BatchOf(forged).Keys
	signature := must(e.signers["IT"].Sign(SigningBytes(part), noon))
	entry := AuditEntry{Country: "IT", Amount: 2, BatchSignature: signature, SigningCertificate: e.nations["IT"].SigningCertificate,
		SigningCertificateOperatorSignature: e.nations["IT"].SigningCertificateOperatorSignature}
	if err := e.audit().verify(t.Context(), &entry, part, noon); err == nil || !strings.Contains(err.Error(), "another origin") {
		t.Errorf("got %v", err)
	}
	fr := BatchOf(forged).Keys
	entry = AuditEntry{Country: "FR", Amount: 2, BatchSignature: must(e.signers["FR"].Sign(SigningBytes(fr), noon))}
	if err := (&Audit{Verifier: e.verifier()}).verify(t.Context(), &entry, fr, noon); err != nil {
		t.Errorf("no certificate shown, and no anchor to confirm it: %v", err)
	}
	if err := e.audit().verify(t.Context(), &AuditEntry{}, nil, noon); err != nil {
		t.Errorf("an upload without keys: %v", err)
	}
}

// TestAuditByTheTimeOfUpload: a certificate that has run out since was good.
func TestAuditByTheTimeOfUpload(t *testing.T) {
	e := newEurope(t, nil)
	old := newAuthority(t, []string{"FR"}, noon.AddDate(-1, 0, 0), noon.Add(time.Hour))
	e.signers["FR"] = old
	e.trust("FR")
	e.upload("FR", "1", e.newKeys("FR", 3))
	e.gateway.Assemble()
	e.clock.add(24 * time.Hour)
	page, err := e.client("DE", &ClientOptions{Audit: &Audit{Verifier: e.verifier()}}).Download(t.Context(), federation.Place{Day: today})
	if err != nil || len(page.Keys) != 0 { // the gateway shows the nation's other certificate
		t.Errorf("got %v, %v", page, err)
	}
	for name, c := range map[string]struct {
		uploaded time.Time
		want     time.Time
	}{
		"a day ago":    {noon.Add(-24 * time.Hour), noon.Add(-24 * time.Hour)},
		"a month ago":  {noon.AddDate(0, -1, 0), noon},
		"in an hour":   {noon.Add(time.Hour), noon},
		"not told":     {time.Time{}, noon},
		"4 days, less": {noon.Add(-4*24*time.Hour + time.Second), noon.Add(-4*24*time.Hour + time.Second)},
	} {
		entry := AuditEntry{UploadedTime: UploadTime{c.uploaded}}
		if got := entry.signedAt(noon); !got.Equal(c.want) {
			t.Errorf("%s: judged by %s, want %s", name, got, c.want)
		}
	}
	entry := AuditEntry{Country: "FR", Amount: 1, UploadedTime: UploadTime{noon}}
	part := BatchOf(e.newKeys("FR", 1)).Keys
	entry.BatchSignature = must(old.Sign(SigningBytes(part), noon))
	if err := (&Audit{Verifier: e.verifier()}).verify(t.Context(), &entry, part, noon.Add(24*time.Hour)); err != nil {
		t.Errorf("a certificate that was good when the upload came: %v", err)
	}
	entry.UploadedTime = UploadTime{}
	if err := (&Audit{Verifier: e.verifier()}).verify(t.Context(), &entry, part, noon.Add(24*time.Hour)); err == nil {
		t.Error("a certificate that has run out is good")
	}
}

// TestAuditUnsigned: keys that came to a gateway by another protocol.
func TestAuditUnsigned(t *testing.T) {
	e, others := mixed(t)
	e.between(t, func(r *http.Request, a *recorded) {
		if strings.Contains(r.URL.Path, "/audit/") {
			a.body = []byte("[]")
		}
	})
	page, err := e.audited(e.audit())
	if err != nil || len(page.Keys) != 0 || len(page.Unreadable) != len(others) || !strings.Contains(page.Unreadable[0].Detail, "nobody has signed") {
		t.Errorf("got %v, %v", page, err)
	}
	audit := e.audit()
	audit.Unsigned = true
	if page, err := e.audited(audit); err != nil || len(page.Keys) != len(others) {
		t.Errorf("where they are to be taken: %v, %v", page, err)
	}
}

// TestAuditDoubt: a batch whose audit does not fit is in doubt, each time, with what
// is to be stored in the end.
func TestAuditDoubt(t *testing.T) {
	for name, distort := range map[string]func(r *http.Request, a *recorded){
		"503":             func(r *http.Request, a *recorded) { a.status = 503 },
		"404":             func(r *http.Request, a *recorded) { a.status = 404 },
		"410":             func(r *http.Request, a *recorded) { a.status = 410 },
		"null":            func(r *http.Request, a *recorded) { a.body = []byte("null") },
		"HTML":            func(r *http.Request, a *recorded) { a.body = []byte("<html>") },
		"amounts in text": func(r *http.Request, a *recorded) { a.body = []byte(`[{"amount":"4"}]`) },
		"an upload less":  func(r *http.Request, a *recorded) { a.change(func(all []AuditEntry) []AuditEntry { return all[:4] }) },
		"a key less": func(r *http.Request, a *recorded) {
			a.change(func(all []AuditEntry) []AuditEntry { all[4].Amount--; return all })
		},
		"negative": func(r *http.Request, a *recorded) {
			a.change(func(all []AuditEntry) []AuditEntry { all[4].Amount, all[3].Amount = -1, 14; return all })
		},
		"overflow": func(r *http.Request, a *recorded) {
			a.change(func(all []AuditEntry) []AuditEntry {
				all[1].Amount, all[3].Amount, all[4].Amount = 1<<62, 1<<62, -1<<63+17
				return all
			})
		},
	} {
		e, others := mixed(t)
		e.between(t, func(r *http.Request, a *recorded) {
			if strings.Contains(r.URL.Path, "/audit/") {
				distort(r, a)
			}
		})
		c := e.client("DE", &ClientOptions{Audit: e.audit()})
		for range 7 {
			e.clock.add(time.Hour)
			page, err := c.Download(t.Context(), federation.Place{Day: today})
			doubt, ok := errors.AsType[*federation.DoubtError](err)
			if !ok || page != nil || classOf(err) != federation.ErrUnavailable {
				t.Errorf("%s: got %v, %v", name, page, err)
				continue
			}
			page = doubt.Page
			if page.Tag != "20210602-1" || page.Next.Tag != page.Tag || len(page.Keys) != 0 || len(page.Unreadable) != len(others) || page.Unreadable[0].Detail != "its audit cannot be had" {
				t.Errorf("%s: in doubt is %v", name, page)
			}
		}
	}
	for _, status := range []int{401, 403, 429} {
		e, _ := mixed(t)
		e.between(t, func(r *http.Request, a *recorded) {
			if strings.Contains(r.URL.Path, "/audit/") {
				a.status = status
			}
		})
		_, err := e.audited(e.audit())
		if class := classOf(err); inDoubt(err) || class != federation.ErrDenied && class != federation.ErrThrottled {
			t.Errorf("%d: got %v", status, err)
		}
	}
}

func inDoubt(err error) bool {
	_, ok := errors.AsType[*federation.DoubtError](err)
	return ok
}

// TestAuditShort: the gateway leaves an upload out of an audit once.
func TestAuditShort(t *testing.T) {
	e, others := mixed(t)
	e.gateway.SetHook(federationtest.On(federationtest.At(1, federationtest.Short), federationtest.RouteAudit))
	if page, err := e.audited(e.audit()); classOf(err) != federation.ErrUnavailable {
		t.Errorf("got %v, %v", page, err)
	}
	if page, err := e.audited(e.audit()); err != nil || len(page.Keys) != len(others) {
		t.Errorf("the next time: %v, %v", page, err)
	}
}

// TestAuditEmptyOnce: it is no audit that says that nobody has signed, until it says
// so twice.
func TestAuditEmptyOnce(t *testing.T) {
	e := newEurope(t, nil)
	sent := e.newKeys("IT", 3)
	e.upload("IT", "1", sent)
	e.gateway.Assemble()
	e.gateway.SetHook(federationtest.On(federationtest.At(1, federationtest.Short), federationtest.RouteAudit))
	if page, err := e.audited(e.audit()); err != nil || len(page.Keys) != len(sent) {
		t.Errorf("got %v, %v, want %d keys", page, err, len(sent))
	}
}

// TestAuditFindsWhatIsMissing: a batch that was cut off between two keys is a good
// message, and only the audit tells.
func TestAuditFindsWhatIsMissing(t *testing.T) {
	e, others := mixed(t)
	e.between(t, func(r *http.Request, a *recorded) {
		if strings.Contains(r.URL.Path, "/diagnosiskeys/download/") {
			a.body = Protobuf.Append(nil, BatchOf(others[:5]).Keys)
		}
	})
	if page, err := e.audited(e.audit()); classOf(err) != federation.ErrUnavailable {
		t.Errorf("got %v, %v", page, err)
	}
}

// TestAuditDay: the day of an audit must be the batch's, which around midnight may
// not be the tag's.
func TestAuditDay(t *testing.T) {
	for _, off := range []federation.Day{-1, 0, 1} {
		e, others := mixed(t)
		e.between(t, func(r *http.Request, a *recorded) {
			day, audit := strings.CutPrefix(r.URL.Path, "/diagnosiskeys/audit/download/")
			if audit && !strings.HasPrefix(day, (today+off).String()) {
				a.status = http.StatusNotFound
			} else if audit {
				rec := record(e.gateway, strings.Replace(r.URL.Path, (today+off).String(), today.String(), 1), r.Header)
				a.status, a.body = rec.status, rec.body
			}
		})
		if page, err := e.audited(e.audit()); err != nil || len(page.Keys) != len(others) {
			t.Errorf("%d days off: got %v, %v", off, page, err)
		}
	}
}

// broken is a list of certificates that cannot be asked.
type broken struct{}

func (broken) Find(context.Context, cms.Thumbprint, cms.Use) (cms.Entry, error) {
	return cms.Entry{}, errors.New("no database")
}

// TestAuditListIsDown: that it cannot be found out who may sign is nobody's fault.
func TestAuditListIsDown(t *testing.T) {
	e, _ := mixed(t)
	c := e.client("DE", &ClientOptions{Audit: &Audit{Verifier: must(cms.NewVerifier(broken{}, nil))}})
	if page, err := c.Download(t.Context(), federation.Place{Day: today}); classOf(err) != federation.ErrUnavailable || inDoubt(err) {
		t.Errorf("got %v, %v", page, err)
	}
}

func TestAuditTimes(t *testing.T) {
	for text, want := range map[string]string{
		`"2021-06-02T12:00:00.123Z"`: "2021-06-02T12:00:00.123Z", `"2021-06-02T14:00:00+02:00"`: "2021-06-02T12:00:00.000Z",
		`1622635200.5`: "0001-01-01T00:00:00.000Z", `null`: "0001-01-01T00:00:00.000Z", `"yesterday"`: "0001-01-01T00:00:00.000Z", `{}`: "0001-01-01T00:00:00.000Z",
	} {
		var got UploadTime
		if err := json.Unmarshal([]byte(text), &got); err != nil || string(must(json.Marshal(got))) != `"`+want+`"` {
			t.Errorf("%s: got %s, %v", text, must(json.Marshal(got)), err)
		}
	}
	if got := printable("a\nb" + strings.Repeat("ü", 300)); len(got) > 200 || strings.ContainsAny(got, "\nü") {
		t.Errorf("got %q", got)
	}
}
