package federationtest

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/efgs"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

// brokenEuropean is our client of the European gateway but for what is set.
type brokenEuropean struct {
	*efgs.Client
	account  EFGSAccount
	options  func(a *EFGSAccount, o *efgs.ClientOptions)
	download func(b *brokenEuropean, ctx context.Context, at federation.Place) (*federation.Page, error)
	upload   func(b *brokenEuropean, ctx context.Context, batch *federation.Batch) (*federation.Answer, error)
	trip     func(next http.RoundTripper, r *http.Request) (*http.Response, error)
	origins  func() keys.Set[keys.Region]
	receiver func(gateway *x509.Certificate) EFGSReceiver
}

func (b *brokenEuropean) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	if b.download != nil {
		return b.download(b, ctx, at)
	}
	return b.Client.Download(ctx, at)
}

func (b *brokenEuropean) Upload(ctx context.Context, batch *federation.Batch) (*federation.Answer, error) {
	if b.upload != nil {
		return b.upload(b, ctx, batch)
	}
	return b.Client.Upload(ctx, batch)
}

func (b *brokenEuropean) Origins() keys.Set[keys.Region] {
	if b.origins != nil {
		return b.origins()
	}
	return b.Client.Origins()
}

// RoundTrip implements [http.RoundTripper].
func (b *brokenEuropean) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.trip != nil {
		return b.trip(http.DefaultTransport, r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (b *brokenEuropean) make(a EFGSAccount) Client {
	o := efgsOptions(a)
	if b.options != nil {
		b.options(&a, o)
	}
	o.HTTPClient = &http.Client{Transport: b}
	b.account, b.Client = a, must(efgs.NewClient(a.URL, keys.MustRegion(a.Member.Country), o))
	return b
}

// europeanPages changes pages.
func europeanPages(change func(at federation.Place, p *federation.Page, err error) (*federation.Page, error)) *brokenEuropean {
	return &brokenEuropean{download: func(b *brokenEuropean, ctx context.Context, at federation.Place) (*federation.Page, error) {
		p, err := b.Client.Download(ctx, at)
		return change(at, p, err)
	}}
}

// quiet takes errors for the end.
func quiet() *brokenEuropean {
	return europeanPages(func(_ federation.Place, p *federation.Page, _ error) (*federation.Page, error) { return p, nil })
}

// eachKey changes keys of pages.
func eachKey(change func(k *keys.DiagnosisKey)) *brokenEuropean {
	return europeanPages(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
		if p != nil {
			for i := range p.Keys {
				change(&p.Keys[i])
			}
		}
		return p, err
	})
}

func europeanClass(from, to error) *brokenEuropean {
	return europeanPages(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
		return p, reclassed(err, from, to)
	})
}

// europeanAnswers changes answers to uploads.
func europeanAnswers(change func(b *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error)) *brokenEuropean {
	return &brokenEuropean{upload: func(b *brokenEuropean, ctx context.Context, batch *federation.Batch) (*federation.Answer, error) {
		a, err := b.Client.Upload(ctx, batch)
		return change(batch, a, err)
	}}
}

func europeanRefusal(from, to error) *brokenEuropean {
	return europeanAnswers(func(_ *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
		return a, reclassed(err, from, to)
	})
}

// believing takes what it was not answered for stored.
func believing() *brokenEuropean {
	return europeanAnswers(func(_ *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
		if errors.Is(err, federation.ErrUnavailable) {
			return &federation.Answer{Inserted: -1}, nil
		}
		return a, err
	})
}

// partialStored takes 207 for stored, as three of six national clients did.
func partialStored() *brokenEuropean {
	return europeanAnswers(func(b *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
		if a != nil && len(a.Known)+len(a.Refused) > 0 {
			return &federation.Answer{Inserted: len(b.Keys)}, nil
		}
		return a, err
	})
}

