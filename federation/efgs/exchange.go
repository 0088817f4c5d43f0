package efgs

import (
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Exchange is an upload or a download that was answered: what a [Server] tells
// whoever keeps count. It is not to be changed, nor kept, since it has keys in it.
type Exchange struct {
	Nation ledger.Source
	Sent   int                      // keys of an upload
	Answer *federation.SealedAnswer // what became of it; nil for a download
	Page   *federation.SealedPage   // what a download was given
}

// Keys returns how many keys a download was given.
func (x *Exchange) Keys() (n int) {
	for i := range x.Page.Pieces {
		n += x.Page.Pieces[i].Keys
	}
	return n + len(x.Page.Keys)
}

// tell tells whoever wants to know of what was answered.
func (s *Server) tell(x Exchange) {
	if s.opts.Granted != nil {
		s.opts.Granted(&x)
	}
}
