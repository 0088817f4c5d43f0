package federationtest

import (
	"encoding/json"
	"errors"
	"fmt"
)

var contentClauses = []serverClause{
	{"fields-unchanged", "A key must come out with every field as it went in.", fieldsUnchanged},
	{"origin-by-token", "A key must have the origin of the nation that brought it.", originByToken},
	{"origin-not-forged", "A nation must not bring keys of another's origin by naming it.", originNotForged},
	{"bad-key-alone", "Exposures that are no keys must not keep their neighbours out.", badKeyAlone},
	{"bad-keys-kept-back", "Exposures that are no keys must not be handed out.", badKeysKeptBack},
}

func fieldsUnchanged(x *examination) (later, error) {
	list := x.exposures(6)
	for i := range list {
		e := &list[i]
		e.RollingPeriod = int64(144 - i*20)
		e.TransmissionRiskLevel = int64(i)
		e.TestType = int64(1 + i%3)
		e.ReportType = int64(i % 4)
		e.DaysSinceOnset = int64(i)
		e.Regions = [][]string{{x.nations[0].Region.String()}, {x.nations[0].Region.String(), "FR"}}[i%2]
	}
	if err := x.wantInserted(0, list, len(list)); err != nil {
		return nil, err
	}
	return func(x *examination) error {
		seen := x.observer().final()
		for _, e := range list {
			got, ok := seen[e.KeyData]
			if !ok {
				return errors.New("a key was not handed out")
			}
			if field := difference(&e, &got); field != "" {
				return fmt.Errorf("%s came out otherwise than it went in", field)
			}
		}
		return nil
	}, nil
}

// difference returns the first field in which two exposures differ, but for the
// origin.
func difference(a, b *exposure) string {
	switch {
	case a.RollingStartNumber != b.RollingStartNumber:
		return "rollingStartNumber"
	case a.RollingPeriod != b.RollingPeriod:
		return "rollingPeriod"
	case a.TransmissionRiskLevel != b.TransmissionRiskLevel:
		return "transmissionRiskLevel"
	case a.TestType != b.TestType:
		return "testType"
	case a.ReportType != b.ReportType:
		return "reportType"
	case a.DaysSinceOnset != b.DaysSinceOnset:
		return "daysSinceOnset"
	case !sameRegions(a.Regions, b.Regions):
		return "regions"
	}
	return ""
}

func originByToken(x *examination) (later, error) {
	lists := [][]exposure{x.exposures(2), x.exposures(2)}
	for i := range lists {
		if err := x.wantInserted(i, lists[i], 2); err != nil {
			return nil, err
		}
	}
	return func(x *examination) error {
		for i, list := range lists {
			seen := x.readers[(i+1)%len(x.readers)].final()
			for _, e := range list {
				if got := seen[e.KeyData].Origin; got != x.nations[i].Region.String() {
					return fmt.Errorf("a key of %s has the origin %q", x.nations[i], got)
				}
			}
		}
		return nil
	}, nil
}

func originNotForged(x *examination) (later, error) {
	if x.nations[0].relays(x.nations[1].Region) {
		return nil, fmt.Errorf("%w: the first nation may relay keys of the second", errNotGiven)
	}
	list := x.exposures(2)
	for i := range list {
		list[i].Origin = x.nations[1].Region.String()
	}
	if _, err := x.sendAll(0, x.newTag(), list); err != nil { // taken or not
		return nil, err
	}
	return func(x *examination) error {
		for _, r := range x.readers {
			seen := r.final()
			for _, e := range list {
				if got, ok := seen[e.KeyData]; ok && got.Origin == e.Origin {
					return fmt.Errorf("a key that %s brought is handed out as one of %s", x.nations[0], x.nations[1])
				}
			}
		}
		return nil
	}, nil
}

// mixed returns good exposures among bad ones.
func (x *examination) mixed() (good []exposure, bad []exposure, all []json.RawMessage) {
	for _, b := range []struct {
		field string
		value any
	}{
		{"keyData", "AAAAAAAAAAAAAAAAAAAA"}, {"keyData", nil}, {"keyData", absent}, {"keyData", 7},
		{"rollingPeriod", 0}, {"rollingPeriod", 145}, {"rollingPeriod", -1}, {"rollingPeriod", absent}, {"rollingPeriod", "x"},
		{"rollingStartNumber", -1}, {"rollingStartNumber", absent}, {"rollingStartNumber", 1e12},
		{"reportType", 77}, {"testType", 99}, {"daysSinceOnset", 5000}, {"regions", 7},
	} {
		one := x.exposures(2)
		good, bad = append(good, one[0]), append(bad, one[1])
		all = append(all, marshal(one[0]), changed(one[1], b.field, b.value))
	}
	return good, bad, append(all, json.RawMessage("null"), json.RawMessage("7"), json.RawMessage("[]"))
}

func badKeyAlone(x *examination) (later, error) {
	good, _, all := x.mixed()
	return wantHandedOut(0, good), x.wantInserted(0, all, len(good))
}

// badKeysKeptBack uploads each by itself, so that a server that refuses whole
// batches is asked too.
func badKeysKeptBack(x *examination) (later, error) {
	_, bad, all := x.mixed()
	for _, text := range all {
		var e exposure
		if err := json.Unmarshal(text, &e); err == nil && difference(&e, &exposure{}) == "" {
			continue
		}
		if _, err := x.sendAll(0, x.newTag(), []json.RawMessage{text}); err != nil {
			return nil, err
		}
	}
	return wantKeptBack(bad), nil
}
