package export

import (
	"iter"

	"github.com/gaenkit/gaen/keys"
	"google.golang.org/protobuf/encoding/protowire"
)

// Payload is the keys of an archive. They are read from the file each time they
// are ranged over, and not held in memory together, unless [ReadOptions.Hold] says
// so.
type Payload struct{ a *Archive }

// Keys returns the new keys, in the order of the file. It may be ranged over
// more than once.
//
// An error of [KindKey] is about one key, wraps the [*keys.Rejection] that says
// why no archive may have it, and comes with the zero key; the next keys follow.
// Any other error is the last thing that is yielded: the file cannot be read to
// its end, or it is not what it was when it was opened ([KindChanged]), in which
// case the keys that were yielded are not what was verified.
func (p Payload) Keys() iter.Seq2[keys.TemporaryExposureKey, error] { return p.list(fieldKeys) }

// RevisedKeys is [Payload.Keys] for the keys whose report type has changed.
func (p Payload) RevisedKeys() iter.Seq2[keys.TemporaryExposureKey, error] {
	return p.list(fieldRevisedKeys)
}

func (p Payload) list(want protowire.Number) iter.Seq2[keys.TemporaryExposureKey, error] {
	return func(yield func(keys.TemporaryExposureKey, error) bool) {
		err := p.each(func(list protowire.Number, index int, k *keys.TemporaryExposureKey, rejection error) bool {
			switch {
			case list != want:
				return true
			case rejection != nil:
				return yield(keys.TemporaryExposureKey{}, rejectedKey(list, index, rejection))
			}
			return yield(*k, nil)
		})
		if err != nil {
			yield(keys.TemporaryExposureKey{}, err)
		}
	}
}

func rejectedKey(list protowire.Number, index int, rejection error) error {
	return &Error{Kind: KindKey, Subject: keyName(list, index), Err: rejection}
}

// each shows the visitor what is held, or walks through the file and makes sure
// that it is the one that was opened.
func (p Payload) each(visit visitor) error {
	if p.a.held != nil {
		p.a.held.each(visit)
		return nil
	}
	w, err := p.a.walk(visit)
	if err != nil {
		return err
	}
	if !w.stopped && w.sum != p.a.info.SHA256 {
		return fail(KindChanged, p.a.opts.BinName, "not the bytes that were there when it was opened")
	}
	return nil
}

// Content returns everything the archive says, at 32 bytes a key. If there is a
// key that no archive may have, it is the error, of [KindKey].
func (p Payload) Content() (*Content, error) {
	info, header := p.a.info, p.a.header
	c := &Content{Start: header.Start, End: header.End, Region: header.Region}
	c.Keys = make([]keys.TemporaryExposureKey, 0, info.Keys)
	c.RevisedKeys = make([]keys.TemporaryExposureKey, 0, info.RevisedKeys)
	var rejected error
	err := p.each(func(list protowire.Number, index int, k *keys.TemporaryExposureKey, rejection error) bool {
		switch {
		case rejection != nil:
			rejected = rejectedKey(list, index, rejection)
		case list == fieldKeys:
			c.Keys = append(c.Keys, *k)
		default:
			c.RevisedKeys = append(c.RevisedKeys, *k)
		}
		return rejected == nil
	})
	if err == nil {
		err = rejected
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}
