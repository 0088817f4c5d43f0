package federation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// A Pull fetches what one federation server has, and keeps it in the ledger under
// the name of its instance.
type Pull struct {
	ledger     *ledger.Ledger
	name       ledger.Source
	downloader Downloader
	opts       PullOptions
}

// PullOptions are limits and rules of a [Pull]. The zero value takes every key,
// whoever's it is.
type PullOptions struct {
	// Reject is what is never stored as a key, but set aside. What is to be stored
	// and not published is for the packages to leave out.
	Reject Reject

	Defaults Defaults

	// History is how far back a new instance begins; 0 is 14 days.
	History time.Duration

	// Settle is for how long a page can still fill after it was first given: after
	// that it is read once more. Less than 0 is never, for servers whose pages are
	// whole; 0 is 30 min.
	Settle time.Duration

	// Silence is after how long without a page it is found out, by date, whether
	// the server still knows the tag it is asked for. Less than 0 is never; 0 is 6 h.
	Silence time.Duration

	// Patience is for how long a page is asked for again that nobody vouches for
	// ([DoubtError]). After that, and five tries, it is stored without its keys, so
	// that it does not stop those that follow; the report says so ([GivenUp]). 0 is
	// 6 h.
	Patience time.Duration

	// Stale is after how long without a new page a run warns; 0 is 24 h.
	Stale time.Duration

	// Retention is for how long the server keeps its pages; 0 is 14 days. A run
	// warns when more than half of it has passed since the last that worked.
	Retention time.Duration

	MaxPages int           // in a run; 0 is 10,000
	Budget   time.Duration // after which a run asks for no page; 0 is 10 min
}

// Reject names what is not stored as a key. The zero Reject rejects nothing.
type Reject struct {
	Origins     keys.Set[keys.Region]     `json:"origins"` // this back end's own, for one
	ReportTypes keys.Set[keys.ReportType] `json:"reportTypes"`
	TestTypes   keys.Set[keys.TestType]   `json:"testTypes"`
}

// field returns which field of a key is the reason to reject it, empty for none.
func (r *Reject) field(k *keys.DiagnosisKey) keys.Field {
	switch {
	case r.Origins.Has(k.Origin):
		return keys.FieldOrigin
	case r.ReportTypes.Has(k.ReportType.Or(keys.ReportUnknown)):
		return keys.FieldReportType
	case r.TestTypes.Has(k.TestType):
		return keys.FieldTestType
	}
	return ""
}

func (o *PullOptions) setDefaults() {
	o.History = cmp.Or(o.History, 14*24*time.Hour)
	o.Settle = cmp.Or(o.Settle, 30*time.Minute)
	o.Silence = cmp.Or(o.Silence, 6*time.Hour)
	o.Patience = cmp.Or(o.Patience, 6*time.Hour)
	o.Stale = cmp.Or(o.Stale, 24*time.Hour)
	o.Retention = cmp.Or(o.Retention, 14*24*time.Hour)
	o.MaxPages = cmp.Or(o.MaxPages, 10_000)
	o.Budget = cmp.Or(o.Budget, 10*time.Minute)
}

func (o *PullOptions) check() error {
	switch {
	case o.History < 0:
		return fmt.Errorf("PullOptions.History: %s is negative", o.History)
	case o.Stale < 0:
		return fmt.Errorf("PullOptions.Stale: %s is negative", o.Stale)
	case o.Retention < 0:
		return fmt.Errorf("PullOptions.Retention: %s is negative", o.Retention)
	case o.Settle >= o.Retention:
		return fmt.Errorf("PullOptions.Settle: %s is no less than Retention, %s: pages are gone before they are read once more", o.Settle, o.Retention)
	case o.Silence >= o.Retention:
		return fmt.Errorf("PullOptions.Silence: %s is no less than Retention, %s: what is lost is gone before it is looked into", o.Silence, o.Retention)
	case o.Patience < 0:
		return fmt.Errorf("PullOptions.Patience: %s is negative", o.Patience)
	case o.Patience >= o.Retention:
		return fmt.Errorf("PullOptions.Patience: %s is no less than Retention, %s: pages are gone before they are given up", o.Patience, o.Retention)
	case o.MaxPages < 1:
		return fmt.Errorf("PullOptions.MaxPages: %d, want at least 1", o.MaxPages)
	case o.Budget < 0:
		return fmt.Errorf("PullOptions.Budget: %s is negative", o.Budget)
	}
	return o.Defaults.check()
}

