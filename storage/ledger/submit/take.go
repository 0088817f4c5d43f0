package submit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	randv2 "math/rand/v2"

	"github.com/gaenkit/gaen/storage/ledger"
)

// take judges a submission and stores what is granted. Whatever comes of it, it
// reads a decoy's register, asks the authorizer, and stores one step.
func (s *Server) take(ctx context.Context, authorization string, text []byte) Outcome {
	b, readable := parse(text)
	decoy, err := s.decoy(ctx)
	if err != nil {
		return Outcome{Kind: Failed, Err: err}
	}
	g, err := s.authorizer.Authorize(ctx, &Request{
		Authorization: authorization, Token: b.Token, PrivateJourney: b.PrivateJourney, TestKit: b.TestKit, Time: s.opts.Now(),
	})
	if err != nil {
		return Outcome{Kind: Failed, Err: err}
	}
	kind, d := Stored, (*ledger.Delivery)(nil)
	switch {
	case !readable || len(b.Keys) > s.opts.MaxKeys:
		kind = Invalid
	case len(b.Keys) == 0:
		kind = Decoy
	case !g.Store:
		kind = Refused
	}
	// The keys are read in any case, since that takes time.
	// Where none of them can be, nothing is stored, and no token is spent for it.
	if d, err = upload(text, newID(), s.origin, g.Terms); kind == Stored && (err != nil || len(d.Uploads) == 0) {
		kind = Invalid
	}
	if kind != Stored {
		return s.pretend(ctx, kind, decoy)
	}
	d.Swaps = g.Spend
	return s.store(ctx, d)
}

// store stores a submission. Where an answer is lost, the same step is tried again,
// and is known by its nonce if it happened.
func (s *Server) store(ctx context.Context, d *ledger.Delivery) Outcome {
	receipt, err := s.accept(ctx, d)
	if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict {
		return Outcome{Kind: Refused} // another request spent the token
	}
	if err != nil {
		return Outcome{Kind: Failed, Err: err}
	}
	return Outcome{Kind: Stored, Receipt: receipt}
}

// pretend stores a step that changes nothing but a decoy's register.
func (s *Server) pretend(ctx context.Context, kind Kind, decoy ledger.Swap) Outcome {
	_, err := s.accept(ctx, &ledger.Delivery{Source: ledger.Own, Swaps: []ledger.Swap{decoy}})
	if _, conflict := errors.AsType[*ledger.ConflictError](err); err != nil && !conflict {
		return Outcome{Kind: Failed, Err: err}
	}
	return Outcome{Kind: kind}
}

func (s *Server) accept(ctx context.Context, d *ledger.Delivery) (receipt *ledger.Receipt, err error) {
	for range tries {
		receipt, err = s.ledger.Accept(ctx, d)
		if _, conflict := errors.AsType[*ledger.ConflictError](err); err == nil || conflict || ctx.Err() != nil {
			break
		}
	}
	return receipt, err
}

// decoys is how many registers are written for what is not stored. Two requests at
// the same time that meet in one have one of them written; so there are many.
const decoys = 256

// decoy reads one of these registers, and returns how to change it.
func (s *Server) decoy(ctx context.Context) (ledger.Swap, error) {
	register, err := read(ctx, s.ledger, fmt.Sprintf("submission/decoy/%02x", randv2.IntN(decoys)))
	if err != nil {
		return ledger.Swap{}, err
	}
	value := make([]byte, 48) // as long as the mark of a spent token
	rand.Read(value)
	return ledger.Swap{Name: register.Name, Version: register.Version, Value: value}, nil
}

// newID returns the name of a submission, which tells nothing of it.
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
