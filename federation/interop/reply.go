package interop

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
	body   []byte // JSON; nil for none
}

func (a *reply) write(w http.ResponseWriter) {
	h := w.Header()
	for _, f := range a.header {
		h.Set(f[0], f[1])
	}
	if a.body != nil {
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
		h.Set("X-Content-Type-Options", "nosniff")
	}
	w.WriteHeader(a.status)
	if a.body != nil {
		w.Write(a.body) // if it fails, the caller is gone
	}
}

// A refusal is why a request is not granted.
type refusal struct {
	status     int
	message    string // for the caller, and the log: nothing that the caller sent
	cause      error  // for the log
	allow      string // the method that would be
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

// reply returns what the caller is told, in the form of the interoperability
// service.
func (e *refusal) reply() *reply {
	body, err := json.Marshal(struct {
		StatusCode int    `json:"statusCode"`
		Error      string `json:"error"`
		Message    string `json:"message"`
	}{e.status, http.StatusText(e.status), e.message})
	if err != nil {
		body = nil // strings and numbers do not fail
	}
	a := &reply{status: e.status, body: body}
	switch {
	case e.status == http.StatusUnauthorized:
		a.header = append(a.header, [2]string{"WWW-Authenticate", "Bearer"})
	case e.allow != "":
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
