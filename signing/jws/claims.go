package jws

import (
	"encoding/json"
	"time"

	strict "github.com/go-jose/go-jose/v4/json"
)

// Claims are what a token says of whoever holds it. Times are whole seconds, in
// UTC.
type Claims struct {
	Nation    string // "id": whom the token names, as the operator calls it; at most [MaxName] bytes of printable ASCII
	TokenID   string // "jti": random, so that one token can be revoked; "" in those of older servers
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// marshal returns c as JSON.
func (c Claims) marshal() ([]byte, error) {
	return json.Marshal(struct {
		ID        string `json:"id"`
		TokenID   string `json:"jti"`
		IssuedAt  int64  `json:"iat"`
		ExpiresAt int64  `json:"exp"`
	}{c.Nation, c.TokenID, c.IssuedAt.Unix(), c.ExpiresAt.Unix()})
}

// readClaims is what is read of [Claims], nil where there is none. Claims of
// other names are passed over.
type readClaims struct {
	ID        *string  `json:"id"`
	TokenID   *string  `json:"jti"`
	IssuedAt  *float64 `json:"iat"`
	NotBefore *float64 `json:"nbf"`
	ExpiresAt *float64 `json:"exp"`
}

// parseClaims returns the claims in a payload, and the time before which they
// are not valid.
func parseClaims(payload []byte) (c Claims, notBefore time.Time, err error) {
	// encoding/json would take EXP for exp, and the last of two.
	var w *readClaims
	if err := strict.Unmarshal(payload, &w); err != nil || w == nil {
		return Claims{}, time.Time{}, fail(ReasonMalformed, "claims", "not a JSON object with each name once, or a claim of another type")
	}
	if w.ID == nil {
		return Claims{}, time.Time{}, fail(ReasonClaims, "claim id", "missing")
	}
	if err := checkName(*w.ID); err != nil {
		return Claims{}, time.Time{}, &Error{Reason: ReasonClaims, Subject: "claim id", Err: err}
	}
	c.Nation = *w.ID
	if w.TokenID != nil {
		if err := checkName(*w.TokenID); err != nil {
			return Claims{}, time.Time{}, &Error{Reason: ReasonClaims, Subject: "claim jti", Err: err}
		}
		c.TokenID = *w.TokenID
	}
	if w.IssuedAt == nil || w.ExpiresAt == nil {
		return Claims{}, time.Time{}, fail(ReasonClaims, "claims iat and exp", "missing")
	}
	if w.NotBefore == nil {
		w.NotBefore = w.IssuedAt
	}
	for _, t := range []struct {
		claim string
		got   float64
		into  *time.Time
	}{
		{"iat", *w.IssuedAt, &c.IssuedAt},
		{"nbf", *w.NotBefore, &notBefore},
		{"exp", *w.ExpiresAt, &c.ExpiresAt},
	} {
		if *t.into, err = numericDate(t.claim, t.got); err != nil {
			return Claims{}, time.Time{}, err
		}
	}
	return c, notBefore, nil
}

// maxNumericDate is the last second of the year 9999.
const maxNumericDate = 253402300799

// numericDate returns the time that a NumericDate of RFC 7519 means, which may
// have a fraction. What is far off is refused before it is converted, which for
// numbers that do not fit gives different times on different machines.
func numericDate(claim string, seconds float64) (time.Time, error) {
	if !(seconds >= 0 && seconds <= maxNumericDate) {
		return time.Time{}, fail(ReasonClaims, "claim "+claim, "not a time between 1970 and 9999")
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}

// check reports whether c is good at now. Leeway is how far other clocks may be
// off, longest how long a token may be good for.
func (c Claims) check(notBefore, now time.Time, leeway, longest time.Duration) error {
	switch valid := c.ExpiresAt.Sub(c.IssuedAt); {
	case valid <= 0:
		return c.refuse(ReasonClaims, "claim exp", "not after iat")
	case valid > longest:
		return c.refuse(ReasonTooLong, "claim exp", "good for more than %s", longest)
	case !now.Before(c.ExpiresAt.Add(leeway)):
		return c.refuse(ReasonExpired, "claim exp", "expired at %s", c.ExpiresAt.Format(time.RFC3339))
	case c.IssuedAt.After(now.Add(leeway)):
		return c.refuse(ReasonNotYet, "claim iat", "issued at %s, which is to come", c.IssuedAt.Format(time.RFC3339))
	case notBefore.After(now.Add(leeway)):
		return c.refuse(ReasonNotYet, "claim nbf", "not valid before %s", notBefore.Format(time.RFC3339))
	}
	return nil
}

// refuse returns why c, signed as it is, is not good.
func (c Claims) refuse(reason Reason, subject, format string, args ...any) error {
	e := fail(reason, subject, format, args...)
	e.Nation = c.Nation
	return e
}