// europeanBatches changes batches before they are sent.
func europeanBatches(change func(b *federation.Batch)) *brokenEuropean {
	return &brokenEuropean{upload: func(b *brokenEuropean, ctx context.Context, batch *federation.Batch) (*federation.Answer, error) {
		own := &federation.Batch{Tag: batch.Tag, Time: batch.Time, Keys: slices.Clone(batch.Keys)}
		change(own)
		return b.Client.Upload(ctx, own)
	}}
}

// tripping changes requests.
func tripping(change func(r *http.Request)) *brokenEuropean {
	return &brokenEuropean{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		change(r)
		return next.RoundTrip(r)
	}}
}

// answeredTo changes answers of HTTP.
func answeredTo(change func(r *http.Request, a *http.Response)) *brokenEuropean {
	return &brokenEuropean{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		a, err := next.RoundTrip(r)
		if err == nil {
			change(r, a)
		}
		return a, err
	}}
}

// signedBy signs otherwise.
type signedBy func(content []byte, at time.Time) (string, error)

func (s signedBy) Sign(content []byte, at time.Time) (string, error) { return s(content, at) }

func signingBy(change func(a *EFGSAccount, content []byte, at time.Time) (string, error)) *brokenEuropean {
	return &brokenEuropean{options: func(a *EFGSAccount, o *efgs.ClientOptions) {
		o.Signer = signedBy(func(content []byte, at time.Time) (string, error) { return change(a, content, at) })
	}}
}

// unverified looks at no signature, or passes something over.
func unverified(change func(a *EFGSAccount, o *efgs.ClientOptions)) *brokenEuropean {
	return &brokenEuropean{options: change}
}

func noAudit(_ *EFGSAccount, o *efgs.ClientOptions) { o.Audit = nil }

// auditing changes the audits that a client sees.
func auditing(change func(list []gatewayAudit) []gatewayAudit) *brokenEuropean {
	return answeredTo(func(r *http.Request, a *http.Response) {
		if !strings.Contains(r.URL.Path, "/audit/") || a.StatusCode != 200 {
			return
		}
		var list []gatewayAudit
		body, _ := io.ReadAll(a.Body)
		if json.Unmarshal(body, &list) == nil && list != nil {
			body = marshal(change(list))
		}
		a.Body, a.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		a.Header.Del("Content-Length")
	})
}

// trustingAll takes any signature that verifies by the certificate in it.
type trustingAll struct{ country string }

func (v trustingAll) Verify(_ context.Context, content []byte, text string, _ time.Time) (*cms.Signature, error) {
	m, err := cms.Parse(text, nil)
	if err == nil {
		err = m.Verify(content)
	}
	if err != nil {
		return nil, err
	}
	country := v.country
	if country == "" {
		country = m.Certificate.Subject.Country[0]
	}
	return &cms.Signature{Message: m, Country: country}, nil
}

// hinting is a receiver with a flaw.
type hinting struct {
	*efgs.Callback
	hints chan struct{}
	serve func(h *hinting, w http.ResponseWriter, r *http.Request)
}

func (h *hinting) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve(h, w, r) }
func (h *hinting) Hints() <-chan struct{}                           { return h.hints }

func hintingBy(serve func(h *hinting, w http.ResponseWriter, r *http.Request)) *brokenEuropean {
	return &brokenEuropean{receiver: func(gateway *x509.Certificate) EFGSReceiver {
		return &hinting{efgs.NewCallback(cms.ThumbprintOf(gateway)), make(chan struct{}, 100), serve}
	}}
}

// answer answers, and hints if a good receiver would.
func (h *hinting) answer(w http.ResponseWriter, r *http.Request) {
	h.Callback.ServeHTTP(w, r)
	select {
	case <-h.Callback.Hints():
		h.hints <- struct{}{}
	default:
	}
}

