package partner

import (
	"context"
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
}

// Open returns the exchange of an instance. The sources are those whose keys it is
// sent, if it is sent any; own is the own country, none for a federation server.
func (in *Instance) Open(l *ledger.Ledger, own keys.Region, sources keys.Set[ledger.Source], s Secrets) (*Exchange, error) {
	c, err := in.client(own, s)
	if err != nil {
		return nil, err
	}
	x := &Exchange{Instance: in}
	if in.Import {
		if x.Pull, err = federation.NewPull(l, in.Name, c, in.pullOptions(own)); err != nil {
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

func (in *Instance) pullOptions(own keys.Region) *federation.PullOptions {
	reject := in.Reject
	if reject.Origins.IsEmpty() && !in.AcceptOwn && !own.IsZero() {
		reject.Origins = keys.Only(own)
	}
	return &federation.PullOptions{
		Reject: reject, Defaults: in.Defaults, MaxPages: in.Limits.MaxPages, Budget: in.budget(),
		History: time.Duration(in.Limits.History), Settle: time.Duration(in.Limits.Settle), Silence: time.Duration(in.Limits.Silence),
	}
}

func (in *Instance) pushOptions() *federation.PushOptions {
	return &federation.PushOptions{
		FromBeginning: in.FromBeginning, MaxBatch: in.Limits.MaxBatch, MaxBatches: in.Limits.MaxBatches, Budget: in.budget(),
	}
}

// PushAll sends everything there is: until a run finds nothing to send. It reports
// whether it did, or its budget was spent before. Each run is told to tell.
func (x *Exchange) PushAll(ctx context.Context, tell func(*federation.PushReport)) (all bool, err error) {
	until := time.Now().Add(x.budget())
	for {
		r, err := x.Push.Run(ctx)
		tell(r)
		switch {
		case err != nil:
			return false, err
		case r.Batches == 0:
			return true, nil
		case time.Now().After(until):
			return false, nil
		}
	}
}
