package awscdn_test

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/smithy-go"

	"github.com/gaenkit/gaen/distribution/awscdn"
	"github.com/gaenkit/gaen/storage/storagetest"
)

// edge is a server that takes invalidations as the documentation of CloudFront says
// it does. There is none of others to be had, so it is held against the SDK's own
// client alone.
type edge struct {
	mu      sync.Mutex
	batches map[string][]string // paths by caller reference
	seen    int                 // requests
}

const edgeID = "E1EXAMPLE"

type batch struct {
	XMLName         xml.Name `xml:"http://cloudfront.amazonaws.com/doc/2020-05-31/ InvalidationBatch"`
	CallerReference string
	Paths           struct {
		Quantity int
		Items    []string `xml:"Items>Path"`
	}
}

func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.seen++
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Error><Type>Sender</Type><Code>%s</Code><Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>`, code)
	}
	var b batch
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil || xml.Unmarshal(body, &b) != nil:
		refuse(http.StatusBadRequest, "MalformedXML")
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=id/"):
		refuse(http.StatusForbidden, "AccessDenied")
	case r.Method != http.MethodPost || r.URL.Path != "/2020-05-31/distribution/"+edgeID+"/invalidation":
		refuse(http.StatusNotFound, "NoSuchDistribution")
	case b.CallerReference == "" || b.Paths.Quantity != len(b.Paths.Items) || b.Paths.Quantity == 0:
		refuse(http.StatusBadRequest, "InconsistentQuantities")
	case len(b.Paths.Items) > awscdn.MaxPaths:
		refuse(http.StatusBadRequest, "TooManyInvalidationsInProgress")
	case e.batches[b.CallerReference] != nil && !slices.Equal(e.batches[b.CallerReference], b.Paths.Items):
		refuse(http.StatusBadRequest, "InvalidationBatchAlreadyExists")
	default:
		e.batches[b.CallerReference] = b.Paths.Items
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `<Invalidation xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>I1</Id><Status>InProgress</Status></Invalidation>`)
	}
}

// open returns a server and a cache before it, whose requests fail as hook wants.
func open(t *testing.T, id string, opts *awscdn.Options, hook storagetest.Hook) (*edge, *awscdn.Cache) {
	t.Helper()
	e := &edge{batches: map[string][]string{}}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	client := cloudfront.New(cloudfront.Options{
		Region:       "us-east-1",
		BaseEndpoint: &s.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
		HTTPClient: &http.Client{Transport: storagetest.Transport(nil, hook)},
		Retryer:    retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond }),
	})
	c, err := awscdn.New(client, id, opts)
	if err != nil {
		t.Fatal(err)
	}
	return e, c
}

// expect checks the paths of all invalidations.
func (e *edge) expect(t *testing.T, want ...[]string) {
	t.Helper()
	var got [][]string
	for _, paths := range e.batches {
		got = append(got, paths)
	}
	slices.SortFunc(got, slices.Compare)
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("invalidated %q, want %q", got, want)
	}
}

func TestInvalidate(t *testing.T) {
	day := "distribution/daily/2020092200.zip"
	many := func(n int) (names, paths []string) {
		for i := range n {
			names, paths = append(names, fmt.Sprintf("%04d", i)), append(paths, fmt.Sprintf("/%04d", i))
		}
		return names, paths
	}
	most, mostPaths := many(awscdn.MaxPaths)
	tooMany, _ := many(awscdn.MaxPaths + 1)
	for _, test := range []struct {
		name  string
		opts  *awscdn.Options
		names []string
		want  []string
	}{
		{"one", nil, []string{day}, []string{"/" + day}},
		{"two", nil, []string{"a", day}, []string{"/a", "/" + day}},
		{"below a path", &awscdn.Options{Prefix: "/keys/"}, []string{day}, []string{"/keys/" + day}},
		{"escaped", nil, []string{"a b/ü%"}, []string{"/a%20b/%C3%BC%25"}},
		{"patterns", &awscdn.Options{Paths: []string{"/distribution/daily/*"}}, []string{"a", day}, []string{"/distribution/daily/*"}},
		{"as many as it takes", nil, most, mostPaths},
		{"more than it takes", nil, tooMany, []string{"/*"}},
		{"more, below a path", &awscdn.Options{Prefix: "/ü/"}, tooMany, []string{"/%C3%BC/*"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, c := open(t, edgeID, test.opts, nil)
			if err := c.Invalidate(t.Context(), "r1", test.names); err != nil {
				t.Fatal(err)
			}
			e.expect(t, test.want)
		})
	}
	t.Run("nothing", func(t *testing.T) {
		for _, opts := range []*awscdn.Options{nil, {Paths: []string{"/*"}}} {
			e, c := open(t, edgeID, opts, nil)
			if err := c.Invalidate(t.Context(), "r1", nil); err != nil || e.seen > 0 {
				t.Errorf("%d requests, %v", e.seen, err)
			}
		}
	})
}

// TestOnce: the same asked for again is one invalidation, anything else another.
func TestOnce(t *testing.T) {
	e, c := open(t, edgeID, nil, nil)
	for _, ask := range []struct {
		reference string
		names     []string
	}{
		{"r1", []string{"a"}},
		{"r1", []string{"a"}},
		{"r2", []string{"a"}},
		{"r2", []string{"b"}}, // after an option was changed, say
	} {
		if err := c.Invalidate(t.Context(), ask.reference, ask.names); err != nil {
			t.Error(err)
		}
	}
	e.expect(t, []string{"/a"}, []string{"/a"}, []string{"/b"})
}

// TestAgain: the client tries again what may pass, and nothing is done twice.
func TestAgain(t *testing.T) {
	for name, verdict := range map[string]storagetest.Verdict{
		"refused": storagetest.Fail, "answer lost": storagetest.FailAfter, "half an answer": storagetest.Half,
		"500": 500, "503": 503,
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			e, c := open(t, edgeID, nil, func(context.Context, storagetest.Call) storagetest.Verdict {
				if n++; n == 1 {
					return verdict
				}
				return storagetest.Pass
			})
			if err := c.Invalidate(t.Context(), "r1", []string{"a"}); err != nil {
				t.Fatal(err)
			}
			if n != 2 {
				t.Errorf("%d requests, want 2", n)
			}
			e.expect(t, []string{"/a"})
		})
	}
}

// TestRefused: what CloudFront refuses is an error that names the distribution.
func TestRefused(t *testing.T) {
	_, c := open(t, "E2OTHER", nil, nil)
	err := c.Invalidate(t.Context(), "r1", []string{"a"})
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorCode() != "NoSuchDistribution" || !strings.Contains(err.Error(), "E2OTHER") {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	client := cloudfront.New(cloudfront.Options{})
	for _, test := range []struct {
		client *cloudfront.Client
		id     string
		opts   *awscdn.Options
		want   string
	}{
		{nil, edgeID, nil, "client"},
		{client, "", nil, "distribution"},
		{client, "E1/../E2", nil, "distribution"},
		{client, edgeID, &awscdn.Options{Prefix: "keys/"}, "Prefix"},
		{client, edgeID, &awscdn.Options{Prefix: "/keys"}, "Prefix"},
		{client, edgeID, &awscdn.Options{Paths: []string{"a"}}, "Paths"},
		{client, edgeID, &awscdn.Options{Paths: []string{"/a*b"}}, "Paths"},
		{client, edgeID, &awscdn.Options{Paths: make([]string, awscdn.MaxPaths+1)}, "Paths"},
	} {
		if _, err := awscdn.New(test.client, test.id, test.opts); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %+v: got %v, want it to name %s", test.id, test.opts, err, test.want)
		}
	}
}

func ExampleNew() {
	client := cloudfront.New(cloudfront.Options{Region: "us-east-1"}) // or of config.LoadDefaultConfig
	cache, err := awscdn.New(client, "E1EXAMPLE", &awscdn.Options{Paths: []string{"/distribution/daily/*"}})
	if err != nil {
		panic(err)
	}
	_ = cache // for distribution.Options.Invalidator
}
