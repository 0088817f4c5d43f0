package federationtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
)

// No key of an upload that cannot be verified may be taken. Whether a client gives
// an error and asks again, or sets the keys aside and goes on, and whether it takes
// the neighbours of a bad upload, is its own choice.

var efgsAuditClauses = []efgsClause{
	{"audit-good", "Keys of several uploads in a batch, each well signed, must be taken.", auditGood},
	{"audit-skips-own", "An audit has the caller's own uploads in it, whose keys the batch has not: they must be passed over before it is cut into slices.", auditSkipsOwn},
	{"audit-bad-signature", "No key of an upload whose signature is that of others must be taken.", auditOf(func(x *efgsTrial) { x.forge(2, 0) })},
	{"audit-another-country", "No key of an upload that another country has signed must be taken.", auditOf(auditAnother)},
	{"audit-unlisted", "No key of an upload must be taken that was signed by a certificate that is not trusted.", auditOf(auditStranger)},
	{"audit-origin", "No key of an upload must be taken of which one is of another origin than the country that signed it.", auditOf(auditForeign)},
	{"audit-thumbprint", "No key of an upload must be taken whose certificate is another than the audit names.", auditChanged(func(e *gatewayAudit) { e.UploaderSigningThumbprint = strings.Repeat("ab", 32) })},
	{"audit-certificate", "No key of an upload must be taken whose certificate is another than the audit shows.", auditChanged(func(e *gatewayAudit) { e.SigningCertificate = e.UploaderCertificate })},
	{"audit-anchor", "No key of an upload must be taken whose certificate the trust anchor has not signed.", auditChanged(func(e *gatewayAudit) { e.SigningCertificateOperatorSignature = e.UploaderOperatorSignature })},
	{"audit-amounts", "No key of a batch must be taken whose audit speaks of another number of keys.", auditRefused("a short audit", RouteAudit, Short)},
	{"audit-cut-batch", "No key of a batch must be taken that ends early at the end of a key: only its audit tells.", auditCutBatch},
	{"audit-missing", "No key of a batch must be taken whose audit cannot be had.", auditMissing},
	{"audit-empty", "No key of a batch must be taken that nobody has signed.", auditEmpty},
	{"audit-midnight", "The audit of a batch must be asked for by its own day, whatever day it is.", auditMidnight},
}

func auditGood(x *efgsTrial) error {
	var want []keys.DiagnosisKey
	for _, member := range []int{1, 2, 1, 3} {
		want = append(want, x.provide(member, 4)...)
	}
	x.gateway.Assemble()
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	return wantPage(page, want)
}

func auditSkipsOwn(x *efgsTrial) error {
	var want []keys.DiagnosisKey
	for _, member := range []int{0, 1, 0, 2, 0} {
		if all := x.provide(member, 2+member); member > 0 {
			want = append(want, all...)
		}
	}
	x.gateway.Assemble()
	page, err := x.download(Pass)
	if err != nil {
		return err
	}
	return wantPage(page, want)
}

// wantUntaken returns an error if a key of a member is taken.
func (x *efgsTrial) wantUntaken(what string, page *federation.Page, member int) error {
	if page == nil {
		return nil
	}
	for i := range page.Keys {
		for _, k := range x.known {
			if page.Keys[i].KeyData == k.KeyData && k.Origin.String() == x.members[member].Country {
				return fmt.Errorf("%s: a key is taken", what)
			}
		}
	}
	return nil
}

// forge has a member upload keys with the signature of others.
func (x *efgsTrial) forge(member int, at int) {
	list, others := messagesOf(x.keys(member, 3)), messagesOf(x.keys(member, 3))
	x.provideSigned(member, list, x.signers[member])
	x.gateway.mu.Lock()
	defer x.gateway.mu.Unlock()
	x.gateway.uploads[len(x.gateway.uploads)-1].keys = others
}

// auditAnother has the fourth member sign for the third, as the audit says.
func auditAnother(x *efgsTrial) {
	x.provideSigned(2, messagesOf(x.keys(2, 3)), x.signers[3])
	by := &x.gateway.nations[3]
	shown := &x.gateway.nations[2]
	shown.SigningCertificate, shown.SigningThumbprint = by.SigningCertificate, by.SigningThumbprint
	shown.SigningCertificateOperatorSignature = by.SigningCertificateOperatorSignature
}

