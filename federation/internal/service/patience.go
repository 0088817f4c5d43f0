package service

import (
	"net/http"
	"time"
)

// NewHTTPServer returns a server with limits for clients that are slow or send too
// much: 10 s for headers of so many bytes, 2 min for a request, 2 min for its
// answer.
func NewHTTPServer(addr string, h http.Handler, maxHeader int) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      4 * time.Minute, // counted from the end of the headers
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
	}
}

// refusedBody is for how long the rest of a request that was refused may take to
// come. net/http reads some of it before it answers, so that the connection can be
// used again, and would wait as long as for one that is granted: whoever is not
// known could hold connections by saying nothing.
const refusedBody = time.Second

// Hurry bounds what is still read of a request. Replies of refusals do it by
// themselves.
func Hurry(w http.ResponseWriter) {
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedBody)) // if it cannot, the server's own limit holds
}
