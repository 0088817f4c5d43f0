package partner

import (
	"cmp"
	"context"
	"crypto/tls"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Exchange is an instance at work.
type Exchange struct {
	*Instance
	Pull *federation.Pull // nil where it imports nothing
	Push *federation.Push // nil where nothing is sent to it

	// Receiver is the certificate by which the gateway knows who it calls back;
	// nil where it calls nobody.
	Receiver *tls.Certificate

	client client
	pauses *Pauses
}

// Open returns the exchange of an instance. The sources are those whose keys it is
// sent, if it is sent any; own is the own country, none for a federation server. The
// pauses outlive it.
func (in *Instance) Open(l *ledger.Ledger, own keys.Region, sources keys.Set[ledger.Source], s Secrets, pauses *Pauses) (*Exchange, error) {
	c, usual, err := in.client(own, s, pauses.now)
	if err != nil {
		return nil, err
	}
	x := &Exchange{Instance: in, client: c, pauses: pauses}
	if x.Receiver, err = in.receiver(s); err != nil {
		return nil, err
	}
	if in.Import {
		if x.Pull, err = federation.NewPull(l, in.Name, c, in.pullOptions(own, usual)); err != nil {
			return nil, err
		}
	}
	if in.Pushes() {
		if x.Push, err = federation.NewPush(l, in.Name, c, in.Rules.from(sources), in.pushOptions()); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (in *Instance) pullOptions(own keys.Region, usual federation.PullOptions) *federation.PullOptions {
	reject := in.Reject
	if reject.Origins.IsEmpty() && !in.AcceptOwn && !own.IsZero() {
		reject.Origins = keys.Only(own)
	}
	return &federation.PullOptions{
		Reject: reject, Defaults: in.Defaults, MaxPages: in.Limits.MaxPages, Budget: in.budget(),
		History:   cmp.Or(time.Duration(in.Limits.History), usual.History),
		Settle:    cmp.Or(time.Duration(in.Limits.Settle), usual.Settle),
		Silence:   cmp.Or(time.Duration(in.Limits.Silence), usual.Silence),
		Retention: cmp.Or(time.Duration(in.Limits.Retention), usual.Retention),
		Patience:  in.patience(),
	}
}

func (in *Instance) pushOptions() *federation.PushOptions {
	return &federation.PushOptions{
		FromBeginning: in.FromBeginning, MaxBatch: cmp.Or(in.Limits.MaxBatch, in.Protocol.maxBatch()), MaxBatches: in.Limits.MaxBatches, Budget: in.budget(),
	}
}

// PullAll fetches what there is, unless the server wants to be left alone. The
// report is never nil.
func (x *Exchange) PullAll(ctx context.Context) (*federation.PullReport, error) {
	if err := x.pauses.check(x.Name); err != nil {
		return &federation.PullReport{Instance: x.Name}, err
	}
	r, err := x.Pull.Run(ctx)
	x.pauses.note(x.Name, r.RetryAfter)
	return r, err
}

// PushAll sends everything there is: until a run is not ended by a limit. It reports
// whether it did, or its budget was spent before, or the server wants to be left
// alone. Each run is told to tell.
func (x *Exchange) PushAll(ctx context.Context, tell func(*federation.PushReport)) (all bool, err error) {
	until := time.Now().Add(x.budget())
	for {
		if err := x.pauses.check(x.Name); err != nil {
			return false, err
		}
		r, err := x.Push.Run(ctx)
		x.pauses.note(x.Name, r.RetryAfter)
		tell(r)
		switch {
		case err != nil:
			return false, err
		case !r.More:
			return true, nil
		case time.Now().After(until):
			return false, nil
		}
	}
}
