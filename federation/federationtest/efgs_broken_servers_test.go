package federationtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
	"github.com/gaenkit/gaen/signing/cms"
)

// A gatewayFlaw is a good gateway but for what it does before or after.
type gatewayFlaw struct {
	opts   func(o *EFGSOptions)
	before func(b *flawedGateway, r *http.Request, body []byte) []byte // what the gateway is to see
	after  func(b *flawedGateway, r *http.Request, body []byte, a *httptest.ResponseRecorder)
	direct bool // it is reached by TLS
}

// flawedGateway is a gateway with a flaw.
type flawedGateway struct {
	*gatewayFlaw
	good    *EFGSServer
	members []EFGSMember

	mu   sync.Mutex
	memo map[string]string
}

func (b *flawedGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.direct {
		b.balance(r)
	}
	late(b, r)
	a := httptest.NewRecorder()
	if err != nil {
		b.memo[r.Header.Get(headerBatchTag)] = "broken off"
		a.WriteHeader(400)
	}
	if b.before != nil {
		body = b.before(b, r, body)
	}
	if err == nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		b.good.ServeHTTP(a, r)
	}
	if b.after != nil {
		b.after(b, r, body, a)
	}
	maps.Copy(w.Header(), a.Header())
	w.WriteHeader(a.Code)
	w.Write(a.Body.Bytes())
}

// balance sets the headers of a load balancer, where nobody has set them already:
// that is the flaw.
func (b *flawedGateway) balance(r *http.Request) {
	if r.Header.Get(HeaderThumbprint) == "" && len(r.TLS.PeerCertificates) > 0 {
		maps.Copy(r.Header, balancerHeader(pairOf(r.TLS.PeerCertificates[0])))
	}
}

// be has a request come from the first member.
func (b *flawedGateway) be(r *http.Request) { maps.Copy(r.Header, b.members[0].Header()) }

// caller returns the country that calls.
func (b *flawedGateway) caller(r *http.Request) string {
	for i := range b.members {
		if r.Header.Get(HeaderThumbprint) == thumbprint(b.members[i].Authentication) {
			return b.members[i].Country
		}
	}
	return ""
}

func isPath(r *http.Request, what string) bool {
	return strings.HasPrefix(r.URL.Path, "/diagnosiskeys/"+what)
}

// known has callers be the first member where they are not.
func knownAs(when func(b *flawedGateway, r *http.Request) bool) *gatewayFlaw {
	return &gatewayFlaw{before: func(b *flawedGateway, r *http.Request, body []byte) []byte {
		if when(b, r) {
			b.be(r)
		}
		return body
	}}
}

// shown reports whether a certificate is shown.
func shown(pair func(m *EFGSMember) string) func(b *flawedGateway, r *http.Request) bool {
	return func(b *flawedGateway, r *http.Request) bool {
		return r.Header.Get(HeaderThumbprint) == pair(&b.members[0])
	}
}

// rewritten changes requests of a route.
func rewritten(route string, change func(b *flawedGateway, r *http.Request, body []byte) []byte) *gatewayFlaw {
	return &gatewayFlaw{before: func(b *flawedGateway, r *http.Request, body []byte) []byte {
		if isPath(r, route) {
			return change(b, r, body)
		}
		return body
	}}
}

// restated gives answers of a route another status, under a condition.
func restated(route string, from, to int, when func(b *flawedGateway, r *http.Request, body []byte) bool) *gatewayFlaw {
	return &gatewayFlaw{after: func(b *flawedGateway, r *http.Request, body []byte, a *httptest.ResponseRecorder) {
		if isPath(r, route) && a.Code == from && (when == nil || when(b, r, body)) {
			a.Code = to
		}
	}}
}

