package efgs

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
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

var de = keys.MustRegion("DE")

func TestNewClient(t *testing.T) {
	verifier := must(cms.NewVerifier(must(cms.NewAllowList()), nil))
	audit := &Audit{Verifier: verifier}
	for _, c := range []struct {
		name    string
		base    string
		country keys.Region
		opts    *ClientOptions
		want    string // in the error; "" for none
	}{
		{"nothing but a URL", "https://efgs.example", de, nil, ""},
		{"a path", "https://efgs.example/twin/", de, nil, ""},
		{"loopback", "http://127.0.0.1:1", de, nil, ""},
		{"http, meant", "http://efgs.example", de, &ClientOptions{PlainHTTP: true}, ""},
		{"audit", "https://efgs.example", de, &ClientOptions{Audit: audit}, ""},
		{"http", "http://efgs.example", de, nil, "PlainHTTP"},
		{"no country", "https://efgs.example", keys.Region{}, nil, "country"},
		{"no URL", "://", de, nil, "base URL"},
		{"no host", "https:///x", de, nil, "no host"},
		{"a user", "https://u:secret@efgs.example", de, nil, "a user"},
		{"a query", "https://efgs.example?x=1", de, nil, "a query"},
		{"ftp", "ftp://efgs.example", de, nil, "neither"},
		{"format", "https://efgs.example", de, &ClientOptions{Format: 2}, "ClientOptions.Format"},
		{"user agent", "https://efgs.example", de, &ClientOptions{UserAgent: "x\ny"}, "ClientOptions.UserAgent"},
		{"timeout", "https://efgs.example", de, &ClientOptions{Timeout: -1}, "ClientOptions.Timeout"},
		{"page", "https://efgs.example", de, &ClientOptions{MaxPage: -1}, "ClientOptions.MaxPage"},
		{"keys", "https://efgs.example", de, &ClientOptions{MaxKeys: -1}, "ClientOptions.MaxKeys"},
		{"verifier", "https://efgs.example", de, &ClientOptions{Audit: &Audit{}}, "ClientOptions.Audit.Verifier"},
	} {
		client, err := NewClient(c.base, c.country, c.opts)
		if (err != nil) != (c.want != "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%s: got %v, want an error about %q", c.name, err, c.want)
		}
		if err == nil && strings.HasSuffix(client.String(), "/") {
			t.Errorf("%s: base URL %s", c.name, client)
		}
	}
	e := newEurope(t, nil)
	if _, err := NewClient("https://efgs.example", de, &ClientOptions{Signer: e.signers["FR"]}); err == nil || !strings.Contains(err.Error(), "ClientOptions.Signer") {
		t.Errorf("a signer of another country: %v", err)
	}
	if _, err := NewClient("https://efgs.example", de, &ClientOptions{Signer: e.signers["DE"]}); err != nil {
		t.Errorf("a signer: %v", err)
	}
	mute := must(NewClient("https://efgs.example", de, nil))
	if !mute.Origins().IsEmpty() {
		t.Error("a client without a signer has origins")
	}
	if _, err := mute.Upload(t.Context(), &federation.Batch{Tag: "t"}); classOf(err) != federation.ErrDenied {
		t.Errorf("a client without a signer: %v", err)
	}
}

// TestUploadAsSent: headers and body, byte for byte; keys in the order that they
// have, and only what is signed in another.
func TestUploadAsSent(t *testing.T) {
	e := newEurope(t, nil)
	for _, format := range []Format{Protobuf, JSON} {
		var got *http.Request
		var body []byte
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got, body = r, must(io.ReadAll(r.Body))
			w.WriteHeader(http.StatusCreated)
		}))
		defer s.Close()
		header := http.Header{"X-Test": {"yes"}}
		c := must(NewClient(s.URL+"/twin", de, &ClientOptions{Signer: e.signers["DE"], Format: format, Header: header, Clock: e.clock.Now}))
		header.Set("X-Test", "changed since")
		all := e.newKeys("DE", 20)
		slices.Reverse(all)
		before := slices.Clone(all)
		answer, err := c.Upload(t.Context(), &federation.Batch{Tag: "a-tag", Keys: all})
		if err != nil || !reflect.DeepEqual(answer, &federation.Answer{Inserted: 20}) {
			t.Fatal(answer, err)
		}
		if got.Method != "POST" || got.URL.String() != "/twin/diagnosiskeys/upload" || got.Header.Get("Content-Type") != format.MediaType() ||
			got.Header.Get("Accept") != format.MediaType() || got.Header.Get("batchTag") != "a-tag" || got.Header.Get("X-Test") != "yes" || got.Header.Get("User-Agent") != "gaen" {
			t.Errorf("%s: sent %s %s with %v", format, got.Method, got.URL, got.Header)
		}
		batch := must(format.Decode(body, 20))
		if !equal(batch.Keys, BatchOf(all).Keys) || !slices.Equal(all, before) {
			t.Errorf("%s: the keys are sent in another order, or were changed", format)
		}
		if err := e.verify("DE", SigningBytes(batch.Keys), got.Header.Get("batchSignature")); err != nil {
			t.Errorf("%s: signature: %v", format, err)
		}
	}
}

