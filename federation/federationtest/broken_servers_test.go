package federationtest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gaenkit/gaen/keys"
)

// A flaw is a good server but for what it does before or after.
type flaw struct {
	opts   ServerOptions
	before func(b *flawed, r *http.Request, body []byte) []byte // what the server is to see
	after  func(b *flawed, r *http.Request, a *httptest.ResponseRecorder)
}

// flawed is a server with a flaw.
type flawed struct {
	flaw
	good    http.Handler
	nations []Nation

	mu    sync.Mutex
	count int
	memo  map[string]string
}

func (b *flawed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		r.Header.Set("Broken-Off", "1")
	}
	if b.before != nil {
		body = b.before(b, r, body)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	a := httptest.NewRecorder()
	if r.Header.Get("Broken-Off") != "" {
		a.WriteHeader(400)
	} else {
		b.good.ServeHTTP(a, r)
	}
	if b.after != nil {
		b.after(b, r, a)
	}
	maps.Copy(w.Header(), a.Header())
	w.WriteHeader(a.Code)
	w.Write(a.Body.Bytes())
}

func isUpload(r *http.Request) bool { return r.URL.Path == "/upload" }

// caller returns the index of the nation that calls, -1 for nobody.
func (b *flawed) caller(r *http.Request) int {
	for i := range b.nations {
		if r.Header.Get("Authorization") == "Bearer "+b.nations[i].Token {
			return i
		}
	}
	return -1
}

// as returns what has requests come from the first nation where it should not.
func as(when func(b *flawed, header string) bool) *flaw {
	return &flaw{before: func(b *flawed, r *http.Request, body []byte) []byte {
		if when(b, r.Header.Get("Authorization")) {
			r.Header.Set("Authorization", "Bearer "+b.nations[0].Token)
		}
		return body
	}}
}

// resealing returns what signs messages that it should not take.
func resealing(when func(header map[string]any, signature []byte) bool) *flaw {
	return &flaw{before: func(b *flawed, r *http.Request, body []byte) []byte {
		tag, message, wrong := parseEnvelope(body)
		parts := strings.Split(message, ".")
		i := b.caller(r)
		if !isUpload(r) || wrong != "" || len(parts) != 3 || i < 0 {
			return body
		}
		var header map[string]any
		text, _ := decodePart(parts[0])
		json.Unmarshal(text, &header)
		signature, _ := decodePart(parts[2])
		payload, err := decodePart(parts[1])
		if err != nil || !when(header, signature) {
			return body
		}
		sealed, _ := seal(b.nations[i].Key, base64.RawURLEncoding, es256, payload)
		return envelope(tag, sealed)
	}}
}

// answering returns what changes answers with a status to a route.
func answering(upload bool, status int, change func(b *flawed, r *http.Request, a *httptest.ResponseRecorder)) *flaw {
	return &flaw{after: func(b *flawed, r *http.Request, a *httptest.ResponseRecorder) {
		if isUpload(r) == upload && (status == 0 || a.Code == status) {
			change(b, r, a)
		}
	}}
}

func recode(status int) func(*flawed, *http.Request, *httptest.ResponseRecorder) {
	return func(_ *flawed, _ *http.Request, a *httptest.ResponseRecorder) { a.Code = status }
}

// paging returns what changes pages.
func paging(change func(b *flawed, tag string, list []map[string]any) (string, any)) *flaw {
	return answering(false, 200, func(b *flawed, _ *http.Request, a *httptest.ResponseRecorder) {
		var page struct {
			BatchTag  string           `json:"batchTag"`
			Exposures []map[string]any `json:"exposures"`
		}
		json.Unmarshal(a.Body.Bytes(), &page)
		tag, list := change(b, page.BatchTag, page.Exposures)
		a.Body = bytes.NewBuffer(pageBody(tag, list))
	})
}

// setting returns what sets a field of every exposure.
func setting(change func(b *flawed, e map[string]any)) *flaw {
	return paging(func(b *flawed, tag string, list []map[string]any) (string, any) {
		for _, e := range list {
			change(b, e)
		}
		return tag, list
	})
}

// counting returns what says of every upload that all its keys are new.
func counting() *flaw {
	return &flaw{
		before: func(b *flawed, _ *http.Request, body []byte) []byte {
			_, message, _ := parseEnvelope(body)
			payload, _ := decodePart(strings.Split(message+"..", ".")[1])
			var list []any
			json.Unmarshal(payload, &list)
			b.count = len(list)
			return body
		},
		after: func(b *flawed, r *http.Request, a *httptest.ResponseRecorder) {
			if isUpload(r) && a.Code == 200 {
				a.Body = bytes.NewBuffer(marshal(map[string]any{"batchTag": "", "insertedExposures": b.count}))
			}
		},
	}
}