// batchesWith changes the keys of batches, in either format.
func batchesWith(change func(b *flawedGateway, r *http.Request, tag string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey) *gatewayFlaw {
	return &gatewayFlaw{after: func(b *flawedGateway, r *http.Request, _ []byte, a *httptest.ResponseRecorder) {
		if !isPath(r, "download/") || a.Code != 200 {
			return
		}
		batch := &efgspb.DiagnosisKeyBatch{}
		read, write := proto.Unmarshal, protobufOf
		if mediaIs(r.Header.Get("Accept"), "application/json") {
			read, write = protojson.Unmarshal, jsonOf
		}
		if read(a.Body.Bytes(), batch) == nil {
			a.Body.Reset()
			a.Body.Write(write(change(b, r, a.Header().Get(headerBatchTag), batch.GetKeys())))
		}
	}}
}

// audited changes audits.
func audited(change func(b *flawedGateway, r *http.Request, list []gatewayAudit) []gatewayAudit) *gatewayFlaw {
	return &gatewayFlaw{after: func(b *flawedGateway, r *http.Request, _ []byte, a *httptest.ResponseRecorder) {
		var list []gatewayAudit
		if isPath(r, "audit/") && a.Code == 200 && json.Unmarshal(a.Body.Bytes(), &list) == nil {
			a.Body.Reset()
			a.Body.Write(marshal(change(b, r, list)))
		}
	}}
}

// eachUpload changes what audits say of each upload.
func eachUpload(change func(e *gatewayAudit)) *gatewayFlaw {
	return audited(func(_ *flawedGateway, _ *http.Request, list []gatewayAudit) []gatewayAudit {
		for i := range list {
			change(&list[i])
		}
		return list
	})
}

// resigned has audits show other signatures of the same keys.
func resigned(by func(b *flawedGateway, nation int) *cms.Signer) *gatewayFlaw {
	return audited(func(b *flawedGateway, _ *http.Request, list []gatewayAudit) []gatewayAudit {
		for i := range list {
			for _, u := range b.good.uploads {
				if u.signature == list[i].BatchSignature {
					list[i].BatchSignature = must(by(b, u.nation).Sign(efgsContent(u.keys), u.created.Add(time.Hour)))
				}
			}
		}
		return list
	})
}

// accepting takes signatures that a good gateway does not.
func accepting(too func(country string, content []byte, signature string) error) *gatewayFlaw {
	return &gatewayFlaw{opts: func(o *EFGSOptions) {
		good := o.Verify
		o.Verify = func(country string, content []byte, signature string) error {
			if good(country, content, signature) == nil {
				return nil
			}
			return too(country, content, signature)
		}
	}}
}

// verifies reports whether anybody's signature is good.
func verifies(content []byte, signature string) (*cms.Message, error) {
	m, err := cms.Parse(signature, nil)
	if err == nil {
		err = m.Verify(content)
	}
	return m, err
}

// keysIn returns the keys of an upload in protobuf, none if it is none.
func keysIn(body []byte) []*efgspb.DiagnosisKey {
	batch := &efgspb.DiagnosisKeyBatch{}
	if proto.Unmarshal(body, batch) != nil {
		return nil
	}
	return batch.GetKeys()
}

func isRevoking(k *efgspb.DiagnosisKey) bool { return k.GetReportType() == efgspb.ReportType_REVOKED }

// late reports whether everything was uploaded and read: only then is JSON asked
// for.
func late(b *flawedGateway, r *http.Request) bool {
	if isPath(r, "download/") && mediaIs(r.Header.Get("Accept"), "application/json") {
		b.memo["late"] = "yes"
	}
	return b.memo["late"] != ""
}

// dated rewrites the date of a request to that of its tag.
func dated(r *http.Request, tag string) {
	if day, ok := dayIn(tag); ok {
		parts := strings.Split(r.URL.Path, "/")
		for i, p := range parts {
			if _, err := time.Parse(time.DateOnly, p); err == nil {
				parts[i] = day.String()
			}
		}
		r.URL.Path = strings.Join(parts, "/")
	}
}

// brokenGateways has, for each clause, a gateway that breaks it.
var brokenGateways = map[string]func() *gatewayFlaw{
	"certificate-none": func() *gatewayFlaw {
		return knownAs(func(_ *flawedGateway, r *http.Request) bool { return r.Header.Get(HeaderThumbprint) == "" })
	},
	"certificate-unlisted": func() *gatewayFlaw {
		return knownAs(func(b *flawedGateway, r *http.Request) bool {
			m, t := &b.members[0], r.Header.Get(HeaderThumbprint)
			return len(t) == 64 && t == strings.ToLower(t) && b.caller(r) == "" && t != thumbprint(m.Signing) && t != thumbprint(m.Revoked) && strings.HasPrefix(r.URL.Path, "/diagnosiskeys/download/2") && !strings.Contains(r.Header.Get("Accept"), "html")
		})
	},
	"certificate-use": func() *gatewayFlaw {
		return knownAs(shown(func(m *EFGSMember) string { return thumbprint(m.Signing) }))
	},
	"certificate-revoked": func() *gatewayFlaw {
		return knownAs(shown(func(m *EFGSMember) string { return thumbprint(m.Revoked) }))
	},
	"certificate-country": func() *gatewayFlaw {
		return knownAs(func(b *flawedGateway, r *http.Request) bool {
			return b.caller(r) == b.members[0].Country && r.Header.Get(HeaderDN) == "C="+b.members[1].Country
		})
	},
	"certificate-first": func() *gatewayFlaw {
		return restated("download/yesterday", 403, 400, nil)
	},
	"balancer-names": func() *gatewayFlaw {
		return knownAs(func(_ *flawedGateway, r *http.Request) bool { return false }).with(func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			if len(r.Header.Get(HeaderThumbprint)) != 64 {
				r.Header.Set(HeaderThumbprint, strings.Repeat("0", 64))
			}
			return body
		})
	},
	"balancer-no-country": func() *gatewayFlaw {
		return knownAs(func(_ *flawedGateway, r *http.Request) bool { return r.Header.Get(HeaderDN) == "CN=test" })
	},
	"balancer-alone": func() *gatewayFlaw { return &gatewayFlaw{direct: true} },
	"methods":        func() *gatewayFlaw { return restated("upload", 405, 500, nil) },
	"refusals-tell-nothing": func() *gatewayFlaw {
		return &gatewayFlaw{after: func(_ *flawedGateway, _ *http.Request, body []byte, a *httptest.ResponseRecorder) {
			if a.Code == 400 {
				for _, k := range keysIn(body) {
					fmt.Fprintf(a.Body, "%x", k.GetKeyData())
				}
			}
		}}
	},
	"upload-stored": func() *gatewayFlaw {
		return &gatewayFlaw{after: func(_ *flawedGateway, r *http.Request, _ []byte, a *httptest.ResponseRecorder) {
			if isPath(r, "upload") {
				a.Header().Del(headerBatchTag)
			}
		}}
	},
	"upload-json": func() *gatewayFlaw {
		return rewritten("upload", func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			if mediaIs(r.Header.Get("Content-Type"), "application/json") && json.Valid(body) {
				return []byte("{}")
			}
			return body
		})
	},
	"upload-content-type": func() *gatewayFlaw {
		return rewritten("upload", func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			if r.Header.Get("Content-Type") == "application/protobuf" {
				r.Header.Set("Content-Type", mediaProtobuf)
			}
			return body
		})
	},
	"upload-malformed": func() *gatewayFlaw {
		return restated("upload", 400, 500, func(_ *flawedGateway, r *http.Request, body []byte) bool {
			return bytes.Equal(body, []byte("no protobuf at all"))
		})
	},
	"upload-invalid-key": func() *gatewayFlaw {
		return restated("upload", 400, 201, func(_ *flawedGateway, _ *http.Request, body []byte) bool {
			return slices.ContainsFunc(keysIn(body), func(k *efgspb.DiagnosisKey) bool { return k.GetRollingPeriod() == 145 })
		})
	},
	"upload-origin": func() *gatewayFlaw {
		return restated("upload", 400, 201, func(b *flawedGateway, r *http.Request, body []byte) bool {
			list := keysIn(body)
			return len(list) == 2 && list[0].GetOrigin() != list[1].GetOrigin()
		})
	},
	"upload-too-many": func() *gatewayFlaw { return &gatewayFlaw{opts: func(o *EFGSOptions) { o.MaxKeys = 6000 }} },
	"upload-too-big":  func() *gatewayFlaw { return &gatewayFlaw{opts: func(o *EFGSOptions) { o.MaxUpload = 2 << 20 }} },
	"upload-big": func() *gatewayFlaw {
		return restated("upload", 201, 413, func(_ *flawedGateway, _ *http.Request, body []byte) bool { return len(keysIn(body)) == 60 })
	},
	"upload-known-keys": func() *gatewayFlaw {
		return &gatewayFlaw{after: func(_ *flawedGateway, _ *http.Request, _ []byte, a *httptest.ResponseRecorder) {
			if a.Code == 207 {
				text := strings.NewReplacer("201", "409", "409", "201").Replace(a.Body.String())
				a.Body.Reset()
				a.Body.WriteString(text)
			}
		}}
	},
	"upload-partial-stores-nothing": func() *gatewayFlaw {
		return &gatewayFlaw{after: func(b *flawedGateway, r *http.Request, body []byte, a *httptest.ResponseRecorder) {
			if a.Code != 207 || b.caller(r) != b.members[0].Country {
				return
			}
			list := keysIn(body)
			if len(list) != 4 {
				return
			}
			b.good.mu.Lock()
			defer b.good.mu.Unlock()
			b.good.insert(&efgsUpload{nation: 0, tag: newUUID(), signature: r.Header.Get(headerSignature), created: time.Now(), keys: []*efgspb.DiagnosisKey{list[0], list[3]}})
		}}
	},
	"upload-concurrent": func() *gatewayFlaw {
		return restated("upload", 409, 201, func(_ *flawedGateway, _ *http.Request, body []byte) bool { return len(keysIn(body)) == 20 })
	},
	"upload-cut-off": func() *gatewayFlaw {
		return rewritten("upload", func(b *flawedGateway, r *http.Request, body []byte) []byte {
			if b.memo[r.Header.Get(headerBatchTag)] != "" && len(keysIn(body)) == 50 {
				r.URL.Path = "/none"
			}
			return body
		})
	},
	"tag-repeated": func() *gatewayFlaw {
		return restated("upload", 409, 201, func(b *flawedGateway, r *http.Request, body []byte) bool { return len(keysIn(body)) == 3 })
	},
	"tag-other-content": func() *gatewayFlaw {
		return restated("upload", 409, 201, func(b *flawedGateway, r *http.Request, body []byte) bool {
			return len(keysIn(body)) == 2 && b.caller(r) == b.members[0].Country
		})
	},
	"tag-is-the-nations-own": func() *gatewayFlaw { return &gatewayFlaw{} },
	"tag-none": func() *gatewayFlaw {
		return restated("upload", 400, 201, func(_ *flawedGateway, r *http.Request, body []byte) bool {
			return r.Header.Get(headerBatchTag) == "" && len(keysIn(body)) == 1
		})
	},
	"signature-checked": func() *gatewayFlaw {
		return accepting(func(_ string, content []byte, signature string) error {
			m, err := cms.Parse(signature, nil)
			if err == nil && !m.Certificate.NotBefore.IsZero() && bytes.Count(content, []byte(".")) == 3*8 {
				return nil
			}
			return errors.New("not taken")
		})
	},
	"signature-order": func() *gatewayFlaw {
		return &gatewayFlaw{opts: func(o *EFGSOptions) {
			good := o.Verify
			o.Verify = func(country string, content []byte, signature string) error {
				fields := strings.SplitAfter(string(content), ".")
				var texts []string
				for part := range slices.Chunk(fields[:len(fields)-1], 8) {
					texts = append(texts, strings.Join(part, ""))
				}
				slices.Sort(texts)
				if good(country, []byte(strings.Join(texts, "")), signature) == nil {
					return nil
				}
				return good(country, content, signature)
			}
		}}
	},
	"signature-body-order": func() *gatewayFlaw {
		return restated("upload", 201, 400, func(_ *flawedGateway, _ *http.Request, body []byte) bool {
			list := keysIn(body)
			return len(list) == 10 && slices.IsSortedFunc(list, func(a, b *efgspb.DiagnosisKey) int { return bytes.Compare(b.GetKeyData(), a.GetKeyData()) })
		})
	},
	"signature-of-another": func() *gatewayFlaw {
		return accepting(func(country string, content []byte, signature string) error {
			m, err := verifies(content, signature)
			if err == nil && m.Certificate.Subject.Country[0] == country {
				err = errors.New("not listed")
			}
			return err
		})
	},
	"signature-unlisted": func() *gatewayFlaw {
		return accepting(func(country string, content []byte, signature string) error {
			m, err := verifies(content, signature)
			if err == nil && m.Certificate.Subject.Country[0] != country {
				err = errors.New("another's")
			}
			return err
		})
	},
	"signature-of-openssl": func() *gatewayFlaw { // its bytes are ours but for the nonce
		return rewritten("upload", func(b *flawedGateway, r *http.Request, body []byte) []byte {
			content, signature := efgsContent(keysIn(body)), r.Header.Get(headerSignature)
			if m, err := verifies(content, signature); err == nil && m.Certificate.Equal(b.members[0].Signing.Leaf) {
				if same, err := must(b.members[0].Signer()).Sign(content, m.SigningTime); err == nil && same != signature {
					r.Header.Del(headerSignature)
				}
			}
			return body
		})
	},
	"download-form": func() *gatewayFlaw {
		return &gatewayFlaw{after: func(_ *flawedGateway, _ *http.Request, _ []byte, a *httptest.ResponseRecorder) {
			a.Header().Del("X-Protobuf-Schema")
		}}
	},
	"download-accept": func() *gatewayFlaw { return restated("download/", 415, 406, nil) },
	"download-json": func() *gatewayFlaw {
		return &gatewayFlaw{after: func(_ *flawedGateway, r *http.Request, _ []byte, a *httptest.ResponseRecorder) {
			if mediaIs(r.Header.Get("Accept"), "application/json") && isPath(r, "download/") {
				a.Body.Reset()
				a.Body.WriteString("{}")
			}
		}}
	},
	"download-date-malformed": func() *gatewayFlaw {
		return restated("download/", 400, 404, func(_ *flawedGateway, r *http.Request, _ []byte) bool {
			return strings.HasSuffix(r.URL.Path, "20210602")
		})
	},
	"download-gone": func() *gatewayFlaw { return restated("download/", 410, 404, nil) },
	"download-nothing": func() *gatewayFlaw {
		return restated("download/", 404, 204, func(b *flawedGateway, r *http.Request, _ []byte) bool {
			return r.Header.Get(headerBatchTag) == "" && late(b, r)
		})
	},
	"download-unknown-tag": func() *gatewayFlaw {
		return restated("download/", 404, 400, func(_ *flawedGateway, r *http.Request, _ []byte) bool { return r.Header.Get(headerBatchTag) != "" })
	},
	"download-later-day": func() *gatewayFlaw {
		return rewritten("download/", func(b *flawedGateway, r *http.Request, body []byte) []byte {
			if late(b, r) && r.Header.Get(headerBatchTag) == "" {
				r.Header.Set(headerBatchTag, b.memo["last"])
			}
			return body
		}).followed(func(b *flawedGateway, r *http.Request, _ []byte, a *httptest.ResponseRecorder) {
			if tag := a.Header().Get(headerBatchTag); isPath(r, "download/") && tag != "" {
				b.memo["last"] = tag
			}
		})
	},
	"download-earlier-date": func() *gatewayFlaw {
		return restated("download/", 200, 400, func(b *flawedGateway, r *http.Request, _ []byte) bool {
			day, ok := dayIn(r.Header.Get(headerBatchTag))
			return late(b, r) && !mediaIs(r.Header.Get("Accept"), "application/json") && ok && !strings.HasSuffix(r.URL.Path, day.String())
		})
	},
	"download-later-date": func() *gatewayFlaw {
		return rewritten("download/", func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			if day, ok := dayIn(r.Header.Get(headerBatchTag)); ok && strings.HasSuffix(r.URL.Path, (day+1).String()) {
				dated(r, r.Header.Get(headerBatchTag))
			}
			return body
		})
	},
	"batch-tag": func() *gatewayFlaw {
		return (&gatewayFlaw{before: func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			if tag, ours := strings.CutPrefix(r.Header.Get(headerBatchTag), "b"); ours && !isPath(r, "upload") {
				r.Header.Set(headerBatchTag, tag)
			}
			r.URL.Path = strings.Replace(r.URL.Path, "/b2", "/2", 1)
			return body
		}}).followed(func(_ *flawedGateway, r *http.Request, _ []byte, a *httptest.ResponseRecorder) {
			for _, name := range []string{headerBatchTag, headerNext} {
				if tag := a.Header().Get(name); isPath(r, "download/") && tag != "" && tag != "null" {
					a.Header().Set(name, "b"+tag)
				}
			}
		})
	},
	"batch-next": func() *gatewayFlaw {
		return &gatewayFlaw{after: func(_ *flawedGateway, _ *http.Request, _ []byte, a *httptest.ResponseRecorder) {
			if a.Header().Get(headerNext) == "null" {
				a.Header().Del(headerNext)
			}
		}}
	},
	"batch-stays": func() *gatewayFlaw {
		return batchesWith(func(b *flawedGateway, r *http.Request, tag string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			if name := b.caller(r) + tag; len(list) > 1 {
				if b.memo[name] == "" {
					b.memo[name] = "given"
				} else {
					list[0], list[1] = list[1], list[0]
				}
			}
			return list
		})
	},
	"batch-loses-nothing": func() *gatewayFlaw {
		return batchesWith(func(b *flawedGateway, r *http.Request, tag string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			if name := b.caller(r) + tag; len(list) > 0 && b.memo[name] == "" {
				b.memo[name] = "given"
				return list[:len(list)-1]
			}
			return list
		})
	},
	"batch-own-left-out": func() *gatewayFlaw {
		return batchesWith(func(b *flawedGateway, r *http.Request, _ string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			return append(list, &efgspb.DiagnosisKey{KeyData: []byte("0123456789abcdef"), Origin: b.caller(r), RollingPeriod: 144})
		})
	},
	"batch-keys-once": func() *gatewayFlaw {
		return batchesWith(func(_ *flawedGateway, _ *http.Request, _ string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			return append(list, list[:min(1, len(list))]...)
		})
	},
	"batch-keys-unchanged": func() *gatewayFlaw {
		return batchesWith(func(_ *flawedGateway, _ *http.Request, _ string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			for _, k := range list {
				k.VisitedCountries = slices.Sorted(slices.Values(k.VisitedCountries))
			}
			return list
		})
	},
	"batch-whole-uploads": func() *gatewayFlaw {
		return batchesWith(func(_ *flawedGateway, _ *http.Request, _ string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			if len(list) > 1 {
				list[0], list[1] = list[1], list[0]
			}
			return list
		})
	},
	"batch-size": func() *gatewayFlaw {
		return batchesWith(func(b *flawedGateway, r *http.Request, _ string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			if b.memo["grown"] != "" {
				return list
			}
			b.memo["grown"] = "yes"
			for i := range MaxEFGSKeys {
				list = append(list, &efgspb.DiagnosisKey{KeyData: fmt.Appendf(nil, "%016d", i), Origin: "ZZ", RollingPeriod: 144})
			}
			return list
		})
	},
	"audit-form": func() *gatewayFlaw { return eachUpload(func(e *gatewayAudit) { e.UploadedTime = "" }) },
	"audit-amounts": func() *gatewayFlaw {
		return audited(func(_ *flawedGateway, _ *http.Request, list []gatewayAudit) []gatewayAudit {
			return append(list, gatewayAudit{Country: "ZZ", Amount: 3, UploadedTime: "x", UploaderThumbprint: "x", SigningCertificate: "x", UploaderSigningThumbprint: "x", BatchSignature: "x"})
		})
	},
	"audit-covers": func() *gatewayFlaw {
		return audited(func(*flawedGateway, *http.Request, []gatewayAudit) []gatewayAudit { return []gatewayAudit{} })
	},
	"audit-same-for-all": func() *gatewayFlaw {
		return audited(func(b *flawedGateway, r *http.Request, list []gatewayAudit) []gatewayAudit {
			return slices.DeleteFunc(list, func(e gatewayAudit) bool { return e.Country == b.caller(r) })
		})
	},
	"audit-signatures": func() *gatewayFlaw {
		return audited(func(_ *flawedGateway, _ *http.Request, list []gatewayAudit) []gatewayAudit {
			for i := range list {
				list[i].BatchSignature = list[0].BatchSignature
			}
			return list
		})
	},
	"audit-unchanged": func() *gatewayFlaw {
		return resigned(func(b *flawedGateway, nation int) *cms.Signer { return must(b.members[nation].Signer()) })
	},
	"audit-certificates": func() *gatewayFlaw {
		return eachUpload(func(e *gatewayAudit) { e.UploaderThumbprint = e.UploaderSigningThumbprint })
	},
	"audit-anchor": func() *gatewayFlaw {
		return eachUpload(func(e *gatewayAudit) { e.SigningCertificateOperatorSignature = e.UploaderOperatorSignature })
	},
	"audit-by-openssl": func() *gatewayFlaw { // cms goes by the certificate in the signature, openssl by that of the nation
		by := must(signerOf(stranger("DE")))
		return resigned(func(*flawedGateway, int) *cms.Signer { return by })
	},
	"audit-day": func() *gatewayFlaw {
		return rewritten("audit/", func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			dated(r, r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
			return body
		})
	},
	"audit-unknown-tag": func() *gatewayFlaw {
		return restated("audit/", 404, 200, func(_ *flawedGateway, r *http.Request, _ []byte) bool {
			return strings.HasSuffix(r.URL.Path, "/unknown")
		})
	},
	"audit-gone": func() *gatewayFlaw { return restated("audit/", 410, 404, nil) },
	"withdrawal-told": func() *gatewayFlaw {
		return batchesWith(func(_ *flawedGateway, _ *http.Request, _ string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			return slices.DeleteFunc(list, isRevoking)
		})
	},
	"withdrawal-with-keys": func() *gatewayFlaw {
		return restated("upload", 201, 400, func(_ *flawedGateway, _ *http.Request, body []byte) bool {
			list := keysIn(body)
			return slices.ContainsFunc(list, isRevoking) && !isRevoking(list[0])
		})
	},
	"withdrawal-not-ones-own": func() *gatewayFlaw {
		return batchesWith(func(b *flawedGateway, r *http.Request, _ string, list []*efgspb.DiagnosisKey) []*efgspb.DiagnosisKey {
			for _, k := range list {
				if isRevoking(k) && k.GetOrigin() == b.members[1].Country {
					k.Origin = b.members[0].Country
				}
			}
			return list
		})
	},
	"callback-registered": func() *gatewayFlaw {
		return rewritten("callback", func(b *flawedGateway, r *http.Request, body []byte) []byte {
			if r.Method == http.MethodDelete && b.caller(r) == b.members[0].Country {
				r.Method, r.URL.Path = http.MethodGet, "/diagnosiskeys/callback"
			}
			return body
		})
	},
	"callback-own": func() *gatewayFlaw {
		return rewritten("callback", func(b *flawedGateway, r *http.Request, body []byte) []byte {
			if b.caller(r) == b.members[1].Country {
				b.be(r)
			}
			return body
		})
	},
	"callback-url": func() *gatewayFlaw {
		return rewritten("callback", func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			r.URL.RawQuery = strings.Replace(r.URL.RawQuery, "url=http%3A", "url=https%3A", 1)
			return body
		})
	},
	"callback-private": func() *gatewayFlaw {
		return rewritten("callback", func(_ *flawedGateway, r *http.Request, body []byte) []byte {
			if target := r.URL.Query().Get("url"); strings.Contains(target, "169.254.169.254") {
				r.URL.RawQuery = url.Values{"url": {"https://gateway.example/"}}.Encode()
			}
			return body
		})
	},
	"callback-called": func() *gatewayFlaw { return &gatewayFlaw{opts: func(o *EFGSOptions) { o.Call = nil }} },
}

