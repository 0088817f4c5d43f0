package federationtest

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

var authClauses = []serverClause{
	{"auth-none", "A request without a token must be answered 401.", authNone},
	{"auth-garbage", "A request with a token that is none, of another scheme, or altered must be answered 401.", authGarbage},
	{"auth-expired", "A token that has expired must be answered 401.", authExpired},
	{"auth-first", "Who is not known must be told so before anything else: 401, whatever else is wrong.", authFirst},
	{"auth-scheme", "The scheme Bearer must be taken in any case (RFC 9110, 11.1).", authScheme},
	{"token-of-another", "What is signed by one nation must not be taken with the token of another.", tokenOfAnother},
	{"answers-tell-nothing", "No answer that is a refusal must hold a token or key data.", answersTellNothing},
}

// wantDenied makes a download and an upload with a header of authorization, and
// wants both to be denied.
func (x *examination) wantDenied(what string, header map[string]string) error {
	list := x.exposures(1)
	message, err := x.sealed(0, list)
	if err != nil {
		return err
	}
	got, err := x.do(call{path: downloadPath(x.start.String(), ""), header: header})
	if err != nil {
		return err
	}
	if err := wantStatus(what+", download", got, http.StatusUnauthorized); err != nil {
		return err
	}
	got, err = x.do(call{path: "/upload", header: header, body: strings.NewReader(string(envelope(x.newTag(), message)))})
	if err != nil {
		return err
	}
	return wantStatus(what+", upload", got, http.StatusUnauthorized)
}

func authNone(x *examination) (later, error) { return nil, x.wantDenied("no token", nil) }

func authGarbage(x *examination) (later, error) {
	token := x.nations[0].Token
	for _, bad := range []struct{ what, header string }{
		{"a random token", "Bearer " + rand.Text()},
		{"an empty token", "Bearer "},
		{"the token under another scheme", "Basic " + token},
		{"another scheme", "Basic " + base64.StdEncoding.EncodeToString([]byte("user:password"))},
		{"an altered token", "Bearer " + altered(token)},
		{"a token without its end", "Bearer " + token[:len(token)-4]},
		{"a token of alg none", "Bearer " + unsigned(token)},
	} {
		if err := x.wantDenied(bad.what, map[string]string{"Authorization": bad.header}); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// altered returns a text with another character in its middle.
func altered(text string) string {
	b := []byte(text)
	i := len(b) * 2 / 3
	if b[i] == 'A' {
		b[i] = 'B'
	} else {
		b[i] = 'A'
	}
	return string(b)
}

// unsigned returns a token that says what another does, and asks to be taken
// without a signature.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"id":"1"}`))
	if len(parts) == 3 {
		claims = parts[1]
	}
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + claims + "."
}

func authExpired(x *examination) (later, error) {
	for i := range x.nations {
		if old := x.nations[i].Expired; old != "" {
			return nil, x.wantDenied("an expired token", map[string]string{"Authorization": "Bearer " + old})
		}
	}
	return nil, fmt.Errorf("%w: no nation has Expired", errNotGiven)
}

func authFirst(x *examination) (later, error) {
	for _, c := range []call{
		{path: "/download/yesterday"},
		{path: "/upload", body: strings.NewReader("no JSON")},
		{path: "/upload", body: strings.NewReader("{}")},
	} {
		got, err := x.do(c)
		if err != nil {
			return nil, err
		}
		if err := wantStatus("a bad request without a token", got, http.StatusUnauthorized); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func authScheme(x *examination) (later, error) {
	for _, scheme := range []string{"bearer", "BEARER"} {
		got, err := x.do(call{path: downloadPath(x.start.String(), ""), header: map[string]string{"Authorization": scheme + " " + x.nations[0].Token}})
		if err != nil {
			return nil, err
		}
		if err := wantStatus("scheme "+scheme, got, http.StatusOK, http.StatusNoContent); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func tokenOfAnother(x *examination) (later, error) {
	list := x.exposures(2)
	message, err := x.sealed(0, list)
	if err != nil {
		return nil, err
	}
	got, err := x.sendMessage(1, x.newTag(), message)
	if err != nil {
		return nil, err
	}
	if got.status < 300 {
		return nil, errors.New("a message signed by the one was taken from the other")
	}
	return wantKeptBack(list), nil
}

// answersTellNothing looks at what all other clauses were answered.
func answersTellNothing(x *examination) (later, error) {
	list := x.exposures(1)
	message, err := x.sealed(0, list)
	if err != nil {
		return nil, err
	}
	if _, err := x.sendMessage(0, x.newTag(), altered(message)); err != nil {
		return nil, err
	}
	if _, err := x.sendAll(0, x.newTag(), []any{changed(list[0], "keyData", list[0].KeyData[:20])}); err != nil {
		return nil, err
	}
	return func(x *examination) error {
		for _, a := range x.refused.all() {
			text := string(a.body)
			for _, n := range x.nations {
				if strings.Contains(text, n.Token) {
					return fmt.Errorf("an answer with status %d quotes the token", a.status)
				}
			}
			for _, data := range x.sent {
				if strings.Contains(text, data[:12]) {
					return fmt.Errorf("an answer with status %d quotes key data", a.status)
				}
			}
		}
		return nil
	}, nil
}
