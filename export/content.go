package export

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// MaxKeys is how many keys, revised ones included, an archive may have: phones
// refuse larger ones. Whoever has more makes several archives, whose ends must
// differ; phones take two files with the same start and end for one.
const MaxKeys = 750_000

// Content is what an archive says.
type Content struct {
	// Start and End bound the time at which the keys were released, [Start,
	// End), in whole seconds. Phones tell archives apart by them.
	Start, End time.Time

	// Region is where the keys come from: a country, a part of one, a group.
	Region string

	// Keys are those that no archive before had, RevisedKeys those whose report
	// type is another now. Their order does not matter.
	Keys        []keys.TemporaryExposureKey
	RevisedKeys []keys.TemporaryExposureKey
}

// maxRegion is the length of the longest region that is written.
const maxRegion = 32

// lastSecond is the last second of the year 9999, the latest of any archive.
const lastSecond = 253402300799

// Check reports whether c may be published: with one exception, all that can be
// said of an archive without a clock. The exception is the embargo after the end
// of a key's period, which is judged where keys are released. The error is of
// [KindContent] or [KindTooLarge], names field and index, and wraps the
// [keys.Rejection] if it is about one key.
func (c *Content) Check() error {
	if err := c.checkBounds(); err != nil {
		return err
	}
	for i := range c.Keys {
		if err := checkKey(&c.Keys[i]); err != nil {
			return contentError(fieldKeys, i, err)
		}
	}
	for i := range c.RevisedKeys {
		if err := checkRevisedKey(&c.RevisedKeys[i]); err != nil {
			return contentError(fieldRevisedKeys, i, err)
		}
	}
	return c.checkDuplicates()
}

func (c *Content) checkBounds() error {
	switch {
	case c.Region == "" || !printable(c.Region, maxRegion):
		return fail(KindContent, "region", "%q, want 1 to %d printable characters", c.Region, maxRegion)
	case !validTimestamp(c.Start):
		return fail(KindContent, "start_timestamp", "%s is not a whole second of the years 1970 to 9999", c.Start.UTC())
	case !validTimestamp(c.End):
		return fail(KindContent, "end_timestamp", "%s is not a whole second of the years 1970 to 9999", c.End.UTC())
	case !c.Start.Before(c.End):
		return fail(KindContent, "end_timestamp", "%s is not after the start, %s", c.End.UTC(), c.Start.UTC())
	}
	if n := len(c.Keys) + len(c.RevisedKeys); n > MaxKeys {
		return fail(KindTooLarge, "keys", "%d keys and revised keys, at most %d", n, MaxKeys)
	}
	return nil
}

func validTimestamp(t time.Time) bool {
	return t.Nanosecond() == 0 && t.Unix() >= 0 && t.Unix() <= lastSecond
}

// afterAllEmbargoes is a time at which no embargo is in force any more.
var afterAllEmbargoes = time.Unix(1<<42, 0)

var archivePolicy = keys.IntoArchive()

func checkKey(k *keys.TemporaryExposureKey) error {
	return archivePolicy.CheckExposure(k, afterAllEmbargoes)
}

// checkRevisedKey is checkKey for a key that was published before. It says what
// it is now: without a report type, apps would take a revoked key for a
// confirmed test.
func checkRevisedKey(k *keys.TemporaryExposureKey) error {
	if !k.ReportType.Present() {
		return &keys.Rejection{Field: keys.FieldReportType, Reason: keys.ReasonMissing, Detail: "a revised key states its report type"}
	}
	return checkKey(k)
}

func contentError(list protowire.Number, index int, err error) error {
	return &Error{Kind: KindContent, Subject: keyName(list, index), Err: err}
}

func keyName(list protowire.Number, index int) string {
	return fmt.Sprintf("%s[%d]", listNames[list], index)
}

// checkDuplicates makes sure that each key data is in c once. Phones that meet a
// key again keep one of the two, and which one is up to them.
func (c *Content) checkDuplicates() error {
	n := len(c.Keys)
	set := newKeySet(n+len(c.RevisedKeys), func(i int) *keys.KeyData {
		if i < n {
			return &c.Keys[i].KeyData
		}
		return &c.RevisedKeys[i-n].KeyData
	})
	name := func(i int) string {
		if i < n {
			return keyName(fieldKeys, i)
		}
		return keyName(fieldRevisedKeys, i-n)
	}
	for i := range n + len(c.RevisedKeys) {
		if first, ok := set.add(i); !ok {
			return fail(KindContent, name(i), "the same key data as %s", name(first))
		}
	}
	return nil
}

func compareData(a, b *keys.TemporaryExposureKey) int {
	if c := cmp.Compare(binary.BigEndian.Uint64(a.KeyData[:8]), binary.BigEndian.Uint64(b.KeyData[:8])); c != 0 {
		return c
	}
	return cmp.Compare(binary.BigEndian.Uint64(a.KeyData[8:]), binary.BigEndian.Uint64(b.KeyData[8:]))
}

// Hash returns the content hash: the SHA-256 of an export.bin with the header
// that phones know, this content in canonical order, and no signature infos. So
// it covers keys, revised keys, bounds and region, and neither depends on who
// signs nor on the order of the keys.
func (c *Content) Hash() [sha256.Size]byte {
	h := sha256.New()
	format, _ := Format{}.normalize() // the zero format has no faults
	order, sorter := c.sort()
	defer sorter.rest()
	m := message{header: format.header(), content: c, region: c.Region, order: order}
	m.encode(h) // a hash takes everything
	return [sha256.Size]byte(h.Sum(nil))
}