// NewPull returns the pull of an instance: name is the source under which what it
// brings is kept. The error names the field.
func NewPull(l *ledger.Ledger, name ledger.Source, d Downloader, opts *PullOptions) (*Pull, error) {
	p := &Pull{ledger: l, name: name, downloader: d}
	if opts != nil {
		p.opts = *opts
	}
	p.opts.setDefaults()
	for _, err := range []error{checkName(name), p.opts.check()} {
		if err != nil {
			return nil, fmt.Errorf("federation: instance %s: %w", name, err)
		}
	}
	return p, nil
}

// Run fetches all there is, page by page. Each page is stored in one step with the
// cursor, so a run that ends anywhere loses nothing, and the next goes on from
// there. The report says in each case what was done; it is never nil. The error is
// of a class of this package's, or of the ledger.
func (p *Pull) Run(ctx context.Context) (*PullReport, error) {
	r := &pulling{Pull: p, report: &PullReport{Instance: p.name, Origins: map[keys.Region]*OriginReport{}}, seen: map[string]bool{}}
	err := r.run(ctx)
	if isConflict(err) {
		err = fmt.Errorf("%w (%w)", ErrOvertaken, err)
	}
	if err != nil {
		err = fmt.Errorf("federation: pull from %s: %w", p.name, err)
	}
	for _, g := range r.report.GivenUp {
		r.report.warn("%s", g)
	}
	return r.report, err
}

// pulling is one run of a [Pull].
type pulling struct {
	*Pull
	now    time.Time // by the ledger's clock, at the start
	began  time.Time // that, by this machine's clock
	until  time.Time // when the budget is spent, likewise
	cursor *cursor
	seen   map[string]bool // tags of new pages of this run
	report *PullReport
}

