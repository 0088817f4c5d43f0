package interop

import (
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Exchange is a request that was granted: what a [Server] tells whoever keeps
// count. It is not to be changed, nor kept, since it has keys in it.
type Exchange struct {
	Nation  ledger.Source
	Receipt *ledger.Receipt  // of an upload; nil for a download
	Asked   federation.Place // the place that a download asked for
	Page    *federation.Page // what it was given; nil if there was nothing yet
}

// tell tells whoever wants to know of a request that was granted.
func (s *Server) tell(x Exchange) {
	if s.opts.Granted != nil {
		s.opts.Granted(&x)
	}
}
