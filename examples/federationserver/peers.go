package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/partner"
	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

// A peer is another federation server, of which this one is a client.
type peer struct {
	partner.Instance

	// Nation says that the nation of this name, here, is the same server: it is a
	// client of this one, too. What it brings in either way has one source, so that
	// it is sent back in neither.
	Nation bool `json:"nation,omitzero"`

	// books is the push as the ledger's books know it. It has made-up secrets, and
	// is never run. It is nil if nothing is sent.
	books *federation.Push
}

// newPeer returns what a peer is where its file does not say otherwise: a hub of
// this project, from which everything is taken, and which is sent everything, also
// what was there before it.
func newPeer() *peer {
	return &peer{Instance: partner.Instance{Import: true, Gateway: true, Extended: true, FromBeginning: true, Rules: partner.Rules{Rules: federation.Relay()}}}
}

// readPeers reads the file of peers. The error names the field.
func readPeers(l *ledger.Ledger, path string) ([]*peer, error) {
	var file struct {
		Instances []json.RawMessage `json:"instances"`
	}
	if err := deploy.ReadInto(path, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var all []*peer
	seen := map[ledger.Source]bool{}
	for i, text := range file.Instances {
		p, err := parsePeer(text)
		if err != nil {
			return nil, fmt.Errorf("%s: instances[%d]: %w", path, i, err)
		}
		err = p.check()
		if err == nil && seen[p.Name] {
			err = errors.New("name: is another's")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: instances[%d] (%s).%w", path, i, p.Name, err)
		}
		if err := p.rehearse(l); err != nil {
			return nil, fmt.Errorf("%s: instances[%d] (%s): %w", path, i, p.Name, err)
		}
		seen[p.Name] = true
		all = append(all, p)
	}
	return all, nil
}

// parsePeer reads one. Whether it is told of withdrawals follows from what it is:
// all servers of this project take them by the protocol of their own.
func parsePeer(text []byte) (*peer, error) {
	p := newPeer()
	var named struct{ Protocol partner.Protocol }
	if json.Unmarshal(text, &named) == nil && named.Protocol == partner.EFGS {
		p.Extended = false
	}
	if err := deploy.Decode(text, p); err != nil {
		return nil, err
	}
	p.Rules.Withdrawals = p.Rules.Withdrawals || p.Extended
	return p, nil
}

// check returns an error that names the first field that makes no sense.
func (p *peer) check() error {
	switch {
	case p.Export:
		return errors.New("export: nothing is submitted to a federation server; what nations and peers bring is relayed (gateway)")
	case p.Withheld:
		return errors.New("withheld: a federation server publishes nothing")
	case p.AcceptOwn:
		return errors.New("acceptOwn: a federation server has no own country")
	case p.Calls():
		return errors.New("efgs.callback: a federation server looks by itself, every -peer-every")
	}
	return p.Check(keys.Region{})
}

// rehearse opens everything that can be opened without secrets, which finds what is
// wrong in the rest of the fields.
func (p *peer) rehearse(l *ledger.Ledger) error {
	if p.Disabled {
		return nil
	}
	s, err := partner.MadeUp(p.SecretFields("", keys.Region{}))
	if err != nil {
		return err
	}
	x, err := p.open(l, s, partner.NewPauses(clock))
	if err == nil {
		p.books = x.Push
	}
	return err
}

// open returns the peer at work. It is sent what everybody brought, but for itself.
func (p *peer) open(l *ledger.Ledger, s partner.Secrets, pauses *partner.Pauses) (*partner.Exchange, error) {
	return p.Open(l, keys.Region{}, keys.All[ledger.Source](), s, pauses)
}

// same reports whether both say the same.
func (p *peer) same(q *peer) bool {
	return reflect.DeepEqual(p.Instance, q.Instance) && p.Nation == q.Nation
}

// withPeers reads the file of the flag -peers for a command that needs no ledger.
func withPeers(ctx context.Context, name string, args []string, stderr io.Writer, f func(path string, all []*peer) error) error {
	flags, _ := newFlags(name, stderr)
	path := flags.String("peers", "peers.json", "`file` of peers")
	if _, err := parse(flags, args, 0, "none"); err != nil {
		return err
	}
	l, err := ledger.Open(ctx, memledger.New(nil), &ledger.Options{Policy: new(hubPolicy())})
	if err != nil {
		return err
	}
	all, err := readPeers(l, *path)
	if err != nil {
		return usage("%w", err)
	}
	return f(*path, all)
}

// peerCheck says what would be done with each peer, and asks nobody.
func peerCheck(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return withPeers(ctx, "peer check", args, stderr, func(_ string, all []*peer) error {
		for _, p := range all {
			fmt.Fprintf(stdout, "%s: %s\n", p.Name, strings.Join(p.Plan(), ", "))
		}
		return nil
	})
}

// peerInit makes the signing keys that are files and missing.
func peerInit(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return withPeers(ctx, "peer init", args, stderr, func(file string, all []*peer) error {
		for _, p := range all {
			if p.SigningKey.File == "" || p.Protocol == partner.EFGS { // whose keys come with certificates
				continue
			}
			path := partner.PathIn(filepath.Dir(file), p.SigningKey.File)
			made, err := partner.MakeKey(path)
			if err != nil {
				return err
			}
			if made {
				fmt.Fprintln(stdout, "made", path)
			}
		}
		return nil
	})
}
