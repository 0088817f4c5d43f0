package efgs

import (
	"net/http"

	"github.com/gaenkit/gaen/federation/internal/service"
)

// jsonReply returns an answer that says v.
func jsonReply(status int, v any) (*service.Reply, error) {
	return service.JSON(status, JSON.String(), v)
}

// told returns what a caller is told that is refused something, in the form of the
// gateway.
func told(e *service.Refusal) *service.Reply {
	return e.Reply(JSON.String(), struct {
		Message string `json:"message"`
	}{e.Message})
}

// header returns a header of a request that may be there once. Two of a name can be
// read in two ways by two that stand in a row.
func header(r *http.Request, name string) (string, error) {
	switch values := r.Header.Values(name); len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", service.Refuse(http.StatusBadRequest, name+": there twice")
}
