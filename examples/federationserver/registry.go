package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/gaenkit/gaen/federation/interop"
	"github.com/gaenkit/gaen/storage/ledger"
)

// Registers of this program begin with this.
const (
	nationPrefix = "federationserver/nation/"
	seenPrefix   = "federationserver/seen/"
	peerPrefix   = "federationserver/peer/"
)

// A registry is the nations, as they are in registers of the ledger. It may be
// used from several goroutines and processes at once.
type registry struct {
	ledger *ledger.Ledger

	mu    sync.Mutex
	known map[ledger.Source]known
}

// known is a nation as it was last read, so that its keys are not parsed for every
// request.
type known struct {
	version int64
	nation  *nation
	member  *interop.Member // nil if it was removed, or speaks another protocol
}

func newRegistry(l *ledger.Ledger) *registry {
	return &registry{ledger: l, known: map[ledger.Source]known{}}
}

// find returns a nation as it is now. It is not to be changed. There is none if
// the error satisfies errors.Is(err, [interop.ErrUnknownNation]).
func (g *registry) find(ctx context.Context, id ledger.Source) (*nation, *interop.Member, error) {
	reg, err := g.read(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	if reg.Version == 0 {
		return nil, nil, interop.ErrUnknownNation
	}
	k, err := g.parse(id, reg)
	if err != nil {
		return nil, nil, err
	}
	return k.nation, k.member, nil
}

func (g *registry) parse(id ledger.Source, reg ledger.Register) (known, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if k := g.known[id]; k.version == reg.Version {
		return k, nil
	}
	k := known{version: reg.Version, nation: &nation{}}
	if err := json.Unmarshal(reg.Value, k.nation); err != nil {
		return k, fmt.Errorf("register %s: %w", reg.Name, err)
	}
	if k.nation.Removed.IsZero() && !k.nation.european() {
		var err error
		if k.member, err = k.nation.member(); err != nil {
			return k, fmt.Errorf("register %s: %w", reg.Name, err)
		}
	}
	g.known[id] = k
	return k, nil
}

// read returns the register of a nation, of version 0 if there is none.
func (g *registry) read(ctx context.Context, id ledger.Source) (ledger.Register, error) {
	return g.register(ctx, nationPrefix+string(id))
}

// register returns the register of a name, of version 0 if there is none.
func (g *registry) register(ctx context.Context, name string) (ledger.Register, error) {
	found, err := g.ledger.Registers(ctx, name)
	if err != nil || len(found) == 0 || found[0].Name != name { // what begins with it comes after it
		return ledger.Register{Name: name}, err
	}
	return found[0], nil
}

// all returns all nations that are not removed, by their ids.
func (g *registry) all(ctx context.Context) ([]*nation, error) {
	found, err := g.ledger.Registers(ctx, nationPrefix)
	if err != nil {
		return nil, err
	}
	var all []*nation
	for _, reg := range found {
		k, err := g.parse(ledger.Source(reg.Name[len(nationPrefix):]), reg)
		if err != nil {
			return nil, err
		}
		if k.nation.Removed.IsZero() {
			all = append(all, k.nation)
		}
	}
	return all, nil
}

// maxTries is how often a change is tried while others change the same nation.
const maxTries = 10

// change changes a nation. The function is given it as it is now, with only its id
// if it is new, and may be called again.
func (g *registry) change(ctx context.Context, id ledger.Source, f func(n *nation) error) error {
	nonce := ledger.NewNonce()
	for try := 1; ; try++ {
		reg, err := g.read(ctx, id)
		if err != nil {
			return err
		}
		value, err := changed(id, reg.Value, f)
		if err != nil {
			return fmt.Errorf("nation %s: %w", id, err)
		}
		err = g.ledger.Swap(ctx, nonce, ledger.Swap{Name: reg.Name, Version: reg.Version, Value: value})
		if _, conflict := errors.AsType[*ledger.ConflictError](err); conflict && try < maxTries {
			continue
		}
		return err
	}
}

// changed returns what a register is to hold.
func changed(id ledger.Source, value []byte, f func(n *nation) error) ([]byte, error) {
	n := &nation{ID: id}
	if value != nil {
		if err := json.Unmarshal(value, n); err != nil {
			return nil, err
		}
	}
	if err := f(n); err != nil {
		return nil, err
	}
	if n.Removed.IsZero() {
		if err := n.check(); err != nil {
			return nil, err
		}
	}
	return json.Marshal(n)
}

// present is for changes of nations that must be there.
func present(f func(n *nation) error) func(n *nation) error {
	return func(n *nation) error {
		if n.Relays.IsEmpty() && n.Region.IsZero() {
			return interop.ErrUnknownNation
		}
		return f(n)
	}
}

// alone returns an error if another nation of the European protocol has a country:
// by its certificates one could not be told from the other.
func (g *registry) alone(ctx context.Context, n *nation) error {
	if !n.european() {
		return nil
	}
	all, err := g.all(ctx)
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.european() && other.Region == n.Region && other.ID != n.ID {
			return fmt.Errorf("-region: %s is that of %s", n.Region, other.ID)
		}
	}
	return nil
}

// errNameTaken: a nation and a peer would be one source in the ledger, and could
// withdraw each other's keys.
var errNameTaken = errors.New("name: is that of a nation; if it is the same server, say \"nation\": true, else name one of them otherwise")

// allows returns an error unless the peer may have its name.
func (g *registry) allows(ctx context.Context, p *peer) error {
	if p.Nation {
		return nil
	}
	n, _, err := g.find(ctx, p.Name)
	if errors.Is(err, interop.ErrUnknownNation) {
		return nil
	}
	if err == nil && n.Removed.IsZero() {
		err = errNameTaken
	}
	return err
}

// A notedPeer is what the ledger remembers of a peer: that it has its name.
type notedPeer struct {
	Nation bool `json:"nation"`
}

// notePeer notes that a peer has its name, so that no nation is given it. If another
// process is quicker, the error is a [ledger.ConflictError].
func (g *registry) notePeer(ctx context.Context, p *peer) error {
	value, err := json.Marshal(notedPeer{p.Nation})
	if err != nil {
		return err
	}
	reg, err := g.register(ctx, peerPrefix+string(p.Name))
	if err != nil || string(reg.Value) == string(value) {
		return err
	}
	return g.ledger.Swap(ctx, ledger.NewNonce(), ledger.Swap{Name: reg.Name, Version: reg.Version, Value: value})
}

// free returns an error if the id is the name of a peer that is another server.
func (g *registry) free(ctx context.Context, id ledger.Source) error {
	reg, err := g.register(ctx, peerPrefix+string(id))
	if err != nil || reg.Version == 0 {
		return err
	}
	var p notedPeer
	if err := json.Unmarshal(reg.Value, &p); err != nil {
		return fmt.Errorf("register %s: %w", reg.Name, err)
	}
	if !p.Nation {
		return fmt.Errorf("nation %s: a peer has this name; if it is the same server, say \"nation\": true in the file of peers first", id)
	}
	return nil
}