func faithful() *flaw { return &flaw{opts: ServerOptions{Faithful: true}} }

// giving returns what gives every nation the same: its own keys, and withdrawals, in
// the extended form.
func giving() *flaw {
	return &flaw{before: func(b *flawed, r *http.Request, body []byte) []byte {
		if !isUpload(r) && b.caller(r) >= 0 {
			r.Header.Set("Authorization", "Bearer "+b.nations[3].Token)
		}
		return body
	}}
}

// namingOrigins returns what believes uploads their origins.
func namingOrigins() *flaw {
	f := setting(func(b *flawed, e map[string]any) {
		if origin := b.memo[e["keyData"].(string)]; origin != "" {
			e["origin"] = origin
		}
	})
	f.before = func(b *flawed, _ *http.Request, body []byte) []byte {
		_, message, _ := parseEnvelope(body)
		payload, _ := decodePart(strings.Split(message+"..", ".")[1])
		var list []exposure
		json.Unmarshal(payload, &list)
		for _, e := range list {
			b.memo[e.KeyData] = e.Origin
		}
		return body
	}
	return f
}

// repacking returns what has an upload be another nation's, or of something else.
func repacking(change func(b *flawed, from int, list []exposure) (int, []exposure)) *flaw {
	return &flaw{before: func(b *flawed, r *http.Request, body []byte) []byte {
		tag, message, wrong := parseEnvelope(body)
		from := b.caller(r)
		if !isUpload(r) || wrong != "" || from < 0 {
			return body
		}
		_, payload, err := open(b.nations[from].publicKey(), message, false)
		var list []exposure
		if err != nil || json.Unmarshal(payload, &list) != nil {
			return body
		}
		as, changed := change(b, from, list)
		if as == from && len(changed) == len(list) {
			return body
		}
		r.Header.Set("Authorization", "Bearer "+b.nations[as].Token)
		sealed, _ := seal(b.nations[as].Key, base64.RawURLEncoding, es256, marshal(slices.Concat([]exposure{}, changed)))
		return envelope(tag, sealed)
	}}
}

func query(change func(b *flawed, r *http.Request, q url.Values) string) *flaw {
	return &flaw{before: func(b *flawed, r *http.Request, body []byte) []byte {
		if !isUpload(r) {
			r.URL.RawQuery = change(b, r, r.URL.Query())
		}
		return body
	}}
}

var tagInBody = regexp.MustCompile(`"batchTag":"([^"]*)"`)

