package federationtest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/keys"
)

// store stores what is in a message. The lock is held.
func (s *Server) store(in *incoming, payload []byte) *reply {
	var list []json.RawMessage
	if err := json.Unmarshal(payload, &list); err != nil || list == nil {
		if s.opts.Faithful {
			return refuse(500, "payload is not iterable")
		}
		return refuse(http.StatusBadRequest, "payload: no JSON array")
	}
	owner := in.nation
	if s.opts.Faithful {
		owner = s.file(in.tag, owner)
	}
	var taken []*row
	rejected := 0
	for _, text := range list {
		r, why := s.exposure(text, &s.nations[owner])
		if why != nil && s.opts.Faithful {
			return why // one takes all
		}
		if why != nil {
			rejected++
			continue
		}
		if s.refuse != nil && s.refuse(keyDataOf(r.KeyData)) {
			return refuse(http.StatusBadRequest, "Invalid key length")
		}
		r.nation = owner
		taken = append(taken, r)
	}
	return s.insert(in.tag, taken, rejected)
}

// file returns whose keys come under a tag: in the real service, the nation's that
// used it first.
func (s *Server) file(tag string, nation int) int {
	if first, ok := s.filed[tag]; ok {
		return first
	}
	s.filed[tag] = nation
	return nation
}

func (s *Server) insert(tag string, taken []*row, rejected int) *reply {
	inserted := 0
	for _, r := range taken {
		if !s.opts.Faithful && r.ReportType == revoked {
			s.withdraw(r)
			continue
		}
		text := r.KeyData // on which a faithful server decides
		if !s.opts.Faithful {
			data := keyDataOf(text)
			text = string(data[:])
		}
		if s.texts[text] {
			continue
		}
		s.texts[text] = true
		inserted++
		if !s.early[r.claim()] {
			s.rows = append(s.rows, r)
		}
	}
	answer := map[string]any{"batchTag": tag, "insertedExposures": inserted}
	if rejected > 0 {
		answer["rejectedExposures"] = rejected
	}
	return &reply{status: http.StatusOK, body: marshal(answer)}
}

func (r *row) claim() claim { return claim{r.nation, keyDataOf(r.KeyData), r.Origin} }

// withdraw takes back what a nation brought, now or when it comes. What is in no
// batch yet never will be; of what is, those who were given it are told.
func (s *Server) withdraw(r *row) {
	i := slices.IndexFunc(s.rows, func(had *row) bool { return had.claim() == r.claim() })
	switch {
	case i < 0:
		s.early[r.claim()] = true
	case s.rows[i].batch == nil:
		s.rows = slices.Delete(s.rows, i, i+1)
	case !slices.ContainsFunc(s.rows[i+1:], func(had *row) bool { return had.claim() == r.claim() }):
		s.rows = append(s.rows, r)
	}
}

// exposure reads one exposure of a nation, or says why it is none.
func (s *Server) exposure(text json.RawMessage, by *Nation) (e *row, why *reply) {
	e = &row{}
	var f map[string]json.RawMessage
	if err := json.Unmarshal(text, &f); err != nil || f == nil {
		return e, refuse(500, "Cannot read property of null")
	}
	if e.KeyData, why = s.keyData(f["keyData"]); why != nil {
		return e, why
	}
	e.Origin = by.Region.String()
	if named, _ := keys.ParseRegion(textOf(f["origin"])); !s.opts.Faithful && by.relays(named) {
		e.Origin = named.String()
	}
	for _, n := range []struct {
		name     string
		into     *int64
		low      int64
		high     int64
		optional bool
	}{
		{"rollingStartNumber", &e.RollingStartNumber, 1, 1<<31 - 1, false},
		{"rollingPeriod", &e.RollingPeriod, 1, keys.IntervalsPerDay, false},
		{"transmissionRiskLevel", &e.TransmissionRiskLevel, 0, 8, false},
		{"testType", &e.TestType, 1, 3, false},
		{"reportType", &e.ReportType, 0, 5, false},
		{"daysSinceOnset", &e.DaysSinceOnset, -14, 4000, true},
	} {
		if isNull(f[n.name]) && by.Extended && !s.opts.Faithful && slices.Contains(optionalFields, n.name) {
			*n.into, e.unknown = max(n.low, 0), append(e.unknown, n.name)
			continue
		}
		if why := s.number(f[n.name], n.name, n.into, n.optional); why != nil {
			return e, why
		}
		if !s.opts.Faithful && (*n.into < n.low || *n.into > n.high) {
			return e, refuse(http.StatusBadRequest, n.name+": out of range")
		}
	}
	e.Regions = []string{}
	if err := json.Unmarshal(orNull(f["regions"]), &e.Regions); err != nil {
		return e, refuse(500, "regions is not iterable")
	}
	if e.Regions == nil {
		e.Regions = []string{}
	}
	return e, nil
}

