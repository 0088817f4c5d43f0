package distribution

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gaenkit/gaen/export"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Encoder is a layout whose files are no export archives. The engine is the
// same: it plans, creates, completes, lists and deletes. What a window's content
// becomes is the encoder's. Its files are not signed one by one; its indexes have
// their digests, and are.
//
// The methods must be pure functions, and safe for concurrent use.
type Encoder interface {
	Layout

	// Kinds returns the kinds of the files that a window with this content has,
	// ascending, each once, at least one, none empty. It is asked when the window
	// is planned. A window of a span of State has one file, without a kind.
	Kinds(span Span, c *export.Content) []string

	// Encode returns one file of a window with this content, whose keys are in no
	// order. The content must not be changed.
	Encode(f File, c *export.Content) (*Encoded, error)

	// Decode returns what a file says, as it was stored, and its digests. The error
	// is for what is no file of the layout, also if it is far too long.
	Decode(f File, stored []byte) (*Encoded, *export.Content, error)

	// Catalogue returns all indexes, leaves before roots.
	Catalogue(c *Catalogue) []Index

	// Survey is Follow with what the indexes say of each file, which they must be
	// signed for by a trusted key.
	Survey(read func(name string) ([]byte, error), trusted *signing.TrustList) (files []Listed, indexes []string, err error)
}

// Encoded is a file of an [Encoder].
type Encoded struct {
	Bytes   []byte   // as it is stored
	SHA256  [32]byte // as the indexes give it
	Content [32]byte // of what it says: equal for files that say the same, however they are compressed
}

// A Catalogue is what an [Encoder] makes its indexes from. It is the same in every
// run that finds the same published.
type Catalogue struct {
	Ledger   ledger.Identity
	Packages []string           // all, also those without a file
	Files    []Listed           // by package, span, time and kind
	Signers  []signing.Identity // that sign now, those valid for longest last
}

// Listed is a file that indexes name.
type Listed struct {
	File
	SHA256    string    // as [Encoded] has it, in hexadecimal
	Completed time.Time // when its window was published
}

// maxEncoded is the size of the largest file of an encoder that is read back
// without knowing how large it should be.
const maxEncoded = 1 << 30

// checkEncoded sees to it that what only encoders have makes sense: all keys that
// a file of a span needs must be kept for as long as it may have to be made.
func checkEncoded(l Layout, s *Span, base bool, prune time.Duration) error {
	needed := time.Duration(s.Days) * 24 * time.Hour
	if s.Expire {
		needed += 48 * time.Hour // the day that expires, and one for runs that are late
	}
	_, encoder := l.(Encoder)
	switch {
	case !encoder && (s.State || s.Expire || s.Days != 0):
		return fmt.Errorf("distribution: layout %s: span %s: State, Days and Expire are for encoders", l.Name(), s.Name)
	case encoder && s.Open:
		return fmt.Errorf("distribution: layout %s: span %s is open, which is for archives", l.Name(), s.Name)
	case s.State && (base || s.Keep < 1):
		return fmt.Errorf("distribution: layout %s: span %s: a span of State is not the base and keeps at least one window", l.Name(), s.Name)
	case s.Days < 0 || s.Days == 0 && (s.State || s.Expire):
		return fmt.Errorf("distribution: layout %s: span %s: keys of %d days", l.Name(), s.Name, s.Days)
	case s.Expire && (!base || s.State):
		return fmt.Errorf("distribution: layout %s: span %s: only the base can say what expires", l.Name(), s.Name)
	case (s.State || s.Expire) && needed > prune:
		return fmt.Errorf("distribution: layout %s: span %s needs keys for %s and Policy.PruneAge is %s", l.Name(), s.Name, needed, prune)
	}
	return nil
}

// kinds returns a window's files of several kinds.
func kinds(e Encoder, span Span, c *export.Content) []part {
	var parts []part
	for _, kind := range e.Kinds(span, c) {
		parts = append(parts, part{Kind: kind})
	}
	parts[0].Keys, parts[0].Revised = len(c.Keys), len(c.RevisedKeys)
	return parts
}

// remembers reports whether the ledger, asked at a time not after now, must still
// have had every key that began on that day or later.
func (r *run) remembers(day int, now time.Time) bool {
	policy, _ := r.ledger.Policy()
	return !keys.StartOfDay(day).Time().Before(now.Add(-policy.PruneAge))
}

// stateContent returns what a package shows at the end of a window of the keys
// that began on a day or later. The ledger may have pruned others, so it cannot
// read its log from the beginning; it finds all it has. Only if the clock says
// afterwards that none of these could have been pruned before, the content is
// that of the window.
//
// What cannot be seen is that another origin's unit with the same key data and an
// earlier day was shown before it, and has been pruned.
func (r *run) stateContent(ctx context.Context, v *viewer, c *committed, day int) (*export.Content, error) {
	before, err := r.ledger.Log(ctx, 0)
	if err != nil {
		return nil, err
	}
	content, err := v.stateAt(ctx, r.ledger, before.Cuts, c, day)
	if err != nil {
		return nil, err
	}
	content.Region = r.regionOf(c)
	after, err := r.ledger.Log(ctx, before.Last.Seq)
	if err != nil {
		return nil, err
	}
	if !r.remembers(day, after.Now) {
		return nil, fmt.Errorf("distribution: what %s showed at %s: %w", c.pkg, c.End, ledger.ErrPruned)
	}
	return content, nil
}