// brokenServers has, for each clause, a server that breaks it.
var brokenServers = map[string]func() *flaw{
	"auth-none": func() *flaw { return as(func(_ *flawed, header string) bool { return header == "" }) },
	"auth-garbage": func() *flaw {
		return as(func(b *flawed, header string) bool { return strings.Contains(header, ".") && header != "" })
	},
	"auth-expired": func() *flaw {
		return as(func(b *flawed, header string) bool { return strings.HasSuffix(header, b.nations[0].Expired) })
	},
	"auth-first":  faithful,
	"auth-scheme": faithful,
	"token-of-another": func() *flaw {
		f := resealing(func(map[string]any, []byte) bool { return true })
		reseal := f.before
		f.before = func(b *flawed, r *http.Request, body []byte) []byte {
			_, message, _ := parseEnvelope(body)
			for i := range b.nations {
				if _, _, err := open(b.nations[i].publicKey(), message, false); err == nil {
					return reseal(b, r, body)
				}
			}
			return body
		}
		return f
	},
	"answers-tell-nothing": func() *flaw {
		return &flaw{after: func(b *flawed, r *http.Request, a *httptest.ResponseRecorder) {
			if a.Code >= 400 {
				a.Body.WriteString(r.Header.Get("Authorization"))
			}
		}}
	},
	"upload-accepted": func() *flaw { return answering(true, 200, recode(201)) },
	"upload-handed-out": func() *flaw {
		return paging(func(_ *flawed, tag string, list []map[string]any) (string, any) { return tag, list[:len(list)/2] })
	},
	"upload-repeated": func() *flaw {
		return answering(true, 200, func(b *flawed, _ *http.Request, a *httptest.ResponseRecorder) {
			tag := tagInBody.FindString(a.Body.String())
			if b.memo[tag] != "" {
				a.Code = 409
			}
			b.memo[tag] = "used"
		})
	},
	"upload-known-keys":   counting,
	"upload-twice-in-one": counting,
	"upload-concurrent":   counting,
	"upload-empty": func() *flaw {
		return answering(true, 200, func(_ *flawed, _ *http.Request, a *httptest.ResponseRecorder) {
			if strings.Contains(a.Body.String(), `"insertedExposures":0`) {
				a.Code = 204
			}
		})
	},
	"upload-cut-off": func() *flaw {
		return &flaw{before: func(b *flawed, r *http.Request, body []byte) []byte {
			m := tagInBody.FindSubmatch(body)
			switch {
			case len(m) > 1 && r.Header.Get("Broken-Off") != "":
				b.memo[string(m[1])] = "known"
			case len(m) > 1 && b.memo[string(m[1])] != "":
				r.URL.Path = "/none"
			}
			return body
		}}
	},
	"upload-big":     func() *flaw { return &flaw{opts: ServerOptions{MaxUpload: 8 << 10}} },
	"upload-too-big": func() *flaw { return &flaw{opts: ServerOptions{MaxUpload: 8 << 20}} },
	"upload-content-type": func() *flaw {
		return &flaw{before: func(_ *flawed, r *http.Request, body []byte) []byte {
			r.Header.Set("Content-Type", "application/json")
			return body
		}}
	},
	"upload-malformed": func() *flaw { return answering(true, 400, recode(500)) },
	"methods": func() *flaw {
		return answering(false, 404, func(_ *flawed, r *http.Request, a *httptest.ResponseRecorder) {
			if r.Method == http.MethodHead {
				a.Code = 500
			}
		})
	},
	"message-padded": func() *flaw {
		return &flaw{before: func(_ *flawed, r *http.Request, body []byte) []byte {
			return bytes.ReplaceAll(body, []byte("="), []byte("!"))
		}}
	},
	"message-header": func() *flaw {
		return &flaw{before: func(_ *flawed, r *http.Request, body []byte) []byte {
			_, message, wrong := parseEnvelope(body)
			if isUpload(r) && wrong == "" && !strings.HasPrefix(message, base64.RawURLEncoding.EncodeToString([]byte(es256))+".") {
				return []byte("{}")
			}
			return body
		}}
	},
	"signature-checked": func() *flaw { return resealing(func(map[string]any, []byte) bool { return true }) },
	"signature-length":  faithful,
	"algorithm-fixed": func() *flaw {
		return resealing(func(header map[string]any, _ []byte) bool { return header["alg"] == "none" })
	},
	"signature-status":   faithful,
	"malformed-message":  faithful,
	"fields-unchanged":   func() *flaw { return setting(func(_ *flawed, e map[string]any) { e["transmissionRiskLevel"] = 7 }) },
	"origin-by-token":    func() *flaw { return setting(func(_ *flawed, e map[string]any) { e["origin"] = "FR" }) },
	"origin-not-forged":  namingOrigins,
	"bad-key-alone":      faithful,
	"bad-keys-kept-back": faithful,
	"withdrawal-told": func() *flaw {
		return paging(func(_ *flawed, tag string, list []map[string]any) (string, any) {
			return tag, slices.DeleteFunc(list, func(e map[string]any) bool { return e["reportType"] == float64(revoked) })
		})
	},
	"withdrawal-takers": giving,
	"withdrawal-not-ones-own": func() *flaw {
		return repacking(func(b *flawed, from int, list []exposure) (int, []exposure) {
			if len(list) == 1 && list[0].ReportType == revoked {
				from = 0
			}
			return from, list
		})
	},
	"withdrawal-before-key": func() *flaw {
		return repacking(func(b *flawed, from int, list []exposure) (int, []exposure) {
			if len(list) == 1 && list[0].ReportType == revoked && b.memo[list[0].KeyData] == "" {
				return from, nil
			}
			for _, e := range list {
				b.memo[e.KeyData] = "seen"
			}
			return from, list
		})
	},
	"extended-unknown": func() *flaw {
		return setting(func(_ *flawed, e map[string]any) {
			if e["daysSinceOnset"] == nil {
				e["daysSinceOnset"] = 0
			}
		})
	},
	"extended-to-others": giving,
	"relay-origin":       func() *flaw { return setting(func(_ *flawed, e map[string]any) { e["origin"] = "GI" }) },
	"relay-not-allowed":  namingOrigins,
	"page-form": func() *flaw {
		return paging(func(_ *flawed, tag string, list []map[string]any) (string, any) {
			if len(list) == 0 {
				return tag, nil
			}
			return tag, list
		})
	},
	"exposure-form": func() *flaw { return setting(func(_ *flawed, e map[string]any) { e["daysSinceOnset"] = nil }) },
	"nothing-new": func() *flaw {
		return answering(false, 204, func(_ *flawed, r *http.Request, a *httptest.ResponseRecorder) { a.Code = 404 })
	},
	"own-keys-left-out": giving,
	"keys-once": func() *flaw {
		return paging(func(_ *flawed, tag string, list []map[string]any) (string, any) { return tag, append(list, list...) })
	},
	"answers-not-cached": faithful,
	"date-malformed":     func() *flaw { return answering(false, 400, recode(500)) },
	"date-impossible":    faithful,
	"date-to-come": func() *flaw {
		return answering(false, 204, func(_ *flawed, r *http.Request, a *httptest.ResponseRecorder) {
			if strings.Contains(r.URL.Path, "9999") {
				a.Code = 500
			}
		})
	},
	"date-first-page": func() *flaw { // after a while it begins with the second page
		f := query(func(b *flawed, r *http.Request, q url.Values) string {
			if b.count++; !q.Has("batchTag") && b.count > 60 {
				return "batchTag=" + b.memo["first"]
			}
			return r.URL.RawQuery
		})
		f.after = func(b *flawed, r *http.Request, a *httptest.ResponseRecorder) {
			if m := tagInBody.FindStringSubmatch(a.Body.String()); len(m) > 1 && !isUpload(r) && b.memo["first"] == "" {
				b.memo["first"] = m[1]
			}
		}
		return f
	},
	"tag-is-the-nations-own": faithful,
	"tag-before-date": func() *flaw {
		return answering(false, 200, func(_ *flawed, r *http.Request, a *httptest.ResponseRecorder) {
			if strings.Contains(r.URL.Path, "9999") {
				a.Code = 204
				a.Body.Reset()
			}
		})
	},
	"tag-unknown": faithful,
	"tag-odd":     faithful,
	"tag-twice": func() *flaw {
		return query(func(_ *flawed, _ *http.Request, q url.Values) string {
			return url.Values{"batchTag": q["batchTag"][:min(1, len(q["batchTag"]))]}.Encode()
		})
	},
	"tag-empty": func() *flaw {
		return answering(false, 0, func(_ *flawed, r *http.Request, a *httptest.ResponseRecorder) {
			if q := r.URL.Query(); q.Has("batchTag") && q.Get("batchTag") == "" {
				a.Code = 400
			}
		})
	},
	"tag-of-another":       giving,
	"paging-loses-nothing": func() *flaw { return &flaw{opts: ServerOptions{Faithful: true, Held: true}} },
	"pages-stay": func() *flaw {
		return paging(func(b *flawed, tag string, list []map[string]any) (string, any) {
			if b.memo[tag] != "" && len(list) > 0 {
				list = list[1:]
			}
			b.memo[tag] = "given"
			return tag, list
		})
	},
	"pages-lead-on": func() *flaw {
		return paging(func(b *flawed, tag string, list []map[string]any) (string, any) { return "tag", list })
	},
}

