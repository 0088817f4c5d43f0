package federationtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/keys"
)

// In the extended form, which hubs and gateways speak among themselves, what is not
// known of a key is left out, and keys are named the origin that they have.

var extendedClauses = []serverClause{
	{"extended-unknown", "Between nations that know the extended form, what is not known of a key must come out as not known, and 0 as 0.", extendedUnknown},
	{"extended-to-others", "Who is not known to know the extended form must be handed every field, whatever is known.", extendedToOthers},
	{"relay-origin", "A key that a nation may relay must keep the origin that it is named.", relayOrigin},
	{"relay-not-allowed", "A key must not be handed out with an origin that its nation may not relay.", relayNotAllowed},
}

// optionalFields are what the extended form leaves out.
var optionalFields = []string{"transmissionRiskLevel", "testType", "reportType", "daysSinceOnset"}

// bare returns an exposure without what can be left out.
func bare(e exposure) json.RawMessage { return without(e, optionalFields) }

func (x *examination) firstNation(what string, holds func(*Nation) bool) (int, error) {
	i := slices.IndexFunc(x.nations, func(n Nation) bool { return holds(&n) })
	if i < 0 {
		return 0, fmt.Errorf("%w: no nation has %s", errNotGiven, what)
	}
	return i, nil
}

func extended(n *Nation) bool { return n.Extended }

func extendedUnknown(x *examination) (later, error) {
	from, err := x.firstNation("Extended", extended)
	if err != nil {
		return nil, err
	}
	readers := x.others(from, extended)
	if len(readers) == 0 {
		return nil, fmt.Errorf("%w: only one nation has Extended", errNotGiven)
	}
	list := x.exposures(2)
	list[0].ReportType, list[0].Regions = 0, []string{x.nations[from].Region.String()}
	return func(x *examination) error {
		for _, r := range readers {
			for i, e := range list {
				_, texts := r.heard(e.KeyData)
				if len(texts) == 0 {
					return fmt.Errorf("%s was not given a key", r.nation)
				}
				var f map[string]json.RawMessage
				if err := json.Unmarshal(texts[0], &f); err != nil {
					return errors.New("an exposure is no object")
				}
				for _, name := range optionalFields {
					if known := !isNull(f[name]); known != (i == 0) {
						return fmt.Errorf("%s is given %v, want %v", name, known, i == 0)
					}
				}
				if got, _ := readExposure(texts[0]); i == 0 && difference(&got, &e) != "" {
					return fmt.Errorf("%s came out otherwise than it went in", difference(&got, &e))
				}
			}
		}
		return nil
	}, x.wantInserted(from, []json.RawMessage{marshal(list[0]), bare(list[1])}, 2)
}

func extendedToOthers(x *examination) (later, error) {
	from, err := x.firstNation("Extended", extended)
	if err != nil {
		return nil, err
	}
	readers := x.others(from, func(n *Nation) bool { return !n.Extended })
	if len(readers) == 0 {
		return nil, fmt.Errorf("%w: all nations have Extended", errNotGiven)
	}
	e := x.exposures(1)[0]
	return func(x *examination) error {
		for _, r := range readers {
			_, texts := r.heard(e.KeyData)
			if len(texts) == 0 {
				return fmt.Errorf("%s was not given a key", r.nation)
			}
			if field := missingField(texts[0]); field != "" {
				return fmt.Errorf("%s was handed an exposure without %s", r.nation, field)
			}
		}
		return nil
	}, x.wantInserted(from, []json.RawMessage{bare(e)}, 1)
}

func relayOrigin(x *examination) (later, error) {
	from, err := x.firstNation("Relays", func(n *Nation) bool { return len(n.Relays) > 0 })
	if err != nil {
		return nil, err
	}
	origin := x.nations[from].Relays[0]
	readers := x.others(from, func(n *Nation) bool { return n.Region != origin })
	if len(readers) == 0 {
		return nil, fmt.Errorf("%w: only the nation of origin could be given the key", errNotGiven)
	}
	e := x.exposures(1)[0]
	e.Origin = origin.String()
	return func(x *examination) error {
		for _, r := range readers {
			if all, _ := r.heard(e.KeyData); len(all) == 0 || all[0].Origin != e.Origin {
				return fmt.Errorf("%s was not given a relayed key with its origin", r.nation)
			}
		}
		return nil
	}, x.wantInserted(from, []exposure{e}, 1)
}

func relayNotAllowed(x *examination) (later, error) {
	from, err := x.firstNation("Relays", func(n *Nation) bool { return len(n.Relays) > 0 })
	if err != nil {
		return nil, err
	}
	n := &x.nations[from]
	list := x.exposures(2)
	for i, region := range []keys.Region{keys.MustRegion("XK"), x.nations[(from+1)%len(x.nations)].Region} {
		if list[i].Origin = region.String(); region == n.Region || n.relays(region) {
			return nil, fmt.Errorf("%w: %s may relay keys of %s", errNotGiven, n, region)
		}
	}
	if _, err := x.sendAll(from, x.newTag(), list); err != nil { // taken or not
		return nil, err
	}
	return func(x *examination) error {
		for _, r := range x.readers {
			for _, e := range list {
				if all, _ := r.heard(e.KeyData); slices.ContainsFunc(all, func(got exposure) bool { return got.Origin == e.Origin }) {
					return fmt.Errorf("%s was given a key that %s brought as one of %s", r.nation, n, e.Origin)
				}
			}
		}
		return nil
	}, nil
}
