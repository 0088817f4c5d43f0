package federationtest

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/gaenkit/gaen/internal/efgspb"
)

// A nation takes a key back by uploading it once more with the report type REVOKED.
// For the European gateway that is one more key.

var gatewayWithdrawals = []gatewayClause{
	{"withdrawal-told", "A key of the report type REVOKED must be handed out as one, after the key that it takes back: 201, in an upload of its own.", efgsWithdrawalTold},
	{"withdrawal-with-keys", "An upload of keys and withdrawals must be taken and handed out whole.", efgsWithdrawalWithKeys},
	{"withdrawal-not-ones-own", "A withdrawal by a nation that did not bring the key must not be handed out as one of who did.", efgsWithdrawalNotOnesOwn},
}

// revoking returns a key that takes another back.
func revoking(k *efgspb.DiagnosisKey) *efgspb.DiagnosisKey {
	r := proto.Clone(k).(*efgspb.DiagnosisKey)
	r.ReportType = efgspb.ReportType_REVOKED
	return r
}

// wantRevoked returns what wants all others to be told, last, that keys were taken
// back which they were given.
func wantRevoked(member int, list ...*efgspb.DiagnosisKey) gatewayLater {
	return func(x *gatewayExam) error {
		for _, r := range x.others(member) {
			seen := r.again.seen()
			for _, k := range list {
				all := seen[string(k.GetKeyData())]
				if len(all) == 0 || all[0].GetReportType() != k.GetReportType() {
					return fmt.Errorf("%s was not given a key before it was taken back", x.members[r.member])
				}
				if last := all[len(all)-1]; last.GetReportType() != efgspb.ReportType_REVOKED || last.GetOrigin() != k.GetOrigin() {
					return fmt.Errorf("%s was not told that a key was taken back", x.members[r.member])
				}
			}
		}
		return nil
	}
}

func efgsWithdrawalTold(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 2)
	if _, err := x.store(0, list); err != nil {
		return nil, err
	}
	x.afterwards(func() error {
		_, err := x.store(0, []*efgspb.DiagnosisKey{revoking(list[0])})
		return err
	})
	return wantRevoked(0, list[0]), nil
}

func efgsWithdrawalWithKeys(x *gatewayExam) (gatewayLater, error) {
	list, after := x.keys(0, 3), x.keys(0, 2)
	if _, err := x.store(0, list); err != nil {
		return nil, err
	}
	x.afterwards(func() error {
		_, err := x.store(0, append(after, revoking(list[0]), revoking(list[2])))
		return err
	})
	return bothLater(wantRevoked(0, list[0], list[2]), wantGiven(0, append(after, list[1])...)), nil
}

func efgsWithdrawalNotOnesOwn(x *gatewayExam) (gatewayLater, error) {
	list := x.keys(0, 1)
	if _, err := x.store(0, list); err != nil {
		return nil, err
	}
	x.afterwards(func() error {
		forged := revoking(list[0])
		u, err := x.upload(1, []*efgspb.DiagnosisKey{forged})
		if err != nil {
			return err
		}
		if _, err := x.send(u); err != nil { // of an origin that is not its own
			return err
		}
		own := revoking(list[0])
		own.Origin = x.members[1].Country
		if u, err = x.upload(1, []*efgspb.DiagnosisKey{own}); err != nil {
			return err
		}
		u.apart = true // taken, as one of its own, or not
		_, err = x.send(u)
		return err
	})
	return func(x *gatewayExam) error {
		for _, r := range x.others(0) {
			given := false
			for _, k := range r.again.seen()[string(list[0].GetKeyData())] {
				switch {
				case k.GetOrigin() != list[0].GetOrigin():
				case k.GetReportType() == efgspb.ReportType_REVOKED:
					return fmt.Errorf("%s was told that a key was taken back, which another nation did", x.members[r.member])
				default:
					given = true
				}
			}
			if !given {
				return fmt.Errorf("%s was not given a key that another nation took back", x.members[r.member])
			}
		}
		return nil
	}, nil
}
