package federationtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/keys"
)

// brokenClient is our client but for what is set.
type brokenClient struct {
	*interop.Client
	download func(c *interop.Client, ctx context.Context, at federation.Place) (*federation.Page, error)
	upload   func(c *interop.Client, ctx context.Context, b *federation.Batch) (*federation.Answer, error)
	origins  func(c *interop.Client) keys.Set[keys.Region]

	account Account // how it is made, if otherwise
	trip    func(http.RoundTripper, *http.Request) (*http.Response, error)
	change  func(*Account)
}

func (b *brokenClient) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	if b.download != nil {
		return b.download(b.Client, ctx, at)
	}
	return b.Client.Download(ctx, at)
}

func (b *brokenClient) Upload(ctx context.Context, batch *federation.Batch) (*federation.Answer, error) {
	if b.upload != nil {
		return b.upload(b.Client, ctx, batch)
	}
	return b.Client.Upload(ctx, batch)
}

func (b *brokenClient) Origins() keys.Set[keys.Region] {
	if b.origins != nil {
		return b.origins(b.Client)
	}
	return b.Client.Origins()
}

// RoundTrip implements [http.RoundTripper].
func (b *brokenClient) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.trip != nil {
		return b.trip(http.DefaultTransport, r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func (b *brokenClient) make(a Account) (Client, error) {
	if b.change != nil {
		b.change(&a)
	}
	b.account = a
	signer, err := a.Signer()
	if err != nil {
		return nil, err
	}
	b.Client, err = interop.NewClient(a.URL, interop.TokenText(a.Token), &interop.ClientOptions{Signer: signer, Region: a.Region, Extended: a.Extended, Timeout: a.Timeout, MaxPage: a.MaxPage, HTTPClient: &http.Client{Transport: b}})
	return b, err
}

// paged changes pages.
func paged(change func(at federation.Place, p *federation.Page, err error) (*federation.Page, error)) *brokenClient {
	return &brokenClient{download: func(c *interop.Client, ctx context.Context, at federation.Place) (*federation.Page, error) {
		p, err := c.Download(ctx, at)
		return change(at, p, err)
	}}
}

// swallowing takes pages that are none for silence.
func swallowing() *brokenClient {
	return paged(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) { return p, nil })
}

// reclassing gives errors of downloads another class.
func reclassing(from, to error) *brokenClient {
	return paged(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
		return p, reclassed(err, from, to)
	})
}

func reclassed(err, from, to error) error {
	if errors.Is(err, from) {
		return fmt.Errorf("%w: otherwise", to)
	}
	return err
}

// batched changes batches before they are sent.
func batched(change func(b *federation.Batch)) *brokenClient {
	return &brokenClient{upload: func(c *interop.Client, ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
		own := &federation.Batch{Tag: b.Tag, Time: b.Time, Keys: slices.Clone(b.Keys)}
		change(own)
		return c.Upload(ctx, own)
	}}
}

// answered changes answers to uploads.
func answered(change func(b *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error)) *brokenClient {
	return &brokenClient{upload: func(c *interop.Client, ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
		a, err := c.Upload(ctx, b)
		return change(b, a, err)
	}}
}

// refusing gives errors of uploads another class.
func refusing(from, to error) *brokenClient {
	return answered(func(_ *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
		return a, reclassed(err, from, to)
	})
}

// trusting takes every upload without an answer for stored.
func trusting() *brokenClient {
	return answered(func(_ *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
		if errors.Is(err, federation.ErrUnavailable) {
			return &federation.Answer{Inserted: -1}, nil
		}
		return a, err
	})
}

// unbounded makes the client with other limits.
func unbounded(change func(*Account)) *brokenClient { return &brokenClient{change: change} }

func isRevoked(k keys.DiagnosisKey) bool { return k.ReportType == keys.Some(keys.ReportRevoked) }

// unrevoking sends withdrawals as keys.
func unrevoking() *brokenClient {
	return batched(func(b *federation.Batch) {
		for i := range b.Keys {
			if isRevoked(b.Keys[i]) {
				b.Keys[i].ReportType = keys.Some(keys.ReportConfirmedTest)
			}
		}
	})
}

