package federationtest

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
)

// A trialHost serves one trial of a client. Its end does not wait for clients: one
// that has no time of its own may still be asking a server that does not answer.
type trialHost struct {
	*httptest.Server
	end context.CancelFunc
}

func newTrialHost(answer http.HandlerFunc) *trialHost {
	ctx, end := context.WithCancel(context.Background())
	s := httptest.NewUnstartedServer(answer)
	s.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	s.Start()
	return &trialHost{s, end}
}

// close ends the requests that are being answered and all that still come.
func (h *trialHost) close() {
	h.end()
	h.CloseClientConnections()
	h.Close()
}
