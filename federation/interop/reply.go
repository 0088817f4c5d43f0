package interop

import (
	"net/http"

	"github.com/gaenkit/gaen/federation/internal/service"
)

// jsonKind is what answers are.
const jsonKind = mediaType + "; charset=utf-8"

// told returns what a caller is told that is refused something, in the form of the
// interoperability service.
func told(e *service.Refusal) *service.Reply {
	a := e.Reply(jsonKind, struct {
		StatusCode int    `json:"statusCode"`
		Error      string `json:"error"`
		Message    string `json:"message"`
	}{e.Status, http.StatusText(e.Status), e.Message})
	if e.Status == http.StatusUnauthorized {
		a.Header["WWW-Authenticate"] = "Bearer"
	}
	return a
}