// judge runs all clauses against a server with a flaw.
func (f *flaw) judge(t *testing.T) map[string]error {
	t.Helper()
	hub := NewNation(keys.MustRegion("MT")) // which is given all there is
	hub.Withdrawals, hub.Extended = true, true
	nations := append(newNations(), hub)
	f.opts.BatchSize = 30
	f.opts.MaxUpload = cmp.Or(f.opts.MaxUpload, 4<<20)
	good, err := NewServer(nations, &f.opts)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(good)
	if f.before != nil || f.after != nil {
		h.Config.Handler = &flawed{flaw: *f, good: good, nations: nations, memo: map[string]string{}}
	}
	defer h.Close()
	e := &Endpoint{URL: h.URL, Nations: nations[:3]}
	opts := &EndpointOptions{MaxUpload: 4 << 20, BigUpload: 50, Patience: 100 * time.Millisecond, Poll: 10 * time.Millisecond, MaxPages: 300}
	if f.opts.Held {
		opts.Release = func() error { good.Assemble(); return nil }
		opts.Patience = time.Minute
	}
	if err := opts.complete(e); err != nil {
		t.Fatal(err)
	}
	return examine(t.Context(), e, opts)
}

func TestEveryServerClauseCatches(t *testing.T) {
	for _, c := range serverClauses() {
		t.Run(c.name, func(t *testing.T) {
			broken := brokenServers[c.name]
			if broken == nil {
				t.Fatal("no broken server shows that this clause catches anything")
			}
			t.Parallel() // it waits most of the time
			if err := broken().judge(t)[c.name]; err == nil || errors.Is(err, errNotGiven) {
				t.Errorf("the clause says %v of a server that breaks it", err)
			}
		})
	}
	for name := range brokenServers {
		if !hasServerClause(name) {
			t.Errorf("there is no clause %q", name)
		}
	}
}

func hasServerClause(name string) bool {
	for _, c := range serverClauses() {
		if c.name == name {
			return true
		}
	}
	return false
}
