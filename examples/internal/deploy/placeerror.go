package deploy

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/storage"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/bucketledger"
	"github.com/gaenkit/gaen/storage/ledger/sqliteledger"
)

// PlaceError says at which place something went wrong, and what to do, where
// that is known: on one line, since it ends in the mail of cron.
type PlaceError struct {
	Place string // without a password
	Err   error
}

// At returns err as one that names the place.
func At(place string, err error) error {
	if _, ok := errors.AsType[*PlaceError](err); err == nil || ok {
		return err
	}
	return &PlaceError{Redacted(place), err}
}

// Error names the place, unless the cause does.
func (e *PlaceError) Error() string {
	text := oneLine(e.Err.Error())
	if !strings.Contains(text, e.Place) {
		text = e.Place + ": " + text
	}
	if do := advice(e.Err); do != "" {
		text += " - " + do
	}
	return text
}

// Unwrap returns the cause.
func (e *PlaceError) Unwrap() error { return e.Err }

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// A hint is what to do about an error.
type hint struct {
	err error
	do  string
}

const (
	setClocks = "set the clocks of both (NTP)"
	makeRoom  = "make room, and run it again; nothing was stored of this step"
)

var localAdvice = []hint{
	{distribution.ErrForeign, "tree and ledger belong together: correct -out or -ledger, or restore the ledger from a later copy"},
	{ledger.ErrOtherLedger, "another ledger than the one that went on here: correct -ledger"},
	{ledger.ErrWentBack, "the ledger is an earlier copy: restore a later one"},
	{bucketledger.ErrClock, setClocks},
	{bucketledger.ErrNoCreate, "keep the ledger where two writers cannot create the same object"},
	{sqliteledger.ErrReadOnly, "file and folder must be writable by who runs this"},
	{sqliteledger.ErrFull, makeRoom},
	{sqliteledger.ErrNotLedger, "name another file"},
}

// lastAdvice is for what nothing more special is said of.
var lastAdvice = []hint{
	{fs.ErrPermission, "who runs this needs the permission"},
}

func advice(err error) string {
	for _, hints := range [][]hint{localAdvice, serverAdvice, lastAdvice} {
		for _, h := range hints {
			if errors.Is(err, h.err) {
				return h.do
			}
		}
	}
	return ""
}

// IsLedgers reports whether an error is of the store of a ledger.
func IsLedgers(err error) bool {
	_, sqlite := errors.AsType[*sqliteledger.Error](err)
	_, bucket := errors.AsType[*bucketledger.Error](err)
	return sqlite || bucket || isServerLedgers(err)
}

// IsBuckets reports whether an error is of a bucket that is no ledger's.
func IsBuckets(err error) bool {
	_, ok := errors.AsType[*storage.Error](err)
	return ok && !IsLedgers(err)
}
