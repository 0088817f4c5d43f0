package storage

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	// MaxHeaderLength is the length of the longest content type, content
	// encoding or cache control in bytes.
	MaxHeaderLength = 1024

	// MaxMetadataSize is the size of all user metadata, keys and values
	// together: S3's limit.
	MaxMetadataSize = 2048
)

// Check returns nil if every bucket can keep o as it is, else an error that
// names the field and satisfies errors.Is(err, [ErrInvalidOptions]). Values
// are printable ASCII without space at the ends, because they travel as HTTP
// headers, and what a header cannot hold comes back changed or not at all.
func (o *PutOptions) Check() error {
	headers := []struct{ field, value string }{
		{"ContentType", o.ContentType},
		{"ContentEncoding", o.ContentEncoding},
		{"CacheControl", o.CacheControl},
	}
	for _, h := range headers {
		if why := badHeader(h.value); why != "" {
			return fmt.Errorf("%w: %s: %s", ErrInvalidOptions, h.field, why)
		}
	}
	if o.ACL > PublicRead {
		return fmt.Errorf("%w: ACL: %v", ErrInvalidOptions, o.ACL)
	}
	return checkMetadata(o.Metadata)
}

func checkMetadata(m map[string]string) error {
	size := 0
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if k == "" || strings.ContainsFunc(k, notKey) {
			return fmt.Errorf("%w: Metadata: key %q, want a-z, 0-9 and '-'", ErrInvalidOptions, shown(k))
		}
		if why := badHeader(m[k]); why != "" {
			return fmt.Errorf("%w: Metadata[%q]: %s", ErrInvalidOptions, shown(k), why)
		}
		size += len(k) + len(m[k])
	}
	if size > MaxMetadataSize {
		return fmt.Errorf("%w: Metadata: %d bytes, want at most %d", ErrInvalidOptions, size, MaxMetadataSize)
	}
	return nil
}

func notKey(r rune) bool {
	return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-')
}

func badHeader(v string) string {
	switch {
	case len(v) > MaxHeaderLength:
		return fmt.Sprintf("%d bytes, want at most %d", len(v), MaxHeaderLength)
	case strings.TrimSpace(v) != v:
		return "space at an end"
	case strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r > '~' }):
		return "not printable ASCII"
	default:
		return ""
	}
}
