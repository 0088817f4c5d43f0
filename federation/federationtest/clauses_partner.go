package federationtest

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gaenkit/gaen/keys"
)

// partnerClauses are about what is said only among those who are known to know it:
// withdrawals, and the extended form.
var partnerClauses = []clientClause{
	{"page-revoked", "A key of the report type REVOKED must be returned as one: it is how a server says that the key was taken back.", fetchRevoked},
	{"upload-revoked", "A key of the report type REVOKED must be sent as one.", sendRevoked},
	{"extended-page", "In the extended form what is left out is not known, and an onset of 0 days is one.", fetchExtended},
	{"extended-upload", "In the extended form every key must be named its origin, and what is not known of it left out.", sendExtended},
	{"extended-origins", "A client of the extended form must have among its origins those that it may relay.", extendedOrigins},
	{"runs-withdraw", "Whatever a server and a store do meanwhile, by Push and Pull what one back end takes back must be taken back in the other, and nothing else.", runsWithdraw},
}

// revoke changes keys to the withdrawals of them.
func revoke(all []keys.DiagnosisKey) []keys.DiagnosisKey {
	for i := range all {
		all[i].ReportType = keys.Some(keys.ReportRevoked)
	}
	return all
}

func fetchRevoked(x *clientTrial) error {
	want := append(x.keys(1, 2), revoke(x.keys(1, 2))...)
	x.server.put(1, want)
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	return wantKeys(page, want)
}

func sendRevoked(x *clientTrial) error {
	b := x.batch(4)
	revoke(b.Keys[2:])
	if _, err := x.client.Upload(x.ctx, b); err != nil {
		return err
	}
	up, err := x.lastUpload()
	if err != nil {
		return err
	}
	return wantContent(up.Payload, b.Keys)
}

// A trial's hub is a nation that knows the extended form, and may relay keys of FR.
const trialHub = 2

// extended returns a client of the trial's hub.
func (x *clientTrial) extended() (Client, error) {
	if !x.opts.Extended {
		return nil, fmt.Errorf("%w: ClientOptions.Extended is not set", errNotGiven)
	}
	return &listening{&x.overheard, x.make(x.account(trialHub))}, nil
}

// knownAndNot returns a key of which everything is known, as 0 where that can be,
// and one of which nothing is.
func (x *clientTrial) knownAndNot(nation int) []keys.DiagnosisKey {
	all := x.keys(nation, 2)
	all[0].TransmissionRiskLevel = keys.Some(keys.TransmissionRiskLevel(0))
	all[0].ReportType = keys.Some(keys.ReportUnknown)
	all[0].DaysSinceOnsetOfSymptoms = keys.Some(keys.DaysSinceOnset(0))
	all[1].TransmissionRiskLevel = keys.Optional[keys.TransmissionRiskLevel]{}
	all[1].ReportType = keys.Optional[keys.ReportType]{}
	all[1].DaysSinceOnsetOfSymptoms = keys.Optional[keys.DaysSinceOnset]{}
	all[1].TestType = keys.TestUnstated
	return all
}

func fetchExtended(x *clientTrial) error {
	c, err := x.extended()
	if err != nil {
		return err
	}
	want := x.knownAndNot(1)
	x.server.put(1, want)
	page, err := c.Download(x.ctx, x.first())
	if err != nil {
		return err
	}
	return wantKeys(page, want)
}

func sendExtended(x *clientTrial) error {
	c, err := x.extended()
	if err != nil {
		return err
	}
	b := x.batch(0)
	b.Keys = x.knownAndNot(trialHub)
	b.Keys[1].Origin = x.nations[trialHub].Relays[0]
	answer, err := c.Upload(x.ctx, b)
	if err != nil {
		return err
	}
	if err := wantStored(answer, len(b.Keys)); err != nil {
		return err
	}
	up, err := x.lastUpload()
	if err != nil {
		return err
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal([]byte(up.Payload), &list); err != nil || len(list) != len(b.Keys) {
		return errors.New("the message is no array of all keys")
	}
	for i, f := range list {
		if got := textOf(f["origin"]); got != b.Keys[i].Origin.String() {
			return fmt.Errorf("key %d has the origin %q, want %s", i, got, b.Keys[i].Origin)
		}
		for _, name := range optionalFields {
			if known := !isNull(f[name]); known != (i == 0) {
				return fmt.Errorf("key %d has %s: %v, want %v", i, name, known, i == 0)
			}
		}
	}
	return nil
}

func extendedOrigins(x *clientTrial) error {
	c, err := x.extended()
	if err != nil {
		return err
	}
	for _, region := range append([]keys.Region{x.nations[trialHub].Region}, x.nations[trialHub].Relays...) {
		if !c.Origins().Has(region) {
			return fmt.Errorf("%s is not among the origins", region)
		}
	}
	return nil
}
