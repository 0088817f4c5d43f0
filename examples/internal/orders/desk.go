package orders

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

// maxBody is the size of the largest request: 10,000 units by name.
const maxBody = 1 << 20

// An Answer is what somebody gets who asks, as JSON. The body is that of the request.
// A [*ledger.OrderError] and what [Invalid] makes are told the caller, other errors
// only the log.
type Answer func(ctx context.Context, by string, body []byte) (any, error)

// Invalid makes an error of what is wrong with a request.
func Invalid(err error) error { return invalid{err} }

type invalid struct{ error }

func (e invalid) Unwrap() error { return e.error }

// NewDesk returns a handler of what is asked by those who have credentials, by
// method and path. What is wrong is said as {"error": …}: 409 is an order that wants
// to be confirmed, 422 one that is refused, 400 what cannot be understood. Who asked
// for what is logged, without what it was about, and so is what is not done: for the
// requests of which the ledger keeps no record this line is the only one. Those are
// what could not be understood, an order without a name, a reason or an id as they must
// be, and another order by an id that has been used.
func NewDesk(c Credentials, log *slog.Logger, answers map[string]Answer) http.Handler {
	mux := http.NewServeMux()
	for pattern, a := range answers {
		mux.Handle(pattern, &desk{c, log, a})
	}
	return http.NewCrossOriginProtection().Handler(mux) // browsers send credentials by themselves
}

// desk is one of what can be asked.
type desk struct {
	credentials Credentials
	log         *slog.Logger
	answer      Answer
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	by, ok := d.credentials.who(r)
	if !ok {
		d.log.Warn("orders: refused", "path", r.URL.Path, "from", r.RemoteAddr)
		w.Header().Set("WWW-Authenticate", `Basic realm="orders", charset="UTF-8"`)
		write(w, http.StatusUnauthorized, refusal{Error: "name and secret are not those of anybody who may give orders"})
		return
	}
	body, err := read(w, r)
	if err != nil {
		d.log.Warn("orders: not done", "by", by, "status", err.status)
		write(w, err.status, refusal{Error: err.Error()})
		return
	}
	d.log.Info("orders: asked", "method", r.Method, "path", r.URL.Path, "by", by)
	writing := http.NewResponseController(w)
	writing.SetWriteDeadline(time.Time{}) // whoever asks waits for the work, which may read the whole tree
	status, v := d.work(r.Context(), by, body)
	writing.SetWriteDeadline(time.Now().Add(writeTimeout))
	write(w, status, v)
}

// writeTimeout is how long an answer may take once it is known.
const writeTimeout = time.Minute

// refused is why a request is not read.
type refused struct {
	error
	status int
}

// read returns the body of a request, none of one that has none to have.
func read(w http.ResponseWriter, r *http.Request) ([]byte, *refused) {
	if r.Method != http.MethodPost {
		return nil, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, &refused{errors.New("want application/json"), http.StatusUnsupportedMediaType}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &refused{fmt.Errorf("more than %d bytes", maxBody), http.StatusRequestEntityTooLarge}
	}
	if err != nil {
		return nil, &refused{errors.New("the body is not whole"), http.StatusBadRequest}
	}
	return body, nil
}

// refusal is the answer to what is not done.
type refusal struct {
	Error   string               `json:"error"`
	Reason  ledger.RefusalReason `json:"reason,omitzero"`
	Changes int                  `json:"changes,omitzero"` // the number that Confirm must have
	ID      string               `json:"id,omitzero"`      // to go on with, of an order that was cut off
}

// work does what is asked, and returns the answer.
func (d *desk) work(ctx context.Context, by string, body []byte) (status int, answer any) {
	v, err := d.answer(ctx, by, body)
	if err == nil {
		return http.StatusOK, v
	}
	status, why := refuse(err)
	if status == http.StatusInternalServerError {
		d.log.Error("orders: failed", "by", by, "id", why.ID, "err", err)
	} else {
		d.log.Warn("orders: not done", "by", by, "status", status, "reason", why.Reason)
	}
	return status, why
}

// refuse returns the answer to what is not done.
func refuse(err error) (status int, why refusal) {
	if _, ok := errors.AsType[invalid](err); ok {
		return http.StatusBadRequest, refusal{Error: err.Error()}
	}
	if order, ok := errors.AsType[*ledger.OrderError](err); ok {
		why = refusal{Error: err.Error(), Reason: order.Reason}
		if order.Reason != ledger.RefusedUnconfirmed {
			return http.StatusUnprocessableEntity, why
		}
		why.Changes = order.Wants()
		return http.StatusConflict, why
	}
	why = refusal{Error: "it failed; the log says why"}
	if cut, ok := errors.AsType[*Unfinished](err); ok && cut.ID != "" {
		why = refusal{Error: why.Error + ". Give the order again with this id", ID: cut.ID}
	}
	return http.StatusInternalServerError, why
}

func write(w http.ResponseWriter, status int, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		http.Error(w, "the answer does not marshal", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(text, '\n')) // if it fails, the caller is gone
}