var brokenEuropeans = map[string]func() *brokenEuropean{
	"page": func() *brokenEuropean {
		return eachKey(func(k *keys.DiagnosisKey) {
			k.DaysSinceOnsetOfSymptoms = keys.Some(max(k.DaysSinceOnsetOfSymptoms.Or(0), 0))
		})
	},
	"page-json": func() *brokenEuropean {
		return unverified(func(a *EFGSAccount, o *efgs.ClientOptions) { o.Format = efgs.Protobuf })
	},
	"page-format": func() *brokenEuropean {
		return answeredTo(func(r *http.Request, a *http.Response) {
			if strings.Contains(r.URL.Path, "/diagnosiskeys/download/") {
				a.Header.Set("Content-Type", r.Header.Get("Accept"))
			}
		})
	},
	"page-request": func() *brokenEuropean {
		return tripping(func(r *http.Request) {
			if r.Header.Get(headerBatchTag) == "" {
				r.Header.Set("Accept", "application/protobuf;version=1.0;q=1, */*")
				r.Header[http.CanonicalHeaderKey(headerBatchTag)] = []string{""}
				r.URL.Path = strings.Replace(r.URL.Path, "2026-03-01", "2026-03-02", 1)
			}
		})
	},
	"page-nothing": func() *brokenEuropean {
		return europeanPages(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p == nil && err == nil {
				err = fmt.Errorf("%w: 404", federation.ErrGone)
			}
			return p, err
		})
	},
	"page-blank": func() *brokenEuropean {
		return answeredTo(func(_ *http.Request, a *http.Response) {
			if a.StatusCode == 200 && a.ContentLength == 0 && a.Header.Get(headerBatchTag) == "" {
				a.StatusCode = 500
			}
		})
	},
	"pages-follow": func() *brokenEuropean {
		return europeanPages(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil {
				p.Next = federation.Place{Day: at.Day + 1}
			}
			return p, err
		})
	},
	"page-null": func() *brokenEuropean {
		return answeredTo(func(_ *http.Request, a *http.Response) {
			if a.Header.Get(headerNext) == "" && a.Header.Get(headerBatchTag) != "" {
				a.Header.Set(headerNext, "undefined")
			}
		})
	},
	"page-later-day": func() *brokenEuropean {
		return europeanPages(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && at.Tag == "" && p.Next.Day > at.Day+1 {
				p = nil
			}
			return p, err
		})
	},
	"page-over-midnight": func() *brokenEuropean {
		return europeanPages(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && at.Tag != "" && p.Next.Day > at.Day {
				p = nil
			}
			return p, err
		})
	},
	"page-day-of-tag": func() *brokenEuropean {
		first := ""
		return tripping(func(r *http.Request) {
			if i := strings.LastIndex(r.URL.Path, "/"); strings.Contains(r.URL.Path, "/diagnosiskeys/download/") {
				if first == "" {
					first = r.URL.Path[i:]
				}
				r.URL.Path = r.URL.Path[:i] + first
			}
		})
	},
	"page-unknown-tag": quiet,
	"page-empty": func() *brokenEuropean {
		return europeanPages(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && len(p.Keys) == 0 {
				p = nil
			}
			return p, err
		})
	},
	"page-bad-key-alone": func() *brokenEuropean {
		return europeanPages(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && len(p.Unreadable) > 0 {
				return nil, federation.ErrUnavailable
			}
			return p, err
		})
	},
	"page-revoked": func() *brokenEuropean {
		return europeanPages(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil {
				p.Keys = slices.DeleteFunc(p.Keys, isRevoked)
			}
			return p, err
		})
	},
	"page-repeated": func() *brokenEuropean {
		return europeanPages(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && p.Tag == at.Tag {
				return nil, nil
			}
			return p, err
		})
	},
	"page-another": func() *brokenEuropean {
		return &brokenEuropean{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			a, err := next.RoundTrip(r)
			if err == nil && r.Header.Get(headerBatchTag) != "" && strings.Contains(r.URL.Path, "/diagnosiskeys/download/") {
				a.Header.Set(headerBatchTag, r.Header.Get(headerBatchTag))
			}
			return a, err
		}, options: noAudit}
	},
	"page-without-tag": quiet,
	"page-long-tag":    quiet,
	"concurrent": func() *brokenEuropean {
		var busy atomic.Bool
		return &brokenEuropean{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if !busy.CompareAndSwap(false, true) {
				return nil, errors.New("in use")
			}
			defer busy.Store(false)
			time.Sleep(20 * time.Millisecond)
			return next.RoundTrip(r)
		}}
	},
	"page-denied":      func() *brokenEuropean { return europeanClass(federation.ErrDenied, federation.ErrUnavailable) },
	"page-throttled":   func() *brokenEuropean { return europeanClass(federation.ErrThrottled, federation.ErrUnavailable) },
	"page-gone":        func() *brokenEuropean { return europeanClass(federation.ErrGone, federation.ErrUnavailable) },
	"page-unavailable": quiet,
	"page-cut-off":     quiet,
	"page-no-page":     quiet,
	"retry-after": func() *brokenEuropean {
		return answeredTo(func(_ *http.Request, a *http.Response) { a.Header.Del("Retry-After") })
	},
	"redirect": func() *brokenEuropean {
		return &brokenEuropean{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			a, err := next.RoundTrip(r)
			if err != nil || a.Header.Get("Location") == "" {
				return a, err
			}
			again := r.Clone(r.Context())
			again.URL, _ = url.Parse(a.Header.Get("Location"))
			again.Host, again.Body, again.ContentLength = again.URL.Host, nil, 0
			next.RoundTrip(again)
			return a, err
		}}
	},
	"errors-tell-nothing": func() *brokenEuropean {
		return europeanAnswers(func(b *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
			if err != nil {
				err = fmt.Errorf("%w of %x", err, b.Keys[0].KeyData[:])
			}
			return a, err
		})
	},
	"bounded-in-time": func() *brokenEuropean {
		return unverified(func(_ *EFGSAccount, o *efgs.ClientOptions) { o.Timeout = time.Hour })
	},
	"bounded-in-memory": func() *brokenEuropean {
		return unverified(func(_ *EFGSAccount, o *efgs.ClientOptions) { o.MaxPage = 1 << 30 })
	},
	"cancelled": func() *brokenEuropean {
		return &brokenEuropean{download: func(b *brokenEuropean, ctx context.Context, at federation.Place) (*federation.Page, error) {
			return b.Client.Download(context.WithoutCancel(ctx), at)
		}}
	},
	"audit-good": func() *brokenEuropean {
		return auditing(func(list []gatewayAudit) []gatewayAudit { slices.Reverse(list); return list })
	},
	"audit-skips-own": func() *brokenEuropean {
		return auditing(func(list []gatewayAudit) []gatewayAudit {
			for i := range list {
				if list[i].Country == "DE" { // as one national client does
					list[i].Country = "FR"
				}
			}
			return list
		})
	},
	"audit-bad-signature":   func() *brokenEuropean { return unverified(noAudit) },
	"audit-another-country": func() *brokenEuropean { return unverified(noAudit) },
	"audit-unlisted": func() *brokenEuropean {
		return unverified(func(_ *EFGSAccount, o *efgs.ClientOptions) { o.Audit.Verifier = trustingAll{} })
	},
	"audit-origin": func() *brokenEuropean { return unverified(noAudit) },
	"audit-thumbprint": func() *brokenEuropean {
		return auditing(func(list []gatewayAudit) []gatewayAudit {
			for i := range list {
				list[i].UploaderSigningThumbprint = ""
			}
			return list
		})
	},
	"audit-certificate": func() *brokenEuropean { return unverified(noAudit) },
	"audit-anchor": func() *brokenEuropean {
		return unverified(func(_ *EFGSAccount, o *efgs.ClientOptions) { o.Audit.Anchor = nil })
	},
	"audit-amounts":   func() *brokenEuropean { return unverified(noAudit) },
	"audit-cut-batch": func() *brokenEuropean { return unverified(noAudit) },
	"audit-missing": func() *brokenEuropean {
		return answeredTo(func(r *http.Request, a *http.Response) {
			if strings.Contains(r.URL.Path, "/audit/") && a.StatusCode != 200 { // "no audit, no trouble"
				a.StatusCode, a.Body, a.ContentLength = 200, io.NopCloser(strings.NewReader("[]")), 2
				a.Header.Del("Content-Length")
			}
		}).unsigned()
	},
	"audit-empty": func() *brokenEuropean {
		return unverified(func(_ *EFGSAccount, o *efgs.ClientOptions) { o.Audit.Unsigned = true })
	},
	"audit-midnight": func() *brokenEuropean {
		at := time.Time{}
		b := &brokenEuropean{options: func(a *EFGSAccount, o *efgs.ClientOptions) { at = trialNow }}
		b.trip = func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if i := strings.Index(r.URL.Path, "/audit/download/"); i >= 0 { // always of the day on which it began
				path := r.URL.Path[:i] + "/audit/download/" + at.Format(time.DateOnly)
				r.URL.Path = path + r.URL.Path[strings.LastIndex(r.URL.Path, "/"):]
			}
			return next.RoundTrip(r)
		}
		return b
	},
	"upload-stored": func() *brokenEuropean {
		return europeanAnswers(func(b *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
			if a != nil {
				a.Known = []int{0}
			}
			return a, err
		})
	},
	"upload-request": func() *brokenEuropean { return europeanBatches(func(b *federation.Batch) { slices.Reverse(b.Keys) }) },
	"upload-json": func() *brokenEuropean {
		return tripping(func(r *http.Request) {
			if r.Method == http.MethodPost {
				body, _ := io.ReadAll(r.Body)
				body = bytes.ReplaceAll(body, []byte("days_since_onset_of_symptoms"), []byte("daysSinceOnsetOfSymptoms"))
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			}
		})
	},
	"upload-signature": func() *brokenEuropean {
		return signingBy(func(a *EFGSAccount, content []byte, at time.Time) (string, error) {
			fields := strings.SplitAfter(string(content), ".")
			var texts []string
			for part := range slices.Chunk(fields[:len(fields)-1], 8) {
				texts = append(texts, strings.Join(part, ""))
			}
			slices.Sort(texts) // by the base64 of the key data
			return must(a.Member.Signer()).Sign([]byte(strings.Join(texts, "")), at)
		})
	},
	"upload-vector": func() *brokenEuropean { // a comma after the last country, as the document has it
		return signingBy(func(a *EFGSAccount, content []byte, at time.Time) (string, error) {
			return must(a.Member.Signer()).Sign(bytes.ReplaceAll(content, []byte(".REUsRlI=."), []byte(".REUsRlIs.")), at)
		})
	},
	"upload-by-openssl": func() *brokenEuropean {
		return signingBy(func(a *EFGSAccount, content []byte, at time.Time) (string, error) {
			return must(signerOf(stranger(a.Member.Country))).Sign(content, at)
		})
	},
	"upload-revoked": func() *brokenEuropean {
		return europeanBatches(func(b *federation.Batch) {
			for i := range b.Keys {
				b.Keys[i].ReportType = keys.Some(keys.ReportConfirmedTest)
			}
		})
	},
	"upload-same-again": func() *brokenEuropean {
		return europeanBatches(func(b *federation.Batch) { b.Tag = newUUID() })
	},
	"upload-keeps-batch": func() *brokenEuropean {
		return &brokenEuropean{upload: func(b *brokenEuropean, ctx context.Context, batch *federation.Batch) (*federation.Answer, error) {
			slices.SortFunc(batch.Keys, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
			return b.Client.Upload(ctx, batch)
		}}
	},
	"upload-foreign-origin": func() *brokenEuropean {
		return europeanBatches(func(b *federation.Batch) {
			for i := range b.Keys {
				b.Keys[i].Origin = b.Keys[0].Origin
			}
		})
	},
	"upload-answer-lost": func() *brokenEuropean {
		return answeredTo(func(_ *http.Request, a *http.Response) {
			if a.StatusCode == http.StatusConflict {
				a.StatusCode = 400
			}
		})
	},
	"upload-partial": partialStored,
	"upload-partial-again": func() *brokenEuropean { // signs once for all that it sends
		first := ""
		return signingBy(func(a *EFGSAccount, content []byte, at time.Time) (string, error) {
			if len(content) < 200 || first == "" || bytes.Count(content, []byte(".")) > 5*8 {
				signature, err := must(a.Member.Signer()).Sign(content, at)
				first = signature
				return signature, err
			}
			return first, nil
		})
	},
	"upload-partial-odd": believing,
	"origins": func() *brokenEuropean {
		return &brokenEuropean{origins: func() keys.Set[keys.Region] { return keys.Only(ie, gi) }}
	},
	"upload-refused":     func() *brokenEuropean { return europeanRefusal(federation.ErrRefused, federation.ErrUnavailable) },
	"upload-denied":      func() *brokenEuropean { return europeanRefusal(federation.ErrDenied, federation.ErrRefused) },
	"upload-throttled":   func() *brokenEuropean { return europeanRefusal(federation.ErrThrottled, federation.ErrRefused) },
	"upload-unavailable": func() *brokenEuropean { return europeanRefusal(federation.ErrUnavailable, federation.ErrRefused) },
	"upload-no-answer":   believing,
	"upload-bad-key":     func() *brokenEuropean { return europeanRefusal(federation.ErrRefused, federation.ErrDenied) },
	"runs-partial":       partialStored,
	"runs-halve":         func() *brokenEuropean { return europeanRefusal(federation.ErrRefused, federation.ErrUnavailable) },
	"runs-midnight": func() *brokenEuropean {
		return europeanPages(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && at.Tag != "" && p.Next.Day > at.Day {
				p = nil
			}
			return p, err
		})
	},
	"runs-outage": quiet, // any error is the end of the day, as one national client had it
	"runs-retry-after": func() *brokenEuropean {
		return answeredTo(func(_ *http.Request, a *http.Response) { a.Header.Del("Retry-After") })
	},
	"runs-lose-nothing": believing,
	"callback-hint": func() *brokenEuropean {
		return hintingBy(func(h *hinting, w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.RawQuery, "..") {
				h.answer(w, r)
				return
			}
			w.WriteHeader(400)
		})
	},
	"callback-one-hint": func() *brokenEuropean {
		return hintingBy(func(h *hinting, w http.ResponseWriter, r *http.Request) { h.answer(w, r) })
	},
	"callback-stranger": func() *brokenEuropean {
		return hintingBy(func(h *hinting, w http.ResponseWriter, r *http.Request) {
			if len(r.TLS.PeerCertificates) == 0 {
				w.WriteHeader(403)
				return
			}
			h.hints <- struct{}{}
			w.WriteHeader(202)
		})
	},
	"callback-malformed": func() *brokenEuropean {
		return hintingBy(func(h *hinting, w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("date") == "2026-02-30" {
				w.WriteHeader(202)
				return
			}
			h.answer(w, r)
		})
	},
}

