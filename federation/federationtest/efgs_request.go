package federationtest

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing/cms"
)

const (
	mediaProtobuf = "application/protobuf; version=1.0"
	mediaJSON     = "application/json; version=1.0"
)

// A gatewayCall is a request to a gateway, as a clause spells it.
type gatewayCall struct {
	method string // "" is GET, with a body POST
	path   string // after "/diagnosiskeys", with the query
	pair   *tls.Certificate
	header map[string]string // one that is "" is not sent
	body   io.Reader
	size   int64
}

// clientOf returns what shows a certificate, or none.
func (x *gatewayExam) clientOf(pair *tls.Certificate) *http.Client {
	x.mu.Lock()
	defer x.mu.Unlock()
	if c := x.clients[pair]; c != nil {
		return c
	}
	config := &tls.Config{RootCAs: x.opts.Roots}
	if pair != nil && !x.e.Balanced {
		// Whatever the gateway says that it takes.
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair, nil }
	}
	c := &http.Client{
		Transport:     &http.Transport{TLSClientConfig: config, ExpectContinueTimeout: 5 * time.Second, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	x.clients[pair] = c
	return c
}

// do makes a call. Answers that are no success are remembered.
func (x *gatewayExam) do(c gatewayCall) (outcome, error) {
	if c.method == "" {
		c.method = http.MethodGet
		if c.body != nil {
			c.method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(x.ctx, c.method, strings.TrimSuffix(x.e.URL, "/")+"/diagnosiskeys"+c.path, c.body)
	if err != nil {
		return outcome{}, err
	}
	if c.size > 0 {
		req.ContentLength = c.size
	}
	if c.pair != nil && x.e.Balanced {
		maps.Copy(req.Header, balancerHeader(c.pair))
	}
	for _, name := range slices.Sorted(maps.Keys(c.header)) {
		req.Header.Set(name, c.header[name])
		if c.header[name] == "" {
			req.Header.Del(name)
		}
	}
	return x.refused.ask(x.clientOf(c.pair), req)
}

// as returns the certificate by which a member authenticates.
func (x *gatewayExam) as(member int) *tls.Certificate { return x.members[member].Authentication }

// stranger returns a certificate of a country that nobody has listed.
func stranger(country string) *tls.Certificate {
	return newPair(pkix.Name{CommonName: "federationtest", Country: []string{country}})
}

// newTag returns a tag that says what it is for and when.
func (x *gatewayExam) newTag() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count++
	return fmt.Sprintf("%s-%d", x.run, x.count)
}

// keys returns random keys of a member, of a day that is over and not yet forgotten.
func (x *gatewayExam) keys(member, n int) []*efgspb.DiagnosisKey {
	start := keys.StartOfDay(keys.IntervalAt(x.opts.Now().Add(-3 * 24 * time.Hour)).Day())
	var list []*efgspb.DiagnosisKey
	for range n {
		data := make([]byte, keys.KeyDataSize)
		rand.Read(data)
		list = append(list, &efgspb.DiagnosisKey{KeyData: data, RollingStartIntervalNumber: uint32(start), RollingPeriod: keys.IntervalsPerDay,
			TransmissionRiskLevel: 3, Origin: x.members[member].Country, ReportType: efgspb.ReportType_CONFIRMED_TEST, DaysSinceOnsetOfSymptoms: 1})
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, k := range list[:min(n, 100)] { // enough to find one in an answer
		x.sent = append(x.sent, k.GetKeyData())
	}
	return list
}

// A gatewayUpload is what a member uploads.
type gatewayUpload struct {
	member    int
	tag       string
	keys      []*efgspb.DiagnosisKey
	body      []byte
	signature string
	header    map[string]string // beside or in the place of those it ought to have
	apart     bool              // nobody need be given it
}

// upload returns keys as a member is to upload them, in protobuf.
func (x *gatewayExam) upload(member int, list []*efgspb.DiagnosisKey) (*gatewayUpload, error) {
	signature, err := x.sign(x.signers[member], list)
	return &gatewayUpload{member: member, tag: x.newTag(), keys: list, body: protobufOf(list), signature: signature}, err
}

func (x *gatewayExam) sign(s *cms.Signer, list []*efgspb.DiagnosisKey) (string, error) {
	return s.Sign(efgsContent(list), x.opts.Now())
}

// protobufOf and jsonOf return the bodies of keys. Encoding what was made here does
// not fail.
func protobufOf(list []*efgspb.DiagnosisKey) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(&efgspb.DiagnosisKeyBatch{Keys: list})
	if err != nil {
		panic("federationtest: " + err.Error())
	}
	return b
}

func jsonOf(list []*efgspb.DiagnosisKey) []byte {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&efgspb.DiagnosisKeyBatch{Keys: list})
	if err != nil {
		panic("federationtest: " + err.Error())
	}
	return b
}

// send uploads. What is answered 201 counts as stored from then on.
func (x *gatewayExam) send(u *gatewayUpload) (outcome, error) {
	header := map[string]string{"Content-Type": mediaProtobuf, headerBatchTag: u.tag, headerSignature: u.signature, "Accept": mediaProtobuf}
	maps.Copy(header, u.header)
	got, err := x.do(gatewayCall{path: "/upload", pair: x.as(u.member), header: header, body: bytes.NewReader(u.body)})
	if err == nil && got.status == http.StatusCreated && !u.apart {
		x.mu.Lock()
		x.stored = append(x.stored, u)
		x.mu.Unlock()
	}
	return got, err
}

// store uploads keys, which must be taken.
func (x *gatewayExam) store(member int, list []*efgspb.DiagnosisKey) (*gatewayUpload, error) {
	u, err := x.upload(member, list)
	if err != nil {
		return nil, err
	}
	return u, x.wantSent("an upload", u, http.StatusCreated)
}

// wantSent uploads, and returns an error if the answer's status is none of these.
func (x *gatewayExam) wantSent(what string, u *gatewayUpload, want ...int) error {
	got, err := x.send(u)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return wantStatus(what, got, want...)
}

// get asks for a batch as a member.
func (x *gatewayExam) get(member int, date, tag string, header map[string]string) (outcome, error) {
	h := map[string]string{"Accept": mediaProtobuf, headerBatchTag: tag}
	maps.Copy(h, header)
	return x.do(gatewayCall{path: "/download/" + date, pair: x.as(member), header: h})
}

// audit asks for the audit of a batch as a member.
func (x *gatewayExam) audit(member int, date, tag string) (outcome, error) {
	return x.do(gatewayCall{path: "/audit/download/" + date + "/" + tag, pair: x.as(member), header: map[string]string{"Accept": mediaJSON}})
}

// wantGiven returns what wants all other members to be given these keys.
func wantGiven(member int, list ...*efgspb.DiagnosisKey) gatewayLater {
	return func(x *gatewayExam) error {
		for _, r := range x.others(member) {
			seen := r.again.seen()
			for _, k := range list {
				if len(seen[string(k.GetKeyData())]) == 0 {
					return fmt.Errorf("%s was not given a key that %s brought", x.members[r.member], x.members[member])
				}
			}
		}
		return nil
	}
}

// wantWithheld returns what wants nobody to be given these keys.
func wantWithheld(list ...*efgspb.DiagnosisKey) gatewayLater {
	return func(x *gatewayExam) error {
		for _, r := range x.readers {
			seen := r.again.seen()
			for _, k := range list {
				if len(seen[string(k.GetKeyData())]) > 0 {
					return fmt.Errorf("%s was given a key of an upload that was not taken", x.members[r.member])
				}
			}
		}
		return nil
	}
}

// bothLater returns what looks at one thing and then at another.
func bothLater(a, b gatewayLater) gatewayLater {
	return func(x *gatewayExam) error {
		if err := a(x); err != nil {
			return err
		}
		return b(x)
	}
}
