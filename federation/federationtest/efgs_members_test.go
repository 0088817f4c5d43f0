package federationtest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/internal/efgspb"
)

func TestReadEFGSMembers(t *testing.T) {
	dir, want := t.TempDir(), NewEFGSAnchor().Member("DE")
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	entry := map[string]string{"country": "DE"}
	for name, pair := range map[string]*tls.Certificate{"authentication": want.Authentication, "signing": want.Signing, "callback": want.Callback, "revoked": want.Revoked} {
		entry[name], entry[name+"Key"] = name+".pem", name+"-key.pem"
		write(entry[name], pemOf(pair.Leaf))
		write(entry[name+"Key"], string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(pair.PrivateKey))})))
	}
	got, err := ReadEFGSMembers(write("members.json", string(must(json.Marshal([]any{entry})))))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Country != "DE" || got[0].check() != nil || !got[0].Signing.Leaf.Equal(want.Signing.Leaf) ||
		!got[0].Authentication.Leaf.Equal(want.Authentication.Leaf) || !got[0].Callback.Leaf.Equal(want.Callback.Leaf) || !got[0].Revoked.Leaf.Equal(want.Revoked.Leaf) {
		t.Errorf("got other members: %v", got)
	}
	for _, text := range []string{"", "{}", `[{"country":"DE","signing":"signing.pem"}]`, `[{"country":"DE","signing":"none.pem","signingKey":"none.pem"}]`, `[{"country":"DE","signature":"signing.pem"}]`} {
		if _, err := ReadEFGSMembers(write("bad.json", text)); err == nil {
			t.Errorf("no error for %s", text)
		}
	}
}

// TestNeverUnnamedGateway: no gateway is called that was not named, and none
// elsewhere that was not named twice.
func TestNeverUnnamedGateway(t *testing.T) {
	_, members := newMembers()
	bare := members[0]
	bare.Signing = nil
	for _, c := range []struct {
		name, url, uploadTo string
		members             []EFGSMember
		good                bool
	}{
		{"here", "https://127.0.0.1:1", "", members, true},
		{"elsewhere", "https://gateway.example", "", members, false},
		{"elsewhere, named", "https://gateway.example:443/x", "gateway.example", members, true},
		{"elsewhere, another named", "https://gateway.example", "other.example", members, false},
		{"no URL", "", "", members, false},
		{"one member", "http://127.0.0.1:1", "", members[:1], false},
		{"a member that cannot sign", "http://127.0.0.1:1", "", []EFGSMember{bare, members[1]}, false},
		{"a member of no country", "http://127.0.0.1:1", "", []EFGSMember{members[0], {}}, false},
	} {
		err := (&EFGSEndpointOptions{UploadTo: c.uploadTo}).complete(&EFGSEndpoint{URL: c.url, Members: c.members})
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestEFGSTexts holds what the suites sign and verify against what is known of the
// gateway: they have no code of package efgs to be wrong with.
func TestEFGSTexts(t *testing.T) {
	k := vectorKey()
	if got := efgsText(messageOf(&k)); got != vectorText {
		t.Errorf("got %s", got)
	}
	line5 := &efgspb.DiagnosisKey{KeyData: []byte("\xa2\xb2\x17\x59\x24\xe7\x39\x86\xbe\xae\xbf\xe3\xbc\xc2\x2f\xb2"), RollingStartIntervalNumber: 0x6b749b18}
	line6 := &efgspb.DiagnosisKey{KeyData: []byte("\x96\x63\x9a\x95\x19\xd1\xc5\xa2\xd8\xb9\x1c\x8b\xb3\xee\x61\xff"), RollingStartIntervalNumber: 0xc4046967}
	content := string(efgsContent([]*efgspb.DiagnosisKey{line6, line5}))
	if !strings.HasPrefix(content, "orIXWSTnOYa+rr/jvMIvsg==.") || !strings.Contains(content, ".lmOalRnRxaLYuRyLs+5h/w==.") {
		t.Error("keys 5 and 6 of the gateway's own tests are in the wrong order")
	}
	if !strings.HasPrefix(otherOrder([]*efgspb.DiagnosisKey{line5, line6}), "lmOal") {
		t.Error("the other order is not another one")
	}
}

// TestDayIn: what an endpoint's tags say of their day is read from them.
func TestDayIn(t *testing.T) {
	for tag, want := range map[string]string{"20260302-1": "2026-03-02", "20260302-17-abcd": "2026-03-02", "20260230-1": "", "2026030-1": "", "202603021": "", "": ""} {
		day, ok := dayIn(tag)
		if ok != (want != "") || ok && day.String() != want {
			t.Errorf("%q: %s, %t", tag, day, ok)
		}
	}
	if goodUntil.Before(time.Now()) {
		t.Error("certificates made here are not good any more")
	}
}