// auditStranger has the third member sign with a certificate that nobody has listed,
// which the audit names.
func auditStranger(x *efgsTrial) {
	pair := stranger(x.members[2].Country)
	by, err := signerOf(pair)
	if err != nil {
		panic("federationtest: " + err.Error()) // the key is in memory
	}
	x.provideSigned(2, messagesOf(x.keys(2, 3)), by)
	text := pemOf(pair.Leaf)
	x.gateway.nations[2].SigningCertificate, x.gateway.nations[2].SigningThumbprint = text, thumbprint(pair)
	x.gateway.nations[2].SigningCertificateOperatorSignature = x.anchor.confirm(text)
}

// auditForeign has the third member sign a key of the fourth.
func auditForeign(x *efgsTrial) {
	list := messagesOf(x.keys(2, 3))
	list[1].Origin = x.members[3].Country
	x.provideSigned(2, list, x.signers[2])
}

// auditOf returns a check of a batch in which an upload of the third member is bad.
func auditOf(bad func(x *efgsTrial)) func(x *efgsTrial) error {
	return func(x *efgsTrial) error {
		x.provide(1, 3)
		bad(x)
		x.provide(3, 3)
		x.gateway.Assemble()
		page, err := x.download(Pass)
		if err != nil && !errors.Is(err, federation.ErrUnavailable) {
			return wantClass("a batch with a bad upload", err, federation.ErrUnavailable)
		}
		return x.wantUntaken("a bad upload", page, 2)
	}
}

// auditChanged returns a check of an audit that is changed on its way.
func auditChanged(change func(e *gatewayAudit)) func(x *efgsTrial) error {
	return auditOf(func(x *efgsTrial) {
		x.provide(2, 3)
		x.put(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
			var list []gatewayAudit
			if !strings.Contains(r.URL.Path, "/audit/") || json.Unmarshal(a.Body.Bytes(), &list) != nil {
				return
			}
			for i := range list {
				if list[i].Country == x.members[2].Country {
					change(&list[i])
				}
			}
			a.Body.Reset()
			a.Body.Write(marshal(list))
		})
	})
}

// auditRefused returns a check of batches of which nothing is to be taken.
func auditRefused(what, route string, verdicts ...Verdict) func(x *efgsTrial) error {
	return func(x *efgsTrial) error {
		x.provide(1, 3)
		x.provide(2, 3)
		x.gateway.Assemble()
		for _, v := range verdicts {
			x.gateway.SetHook(On(Always(v), route))
			x.client = &listening{&x.overheard, x.make(x.account(0))}
			page, err := x.client.Download(x.ctx, x.first())
			if page == nil && err == nil {
				return fmt.Errorf("%s is taken for the end", what)
			}
			for _, member := range []int{1, 2} {
				if err := x.wantUntaken(what, page, member); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func auditMissing(x *efgsTrial) error {
	return auditRefused("a batch whose audit cannot be had", RouteAudit, 403, 404, 410, 429, 500, 503, Fail, Half, HTML, NullBody, Blank)(x)
}

func auditCutBatch(x *efgsTrial) error {
	x.put(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if strings.Contains(r.URL.Path, "/diagnosiskeys/download/") && a.Code == http.StatusOK {
			p, err := gatewayPageOf(outcome{a.Code, a.Header(), a.Body.Bytes()})
			if err == nil && len(p.keys) > 3 {
				a.Body.Reset()
				a.Body.Write(protobufOf(p.keys[:len(p.keys)-2]))
			}
		}
	})
	return auditRefused("a batch without its last keys", RouteOther, Pass)(x)
}

func auditEmpty(x *efgsTrial) error {
	x.put(nil, func(r *http.Request, a *httptest.ResponseRecorder) {
		if strings.Contains(r.URL.Path, "/audit/") {
			a.Body.Reset()
			a.Body.WriteString("[]")
		}
	})
	return auditRefused("a batch that nobody has signed", RouteOther, Pass)(x)
}

func auditMidnight(x *efgsTrial) error {
	at := x.first()
	for i := range 3 {
		want := x.hand(3)
		x.after(12*60*60*1e9 - 1) // the last moment of the day, and the first of the next
		if err := x.follow(&at, want); err != nil {
			return fmt.Errorf("batch %d: %w", i, err)
		}
		x.after(1)
	}
	return nil
}
