package storagetest

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

var attributeClauses = []clause{
	{"attributes", "Content type, content encoding, cache control and metadata must come back as they were put; none must come back where none was put.", attributesRoundTrip},
	{"attributes-encoding", "Content must come back as it was stored, whatever its content encoding says.", attributesEncoding},
	{"acl-public-read", "The ACL PublicRead must be taken and change nothing else.", aclPublicRead},
	{"etag-changes", "The ETag must change when the content does, also within a moment and to the same size.", etagChanges},
	{"etag-changes-with-attributes", "The ETag must change when only attributes do.", etagChangesWithAttributes},
	{"etag-everywhere", "Put, Get, Stat and List must give the same ETag and size.", etagEverywhere},
}

func fullOptions() *storage.PutOptions {
	return &storage.PutOptions{
		ContentType:     "application/zip",
		ContentEncoding: "identity",
		CacheControl:    "public,max-age=300",
		Metadata:        map[string]string{"cwa-hash": "af5da9f45af7a300e3aded972f8ff687", "x": `a "b", c=d; %20`},
	}
}

// sameAttributes compares all but the time.
func sameAttributes(got, want storage.Attributes) error {
	same := got.Name == want.Name && got.Size == want.Size && got.ETag == want.ETag &&
		got.ContentType == want.ContentType && got.ContentEncoding == want.ContentEncoding &&
		got.CacheControl == want.CacheControl && maps.Equal(got.Metadata, want.Metadata)
	if same {
		return nil
	}
	return fmt.Errorf("got %+v, want %+v", got, want)
}

func attributesRoundTrip(ctx context.Context, b storage.Bucket) error {
	o := fullOptions()
	for name, opts := range map[string]*storage.PutOptions{
		"full": o, "none": {}, "no-options": nil,
		"type": {ContentType: o.ContentType}, "encoding": {ContentEncoding: o.ContentEncoding},
		"cache": {CacheControl: o.CacheControl}, "metadata": {Metadata: o.Metadata},
		"empty-value": {Metadata: map[string]string{"k": ""}},
	} {
		put, err := storage.Put(ctx, b, name, strings.NewReader("content"), opts)
		if err != nil {
			return err
		}
		rc, got, err := storage.Get(ctx, b, name)
		if err != nil {
			return err
		}
		rc.Close()
		if err := sameAttributes(got, put); err != nil {
			return err
		}
		if got.Modified.IsZero() {
			return fmt.Errorf("Get %q: no time of modification", name)
		}
	}
	return nil
}

func attributesEncoding(ctx context.Context, b storage.Bucket) error {
	opts := &storage.PutOptions{ContentType: "application/json", ContentEncoding: "gzip"}
	// Neither is gzip: whoever unpacks or packs by the header shows at once.
	for _, content := range []string{"[1]", "\x1f\x8b not gzip"} {
		if _, err := storage.Put(ctx, b, "a", strings.NewReader(content), opts); err != nil {
			return err
		}
		if err := wantContent(ctx, b, "a", content); err != nil {
			return err
		}
	}
	return nil
}

func aclPublicRead(ctx context.Context, b storage.Bucket) error {
	opts := fullOptions()
	opts.ACL = storage.PublicRead
	put, err := storage.Put(ctx, b, "a", strings.NewReader("content"), opts)
	if err != nil {
		return err
	}
	got, err := storage.Stat(ctx, b, "a")
	if err != nil {
		return err
	}
	if err := sameAttributes(got, put); err != nil {
		return err
	}
	return wantContent(ctx, b, "a", "content")
}

func etagChanges(ctx context.Context, b storage.Bucket) error {
	seen := make(map[string]int)
	for i := range 12 {
		a, err := put(ctx, b, "a", fmt.Sprintf("content %02d", i))
		if err != nil {
			return err
		}
		if before, ok := seen[a.ETag]; ok || a.ETag == "" {
			return fmt.Errorf("versions %d and %d both have the ETag %q", before, i, a.ETag)
		}
		seen[a.ETag] = i
	}
	return nil
}

func etagChangesWithAttributes(ctx context.Context, b storage.Bucket) error {
	seen := make(map[string]int)
	for i, opts := range []*storage.PutOptions{
		{}, {ContentType: "text/plain"}, {ContentEncoding: "gzip"}, {CacheControl: "no-cache"},
		{Metadata: map[string]string{"a": "b"}}, {Metadata: map[string]string{"a": "c"}}, {Metadata: map[string]string{"ab": ""}},
	} {
		a, err := storage.Put(ctx, b, "a", strings.NewReader("content"), opts)
		if err != nil {
			return err
		}
		if before, ok := seen[a.ETag]; ok {
			return fmt.Errorf("versions %d and %d both have the ETag %q", before, i, a.ETag)
		}
		seen[a.ETag] = i
	}
	return nil
}

func etagEverywhere(ctx context.Context, b storage.Bucket) error {
	for _, opts := range []*storage.PutOptions{nil, fullOptions()} {
		put, err := storage.Put(ctx, b, "a", strings.NewReader("content"), opts)
		if err != nil {
			return err
		}
		if put.ETag == "" || put.Size != int64(len("content")) {
			return fmt.Errorf("Put: got ETag %q, size %d", put.ETag, put.Size)
		}
		if err := wantVersion(ctx, b, put); err != nil {
			return err
		}
	}
	return nil
}

// wantVersion returns an error unless Stat, Get and List show this version.
func wantVersion(ctx context.Context, b storage.Bucket, want storage.Attributes) error {
	s, err := storage.Stat(ctx, b, want.Name)
	if err != nil {
		return err
	}
	_, g, err := storage.ReadAll(ctx, b, want.Name, maxRead)
	if err != nil {
		return err
	}
	versions := map[string]storage.Attributes{"Stat": s, "Get": g}
	for l, err := range storage.List(ctx, b, want.Name) {
		if err != nil {
			return err
		}
		if l.Modified.IsZero() {
			return fmt.Errorf("List: no time of modification for %q", l.Name)
		}
		versions["List"] = l
		break
	}
	if len(versions) != 3 {
		return fmt.Errorf("List: %q is not there", want.Name)
	}
	for op, got := range versions {
		if got.ETag != want.ETag || got.Size != want.Size || got.Name != want.Name {
			return fmt.Errorf("%s: got %q, ETag %q, size %d; Put gave %q, %q, %d", op, got.Name, got.ETag, got.Size, want.Name, want.ETag, want.Size)
		}
	}
	return nil
}
