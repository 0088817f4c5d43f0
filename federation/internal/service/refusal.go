package service

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Refusal is why a request is not granted.
type Refusal struct {
	Status     int
	Message    string // for the caller, and the log: nothing that the caller sent
	Cause      error  // for the log; may be nil
	Allow      string // the methods that would be
	RetryAfter time.Duration
}

// Refuse returns the refusal with a status and a message.
func Refuse(status int, message string) *Refusal {
	return &Refusal{Status: status, Message: message}
}

// Unable refuses for a reason that is ours, of which the caller is not told.
func Unable(cause error) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Message: "not now", Cause: cause, RetryAfter: 30 * time.Second}
}

// OnlyBy refuses every method but these.
func OnlyBy(r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) {
		return nil
	}
	e := Refuse(http.StatusMethodNotAllowed, "want "+strings.Join(methods, " or "))
	e.Allow = strings.Join(methods, ", ")
	return e
}

// Because adds what the log is told and the caller is not.
func (e *Refusal) Because(cause error) *Refusal {
	e.Cause = cause
	return e
}

// Error returns the message.
func (e *Refusal) Error() string { return e.Message }

// Reply returns what the caller is told: v, in which the protocol says the message.
func (e *Refusal) Reply(kind string, v any) *Reply {
	a, err := JSON(e.Status, kind, v)
	if err != nil { // strings and numbers do not fail
		a = &Reply{Status: e.Status}
	}
	a.refused, a.Header = true, map[string]string{}
	if e.Allow != "" {
		a.Header["Allow"] = e.Allow
	}
	if e.RetryAfter > 0 {
		a.Header["Retry-After"] = strconv.Itoa(int(e.RetryAfter / time.Second))
	}
	return a
}

// Refused logs why a request is not granted, with what is known of it, and returns
// the refusal. What is ours is an error, unless it is the caller who is gone.
func Refused(r *http.Request, err error, logger *slog.Logger, text string, known ...slog.Attr) *Refusal {
	e, ok := errors.AsType[*Refusal](err)
	if !ok {
		e = Unable(err)
	}
	level := slog.LevelWarn
	if e.Status >= 500 && r.Context().Err() == nil {
		level = slog.LevelError
	}
	attrs := append([]slog.Attr{slog.Int("status", e.Status), slog.String("reason", e.Message)}, known...)
	if e.Cause != nil {
		attrs = append(attrs, slog.Any("cause", e.Cause))
	}
	logger.LogAttrs(r.Context(), level, text, attrs...)
	return e
}
