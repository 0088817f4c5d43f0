//go:build cloud

package deploy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestInvalidator has a scripted server stand for CloudFront, which the SDK finds as
// its own variables say.
func TestInvalidator(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
		w.WriteHeader(http.StatusCreated)
		io.WriteString(w, `<Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>I1</Id><Status>InProgress</Status></Invalidation>`)
	}))
	defer s.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_CLOUDFRONT": s.URL, "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
	} {
		t.Setenv(name, value)
	}
	c := Default()
	if err := c.set("api.invalidate.cloudfront=E1EXAMPLE"); err != nil {
		t.Fatal(err)
	}
	if err := c.set("api.invalidate.prefix=/keys/"); err != nil {
		t.Fatal(err)
	}
	cache, err := c.Invalidator(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Invalidate(t.Context(), "r", []string{"index"}); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 1 || !strings.Contains(asked[0], "POST /2020-05-31/distribution/E1EXAMPLE/invalidation") || !strings.Contains(asked[0], "<Path>/keys/index</Path>") {
		t.Errorf("asked was %q", asked)
	}
	for field, value := range map[string]string{"cloudfront": "no such", "prefix": "keys"} {
		c := Default()
		c.API.Invalidate = Invalidate{CloudFront: "E1EXAMPLE"}
		if err := c.set("api.invalidate." + field + "=" + value); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Invalidator(t.Context()); err == nil || !strings.Contains(err.Error(), "api.invalidate") {
			t.Errorf("%s: got %v", field, err)
		}
	}
}
