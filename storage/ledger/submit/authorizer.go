package submit

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
)

// An Authorizer decides whether a submission may be stored, and as what.
type Authorizer interface {
	// Authorize must judge a request by what it says, which may be anything, also
	// where it is clear without looking: it must do the same work for every
	// request, so that the time it takes tells nothing. The error must mean that
	// it could not be found out, for whatever is refused is a Grant. It must hold
	// nothing of the request. Authorize may be called from several goroutines at
	// once.
	Authorize(ctx context.Context, r *Request) (Grant, error)
}

// A Request is what a phone says of its submission. All of it is as it came.
type Request struct {
	Authorization  string // the header
	Token          string // diagnosisKeySubmissionToken
	PrivateJourney bool
	TestKit        string    // as the phone calls it; empty if it does not
	Time           time.Time // by the server's clock
}

// Format prints a constant, whatever the verb: requests hold tokens.
func (Request) Format(f fmt.State, _ rune) { io.WriteString(f, "Request(redacted)") }

// A Grant is what an [Authorizer] decided. The zero Grant refuses.
type Grant struct {
	Store bool
	Terms

	// Spend are registers that change in the step that stores the keys, and only
	// then: the token. If one has moved on meanwhile, nothing is stored.
	Spend []ledger.Swap
}

// Terms are what a submission is stored as.
type Terms struct {
	// TestType is the kind of test. Unstated leaves it to the phone, and a phone
	// that does not say either means LAB_RESULT.
	TestType keys.TestType

	// ReportType of the keys. None follows from the test: SELF_REPORT if it was
	// RAPID_SELF_REPORTED, else CONFIRMED_TEST.
	ReportType keys.Optional[keys.ReportType]

	// ConsentToFederate is whether the keys may be sent to other countries.
	// Unstated leaves it to the phone ("consentToFederate": true or false). A phone
	// can refuse what was given here, and not give what was refused.
	ConsentToFederate keys.Consent
}

// check returns an error that names the first field that makes no sense.
func (t *Terms) check() error {
	phone := keys.FromPhone()
	report, stated := t.ReportType.Get()
	switch {
	case !t.TestType.Valid():
		return fmt.Errorf("submit: Terms.TestType: %d is none", uint8(t.TestType))
	case stated && !phone.ReportTypes.Has(report):
		return fmt.Errorf("submit: Terms.ReportType: %s is none that a submission may have", report)
	case t.ConsentToFederate > keys.ConsentRefused:
		return fmt.Errorf("submit: Terms.ConsentToFederate: %d is none", uint8(t.ConsentToFederate))
	}
	return nil
}

// of returns what the terms come to for a request; false if the phone names a kit
// of test that there is not.
func (t Terms) of(r *Request) (Terms, bool) {
	if t.TestType == keys.TestUnstated {
		kit := r.TestKit
		if kit == "" {
			kit = keys.TestLab.String()
		}
		var err error
		if t.TestType, err = keys.ParseTestType(kit); err != nil || t.TestType == keys.TestUnstated {
			return t, false
		}
	}
	if !t.ReportType.Present() {
		t.ReportType = keys.Some(reportOf(t.TestType))
	}
	return t, true
}

// reportOf returns the report type of a test's keys: whoever tests himself reports
// himself.
func reportOf(kit keys.TestType) keys.ReportType {
	if kit == keys.TestRapidSelfReported {
		return keys.ReportSelfReport
	}
	return keys.ReportConfirmedTest
}

// Anybody grants every submission, on the same terms. It is for back ends that
// have judged submissions before they come here, and for tests.
func Anybody(t Terms) (Authorizer, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	return anybody(t), nil
}

type anybody Terms

func (a anybody) Authorize(_ context.Context, r *Request) (Grant, error) {
	terms, ok := Terms(a).of(r)
	return Grant{Store: ok, Terms: terms}, nil
}
