package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/federation/internal/jsontext"
	"github.com/gaenkit/gaen/federation/internal/remote"
)

// Upload implements [federation.Uploader]. The answer never names single keys,
// since the protocol does not: Inserted says how many were new.
func (c *Client) Upload(ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
	body, err := c.message(b)
	if err != nil {
		return nil, err
	}
	a, err := c.server.Ask(ctx, &remote.Request{
		Op: opUpload, Method: http.MethodPost, Path: "/upload", Body: body,
		Header: map[string]string{"Accept": mediaType, "Content-Type": mediaType},
	})
	if err != nil {
		return nil, err
	}
	switch a.Status {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent:
		return stored(a, len(b.Keys))
	}
	return nil, a.Failure(meaning(opUpload, a.Status, a.Body))
}

// message returns the body of an upload: the tag, and the exposures signed.
func (c *Client) message(b *federation.Batch) ([]byte, error) {
	if c.opts.Signer == nil {
		return nil, denied(opUpload, errNoSigner)
	}
	origins := c.Origins()
	for i := range b.Keys {
		// A key of another origin would become one of ours there.
		if !origins.Has(b.Keys[i].Origin) {
			return nil, denied(opUpload, errOrigin)
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
func stored(a *remote.Answer, sent int) (*federation.Answer, error) {
	result := &federation.Answer{Inserted: -1}
	if a.Status != http.StatusOK && len(bytes.TrimSpace(a.Body)) == 0 {
		return result, nil
	}
	v, ok := jsontext.Parse(a.Body)
	if !ok || !v.IsObject() {
		return nil, unavailable(opUpload, a.Status, "the answer is no JSON object")
	}
	var found [2]jsontext.Value
	v.Once([]string{"insertedExposures", "batchTag"}, found[:])
	if a.Status == http.StatusOK && found[0] == nil && found[1] == nil {
		return nil, unavailable(opUpload, a.Status, "the answer has neither insertedExposures nor batchTag")
	}
	if n, err := strconv.Atoi(string(found[0])); err == nil && n >= 0 && n <= sent {
		result.Inserted = n
	}
	return result, nil
}
