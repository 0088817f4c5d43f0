package bucketledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/submission"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Inbox is the submissions in a bucket, as the British back end lays them out.
// It only reads them, and takes each in once; what it has taken in is known to
// the ledger alone, which may be kept here or elsewhere.
type Inbox struct {
	bucket   storage.Bucket
	origin   keys.Region
	consent  keys.Consent
	prefixes []Prefix
}

// InboxOptions are what may be chosen of an [Inbox].
type InboxOptions struct {
	// Consent is what is taken for granted of own keys that say nothing of
	// consent to federate. What says nothing, and of which nothing is granted,
	// is set aside by package ledger.
	Consent keys.Consent

	// Prefixes are where the keys of federation servers lie. What lies below
	// none of them, nor below mobile, nor at the top, is left alone.
	Prefixes []Prefix
}

// NewInbox returns the inbox in a bucket, of the back end of this origin.
func NewInbox(b storage.Bucket, origin keys.Region, opts *InboxOptions) (*Inbox, error) {
	if opts == nil {
		opts = &InboxOptions{}
	}
	in := &Inbox{bucket: b, origin: origin, consent: opts.Consent, prefixes: slices.Clone(opts.Prefixes)}
	if origin.IsZero() {
		return nil, fmt.Errorf("bucketledger: an inbox without an origin")
	}
	names := map[string]bool{}
	for i := range in.prefixes {
		p := &in.prefixes[i]
		if err := p.check(); err != nil {
			return nil, fmt.Errorf("bucketledger: InboxOptions.Prefixes[%d]: %w", i, err)
		}
		if names[p.Prefix] {
			return nil, fmt.Errorf("bucketledger: InboxOptions.Prefixes[%d]: Prefix %q: is there twice", i, p.Prefix)
		}
		names[p.Prefix] = true
	}
	return in, nil
}

// A BadObject is one of which nothing could be taken in. It is set aside in the
// ledger as well.
type BadObject struct {
	Name   string
	Field  keys.Field // FieldName or FieldObject
	Reason keys.Reason
	Detail string
}

// An InboxReport says what a run found.
type InboxReport struct {
	Listed   int // objects
	Known    int // of them, from earlier runs
	Taken    int // by this run, bad ones too
	Disabled int // below prefixes that are disabled
	Others   int // that are nobody's, but for the ledger's own

	Bad      []BadObject
	Receipts map[ledger.Source]*ledger.Receipt // what became of the keys
}

const (
	// MaxObject is the size of the largest submission in bytes: a batch of 40,000
	// keys.
	MaxObject = 8 << 20

	fetching     = 8    // objects that are read at the same time
	deliveryKeys = 5000 // keys that are reason enough for a delivery
	deliverySize = 1000 // objects that are
)

// TakeIn takes in what has come since it was last called, whatever time stamps it
// carries. An object that cannot be read now is tried again by the next call; the
// error joins what failed, and the others have been taken in nevertheless, unless
// there are so many (20 and more) that the rest is left to the next calls.
//
// It may be called by several processes at once. It costs one request to list
// 1,000 objects, and one for each object that is new; nothing is read again.
func (in *Inbox) TakeIn(ctx context.Context, l *ledger.Ledger) (*InboxReport, error) {
	t := &taking{Inbox: in, ledger: l, report: &InboxReport{Receipts: map[ledger.Source]*ledger.Receipt{}}, waiting: map[ledger.Source]*parcel{}}
	err := t.run(ctx)
	return t.report, errors.Join(append(t.failed, err)...)
}

// taking is one run.
type taking struct {
	*Inbox
	ledger  *ledger.Ledger
	report  *InboxReport
	seen    *seen
	waiting map[ledger.Source]*parcel
	failed  []error // objects that could not be read
}

// maxFailed is how many objects that cannot be read are worth trying further ones in
// the order of their names. After that they are tried by chance until as many more have
// failed: objects that can never be read, such as those of another encryption key, keep
// none out for good that are listed after them, and a bucket that is down is soon left
// alone.
const maxFailed = 20

func (t *taking) run(ctx context.Context) (err error) {
	if t.seen, err = readSeen(ctx, t.ledger); err != nil {
		return err
	}
	first := t.seen
	fresh, there, err := t.list(ctx)
	if err != nil {
		return err
	}
	if err := t.read(ctx, fresh); err != nil {
		return err
	}
	for source := range t.waiting {
		if err := t.deliver(ctx, source); err != nil {
			return err
		}
	}
	return t.forget(ctx, first, there)
}

