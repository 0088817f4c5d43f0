package federationtest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/gaenkit/gaen/keys"
)

// A nation takes a key back by uploading it with the report type REVOKED. Whoever
// does not know that stores a key of a strange type, so it is for those alone who
// are known to take it.

var withdrawalClauses = []serverClause{
	{"withdrawal-told", "Who takes withdrawals must be told, last, that a key which it was given was taken back: by the report type REVOKED, with the key's origin.", withdrawalTold},
	{"withdrawal-takers", "Who is not known to take withdrawals must be given no key of the report type REVOKED.", withdrawalTakers},
	{"withdrawal-not-ones-own", "A withdrawal by a nation that did not bring the key must change nothing, whatever origin it names.", withdrawalNotOnesOwn},
	{"withdrawal-before-key", "A key that was taken back before it came must not be handed out.", withdrawalBeforeKey},
}

const revoked = int64(keys.ReportRevoked)

// others returns the readers of all nations but one of which something holds.
func (x *examination) others(nation int, holds func(*Nation) bool) (readers []*reader) {
	for i, r := range x.readers {
		if i != nation && holds(r.nation) {
			readers = append(readers, r)
		}
	}
	return readers
}

// withdraw has a nation take back a key, naming an origin or none.
func (x *examination) withdraw(nation int, e exposure, origin string) error {
	e.ReportType, e.Origin = revoked, origin
	got, err := x.sendAll(nation, x.newTag(), []exposure{e})
	if err != nil {
		return err
	}
	return wantStatus("a withdrawal", got, http.StatusOK)
}

// givenAndTakenBack uploads two keys and takes them back, one at once and one after
// it was handed out.
func (x *examination) givenAndTakenBack() (atOnce, after exposure, err error) {
	list := x.exposures(2)
	if err := x.wantInserted(0, list, 2); err != nil {
		return atOnce, after, err
	}
	x.afterwards(func() error { return x.withdraw(0, list[1], "") })
	return list[0], list[1], x.withdraw(0, list[0], "")
}

func withdrawalTold(x *examination) (later, error) {
	takers := x.others(0, func(n *Nation) bool { return n.Withdrawals })
	if len(takers) == 0 {
		return nil, fmt.Errorf("%w: only the first nation, or none, has Withdrawals", errNotGiven)
	}
	atOnce, after, err := x.givenAndTakenBack()
	return func(x *examination) error {
		for _, r := range takers {
			all, _ := r.heard(after.KeyData)
			if len(all) == 0 || all[0].ReportType != after.ReportType {
				return fmt.Errorf("%s was not given a key before it was taken back", r.nation)
			}
			early, _ := r.heard(atOnce.KeyData) // may have been given to nobody
			for _, all := range [][]exposure{all, early} {
				if len(all) == 0 {
					continue
				}
				switch last := all[len(all)-1]; {
				case last.ReportType != revoked:
					return fmt.Errorf("%s was not told that a key was taken back", r.nation)
				case last.Origin != x.nations[0].Region.String():
					return fmt.Errorf("%s was told so with the origin %q", r.nation, last.Origin)
				}
			}
		}
		return nil
	}, err
}

func withdrawalTakers(x *examination) (later, error) {
	others := x.others(0, func(n *Nation) bool { return !n.Withdrawals })
	if len(others) == 0 {
		return nil, fmt.Errorf("%w: all nations have Withdrawals", errNotGiven)
	}
	_, after, err := x.givenAndTakenBack()
	if err != nil {
		return nil, err
	}
	return func(x *examination) error {
		for _, r := range others {
			if all, _ := r.heard(after.KeyData); len(all) == 0 {
				return fmt.Errorf("%s was not given a key before it was taken back", r.nation)
			}
			for data, e := range r.final() {
				if e.ReportType == revoked && x.ours(data) {
					return fmt.Errorf("%s was given a key of the type REVOKED", r.nation)
				}
			}
		}
		return nil
	}, x.withdraw(0, x.exposures(1)[0], "") // of which the server knows nothing
}

func withdrawalNotOnesOwn(x *examination) (later, error) {
	list := x.exposures(2)
	if err := x.wantInserted(0, list, 2); err != nil {
		return nil, err
	}
	origin := x.nations[0].Region.String()
	attempt := func(e exposure) error {
		e.ReportType, e.Origin = revoked, ""
		if _, err := x.sendAll(1, x.newTag(), []exposure{e}); err != nil { // taken, as one of its own, or not
			return err
		}
		e.Origin = origin
		_, err := x.sendAll(1, x.newTag(), []exposure{e})
		return err
	}
	x.afterwards(func() error { return attempt(list[1]) })
	return func(x *examination) error {
		for _, r := range x.others(0, func(*Nation) bool { return true }) {
			for _, e := range list {
				all, _ := r.heard(e.KeyData)
				given := false
				for _, got := range all {
					switch {
					case got.Origin != origin:
					case got.ReportType == revoked:
						return fmt.Errorf("%s was told that a key was taken back, which another nation did", r.nation)
					default:
						given = true
					}
				}
				if !given {
					return fmt.Errorf("%s was not given a key that another nation took back", r.nation)
				}
			}
		}
		return nil
	}, attempt(list[0])
}

func withdrawalBeforeKey(x *examination) (later, error) {
	e := x.exposures(1)[0]
	if err := x.withdraw(0, e, ""); err != nil {
		return nil, err
	}
	if _, err := x.upload(0, []exposure{e}); err != nil {
		return nil, err
	}
	return func(x *examination) error {
		for _, r := range x.readers {
			all, _ := r.heard(e.KeyData)
			for _, got := range all {
				if got.ReportType != revoked {
					return errors.New("a key was handed out that was taken back before it came")
				}
			}
		}
		return nil
	}, nil
}
