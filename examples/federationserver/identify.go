package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/signing/jws"
	"github.com/gaenkit/gaen/storage/ledger"
)

// sourceOf returns the id of a nation as it is in tokens, as it is in the ledger.
func sourceOf(id string) ledger.Source { return ledger.Source(id) }

// An identifier tells who calls: by the secrets in the file, and the nations in the
// ledger, as they are now. It is both of what [interop.Server] needs for it.
type identifier struct {
	registry *registry
	tokens   *watched[*jws.Tokens]
}

var (
	_ interop.Tokens  = (*identifier)(nil)
	_ interop.Nations = (*identifier)(nil)
)

func newIdentifier(g *registry, path string, failed func(error)) (*identifier, error) {
	i := &identifier{registry: g}
	_, err := readOrMakeSecrets(path)
	if err != nil {
		return nil, err
	}
	i.tokens, err = watch([]string{path}, func() (*jws.Tokens, error) {
		all, err := readSecrets(path) // none are made in the place of some that are gone
		if err != nil {
			return nil, err
		}
		return jws.NewSecretTokens(all, &jws.TokenOptions{Revoked: i.revoked, MaxLifetime: maxLifetime})
	}, failed)
	return i, err
}

// maxLifetime is how long a token may be good for: whoever issues one for longer
// than a year has said so.
const maxLifetime = 10 * jws.DefaultMaxLifetime

// Verify implements [interop.Tokens].
func (i *identifier) Verify(ctx context.Context, token string) (jws.Claims, error) {
	return i.tokens.get().Verify(ctx, token)
}

// visit is what one request has found out, so that it asks the ledger once.
type visit struct {
	id        ledger.Source
	member    *interop.Member
	europeans []*nation // nil if nobody has asked for them
}

type visitKey struct{}

// visiting gives every request a visit.
func visiting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, &visit{})))
	})
}

// revoked looks up the nation that a token names, and whether it still has it.
func (i *identifier) revoked(ctx context.Context, c jws.Claims) (bool, error) {
	n, member, err := i.registry.find(ctx, sourceOf(c.Nation))
	if err != nil {
		return false, unlessUnknown(err)
	}
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		v.id, v.member = n.ID, member
	}
	return n.refuses(c), nil
}

// unlessUnknown returns an error but that there is no such nation, which is for
// Member to say.
func unlessUnknown(err error) error {
	if err == interop.ErrUnknownNation {
		return nil
	}
	return fmt.Errorf("looking up the nation: %w", err)
}

// Member implements [interop.Nations].
func (i *identifier) Member(ctx context.Context, id string) (*interop.Member, error) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok && v.member != nil && v.id == sourceOf(id) {
		return v.member, nil
	}
	_, member, err := i.registry.find(ctx, sourceOf(id))
	if err == nil && member == nil {
		err = interop.ErrUnknownNation
	}
	return member, err
}
