package federationtest

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

var gatewayCallers = []gatewayClause{
	{"certificate-none", "Who shows no certificate must not be answered.", certificateNone},
	{"certificate-unlisted", "A certificate that is not listed must be refused, whatever country it names: 403, or no connection.", certificateUnlisted},
	{"certificate-use", "The certificate with which a nation signs must not be taken to authenticate: 403.", certificateUse},
	{"certificate-revoked", "A certificate that was revoked must be refused: 403.", certificateRevoked},
	{"certificate-country", "A listed certificate with another country in its name must be refused: 403.", certificateCountry},
	{"certificate-first", "Who is not known must be told so before anything else: 403, whatever else is wrong.", certificateFirst},
	{"balancer-names", "What a load balancer says must be understood in all its forms: thumbprints in hexadecimal and base64, names as they are and escaped as in a URL.", balancerNames},
	{"balancer-no-country", "A name without a country must be answered 400.", balancerNoCountry},
	{"balancer-alone", "What a load balancer says must count for nothing when somebody else says it.", balancerAlone},
	{"methods", "A path or a method that there is not must be answered 404 or 405.", gatewayMethods},
	{"refusals-tell-nothing", "No answer that is a refusal must hold key data.", refusalsTellNothing},
}

// wantUnknown makes each kind of request, and wants none to be answered as to a
// member.
func (x *gatewayExam) wantUnknown(what string, pair *tls.Certificate, header map[string]string, want ...int) error {
	date := x.start.String()
	for _, c := range []gatewayCall{
		{path: "/download/" + date, header: map[string]string{"Accept": mediaProtobuf}},
		{path: "/audit/download/" + date + "/" + "20200101-1", header: map[string]string{"Accept": mediaJSON}},
		{path: "/upload", header: map[string]string{"Content-Type": mediaProtobuf}, body: bytes.NewReader(nil)},
	} {
		c.pair = pair
		maps.Copy(c.header, header)
		got, err := x.do(c)
		if err != nil && x.ctx.Err() == nil {
			continue // no connection
		}
		if err := wantStatus(what+", "+c.path, got, want...); err != nil {
			return err
		}
	}
	return nil
}

func certificateNone(x *gatewayExam) (gatewayLater, error) {
	return nil, x.wantUnknown("no certificate", nil, nil, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden)
}