// with and followed add to a flaw.
func (f *gatewayFlaw) with(before func(*flawedGateway, *http.Request, []byte) []byte) *gatewayFlaw {
	f.before = before
	return f
}

func (f *gatewayFlaw) followed(after func(*flawedGateway, *http.Request, []byte, *httptest.ResponseRecorder)) *gatewayFlaw {
	f.after = after
	return f
}

// alsoFail are the clauses that cannot but fail where another one does, by the same
// flaw: of an upload that is answered as if it were stored nothing is handed out, and
// of keys that are changed no signature verifies.
var alsoFail = map[string][]string{
	"signature-order":               {"audit-signatures"},
	"signature-checked":             {"audit-signatures"},
	"tag-none":                      {"batch-loses-nothing", "batch-whole-uploads"},
	"tag-other-content":             {"batch-loses-nothing", "batch-whole-uploads"},
	"upload-partial-stores-nothing": {"audit-signatures"},
	"upload-origin":                 {"batch-loses-nothing", "batch-whole-uploads"},
	"upload-too-many":               {"batch-size"},
	"upload-invalid-key":            {"batch-loses-nothing", "batch-whole-uploads"},
	"withdrawal-not-ones-own":       {"audit-signatures", "batch-own-left-out"},
	"withdrawal-told":               {"audit-amounts", "batch-whole-uploads", "withdrawal-with-keys"},
	"audit-by-openssl":              {"audit-unchanged"},
	"audit-signatures":              {"audit-by-openssl", "audit-unchanged"},
	"batch-size":                    {"batch-stays"},
	"batch-whole-uploads":           {"audit-signatures", "audit-unchanged"},
	"batch-keys-once":               {"audit-amounts"},
	"batch-keys-unchanged":          {"audit-signatures", "batch-whole-uploads", "upload-json"},
	"batch-own-left-out":            {"audit-amounts", "batch-keys-once"},
	"batch-stays":                   {"audit-signatures", "audit-unchanged", "batch-whole-uploads"},
	"batch-loses-nothing":           {"batch-stays"},
	"batch-next":                    {"download-form"},
	"batch-tag":                     {"callback-called"},
	"download-later-day":            {"download-nothing"},
}

