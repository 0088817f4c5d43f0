// Package service is what the servers of both protocols do alike: how requests are
// answered and refused, how much of a body is read and for how long, and how many
// requests one nation may have at the same time.
//
// What a handler cannot do it returns as a [*Refusal]; any other error is taken for
// one that is ours. [Refused] logs it, and the protocol says it in its own form by
// [Refusal.Reply].
package service

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// A Reply is what a request is answered.
type Reply struct {
	Status int
	Header map[string]string
	Kind   string   // of the body; "" for none
	Parts  [][]byte // the body, one after another

	refused bool
}

// JSON returns a reply that says v. The error is a [*Refusal].
func JSON(status int, kind string, v any) (*Reply, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, Unable(err)
	}
	return &Reply{Status: status, Kind: kind, Parts: [][]byte{body}}, nil
}

// Write answers. If that fails, the caller is gone.
func (a *Reply) Write(w http.ResponseWriter) {
	if a.refused {
		Hurry(w)
	}
	h := w.Header()
	for name, value := range a.Header {
		h.Set(name, value)
	}
	if a.Kind != "" {
		length := 0
		for _, p := range a.Parts {
			length += len(p)
		}
		h.Set("Content-Type", a.Kind)
		h.Set("Content-Length", strconv.Itoa(length))
		h.Set("X-Content-Type-Options", "nosniff")
	}
	w.WriteHeader(a.Status)
	for _, p := range a.Parts {
		if _, err := w.Write(p); err != nil {
			return
		}
	}
}
