package efgs

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
)

// MaxBatch is how many keys the gateway takes in an upload, and puts into a batch.
const MaxBatch = 5000

// ErrTooManyKeys: a body holds more keys than the limit that it was decoded with.
var ErrTooManyKeys = errors.New("efgs: too many keys")

// A Batch is the keys of a body, in its order. An upload and a download have the
// same form, and so have several protobuf bodies one after another: they are the
// batch of all their keys.
type Batch struct {
	Keys []DiagnosisKey

	// Malformed says of keys why they could not be read, by their index. They stand
	// in Keys with nothing in them, so that their neighbours keep their places:
	// audit counts.
	Malformed map[int]*keys.Rejection
}

// BatchOf returns the batch of keys in the order in which they are.
func BatchOf(all []keys.DiagnosisKey) *Batch {
	b := &Batch{Keys: make([]DiagnosisKey, len(all))}
	var a atlas
	for i := range all {
		b.Keys[i] = a.of(&all[i])
	}
	return b
}

// Key returns the key with an index. The error is a [*keys.Rejection].
func (b *Batch) Key(i int) (keys.DiagnosisKey, error) { return b.key(new(atlas), i) }

func (b *Batch) key(a *atlas, i int) (keys.DiagnosisKey, error) {
	if why := b.Malformed[i]; why != nil {
		return keys.DiagnosisKey{}, why
	}
	return a.key(&b.Keys[i])
}

// add adds a key, or why there is none.
func (b *Batch) add(k DiagnosisKey, why *keys.Rejection) {
	if why != nil {
		if b.Malformed == nil {
			b.Malformed = map[int]*keys.Rejection{}
		}
		b.Malformed[len(b.Keys)] = why
		k = DiagnosisKey{}
	}
	b.Keys = append(b.Keys, k)
}

// sort puts the keys of the batch into a page: those that can be read, and the
// others with the reason. What is set aside already, by its index, stays so.
func (b *Batch) sort(page *federation.Page, aside map[int]*keys.Rejection) {
	page.Keys = make([]keys.DiagnosisKey, 0, len(b.Keys)-len(aside))
	var a atlas
	for i := range b.Keys {
		k, err := b.key(&a, i)
		if why := aside[i]; why != nil {
			err = why
		}
		if err != nil {
			page.Unreadable = append(page.Unreadable, setAside(&k, err))
			continue
		}
		page.Keys = append(page.Keys, k)
	}
}

// Append appends the body of a batch with these keys to b. The bytes are a
// function of the keys.
func (f Format) Append(b []byte, all []DiagnosisKey) []byte {
	if f == JSON {
		return appendJSON(b, all)
	}
	return appendProto(b, all)
}

// Decode reads a body with at most limit keys. A key that cannot be read does not
// take its neighbours with it; the error is for bodies of which not even the keys
// can be told apart, or [ErrTooManyKeys]. It holds nothing of the body. Keys share
// the body's memory.
func (f Format) Decode(body []byte, limit int) (*Batch, error) {
	b := &Batch{}
	decode := decodeProto
	if f == JSON {
		decode = decodeJSON
	}
	if err := decode(b, body, limit); err != nil {
		return nil, fmt.Errorf("efgs: %s body: %w", f, err)
	}
	return b, nil
}

// A speller keeps texts that come again and again: the keys of a batch are of few
// countries.
type speller struct {
	texts map[string]string
	list  []string // the last one
}

// maxTexts bounds what a speller keeps.
const maxTexts = 1000

// spell returns a text as a string.
func (s *speller) spell(text []byte) string {
	if known, ok := s.texts[string(text)]; ok {
		return known
	}
	if s.texts == nil || len(s.texts) >= maxTexts {
		s.texts = map[string]string{}
	}
	known := string(text)
	s.texts[known] = known
	return known
}

// spellAll returns texts as strings: the list returned last, if they are the same.
func (s *speller) spellAll(texts [][]byte) []string {
	if len(texts) == 0 {
		return nil
	}
	if slices.EqualFunc(texts, s.list, func(text []byte, known string) bool { return string(text) == known }) {
		return s.list
	}
	s.list = make([]string, len(texts))
	for i := range texts {
		s.list[i] = s.spell(texts[i])
	}
	return s.list
}
