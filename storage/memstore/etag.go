package memstore

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/gaenkit/gaen/storage"
)

// etag returns a digest of content and attributes. Every part is quoted, so
// that no two different puts have the same text.
func etag(data []byte, opts *storage.PutOptions) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d", opts.ContentType, opts.ContentEncoding, opts.CacheControl, opts.ACL)
	for _, k := range slices.Sorted(maps.Keys(opts.Metadata)) {
		fmt.Fprintf(h, " %q=%q", k, opts.Metadata[k])
	}
	h.Write([]byte("\n"))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