// TestUploadTaken: the gateway takes both formats, and each key is there once.
func TestUploadTaken(t *testing.T) {
	e := newEurope(t, nil)
	for _, format := range []Format{Protobuf, JSON} {
		c := e.client("DE", &ClientOptions{Format: format})
		if _, err := c.Upload(t.Context(), &federation.Batch{Tag: format.String(), Keys: e.newKeys("DE", 50)}); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
	if counts, uploads := e.gateway.Keys("DE"); len(counts) != 100 || uploads != 2 {
		t.Errorf("%d keys in %d uploads, want 100 in 2", len(counts), uploads)
	}
}

// TestUploadAnswers is what each answer means.
func TestUploadAnswers(t *testing.T) {
	e := newEurope(t, nil)
	all := e.newKeys("DE", 4)
	known := func(places ...int) *federation.Answer { return &federation.Answer{Known: places, Inserted: -1} }
	both := func(k, r []int) *federation.Answer {
		return &federation.Answer{Known: k, Refused: r, Inserted: -1}
	}
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   *federation.Answer
		class  error
	}{
		{"stored", 201, "", &federation.Answer{Inserted: 4}, nil},
		{"the tag exists: stored before", 409, `{"message":"x"}`, &federation.Answer{Inserted: -1}, nil},
		{"207: known", 207, `{"201":[0,3],"409":[1,2],"500":[]}`, known(1, 2), nil},
		{"207: known, all", 207, `{"201":[],"409":[0,1,2,3],"500":[]}`, known(0, 1, 2, 3), nil},
		{"207: in any order, twice", 207, `{"409":[2,1,2]}`, known(1, 2), nil},
		{"207: failed at", 207, `{"201":[0,1,2],"500":[3]}`, both(nil, []int{3}), nil},
		{"207: all three", 207, `{"201":[0],"409":[1],"500":[2,3]}`, both([]int{1}, []int{2, 3}), nil},
		{"207: known and failed at", 207, `{"409":[1],"500":[1,2]}`, both([]int{1}, []int{2}), nil},
		{"207: failed at all of them", 207, `{"201":[],"409":[],"500":[0,1,2,3]}`, nil, federation.ErrUnavailable},
		{"207: nothing named", 207, `{"201":[0,1,2,3],"409":[],"500":[]}`, nil, federation.ErrUnavailable},
		{"207: empty", 207, ``, nil, federation.ErrUnavailable},
		{"207: null", 207, `null`, nil, federation.ErrUnavailable},
		{"207: a place too far", 207, `{"409":[4]}`, nil, federation.ErrUnavailable},
		{"207: a place before", 207, `{"409":[-1]}`, nil, federation.ErrUnavailable},
		{"207: no list", 207, `{"409":1}`, nil, federation.ErrUnavailable},
		{"207: no numbers", 207, `{"409":["1"]}`, nil, federation.ErrUnavailable},
		{"207: a list twice", 207, `{"409":[1],"409":[2]}`, nil, federation.ErrUnavailable},
		{"207: broken off", 207, `{"409":[1]`, nil, federation.ErrUnavailable},
		{"200 is none", 200, `{}`, nil, federation.ErrUnavailable},
		{"204 is none", 204, ``, nil, federation.ErrUnavailable},
		{"400", 400, `{"message":"Invalid signature"}`, nil, federation.ErrRefused},
		{"413", 413, ``, nil, federation.ErrRefused},
		{"401", 401, ``, nil, federation.ErrDenied},
		{"403", 403, ``, nil, federation.ErrDenied},
		{"404", 404, ``, nil, federation.ErrUnavailable},
		{"406", 406, ``, nil, federation.ErrUnavailable},
		{"415", 415, ``, nil, federation.ErrUnavailable},
		{"410", 410, ``, nil, federation.ErrUnavailable},
		{"302", 302, ``, nil, federation.ErrUnavailable},
		{"429", 429, ``, nil, federation.ErrThrottled},
		{"500", 500, ``, nil, federation.ErrUnavailable},
		{"503", 503, ``, nil, federation.ErrUnavailable},
	} {
		url := answering(t, c.status, map[string]string{"Location": "https://elsewhere.example/", "Retry-After": "7"}, c.body)
		client := must(NewClient(url, de, &ClientOptions{Signer: e.signers["DE"], Clock: e.clock.Now}))
		got, err := client.Upload(t.Context(), &federation.Batch{Tag: "t", Keys: all})
		if classOf(err) != c.class || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
		if err != nil && (c.status >= 400 || c.status < 200) && !strings.Contains(err.Error(), fmt.Sprintf("status %d", c.status)) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && c.status == 429 && !strings.Contains(err.Error(), "again in 7s") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	one := must(NewClient(answering(t, 207, nil, `{"500":[0]}`), de, &ClientOptions{Signer: e.signers["DE"], Clock: e.clock.Now}))
	if got, err := one.Upload(t.Context(), &federation.Batch{Tag: "t", Keys: all[:1]}); err != nil || len(got.Refused) != 1 {
		t.Errorf("one key that the gateway fails at: %+v, %v", got, err)
	}
}

func TestUploadOfWhatIsNotOurs(t *testing.T) {
	e := newEurope(t, nil)
	all := append(e.newKeys("DE", 1), e.newKeys("FR", 1)...)
	if _, err := e.client("DE", nil).Upload(t.Context(), &federation.Batch{Tag: "t", Keys: all}); classOf(err) != federation.ErrDenied {
		t.Errorf("a key of another country: %v", err)
	}
	for _, tag := range []string{"a\nb", "a b", "ä"} {
		if _, err := e.client("DE", nil).Upload(t.Context(), &federation.Batch{Tag: tag, Keys: all[:1]}); classOf(err) != federation.ErrUnavailable {
			t.Errorf("tag %q: %v", tag, err)
		}
	}
	if n := len(e.gateway.Requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
	if o := e.client("DE", nil).Origins(); !o.Has(de) || o.Has(keys.MustRegion("FR")) {
		t.Error("origins are not the country")
	}
}

// TestErrorsHoldNothing: a server that quotes what it was sent, on every route.
func TestErrorsHoldNothing(t *testing.T) {
	e := newEurope(t, nil)
	all := e.newKeys("DE", 3)
	e.upload("FR", "t", e.newKeys("FR", 3))
	e.gateway.Assemble()
	for _, v := range []federationtest.Verdict{federationtest.Quote, federationtest.HTML, federationtest.Half, federationtest.Fail, federationtest.Partial, federationtest.NullBody, 500} {
		e.gateway.SetHook(federationtest.Always(v))
		c := e.client("DE", &ClientOptions{Audit: e.audit()})
		_, up := c.Upload(t.Context(), &federation.Batch{Tag: "t", Keys: all})
		_, down := c.Download(t.Context(), federation.Place{Day: today})
		_, subs := c.Subscriptions(t.Context())
		for what, err := range map[string]error{"upload": up, "download": down, "subscriptions": subs} {
			if err == nil {
				if what != "subscriptions" && v != federationtest.Partial { // null is an empty list
					t.Errorf("%d: %s: no error", v, what)
				}
				continue
			}
			for i := range all {
				if leak := keystest.Leak(err.Error(), all[i].KeyData); leak != "" {
					t.Errorf("%d: %s: %s in %q", v, what, leak, err)
				}
				if strings.Contains(err.Error(), base64.StdEncoding.EncodeToString(all[i].KeyData[:])) {
					t.Errorf("%d: %s: key data", v, what)
				}
			}
			if len(err.Error()) > 300 {
				t.Errorf("%d: %s: an error of %d bytes", v, what, len(err.Error()))
			}
		}
	}
}

func TestTimeout(t *testing.T) {
	e := newEurope(t, nil)
	e.gateway.SetHook(federationtest.Always(federationtest.Stall))
	c := e.client("DE", &ClientOptions{Timeout: 20 * time.Millisecond})
	if _, err := c.Download(t.Context(), federation.Place{Day: today}); classOf(err) != federation.ErrUnavailable {
		t.Errorf("got %v", err)
	}
}