// read reads objects, and delivers what is in them parcel by parcel.
func (t *taking) read(ctx context.Context, fresh []envelope) error {
	const chunk = 4 * fetching
	inOrder := true
	for len(fresh) > 0 && len(t.failed) <= 2*maxFailed {
		n := min(chunk, len(fresh))
		letters, err := t.fetch(ctx, fresh[:n])
		if err != nil {
			return err
		}
		for _, letter := range letters {
			if err := t.add(ctx, letter); err != nil {
				return err
			}
		}
		fresh = fresh[n:]
		if inOrder && len(t.failed) > maxFailed {
			inOrder = false
			rand.Shuffle(len(fresh), func(i, j int) { fresh[i], fresh[j] = fresh[j], fresh[i] })
		}
	}
	return nil
}

// list returns the objects that are new, and the marks of all that are there.
func (t *taking) list(ctx context.Context) (fresh []envelope, there map[mark]bool, err error) {
	there = map[mark]bool{}
	for a, err := range storage.List(ctx, t.bucket, "") {
		if err != nil {
			return nil, nil, err
		}
		w, whose := t.place(a.Name)
		m := markOf(&a)
		there[m] = true
		t.count(&a, m, whose)
		if whose == somebody && !t.seen.marks[m] {
			fresh = append(fresh, envelope{name: a.Name, mark: m, where: w})
		}
	}
	return fresh, there, nil
}

func (t *taking) count(a *storage.Attributes, m mark, whose placed) {
	switch {
	case isLedgers(a.Name):
		return
	case whose == disabled:
		t.report.Disabled++
	case whose == nobodys:
		t.report.Others++
	case t.seen.marks[m]:
		t.report.Known++
	}
	t.report.Listed++
}

// An envelope is what is known of an object without reading it.
type envelope struct {
	name string
	mark mark
	where
}

// A letter is an object that was read.
type letter struct {
	envelope
	keys        []keys.DiagnosisKey
	withdrawals []ledger.UnitID
	unreadable  []*keys.Rejection
	gone        bool // deleted since it was listed
}

// fetch reads objects, some at a time, and returns those that could be read.
func (t *taking) fetch(ctx context.Context, envelopes []envelope) ([]*letter, error) {
	letters := make([]*letter, len(envelopes))
	errs := make([]error, len(envelopes))
	group := errgroup.Group{}
	group.SetLimit(fetching)
	for i, e := range envelopes {
		letters[i] = &letter{envelope: e}
		group.Go(func() error {
			errs[i] = letters[i].read(ctx, t.bucket)
			return nil
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var read []*letter
	for i, letter := range letters {
		switch {
		case errs[i] != nil:
			t.failed = append(t.failed, errs[i])
		case !letter.gone:
			read = append(read, letter)
		}
	}
	return read, nil
}

// read reads the object. The error is for what may be otherwise the next time.
func (o *letter) read(ctx context.Context, b storage.Bucket) error {
	if o.rejected != nil {
		return nil // its name says enough
	}
	text, _, err := storage.ReadAll(ctx, b, o.name, MaxObject)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		o.gone = true
		return nil
	case errors.Is(err, storage.ErrTooLarge):
		o.rejected = &keys.Rejection{Field: FieldObject, Reason: keys.ReasonTooMany, Detail: fmt.Sprintf("more than %d bytes", MaxObject)}
		return nil
	case err != nil:
		return err
	}
	s, err := submission.Parse(text, o.granted)
	switch {
	case err != nil:
		o.rejected = &keys.Rejection{Field: FieldObject, Reason: keys.ReasonMalformed, Detail: err.Error()}
	case o.source != ledger.Own && s.Origin != o.granted.Origin:
		// A server answers for the origin that its objects lie under, and no other.
		o.rejected = &keys.Rejection{Field: keys.FieldOrigin, Reason: keys.ReasonNotAllowed, Detail: "another than that of its place"}
	default:
		o.sort(s)
	}
	return nil
}

// sort tells withdrawals from keys: REVOKED is no key.
func (o *letter) sort(s *submission.Submission) {
	o.unreadable = s.Rejected
	for i := range s.Keys {
		k := &s.Keys[i]
		if o.source == ledger.Own && k.TestType == keys.TestUnstated {
			k.TestType = keys.TestLab // the kit that there was first
		}
		if o.source != ledger.Own && k.ReportType == keys.Some(keys.ReportRevoked) {
			o.withdrawals = append(o.withdrawals, ledger.IDOf(k))
			continue
		}
		o.keys = append(o.keys, *k)
	}
}

// size is how many keys there are in it, readable or not.
func (o *letter) size() int { return len(o.keys) + len(o.withdrawals) + len(o.unreadable) }
