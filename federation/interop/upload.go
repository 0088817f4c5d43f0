package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
)

// Upload implements [federation.Uploader]. The answer never names single keys,
// since the protocol does not: Inserted says how many were new.
func (c *Client) Upload(ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
	body, err := c.message(b)
	if err != nil {
		return nil, err
	}
	a, err := c.do(ctx, opUpload, http.MethodPost, "/upload", body, maxAnswer)
	if err != nil {
		return nil, err
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return stored(a, len(b.Keys))
	}
	return nil, answered(opUpload, a.status, a.header, a.body)
}

// message returns the body of an upload: the tag, and the exposures signed.
func (c *Client) message(b *federation.Batch) ([]byte, error) {
	if c.opts.Signer == nil {
		return nil, &Error{Op: opUpload, Class: federation.ErrDenied, Err: errNoSigner}
	}
	origins := c.Origins()
	for i := range b.Keys {
		// A key of another origin would become one of ours there.
		if !origins.Has(b.Keys[i].Origin) {
			return nil, &Error{Op: opUpload, Class: federation.ErrDenied, Err: errOrigin}
		}
	}
	w := writer{origin: c.opts.Extended, extended: c.opts.Extended}
	signed, err := c.opts.Signer.Sign(w.appendAll(make([]byte, 0, 2+usualExposure*len(b.Keys)), b.Keys))
	if err != nil {
		return nil, unavailable(opUpload, 0, "%w", err)
	}
	tag, err := json.Marshal(b.Tag)
	if err != nil {
		return nil, unavailable(opUpload, 0, "%w", err)
	}
	body := make([]byte, 0, len(signed)+len(tag)+len(`{"batchTag":,"payload":""}`))
	body = append(append(body, `{"batchTag":`...), tag...)
	body = append(append(body, `,"payload":"`...), signed...) // base64url and dots: nothing to escape
	return append(body, `"}`...), nil
}

// stored reads what the server says of a batch that it has. An answer that is not
// the protocol's, as a proxy's page with status 200, some other object, or nothing
// with that status, says nothing of the batch; 201 and 204 do by themselves.
func stored(a *answer, sent int) (*federation.Answer, error) {
	result := &federation.Answer{Inserted: -1}
	if a.status != http.StatusOK && len(bytes.TrimSpace(a.body)) == 0 {
		return result, nil
	}
	v, ok := jsontext.Parse(a.body)
	if !ok || !v.IsObject() {
		return nil, unavailable(opUpload, a.status, "the answer is no JSON object")
	}
	var found [2]jsontext.Value
	v.Once([]string{"insertedExposures", "batchTag"}, found[:])
	if a.status == http.StatusOK && found[0] == nil && found[1] == nil {
		return nil, unavailable(opUpload, a.status, "the answer has neither insertedExposures nor batchTag")
	}
	if n, err := strconv.Atoi(string(found[0])); err == nil && n >= 0 && n <= sent {
		result.Inserted = n
	}
	return result, nil
}