func (r *pulling) run(ctx context.Context) error {
	r.until = time.Now().Add(r.opts.Budget)
	if err := r.look(ctx); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{r.settle, r.follow, r.probe} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// look reads the cursor and the clock.
func (r *pulling) look(ctx context.Context) error {
	log, err := r.ledger.Log(ctx, 1<<62)
	if err != nil {
		return err
	}
	r.now, r.began, r.report.Time = log.Now, time.Now(), log.Now
	r.cursor, err = readCursor(ctx, r.ledger, r.name)
	if err != nil {
		return err
	}
	c := r.cursor
	if c.version == 0 {
		c.Heard, c.Worked = r.now, r.now
	}
	c.notAfter(r.now)
	c.forget(r.now.Add(-r.opts.Retention))
	r.known()
	if c.version == 0 || c.At.Tag == "" && c.At.Day > DayOf(r.now) {
		at := Place{Day: DayOf(r.now.Add(-r.opts.History))}
		c.At = at
		c.settleAt(at)
	}
	if behind := r.now.Sub(c.Worked); behind > r.opts.Retention/2 {
		r.report.warn("nothing was fetched for %s, and the server keeps its pages for %s: what it drops before the next run that works is lost", behind.Round(time.Minute), r.opts.Retention)
	}
	return nil
}

// moment is the time by the ledger's clock: a page that is read at the end of a long
// run can fill for as long as one that is read at its start.
func (r *pulling) moment() time.Time { return r.now.Add(time.Since(r.began)) }

// spent reports whether the run is to ask for nothing more.
func (r *pulling) spent() bool {
	spent := r.report.RetryAfter > 0 || r.report.Pages >= r.opts.MaxPages || !time.Now().Before(r.until)
	r.report.More = r.report.More || spent
	return spent
}

// follow reads the pages after the cursor.
func (r *pulling) follow(ctx context.Context) error {
	for !r.spent() {
		page, err := r.download(ctx, r.cursor.At)
		if errors.Is(err, ErrGone) {
			if err := r.skip(ctx, err); err != nil {
				return err
			}
			continue
		}
		if err != nil || page == nil {
			return err
		}
		if page.Tag == r.cursor.At.Tag || r.seen[page.Tag] {
			r.report.warn("the server gave page %s again after itself; the next run goes on from there", safeTag(page.Tag))
			r.report.Reread++
			return r.store(ctx, page) // it may hold more by now
		}
		r.seen[page.Tag] = true
		r.cursor.advance(page, r.now, r.moment(), r.opts.Settle >= 0)
		if err := r.store(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// skip goes on when the server no longer has what comes next: with what it still
// has of the day, else with the next day. Where a run has come to the end since that
// day, there was nothing: a server that is quiet for longer than it keeps its pages
// loses none.
func (r *pulling) skip(ctx context.Context, gone error) error {
	at := r.cursor.At
	next := Place{Day: at.Day}
	if at.Tag == "" || r.seen[at.Tag] { // it was read by date a moment ago
		next.Day++
	}
	if next.Day > DayOf(r.now) {
		return gone
	}
	if next.Day > at.Day && r.cursor.Ended.Before(next.Day.Start()) {
		r.report.warn("the server no longer has what followed on %s: %v", at.Day, gone)
	}
	r.cursor.At = next
	r.cursor.settleAt(next)
	return r.save(ctx)
}

// finish notes that the run came to the end.
func (r *pulling) finish(ctx context.Context) error {
	if r.report.More {
		return nil
	}
	if found := r.cursor.Found; !found.IsZero() && r.now.Sub(found) > r.opts.Stale {
		r.report.warn("no new page for %s", r.now.Sub(found).Round(time.Minute))
	}
	r.cursor.Worked, r.cursor.Ended = r.now, r.now
	return r.save(ctx)
}

// download asks for a page, and holds it against what every page must be. One that
// nobody vouches for is an error, or given up.
func (r *pulling) download(ctx context.Context, at Place) (*Page, error) {
	page, err := r.downloader.Download(ctx, at)
	if d, ok := RetryAfter(err); ok {
		r.report.RetryAfter = d
	}
	switch e, ok := errors.AsType[*DoubtError](err); {
	case ok:
		page, err = r.doubted(ctx, at, e)
	case err == nil && page != nil:
		r.cursor.vouch(page)
		err = page.check()
	}
	if err != nil || page == nil {
		return nil, err
	}
	r.report.Pages++
	return page, nil
}

// store stores a page in one step with the cursor.
func (r *pulling) store(ctx context.Context, page *Page) error {
	r.cursor.Worked = r.now
	d := r.delivery(page)
	swap, err := r.cursor.swap(r.name)
	if err != nil {
		return err
	}
	d.Swaps = []ledger.Swap{swap}
	receipt, err := r.ledger.Accept(ctx, d)
	if err != nil {
		return err
	}
	r.report.stored(d, receipt)
	r.known()
	return r.cursor.stored(ctx, r.ledger, r.name, d.Nonce)
}

// save stores the cursor alone.
func (r *pulling) save(ctx context.Context) error {
	swap, err := r.cursor.swap(r.name)
	if err != nil {
		return err
	}
	nonce := ledger.NewNonce()
	if err := r.ledger.Swap(ctx, nonce, swap); err != nil {
		return err
	}
	r.known()
	return r.cursor.stored(ctx, r.ledger, r.name, nonce)
}

// delivery returns what a page brings: keys, withdrawals, and what is set aside.
func (r *pulling) delivery(page *Page) *ledger.Delivery {
	up := ledger.Upload{ID: uploadID(page.Tag)}
	d := &ledger.Delivery{Source: r.name, Unreadable: slices.Clone(page.Unreadable)}
	for i := range d.Unreadable {
		d.Unreadable[i].Upload = up.ID
	}
	for _, k := range page.Keys {
		field := r.opts.Reject.field(&k)
		switch {
		case k.ReportType == keys.Some(keys.ReportRevoked) && !r.opts.Reject.ReportTypes.Has(keys.ReportRevoked):
			d.Withdrawals = append(d.Withdrawals, ledger.IDOf(&k)) // also of what was not rejected yet when it came
		case field != "":
			d.Unreadable = append(d.Unreadable, ledger.SetAside{Upload: up.ID, ID: ledger.IDOf(&k), Field: field, Reason: keys.ReasonNotAllowed, Detail: "rejected by this instance"})
		default:
			r.opts.Defaults.fill(&k)
			up.Keys = append(up.Keys, k)
		}
	}
	if len(up.Keys) > 0 {
		d.Uploads = []ledger.Upload{up}
	}
	return d
}

// uploadID returns the id under which the keys of a page are kept: its tag where
// that is a plain name, else a hash of it. Tags come from outside, and ids become
// names of objects and of files.
func uploadID(tag string) string {
	if plain(tag) {
		return tag
	}
	sum := sha256.Sum256([]byte(tag))
	return "sha256-" + hex.EncodeToString(sum[:])
}

// safeTag returns a tag as it can stand in a warning.
func safeTag(tag string) string { return uploadID(tag) }

// plain reports whether s is 1 to 100 letters, digits, '-', '_' and inner '.'.
func plain(s string) bool {
	if len(s) < 1 || len(s) > 100 || strings.HasPrefix(s, ".") || strings.HasPrefix(s, "sha256-") {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.')
	})
}
