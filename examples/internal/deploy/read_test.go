package deploy

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// TestDefaults holds the defaults against the seed document's and against the
// library's own, so that neither moves unseen.
func TestDefaults(t *testing.T) {
	c := Default()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if got, want := *c.Release.Policy(), ledger.DefaultPolicy(); got != want {
		t.Errorf("policy %s, want %s", got, want)
	}
	for _, tt := range []struct {
		name      string
		got, want any
	}{
		{"cache", time.Duration(c.ObjectStore.MaxAge), 300 * time.Second},
		{"retries", c.ObjectStore.RetryAttempts, 3},
		{"pause", time.Duration(c.ObjectStore.RetryBackoff), 2 * time.Second},
		{"failures", c.ObjectStore.MaxFailedOperations, 5},
		{"threads", c.ObjectStore.Threads, 4},
		{"hash", c.ObjectStore.Hash, "sha256"},
		{"retention", c.Retention.Days, 14},
		{"expiry", time.Duration(c.Release.Expiry), 120 * time.Minute},
		{"threshold", c.Release.MinKeys, 140},
		{"header", c.TEKExport.FileHeader, "EK Export v1"},
		{"header width", c.TEKExport.FileHeaderWidth, 16},
		{"index", c.API.IndexName, "index"},
		{"consent", c.Input.ConsentToFederate, ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestPrintedConfigurationIsRead(t *testing.T) {
	c := Default()
	c.Signature.KeyID = "310"
	c.Release.Grid = Duration(2 * time.Hour)
	if err := c.set(`api.packages=[{"name":"IT","origins":["AT"],"visited":"*","sources":["own"]}]`); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, []byte(c.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Read(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if again.String() != c.String() {
		t.Errorf("got %s\nwant %s", again, c)
	}
}

func TestSet(t *testing.T) {
	for _, tt := range []struct {
		name, setting string
		got           func(c *Config) string
		want          string
	}{
		{"a number", "release.minKeys=7", func(c *Config) string { return c.String()[strings.Index(c.String(), `"minKeys"`):][:12] }, `"minKeys": 7`},
		{"text", "api.version=v2", func(c *Config) string { return c.API.Version }, "v2"},
		{"text that is a number", "signature.keyId=310", func(c *Config) string { return c.Signature.KeyID }, "310"},
		{"quoted text", `signature.keyId="310"`, func(c *Config) string { return c.Signature.KeyID }, "310"},
		{"a duration", "objectStore.retryBackoff=1ms", func(c *Config) string { return time.Duration(c.ObjectStore.RetryBackoff).String() }, "1ms"},
		{"deeper", "release.padding.echoes=11", func(c *Config) string { return strconv.Itoa(c.Release.Padding.Echoes) }, "11"},
		{"nothing", "api.unionPackage=", func(c *Config) string { return c.API.UnionPackage }, ""},
		{"a list", `api.visitedPackages=["FR"]`, func(c *Config) string { return c.API.VisitedPackages[0].String() }, "FR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Read("", []string{tt.setting})
			if err != nil {
				t.Fatal(err)
			}
			if got := tt.got(c); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReadRejects(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"unknown group", `{"relase":{}}`, `unknown field "relase"`},
		{"unknown field", `{"release":{"minKyes":1}}`, `unknown field "minKyes"`},
		{"unknown in a package", `{"api":{"packages":[{"name":"FR","region":"FR","orgins":"*"}]}}`, `unknown field "orgins"`},
		{"type", `{"release":{"minKeys":"1"}}`, "release.minKeys: string where a int belongs"},
		{"duration", `{"release":{"grid":"1"}}`, "missing unit"},
		{"region", `{"api":{"originCountry":"D!"}}`, "region"},
		{"consent", `{"input":{"consentToFederate":"yes"}}`, "input.consentToFederate"},
		{"policy", `{"release":{"quota":0}}`, "Policy.Quota"},
		{"empty path", `{"paths":{"output":""}}`, "paths.output: missing"},
		{"zero that stands for a default", `{"retention":{"hourDays":0}}`, "retention.hourDays: 0, want at least 1"},
		{"no object", `[]`, "array"},
		{"two", `{}{}`, "something follows"},
		{"too large", strings.Repeat(" ", maxConfig) + "{}", "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestPackages(t *testing.T) {
	c, err := Read("", []string{
		`api.visitedPackages=["FR"]`,
		`api.packages=[{"name":"GB","region":"GB-EAW","origins":["GB-EAW"],"sources":"*"}]`,
		"api.publicationMap=cwa",
	})
	if err != nil {
		t.Fatal(err)
	}
	packages, err := c.Packages()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range packages {
		names = append(names, p.Name+" by "+p.Map.Name)
	}
	if got, want := strings.Join(names, ", "), "DE by cwa-3, EUR by cwa-3, FR by cwa-3, GB by cwa-3"; got != want {
		t.Errorf("packages %s, want %s", got, want)
	}
	if got := c.Regions(); len(got) != 1 || got["GB"] != "GB-EAW" {
		t.Errorf("regions %v", got)
	}
}

// FuzzConfig: what is read as a configuration is printed as one, and read again
// as the same.
func FuzzConfig(f *testing.F) {
	f.Add(Default().String())
	f.Add(`{"release":{"grid":"2h"},"api":{"packages":[{"name":"IT","origins":["AT"],"visited":"*","sources":["own"]}]}}`)
	f.Add(`{"retention":{"days":-1}} `)
	f.Fuzz(func(t *testing.T, text string) {
		c := Default()
		if c.decode([]byte(text)) != nil || c.Check() != nil {
			return
		}
		again := Default()
		if err := again.decode([]byte(c.String())); err != nil {
			t.Fatalf("%v, of\n%s", err, c)
		}
		if again.String() != c.String() {
			t.Errorf("printed as\n%s\nand read as\n%s", c, again)
		}
	})
}
