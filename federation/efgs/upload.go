package efgs

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/federation/internal/remote"
)

// Upload implements [federation.Uploader]. Keys go in the order of the batch; only
// the signature has another.
//
// Only 201 means that the batch is stored, or 409, since the tag is a function of
// what is in the batch: it has been stored before, and the answer was lost. 207
// means that nothing was: of six national clients three took it for a success and
// lost keys for months (CWA 1391).
func (c *Client) Upload(ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
	r, err := c.message(b)
	if err != nil {
		return nil, err
	}
	a, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	switch a.Status {
	case http.StatusCreated:
		return &federation.Answer{Inserted: len(b.Keys)}, nil
	case http.StatusConflict:
		return &federation.Answer{Inserted: -1}, nil
	case http.StatusMultiStatus:
		return perKey(a, len(b.Keys))
	}
	return nil, a.Failure(meaning(opUpload, a.Status))
}

// message returns the request of an upload.
func (c *Client) message(b *federation.Batch) (*remote.Request, error) {
	if c.opts.Signer == nil {
		return nil, denied(opUpload, errNoSigner)
	}
	if strings.ContainsFunc(b.Tag, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return nil, unavailable(opUpload, 0, "the tag is not printable ASCII")
	}
	for i := range b.Keys {
		if b.Keys[i].Origin != c.country {
			return nil, denied(opUpload, errOrigin)
		}
	}
	batch := BatchOf(b.Keys)
	signature, err := c.opts.Signer.Sign(SigningBytes(batch.Keys), c.opts.Clock())
	if err != nil {
		return nil, unavailable(opUpload, 0, "signing: %w", err)
	}
	media := c.opts.Format.MediaType()
	return &remote.Request{
		Op: opUpload, Method: http.MethodPost, Path: "/upload",
		Header: map[string]string{"Accept": media, "Content-Type": media, headerBatchTag: b.Tag, headerBatchSignature: signature},
		Body:   c.opts.Format.Append(make([]byte, 0, usualKey*len(b.Keys)), batch.Keys),
	}, nil
}

// perKey reads the answer 207: what the gateway would have stored, has already, and
// failed at, by the places in the batch. Whatever is not named is sent again.
func perKey(a *remote.Answer, sent int) (*federation.Answer, error) {
	answer := &federation.Answer{Inserted: -1}
	var lists [2]jsontext.Value
	v, ok := jsontext.Parse(a.Body)
	if !ok || !v.IsObject() || v.Once([]string{"409", "500"}, lists[:]) != "" {
		return nil, unavailable(opUpload, a.Status, "the answer is no JSON object")
	}
	var err error
	if answer.Known, err = places(lists[0], sent); err != nil {
		return nil, unavailable(opUpload, a.Status, "409: %w", err)
	}
	if answer.Refused, err = places(lists[1], sent); err != nil {
		return nil, unavailable(opUpload, a.Status, "500: %w", err)
	}
	answer.Refused = slices.DeleteFunc(answer.Refused, func(n int) bool { return slices.Contains(answer.Known, n) })
	switch {
	case len(answer.Known)+len(answer.Refused) == 0:
		return nil, unavailable(opUpload, a.Status, "the answer names no key that keeps the batch from being stored")
	case len(answer.Refused) == sent && sent > 1:
		// It is the gateway that is broken, and not every key.
		return nil, unavailable(opUpload, a.Status, "the gateway failed at each of %d keys", sent)
	}
	return answer, nil
}

var errPlaces = errors.New("not a list of places in the batch")

// places reads a list of places, each of which it returns once.
func places(list jsontext.Value, sent int) (found []int, err error) {
	if !isList(list) {
		return nil, errPlaces
	}
	for e := range list.Elements() {
		n, err := strconv.Atoi(string(e))
		if err != nil || n < 0 || n >= sent {
			return nil, errPlaces
		}
		found = append(found, n)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
