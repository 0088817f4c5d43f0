package partner

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/authority"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

const european = `{
	"name": "efgs", "url": "https://efgs.example", "protocol": "efgs", "import": true, "export": true,
	"signingKey": {"file": "de/signing-key.pem"},
	"efgs": {
		"certificate": {"file": "de/authentication.pem"}, "certificateKey": {"file": "de/authentication-key.pem"},
		"signingCertificate": {"file": "de/signing.pem"}, "authority": {"file": "authority.pem"},
		"audit": {"certificates": {"file": "certificates.json"}, "anchor": {"file": "anchor.pem"}},
		"callback": {"listen": ":0", "certificate": {"file": "de/callback.pem"}, "key": {"file": "de/callback-key.pem"},
			"allowed": ["00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"], "url": "https://de.example/callback", "id": "de"}
	}
}`

// open does with an instance what programs do: check it, rehearse it, and open it
// with the secrets that there are.
func open(t *testing.T, dir, text string, own keys.Region) (*Exchange, error) {
	t.Helper()
	in := &Instance{}
	if err := deploy.Decode([]byte(text), in); err != nil {
		return nil, err
	}
	if err := in.Check(own); err != nil {
		return nil, err
	}
	l, err := ledger.Open(t.Context(), memledger.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	made, err := MadeUp(in.SecretFields("", own))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Open(l, own, keys.Only(ledger.Own), made, NewPauses(time.Now)); err != nil {
		return nil, err
	}
	s, err := ReadSecrets(t.Context(), dir, in.SecretFields("", own))
	if err != nil {
		return nil, err
	}
	return in.Open(l, own, keys.Only(ledger.Own), s, NewPauses(time.Now))
}

func certificates(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := (&authority.Folder{Path: dir}).Make([]string{"DE", "FR"}, []string{"127.0.0.1"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestEFGSFields: what is wrong with an instance is named by its field.
func TestEFGSFields(t *testing.T) {
	dir := certificates(t)
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("hunter2", "hunter2")
	var both strings.Builder
	for _, name := range []string{"de/authentication.pem", "de/authentication-key.pem"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		both.WriteString(string(text))
	}
	write("both.pem", both.String())
	for _, c := range []struct{ replace, by, want string }{
		{"", "", ""},
		{`"protocol": "efgs", `, ``, "efgs: is for"},
		{`"efgs": {`, `"efgs": null, "x": {`, "x"},
		{`"protocol": "efgs"`, `"protocol": "efgs", "token": {"file": "a"}`, "token"},
		{`"protocol": "efgs"`, `"protocol": "efgs", "padded": true`, "padded"},
		{`"protocol": "efgs"`, `"protocol": "efgs", "extended": true`, "extended"},
		{`"protocol": "efgs"`, `"protocol": "efgs", "region": "GB-SCT"`, "region"},
		{`"protocol": "efgs"`, `"protocol": "efgs", "gateway": true`, "gateway"},
		{`"protocol": "efgs"`, `"protocol": "efgs", "limits": {"maxBatch": 5001}`, "limits.maxBatch"},
		{`"protocol": "efgs"`, `"protocol": "efgs", "limits": {"retention": "1h", "settle": "2h"}`, "Settle"},
		{`https://efgs.example`, `http://efgs.example`, "PlainHTTP"},
		{`"signingKey": {"file": "de/signing-key.pem"},`, ``, "signingKey"},
		{`"signingCertificate": {"file": "de/signing.pem"}, `, ``, "efgs.signingCertificate"},
		{`{"file": "de/signing.pem"}`, `{"file": "fr/signing.pem"}`, "efgs.signingCertificate"},
		{`{"file": "de/signing.pem"}`, `{"file": "de/authentication.pem"}`, "efgs.signingCertificate"},
		{`"certificate": {"file": "de/authentication.pem"}, `, ``, "efgs.certificate"},
		{`{"file": "de/authentication.pem"}`, `{"file": "hunter2"}`, "efgs.certificate"},
		{`{"file": "de/authentication.pem"}`, `{"file": "missing.pem"}`, "efgs.certificate"},
		{`, "certificateKey": {"file": "de/authentication-key.pem"}`, ``, "efgs.certificateKey"},
		{`{"file": "de/authentication-key.pem"}`, `{"file": "hunter2"}`, "efgs.certificate"},
		{`"certificate": {"file": "de/authentication.pem"}, "certificateKey": {"file": "de/authentication-key.pem"}`, `"certificate": {"file": "both.pem"}, "certificateKey": {"file": "both.pem"}`, ""},
		{`"authority": {"file": "authority.pem"}`, `"authority": {"file": "hunter2"}`, "efgs.authority"},
		{`"authority": {"file": "authority.pem"}`, `"authority": {"file": "a", "env": "b"}`, "efgs.authority"},
		{`"authority": {"file": "authority.pem"}`, `"format": "xml"`, "efgs.format"},
		{`"authority": {"file": "authority.pem"}`, `"format": "json"`, ""},
		{`"certificates": {"file": "certificates.json"}, `, ``, "efgs.audit.certificates"},
		{`"certificates": {"file": "certificates.json"}, `, `"off": true, `, ""},
		{`{"file": "certificates.json"}`, `{"file": "hunter2"}`, "efgs.audit.certificates"},
		{`"anchor": {"file": "anchor.pem"}`, `"anchor": {"file": "hunter2"}`, "efgs.audit.anchor"},
		{`"anchor": {"file": "anchor.pem"}`, `"anchor": {"file": "authority.pem"}`, "efgs.audit.certificates"},
		{`"anchor": {"file": "anchor.pem"}`, `"patience": "-1s"`, "efgs.audit.patience"},
		{`"listen": ":0", `, ``, "efgs.callback.listen"},
		{`"allowed": ["00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff"]`, `"allowed": []`, "efgs.callback.allowed"},
		{`["00ff`, `["00f`, "thumbprint"},
		{`, "id": "de"`, ``, "efgs.callback.id"},
		{`https://de.example/callback`, `http://de.example/callback`, "efgs.callback.url"},
		{`https://de.example/callback`, `https://de.example/?a=b`, "efgs.callback.url"},
		{`"key": {"file": "de/callback-key.pem"},`, ``, "efgs.callback.key"},
		{`{"file": "de/callback-key.pem"}`, `{"file": "de/signing-key.pem"}`, "efgs.callback.certificate"},
	} {
		if !strings.Contains(european, c.replace) {
			t.Fatalf("nothing to replace: %s", c.replace)
		}
		_, err := open(t, dir, strings.Replace(european, c.replace, c.by, 1), keys.MustRegion("DE"))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: got %v, want %q", c.by, c.replace, err, c.want)
		}
		if err != nil && strings.Contains(strings.ReplaceAll(err.Error(), "file hunter2", ""), "hunter2") {
			t.Errorf("%v: quotes what may be a secret", err)
		}
	}
	if _, err := open(t, dir, european, keys.Region{}); err == nil || !strings.Contains(err.Error(), "region") {
		t.Errorf("no country: %v", err)
	}
}

// TestEFGSDefaults are those that suit gateways: pages are whole, and kept for days.
func TestEFGSDefaults(t *testing.T) {
	in := &Instance{}
	if err := json.Unmarshal([]byte(european), in); err != nil {
		t.Fatal(err)
	}
	own := keys.MustRegion("DE")
	s, err := MadeUp(in.SecretFields("", own))
	if err != nil {
		t.Fatal(err)
	}
	_, usual, err := in.client(own, s, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	got := in.pullOptions(own, usual)
	if day := 24 * time.Hour; got.Settle >= 0 || got.Retention < 2*day || got.Retention > 3*day || !got.Reject.Origins.Has(own) {
		t.Errorf("%+v", got)
	}
	if n := in.pushOptions().MaxBatch; n != 5000 {
		t.Errorf("%d keys in a batch", n)
	}
	in.Limits = Limits{Retention: deploy.Duration(time.Hour), Settle: deploy.Duration(time.Minute), MaxBatch: 7}
	if got := in.pullOptions(own, usual); got.Retention != time.Hour || got.Settle != time.Minute || in.pushOptions().MaxBatch != 7 {
		t.Errorf("limits that are named are not kept: %+v", got)
	}
	if p := strings.Join(in.Plan(), ", "); !strings.Contains(p, "certificate from file de/authentication.pem") {
		t.Errorf("the plan is %q", p)
	}
}
