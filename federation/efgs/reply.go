package efgs

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// A reply is what a request is answered.
type reply struct {
	status int
	header [][2]string
	kind   string   // of the body; "" for none
	parts  [][]byte // the body, one after another
}

func (a *reply) write(w http.ResponseWriter) {
	h := w.Header()
	for _, f := range a.header {
		h.Set(f[0], f[1])
	}
	length := 0
	for _, p := range a.parts {
		length += len(p)
	}
	if a.kind != "" {
		h.Set("Content-Type", a.kind)
		h.Set("X-Content-Type-Options", "nosniff")
	}
	h.Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(a.status)
	for _, p := range a.parts {
		if _, err := w.Write(p); err != nil {
			return // the caller is gone
		}
	}
}

// jsonReply returns an answer that says v.
func jsonReply(status int, v any) (*reply, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, unable(err)
	}
	return &reply{status: status, kind: JSON.String(), parts: [][]byte{body}}, nil
}

// A refusal is why a request is not granted.
type refusal struct {
	status     int
	message    string // for the caller, and the log: nothing that the caller sent
	cause      error  // for the log
	allow      string // the methods that would be
	retryAfter time.Duration
}

func refuse(status int, message string) *refusal { return &refusal{status: status, message: message} }

// unable refuses for a reason that is ours.
func unable(cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, message: "not now", cause: cause, retryAfter: 30 * time.Second}
}

func (e *refusal) because(cause error) *refusal {
	e.cause = cause
	return e
}

func (e *refusal) Error() string { return e.message }

// reply returns what the caller is told, in the form of the gateway.
func (e *refusal) reply() *reply {
	a, err := jsonReply(e.status, struct {
		Message string `json:"message"`
	}{e.message})
	if err != nil { // strings do not fail
		a = &reply{status: e.status}
	}
	if e.allow != "" {
		a.header = append(a.header, [2]string{"Allow", e.allow})
	}
	if e.retryAfter > 0 {
		a.header = append(a.header, [2]string{"Retry-After", strconv.Itoa(int(e.retryAfter / time.Second))})
	}
	return a
}

// onlyBy refuses every method but one.
func onlyBy(method string, r *http.Request) error {
	if r.Method == method {
		return nil
	}
	e := refuse(http.StatusMethodNotAllowed, "want "+method)
	e.allow = method
	return e
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
	return "", refuse(http.StatusBadRequest, name+": there twice")
}