// keyData reads key data as it will be handed out: by the real service verbatim,
// if 16 bytes can be made of it somehow.
func (s *Server) keyData(v json.RawMessage) (string, *reply) {
	var text string
	if err := json.Unmarshal(orNull(v), &text); err != nil || isNull(v) {
		var numbers []uint8
		if s.opts.Faithful && json.Unmarshal(orNull(v), &numbers) == nil && len(numbers) == keys.KeyDataSize {
			return string(bytes.TrimSpace(v)), nil
		}
		return "", broke("ERR_INVALID_ARG_TYPE", "the first argument must be of type string")
	}
	data := lenientBase64(text)
	if len(data) != keys.KeyDataSize || !s.opts.Faithful && !isBase64(text) {
		return "", refuse(http.StatusBadRequest, "Invalid key length")
	}
	if !s.opts.Faithful {
		text = base64.StdEncoding.EncodeToString(data)
	}
	return text, nil
}

// number reads a number as PostgreSQL does.
func (s *Server) number(v json.RawMessage, name string, into *int64, optional bool) *reply {
	if isNull(v) {
		if optional {
			return nil
		}
		return broke("23502", `null value in column "`+name+`" violates not-null constraint`)
	}
	n, err := strconv.ParseInt(strings.Trim(string(v), `"`), 10, 64)
	if err != nil {
		return broke("22P02", "invalid input syntax for type integer")
	}
	if n != int64(int32(n)) {
		return broke("22003", "value out of range for type integer")
	}
	*into = n
	return nil
}

// textOf returns a string, "" if it is none.
func textOf(v json.RawMessage) (text string) {
	if json.Unmarshal(orNull(v), &text) != nil {
		return ""
	}
	return text
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

// orNull returns v, or null if it is not there.
func orNull(v json.RawMessage) json.RawMessage {
	if len(v) == 0 {
		return json.RawMessage("null")
	}
	return v
}

// lenientBase64 decodes as Node.js does: both alphabets, whatever is in none is
// passed over, and "=" is the end.
func lenientBase64(text string) []byte {
	text, _, _ = strings.Cut(text, "=")
	digits := strings.Map(func(c rune) rune {
		switch {
		case c == '-':
			return '+'
		case c == '_':
			return '/'
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/':
			return c
		}
		return -1
	}, text)
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1]
	}
	data, err := base64.RawStdEncoding.DecodeString(digits)
	if err != nil {
		return nil // digits are of the alphabet
	}
	return data
}

// isBase64 reports whether text is base64 or base64url, padded or not.
func isBase64(text string) bool {
	_, err := decodePart(text)
	return err == nil
}

// keyDataOf returns key data, of whatever form a row has it in; zero if it is an
// array of numbers.
func keyDataOf(text string) keys.KeyData {
	k, err := keys.ParseKeyData(lenientBase64(text))
	if err != nil {
		return keys.KeyData{}
	}
	return k
}

// put stores keys as if a nation had uploaded them, and makes a batch of them.
func (s *Server) put(nation int, all []keys.DiagnosisKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range all {
		s.rows = append(s.rows, rowOf(&all[i], nation))
	}
	s.shelve()
}

// rowOf returns a key as a nation would have brought it.
func rowOf(k *keys.DiagnosisKey, nation int) *row {
	r := &row{exposure: exposureOf(k), nation: nation}
	if k.TestType == keys.TestUnstated {
		r.TestType = int64(keys.TestLab)
	}
	for i, known := range []bool{k.TransmissionRiskLevel.Present(), k.TestType != keys.TestUnstated, k.ReportType.Present(), k.DaysSinceOnsetOfSymptoms.Present()} {
		if !known {
			r.unknown = append(r.unknown, optionalFields[i])
		}
	}
	return r
}
