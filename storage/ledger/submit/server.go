package submit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/ledger"
)

const (
	// DefaultPath is where phones send what they submit.
	DefaultPath = "/submission/diagnosis-keys"

	// DefaultMaxKeys is how many keys a submission may have: one a day, for as long
	// as phones keep them. With more, nothing of it is stored.
	DefaultMaxKeys = 14

	// DefaultMaxBody is the size of the largest request that is read, in bytes. 14
	// keys have some 2,000.
	DefaultMaxBody = 64 << 10

	// DefaultBeat is the time between the moments at which an answer may leave.
	DefaultBeat = 500 * time.Millisecond

	// DefaultParallel is how many requests are worked on at the same time.
	DefaultParallel = 1000

	// timeout is for how long a request is worked on, also when the phone has gone.
	timeout = 10 * time.Second

	// tries is how often a step is tried whose answer does not come.
	tries = 3
)

// Options are options of [NewServer]. Nil means no options.
type Options struct {
	Path     string // "" is [DefaultPath]
	MaxKeys  int    // 0 is [DefaultMaxKeys]
	MaxBody  int64  // bytes; 0 is [DefaultMaxBody]
	Parallel int    // 0 is [DefaultParallel]

	// Beat has answers leave only at multiples of it after the request was read, so
	// that the work that was done is hidden as long as it stays below it. 0 is
	// [DefaultBeat].
	Beat time.Duration

	// KeyID is what answers call the key by that signs them; "" is the signer's
	// identity.
	KeyID string

	// Now is the clock of the answers' date and of the tokens' expiry, nil for
	// time.Now.
	Now func() time.Time

	// Observe is told what became of each submission. It must not log it: who sees
	// a line for each stored one sees who was tested positive. Nil tells nobody.
	Observe func(Outcome)
}

// A Kind is what became of a submission.
type Kind uint8

const (
	Stored  Kind = iota // some of its keys may have been set aside
	Refused             // by the authorizer, or because its token was spent at the same time
	Decoy               // it had no keys
	Invalid             // it could not be read, nor any of its keys, or it had too many
	Failed              // the ledger or the authorizer did not answer
)

// String returns "stored", "refused", "decoy", "invalid" or "failed".
func (k Kind) String() string {
	return [...]string{"stored", "refused", "decoy", "invalid", "failed"}[k]
}

// An Outcome says what became of a submission.
type Outcome struct {
	Kind    Kind
	Late    bool            // it took longer than a beat
	Receipt *ledger.Receipt // of what was stored
	Err     error           // of what failed
}

// A Server takes submissions. It is an [http.Handler].
type Server struct {
	ledger     *ledger.Ledger
	origin     keys.Region
	authorizer Authorizer
	signer     *signing.Signer
	opts       Options
	slots      chan struct{}
}

// NewServer returns a server that stores submissions as keys of an origin. The
// error names the argument or the field.
func NewServer(l *ledger.Ledger, origin keys.Region, a Authorizer, signer *signing.Signer, opts *Options) (*Server, error) {
	s := &Server{ledger: l, origin: origin, authorizer: a, signer: signer}
	if opts != nil {
		s.opts = *opts
	}
	if err := s.opts.check(); err != nil {
		return nil, fmt.Errorf("submit: %w", err)
	}
	switch {
	case l == nil:
		return nil, errors.New("submit: ledger: nil")
	case origin.IsZero():
		return nil, errors.New("submit: origin: missing; every key has one")
	case a == nil:
		return nil, errors.New("submit: authorizer: nil; whoever means that anybody may submit says Anybody")
	case signer == nil:
		return nil, errors.New("submit: signer: nil; phones take no answer that is not signed")
	}
	s.opts.setDefaults(signer)
	s.slots = make(chan struct{}, s.opts.Parallel)
	return s, nil
}

func (o *Options) check() error {
	switch {
	case o.MaxKeys < 0:
		return fmt.Errorf("Options.MaxKeys: %d is negative", o.MaxKeys)
	case o.MaxBody < 0:
		return fmt.Errorf("Options.MaxBody: %d is negative", o.MaxBody)
	case o.Parallel < 0:
		return fmt.Errorf("Options.Parallel: %d is negative", o.Parallel)
	case o.Beat < 0:
		return fmt.Errorf("Options.Beat: %s is negative", o.Beat)
	case o.Beat >= timeout:
		return fmt.Errorf("Options.Beat: %s, want less than the %s that a request may take", o.Beat, timeout)
	case o.Path != "" && o.Path[0] != '/':
		return fmt.Errorf("Options.Path: %q does not begin with /", o.Path)
	}
	return nil
}

func (o *Options) setDefaults(signer *signing.Signer) {
	o.Path = cmp.Or(o.Path, DefaultPath)
	o.MaxKeys = cmp.Or(o.MaxKeys, DefaultMaxKeys)
	o.MaxBody = cmp.Or(o.MaxBody, DefaultMaxBody)
	o.Parallel = cmp.Or(o.Parallel, DefaultParallel)
	o.Beat = cmp.Or(o.Beat, DefaultBeat)
	o.KeyID = cmp.Or(o.KeyID, signer.Identity().String())
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Observe == nil {
		o.Observe = func(Outcome) {}
	}
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != s.opts.Path:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "want POST", http.StatusMethodNotAllowed)
		return
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.opts.MaxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "the body did not come", http.StatusBadRequest)
		return
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
		s.serve(w, r, text)
	default:
		http.Error(w, "busy", http.StatusServiceUnavailable)
	}
}

// serve works on a request that has been read, and answers at a beat. What was
// begun is brought to an end, also when the phone has gone: nobody is to find out
// by hanging up how far it was.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, text []byte) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), timeout)
	defer cancel()
	o := s.take(ctx, r.Header.Get("Authorization"), text)
	status := http.StatusOK
	if o.Kind == Failed {
		status = http.StatusServiceUnavailable
	}
	if err := s.sign(w.Header(), r, s.opts.Now(), nil); err != nil {
		o.Err, status = errors.Join(o.Err, err), http.StatusServiceUnavailable
	}
	o.Late = !s.wait(r.Context(), begun)
	s.opts.Observe(o)
	w.Header().Set("Content-Length", "0")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}

// wait waits for the next beat, and reports whether it was the first.
func (s *Server) wait(ctx context.Context, begun time.Time) bool {
	beats := time.Since(begun)/s.opts.Beat + 1
	t := time.NewTimer(time.Until(begun.Add(beats * s.opts.Beat)))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done(): // nobody is there to be answered
	}
	return beats == 1
}