func certificateUnlisted(x *gatewayExam) (gatewayLater, error) {
	for _, country := range []string{x.members[0].Country, "ZZ"} {
		if err := x.wantUnknown("an unlisted certificate", stranger(country), nil, http.StatusForbidden); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func certificateUse(x *gatewayExam) (gatewayLater, error) {
	if bytes.Equal(x.members[0].Signing.Leaf.Raw, x.as(0).Leaf.Raw) {
		return nil, fmt.Errorf("%w: the first member has one certificate for both", errNotGiven)
	}
	return nil, x.wantUnknown("a certificate for signing", x.members[0].Signing, nil, http.StatusForbidden)
}

func certificateRevoked(x *gatewayExam) (gatewayLater, error) {
	for i := range x.members {
		if old := x.members[i].Revoked; old != nil {
			return nil, x.wantUnknown("a revoked certificate", old, nil, http.StatusForbidden)
		}
	}
	return nil, fmt.Errorf("%w: no member has Revoked", errNotGiven)
}

// errBalanced and errDirect are for what can be asked only of a gateway that is
// reached in the one way, or in the other.
var (
	errBalanced = fmt.Errorf("%w: the suite is the load balancer here", errNotGiven)
	errDirect   = fmt.Errorf("%w: there is no load balancer", errNotGiven)
)

func certificateCountry(x *gatewayExam) (gatewayLater, error) {
	if !x.e.Balanced {
		return nil, errDirect // a certificate has the name that it was listed with
	}
	return nil, x.wantUnknown("another country's name", x.as(0), map[string]string{HeaderDN: "C=" + x.members[1].Country}, http.StatusForbidden)
}

func certificateFirst(x *gatewayExam) (gatewayLater, error) {
	for _, c := range []gatewayCall{
		{path: "/download/yesterday"},
		{path: "/download/2020-01-01", header: map[string]string{"Accept": "text/html"}},
		{path: "/upload", body: bytes.NewReader([]byte("no protobuf"))},
	} {
		c.pair = stranger(x.members[0].Country)
		got, err := x.do(c)
		if err != nil && x.ctx.Err() == nil {
			continue
		}
		if err := wantStatus("a bad request of a stranger", got, http.StatusForbidden); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func balancerNames(x *gatewayExam) (gatewayLater, error) {
	if !x.e.Balanced {
		return nil, errDirect
	}
	sum := fmt.Appendf(nil, "%s", thumbprint(x.as(0)))
	raw := make([]byte, len(sum)/2)
	fmt.Sscanf(string(sum), "%x", &raw)
	name, country := x.as(0).Leaf.Subject.String(), x.members[0].Country
	for _, h := range []map[string]string{
		{HeaderThumbprint: string(bytes.ToUpper(sum))},
		{HeaderThumbprint: base64.StdEncoding.EncodeToString(raw)},
		{HeaderThumbprint: url.QueryEscape(base64.StdEncoding.EncodeToString(raw))},
		{HeaderDN: url.QueryEscape(name)},
		{HeaderDN: "CN=x,OU=y,O=z,C=" + country},
		{HeaderDN: "C=" + country + ",O=z"},
		{HeaderDN: "c=" + country},
	} {
		got, err := x.get(0, x.start.String(), "", h)
		if err != nil {
			return nil, err
		}
		if err := wantStatus(fmt.Sprint(h), got, http.StatusOK, http.StatusNotFound); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func balancerNoCountry(x *gatewayExam) (gatewayLater, error) {
	if !x.e.Balanced {
		return nil, errDirect
	}
	for _, name := range []string{"CN=test", "O=z,OU=C"} {
		if err := x.wantUnknown("the name "+name, x.as(0), map[string]string{HeaderDN: name}, http.StatusBadRequest); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func balancerAlone(x *gatewayExam) (gatewayLater, error) {
	if x.e.Balanced {
		return nil, errBalanced
	}
	header := map[string]string{HeaderThumbprint: thumbprint(x.as(0)), HeaderDN: "C=" + x.members[0].Country}
	if err := x.wantUnknown("no certificate, and a balancer's headers", nil, header, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden); err != nil {
		return nil, err
	}
	return nil, x.wantUnknown("a stranger's certificate, and a balancer's headers", stranger(x.members[0].Country), header, http.StatusForbidden)
}

func gatewayMethods(x *gatewayExam) (gatewayLater, error) {
	download := "/download/" + x.start.String()
	for _, c := range []gatewayCall{
		{method: http.MethodGet, path: "/upload"}, {method: http.MethodPut, path: "/upload"}, {method: http.MethodPost, path: download},
		{method: http.MethodDelete, path: download}, {path: "/" + newUUID()}, {path: download + "/x/y"},
	} {
		c.pair, c.header = x.as(0), map[string]string{"Accept": mediaProtobuf}
		got, err := x.do(c)
		if err != nil {
			return nil, err
		}
		if err := wantStatus(c.method+" "+c.path, got, http.StatusNotFound, http.StatusMethodNotAllowed); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// refusalsTellNothing looks at what all other clauses were answered.
func refusalsTellNothing(x *gatewayExam) (gatewayLater, error) {
	u, err := x.upload(0, x.keys(0, 1))
	if err != nil {
		return nil, err
	}
	u.signature = u.signature[:40]
	if _, err := x.send(u); err != nil {
		return nil, err
	}
	return func(x *gatewayExam) error {
		x.mu.Lock()
		defer x.mu.Unlock()
		var all strings.Builder
		for _, a := range x.refused.all() {
			all.Write(a.body)
		}
		for _, data := range x.sent {
			k, err := keys.ParseKeyData(data)
			if err == nil && keystest.Leak(all.String(), k) != "" {
				return errors.New("an answer quotes key data")
			}
		}
		return nil
	}, nil
}
