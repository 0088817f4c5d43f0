package cms

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2021, 6, 2, 12, 0, 0, 0, time.UTC)

// batch is what the gateway has signed for two keys, one with negative days
// since onset and one without countries.
const batch = "AAECAwQFBgcICQoLDA0ODw==.ACiw8A==.AAAAkA==.f////w==..Rkk=.AAAAAQ==.AAAPnQ==." +
	"AAECAwQFBgcICQoLDA0ODw==.ACiw8A==.AAAAkA==.f////w==.REUsRlI=.Rkk=.AAAAAQ==./////Q==."

// identity is a certificate and its key.
type identity struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var serial = struct {
	sync.Mutex
	n int64
}{n: 1000}

// issue returns a certificate of a key that signs itself: of Germany, valid from
// 2021 to 2048, unless change says otherwise.
func issue(t testing.TB, key crypto.Signer, change func(*x509.Certificate)) identity {
	t.Helper()
	serial.Lock()
	serial.n++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial.n),
		Subject:      pkix.Name{Country: []string{"DE"}, CommonName: "Signing"},
		NotBefore:    time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2048, 12, 31, 23, 59, 59, 0, time.UTC),
		SubjectKeyId: []byte{1, 2, 3, byte(serial.n >> 8), byte(serial.n)},
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	serial.Unlock()
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{cert, key}
}

func newKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey is the same in all tests of a run: one takes a while to find.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, MinRSABits)
	if err != nil {
		panic(err)
	}
	return key
})

// someone is an identity with a key on P-256.
func someone(t testing.TB) identity { return issue(t, newKey(t, elliptic.P256()), nil) }

// party is an identity that signs in one of the ways there are.
type party struct {
	name string
	identity
	opts *SignerOptions
}

func parties(t testing.TB) []party {
	t.Helper()
	ofRSA := issue(t, rsaKey(), nil)
	return []party{
		{"P-256", someone(t), nil},
		{"P-384", issue(t, newKey(t, elliptic.P384()), nil), nil},
		{"P-521", issue(t, newKey(t, elliptic.P521()), nil), nil},
		{"RSA", ofRSA, nil},
		{"RSA-PSS", ofRSA, &SignerOptions{PSS: true}},
	}
}

func (id identity) signer(t testing.TB, opts *SignerOptions) *Signer {
	t.Helper()
	s, err := NewSigner(id.cert, id.key, opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sign returns a signature of content, made at noon.
func (id identity) sign(t testing.TB, content string, opts *SignerOptions) string {
	t.Helper()
	text, err := id.signer(t, opts).Sign([]byte(content), noon)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// entry lists the certificate for signing.
func (id identity) entry() Entry {
	country, _ := CountryOf(id.cert)
	return Entry{Use: UseSigning, Country: country, Certificate: pemOf(id.cert)}
}

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

func keyPEM(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func newList(t testing.TB, entries ...Entry) *AllowList {
	t.Helper()
	l, err := NewAllowList(entries...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// verifierOf returns a verifier that lists these.
func verifierOf(t testing.TB, opts *VerifierOptions, ids ...identity) *Verifier {
	t.Helper()
	var entries []Entry
	for _, id := range ids {
		entries = append(entries, id.entry())
	}
	v, err := NewVerifier(newList(t, entries...), opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// checkReason checks that err is ours and for this reason, or nil for "".
func checkReason(t testing.TB, err error, want Reason) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("got error %v", err)
		}
		return
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Reason != want || !errors.Is(err, want) || errors.Is(err, Reason("another")) || e.Subject == "" {
		t.Errorf("got error %v, want one for %q", err, want)
	}
	checkSilent(t, err)
}

// checkSilent checks that an error holds nothing of what was signed.
func checkSilent(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if s := err.Error(); len(s) > 400 || strings.Contains(s, "AAECAwQF") || strings.ContainsAny(s, "\r\n\x00") {
		t.Errorf("an error that says too much: %q", s)
	}
}

func decode(t testing.TB, text string) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encode(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

// node is an element of DER that a test changes.
type node struct {
	tag   byte
	value []byte // if it is primitive
	inner []*node
}

// tree returns the elements in der.
func tree(t testing.TB, der []byte) *node {
	t.Helper()
	n, rest := readNode(t, der)
	if len(rest) > 0 {
		t.Fatal("bytes behind the last element")
	}
	return n
}

func readNode(t testing.TB, in []byte) (n *node, rest []byte) {
	t.Helper()
	h, in, err := readHeader(in)
	if err != nil || h.indefinite {
		t.Fatalf("no DER: %v", err)
	}
	n = &node{tag: h.tag}
	content, rest := in[:h.length], in[h.length:]
	if h.tag&constructed == 0 {
		n.value = content
		return n, rest
	}
	for len(content) > 0 {
		var child *node
		child, content = readNode(t, content)
		n.inner = append(n.inner, child)
	}
	return n, rest
}

// at returns the element at a path of indexes.
func (n *node) at(path ...int) *node {
	for _, i := range path {
		n = n.inner[i]
	}
	return n
}

func (n *node) der() []byte {
	content := n.value
	for _, c := range n.inner {
		content = append(content, c.der()...)
	}
	return append(appendHeader(nil, n.tag, len(content)), content...)
}

// ber returns the element as BouncyCastle writes it: all lengths indefinite but
// those of what cannot be.
func (n *node) ber() []byte {
	if n.tag&constructed == 0 {
		return n.der()
	}
	out := []byte{n.tag, indefinite}
	for _, c := range n.inner {
		out = append(out, c.ber()...)
	}
	return append(out, endOfContents...)
}

func (n *node) clone() *node {
	c := &node{tag: n.tag, value: append([]byte(nil), n.value...)}
	for _, i := range n.inner {
		c.inner = append(c.inner, i.clone())
	}
	return c
}

// Where things are in a signature of ours.
var (
	atSignedData   = []int{1, 0}
	atVersion      = []int{1, 0, 0}
	atDigests      = []int{1, 0, 1}
	atContent      = []int{1, 0, 2}
	atCertificates = []int{1, 0, 3}
	atSigners      = []int{1, 0, 4}
	atSigner       = []int{1, 0, 4, 0}
)

// Fields of a SignerInfo of ours.
const (
	fieldVersion = iota
	fieldSigner
	fieldDigest
	fieldAttributes
	fieldAlgorithm
	fieldSignature
)

// resign puts a signature of n's attributes, as they are, into n.
func (id identity) resign(t testing.TB, n *node) {
	t.Helper()
	attributes := n.at(atSigner...).at(fieldAttributes).clone()
	attributes.tag = 0x31
	n.at(atSigner...).at(fieldSignature).value = id.raw(t, attributes.der())
}

// raw returns the bare signature of a message.
func (id identity) raw(t testing.TB, message []byte) []byte {
	t.Helper()
	signature, err := crypto.SignMessage(id.key, rand.Reader, message, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// service is a crypto.Signer as a key service is one: not in memory.
type service struct {
	crypto.Signer
	err   error
	spoil bool
}

func (s *service) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	signature, err := s.Signer.Sign(random, digest, opts)
	if s.spoil {
		signature[len(signature)-1] ^= 1
	}
	return signature, err
}

// listFunc is a list of certificates that a test makes up.
type listFunc func(t Thumbprint, use Use) (Entry, error)

func (f listFunc) Find(_ context.Context, t Thumbprint, use Use) (Entry, error) { return f(t, use) }