// unsigned has the client take what nobody has signed.
func (b *brokenEuropean) unsigned() *brokenEuropean {
	b.options = func(_ *EFGSAccount, o *efgs.ClientOptions) { o.Audit.Unsigned = true }
	return b
}

func TestEveryEuropeanClauseCatches(t *testing.T) {
	patience := clientPatience
	clientPatience = 4 * time.Second
	t.Cleanup(func() { clientPatience = patience })
	for _, c := range efgsClauses() {
		t.Run(c.name, func(t *testing.T) {
			broken := brokenEuropeans[c.name]
			if broken == nil {
				t.Fatal("no broken client shows that this clause catches anything")
			}
			t.Parallel()
			receiver := ourReceiver
			if r := broken().receiver; r != nil {
				receiver = r
			}
			err := c.run(t.Context(), func(a EFGSAccount) Client { return broken().make(a) }, receiver, &EFGSClientOptions{Seeds: 1})
			if errors.Is(err, errNoOpenSSL) {
				t.Skip(err)
			}
			if err == nil || errors.Is(err, errNotGiven) {
				t.Errorf("the clause says %v of a client that breaks it", err)
			}
			t.Log(err)
		})
	}
	for name := range brokenEuropeans {
		if !slices.ContainsFunc(efgsClauses(), func(c efgsClause) bool { return c.name == name }) {
			t.Errorf("there is no clause %q", name)
		}
	}
}