// addExpired adds to a window's content what ceases to be relevant with it, if
// the plan says so.
func (r *run) addExpired(ctx context.Context, v *viewer, c *committed, content *export.Content) error {
	span := r.span(c.Span)
	first, next := span.firstDay(c.Start), span.firstDay(c.End)
	if !c.Expire || first == next {
		return nil
	}
	state, err := r.stateContent(ctx, v, c, first)
	if err != nil {
		return err
	}
	said := map[keys.KeyData]bool{}
	for _, list := range [][]keys.TemporaryExposureKey{content.Keys, content.RevisedKeys} {
		for i := range list {
			said[list[i].KeyData] = true
		}
	}
	for _, k := range state.Keys {
		if k.RollingStartIntervalNumber.Day() < next && !said[k.KeyData] {
			content.RevisedKeys = append(content.RevisedKeys, k)
		}
	}
	return nil
}

// newer returns how many newer states of a package than a plan's are published.
func (r *run) newer(c *committed) int {
	n := 0
	for _, other := range r.state.plans {
		if other.pkg == c.pkg && other.Span == c.Span && other.Start.After(c.Start) && other.published() {
			n++
		}
	}
	return n
}

// adoptEncoded is adopt for the file of an encoder.
func (r *run) adoptEncoded(ctx context.Context, e Encoder, f File, content *export.Content) (object, error) {
	name := e.Object(f)
	want, err := e.Encode(f, content)
	if err != nil {
		return object{}, fmt.Errorf("distribution: %w", err)
	}
	conflict := func(reason, have string) error {
		return &ConflictError{Name: name, Have: have, Want: hexOf(want.Content), Reason: reason, Damaged: true}
	}
	stored, attrs, err := r.get(ctx, name, max(maxObject, 2*int64(len(want.Bytes))))
	switch {
	case errors.Is(err, storage.ErrTooLarge):
		return object{}, conflict("not a file of the layout", err.Error())
	case err != nil:
		return object{}, &objectError{name, err}
	}
	have, _, err := e.Decode(f, stored)
	if err != nil {
		return object{}, conflict("not a file of the layout", err.Error())
	}
	if have.Content != want.Content {
		return object{}, conflict("published with another content", hexOf(have.Content))
	}
	if err := r.checkAttributes(f, stored, have.SHA256, attrs); err != nil {
		return object{}, &objectError{name, err}
	}
	return object{Name: name, ETag: attrs.ETag, Size: attrs.Size, SHA256: hexOf(have.SHA256)}, nil
}

// whoseEncoded is whose for the file of an encoder.
func whoseEncoded(e Encoder, o object, stored []byte) ownership {
	f, ok := e.Parse(o.Name)
	if !ok {
		return nobodys
	}
	have, _, err := e.Decode(f, stored)
	switch {
	case err != nil:
		return nobodys
	case hexOf(have.SHA256) != o.SHA256:
		return others
	}
	return ours
}

// catalogue returns the indexes of an encoder.
func (r *run) catalogue(e Encoder, packages []string) ([]Index, error) {
	signers, err := r.ring.ValidAt(r.now)
	if err != nil {
		return nil, fmt.Errorf("distribution: %w", err)
	}
	c := &Catalogue{Ledger: r.log.Identity, Packages: packages, Signers: identities(signers)}
	for _, plan := range r.listable() {
		for i, f := range plan.files() {
			if r.lost[plan.Objects[i].Name] {
				continue
			}
			c.Files = append(c.Files, Listed{File: f, SHA256: plan.Objects[i].SHA256, Completed: plan.Completed})
		}
	}
	return e.Catalogue(c), nil
}

// survey returns the files that the indexes name.
func (v *verifier) survey(read func(string) ([]byte, error)) (files []File, indexes []string, err error) {
	e, ok := v.layout.(Encoder)
	if !ok {
		return v.layout.Follow(read)
	}
	listed, indexes, err := e.Survey(read, v.trusted)
	v.sums = map[File]string{}
	for _, l := range listed {
		files = append(files, l.File)
		v.sums[l.File] = l.SHA256
	}
	return files, indexes, err
}

func (v *verifier) limit() int64 {
	if _, ok := v.layout.(Encoder); ok {
		return maxEncoded
	}
	return maxObject
}

// openEncoded verifies the file of an encoder: that it is what the indexes say.
func (v *verifier) openEncoded(e Encoder, f File, stored []byte) (*export.Content, error) {
	encoded, content, err := e.Decode(f, stored)
	if err != nil {
		return nil, err
	}
	if have := hexOf(encoded.SHA256); have != v.sums[f] {
		return nil, fmt.Errorf("its SHA-256 is %s, and an index says %s", have, v.sums[f])
	}
	return content, nil
}