// fillIn has something be known that is not.
func fillIn(b *federation.Batch) {
	for i := range b.Keys {
		b.Keys[i].DaysSinceOnsetOfSymptoms = keys.Some(b.Keys[i].DaysSinceOnsetOfSymptoms.Or(0))
	}
}

var brokenClients = map[string]func() *brokenClient{
	"page": func() *brokenClient {
		return paged(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			for i := range p.Keys {
				p.Keys[i].TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(7))
			}
			return p, err
		})
	},
	"page-request": func() *brokenClient {
		return &brokenClient{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			r.URL.RawQuery = "batchTag=null"
			return next.RoundTrip(r)
		}}
	},
	"page-nothing": func() *brokenClient {
		return paged(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p == nil && err == nil {
				p = &federation.Page{Tag: "null", Next: at}
			}
			return p, err
		})
	},
	"pages-follow": func() *brokenClient {
		return paged(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil {
				p.Next = federation.Place{Day: at.Day + 1}
			}
			return p, err
		})
	},
	"page-empty": func() *brokenClient {
		return paged(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && len(p.Keys) == 0 {
				return nil, err
			}
			return p, err
		})
	},
	"page-bad-key-alone": func() *brokenClient {
		return paged(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && len(p.Unreadable) > 0 {
				return nil, federation.ErrUnavailable
			}
			return p, err
		})
	},
	"page-without-tag": swallowing,
	"page-long-tag":    swallowing,
	"page-tag-escaped": func() *brokenClient {
		return &brokenClient{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if tag := r.URL.Query().Get("batchTag"); tag != "" {
				r.URL.RawQuery = "batchTag=" + tag
			}
			return next.RoundTrip(r)
		}}
	},
	"page-repeated": func() *brokenClient {
		return paged(func(at federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil && p.Tag == at.Tag {
				return nil, nil
			}
			return p, err
		})
	},
	"concurrent": func() *brokenClient {
		var busy atomic.Bool
		return &brokenClient{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			if !busy.CompareAndSwap(false, true) {
				return nil, errors.New("in use")
			}
			defer busy.Store(false)
			time.Sleep(20 * time.Millisecond)
			return next.RoundTrip(r)
		}}
	},
	"page-denied":      func() *brokenClient { return reclassing(federation.ErrDenied, federation.ErrUnavailable) },
	"page-throttled":   func() *brokenClient { return reclassing(federation.ErrThrottled, federation.ErrUnavailable) },
	"page-gone":        func() *brokenClient { return reclassing(federation.ErrGone, federation.ErrUnavailable) },
	"page-unavailable": func() *brokenClient { return reclassing(federation.ErrUnavailable, federation.ErrGone) },
	"page-cut-off":     swallowing,
	"page-no-page":     swallowing,
	"page-nested":      swallowing,
	"page-slow":        func() *brokenClient { return unbounded(func(a *Account) { a.Timeout = 20 * time.Millisecond }) },
	"redirect": func() *brokenClient {
		return &brokenClient{trip: func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err != nil || resp.Header.Get("Location") == "" {
				return resp, err
			}
			again := r.Clone(r.Context())
			again.URL, _ = url.Parse(resp.Header.Get("Location"))
			again.Host = again.URL.Host
			again.Body, again.ContentLength = nil, 0
			next.RoundTrip(again)
			return resp, err
		}}
	},
	"errors-tell-nothing": func() *brokenClient {
		b := &brokenClient{}
		b.download = func(c *interop.Client, ctx context.Context, at federation.Place) (*federation.Page, error) {
			p, err := c.Download(ctx, at)
			if err != nil {
				err = fmt.Errorf("%w with %s", err, b.account.Token)
			}
			return p, err
		}
		return b
	},
	"bounded-in-time":   func() *brokenClient { return unbounded(func(a *Account) { a.Timeout = time.Hour }) },
	"bounded-in-memory": func() *brokenClient { return unbounded(func(a *Account) { a.MaxPage = 1 << 30 }) },
	"cancelled": func() *brokenClient {
		return &brokenClient{download: func(c *interop.Client, ctx context.Context, at federation.Place) (*federation.Page, error) {
			return c.Download(context.WithoutCancel(ctx), at)
		}}
	},
	"upload-stored":  func() *brokenClient { return batched(func(b *federation.Batch) { b.Keys = b.Keys[1:] }) },
	"upload-request": func() *brokenClient { return batched(func(b *federation.Batch) { slices.Reverse(b.Keys) }) },
	"upload-same-again": func() *brokenClient {
		n := 0
		return batched(func(b *federation.Batch) {
			if n++; n%2 == 0 {
				slices.Reverse(b.Keys)
			}
		})
	},
	"upload-known": func() *brokenClient {
		return answered(func(b *federation.Batch, a *federation.Answer, err error) (*federation.Answer, error) {
			if a != nil && a.Inserted == 0 {
				return &federation.Answer{Known: make([]int, len(b.Keys))}, nil
			}
			return a, err
		})
	},
	"upload-keeps-batch": func() *brokenClient {
		return &brokenClient{upload: func(c *interop.Client, ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
			slices.SortFunc(b.Keys, func(a, b keys.DiagnosisKey) int { return a.Compare(&b) })
			return c.Upload(ctx, b)
		}}
	},
	"upload-foreign-origin": func() *brokenClient {
		return batched(func(b *federation.Batch) {
			for i := range b.Keys {
				b.Keys[i].Origin = b.Keys[0].Origin
			}
		})
	},
	"upload-odd-tag": func() *brokenClient { return batched(func(b *federation.Batch) { b.Tag = url.QueryEscape(b.Tag) }) },
	"origins": func() *brokenClient {
		return &brokenClient{origins: func(*interop.Client) keys.Set[keys.Region] { return keys.Only[keys.Region]() }}
	},
	"upload-refused":      func() *brokenClient { return refusing(federation.ErrRefused, federation.ErrUnavailable) },
	"upload-denied":       func() *brokenClient { return refusing(federation.ErrDenied, federation.ErrRefused) },
	"upload-throttled":    func() *brokenClient { return refusing(federation.ErrThrottled, federation.ErrRefused) },
	"upload-unavailable":  func() *brokenClient { return refusing(federation.ErrUnavailable, federation.ErrRefused) },
	"upload-no-key-found": func() *brokenClient { return refusing(federation.ErrDenied, federation.ErrUnavailable) },
	"upload-not-null":     func() *brokenClient { return refusing(federation.ErrRefused, federation.ErrUnavailable) },
	"upload-no-answer":    trusting,
	"upload-answer-lost":  trusting,
	"upload-bad-key":      func() *brokenClient { return refusing(federation.ErrRefused, federation.ErrDenied) },
	"runs-lose-nothing":   trusting,
	"page-revoked": func() *brokenClient {
		return paged(func(_ federation.Place, p *federation.Page, err error) (*federation.Page, error) {
			if p != nil {
				p.Keys = slices.DeleteFunc(p.Keys, isRevoked)
			}
			return p, err
		})
	},
	"upload-revoked":  unrevoking,
	"extended-page":   func() *brokenClient { return unbounded(func(a *Account) { a.Extended = false }) },
	"extended-upload": func() *brokenClient { return batched(fillIn) },
	"extended-origins": func() *brokenClient {
		return &brokenClient{origins: func(*interop.Client) keys.Set[keys.Region] { return keys.Only(keys.MustRegion("MT")) }}
	},
	"runs-withdraw": unrevoking,
}

func TestEveryClientClauseCatches(t *testing.T) {
	patience := clientPatience
	clientPatience = 4 * time.Second
	t.Cleanup(func() { clientPatience = patience })
	for _, c := range clientClauses() {
		t.Run(c.name, func(t *testing.T) {
			broken := brokenClients[c.name]
			if broken == nil {
				t.Fatal("no broken client shows that this clause catches anything")
			}
			t.Parallel() // it waits most of the time
			err := c.run(t.Context(), func(a Account) Client {
				client, err := broken().make(a)
				if err != nil {
					t.Error(err)
				}
				return client
			}, &ClientOptions{Seeds: 1, Extended: true})
			if err == nil || errors.Is(err, errNotGiven) {
				t.Errorf("the clause says %v of a client that breaks it", err)
			}
		})
	}
	for name := range brokenClients {
		if !slices.ContainsFunc(clientClauses(), func(c clientClause) bool { return c.name == name }) {
			t.Errorf("there is no clause %q", name)
		}
	}
}