var showOthers = flag.Bool("federationtest.show-others", false, "print which other clauses a broken counterpart fails")

// judge runs all clauses against a gateway with a flaw.
func (f *gatewayFlaw) judge(t *testing.T) map[string]error {
	t.Helper()
	var flawed *flawedGateway
	e, opts := scripted(t, f.opts, func(good *EFGSServer, members []EFGSMember) http.Handler {
		flawed = &flawedGateway{gatewayFlaw: f, good: good, members: members, memo: map[string]string{}}
		return flawed
	})
	opts.Patience, opts.Poll = 300*time.Millisecond, 10*time.Millisecond
	if f.direct {
		secured(t, flawed, e, opts)
	}
	if err := opts.complete(e); err != nil {
		t.Fatal(err)
	}
	return examineGateway(t.Context(), e, opts)
}

func TestEveryGatewayClauseCatches(t *testing.T) {
	for _, c := range gatewayClauses() {
		t.Run(c.name, func(t *testing.T) {
			broken := brokenGateways[c.name]
			if broken == nil {
				t.Fatal("no broken gateway shows that this clause catches anything")
			}
			t.Parallel()
			verdicts := broken().judge(t)
			if err := verdicts[c.name]; errors.Is(err, errNoOpenSSL) {
				t.Skip(err)
			} else if err == nil || errors.Is(err, errNotGiven) {
				t.Errorf("the clause says %v of a gateway that breaks it", err)
			}
			var others []string
			for name, err := range verdicts {
				if name != c.name && err != nil && !errors.Is(err, errNotGiven) && EFGSDeviations()[name] == "" {
					others = append(others, name)
				}
			}
			slices.Sort(others)
			if *showOthers && len(others) > 0 {
				fmt.Printf("\t%q: {%q},\n", c.name, others)
			}
			for _, name := range others {
				if !slices.Contains(alsoFail[c.name], name) {
					t.Errorf("so does %s: %v", name, verdicts[name])
				}
			}
		})
	}
	for name := range brokenGateways {
		if !slices.ContainsFunc(gatewayClauses(), func(c gatewayClause) bool { return c.name == name }) {
			t.Errorf("there is no clause %q", name)
		}
	}
}
