package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gaenkit/gaen/distribution"
	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/scripttest"
	"github.com/gaenkit/gaen/keys/keystest"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/storage/filestore"
	"github.com/gaenkit/gaen/storage/ledger"
	"github.com/gaenkit/gaen/storage/ledger/memledger"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"verify": main})
}

// TestScripts runs the program as a whole. Each script has a tree of two days in
// www, the key file of its key in public.txt, the same key bare in public.pem,
// and another key in other.txt. The scripts also have the command
//
//	tamper file   changes a byte in the middle of a file
func TestScripts(t *testing.T) {
	scripttest.Run(t, makeTree, map[string]scripttest.Command{"tamper": tamper})
}

func tamper(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tamper file")
	}
	path := ts.MkAbs(args[0])
	content, err := os.ReadFile(path)
	ts.Check(err)
	content[len(content)/2] ^= 1
	ts.Check(os.WriteFile(path, content, 0o644))
}

// treeEnd is when the newest window of the scripts' tree ends.
var treeEnd = time.Date(2026, 3, 10, 3, 0, 0, 0, time.UTC)

// makeTree publishes a tree below dir, with keys in some of its hours.
func makeTree(dir string) error {
	open := func(clock func() time.Time) (ledger.Store, error) {
		return memledger.New(&memledger.Options{Clock: clock}), nil
	}
	return makeTreeOf(dir, open, treeEnd.Add(-48*time.Hour), nil, func(n *publishing) error { return n.partner(1) })
}

// publishing is a tree in the making.
type publishing struct {
	ledger    *ledger.Ledger
	publisher *distribution.Publisher
	clock     time.Time
	phones    *keystest.Generator
}

// makeTreeOf publishes a tree by the default configuration below dir, of a ledger
// from a time on.
func makeTreeOf(dir string, open func(func() time.Time) (ledger.Store, error), from time.Time, opts *ledger.Options, let func(*publishing) error) error {
	signer, err := makeKeys(dir)
	if err != nil {
		return err
	}
	ring, err := signing.NewRing(signer)
	if err != nil {
		return err
	}
	config := deploy.Default()
	layout, err := config.Layout()
	if err != nil {
		return err
	}
	packages, err := config.Packages()
	if err != nil {
		return err
	}
	www := filepath.Join(dir, "www")
	if err := os.Mkdir(www, 0o755); err != nil {
		return err
	}
	bucket, err := filestore.New(www, &filestore.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer bucket.Close()
	n := &publishing{clock: from, phones: keystest.New(5, &keystest.Options{EndOfPeriod: true})}
	store, err := open(func() time.Time { return n.clock })
	if err != nil {
		return err
	}
	if n.ledger, err = ledger.Open(context.Background(), store, opts); err != nil {
		return err
	}
	if n.publisher, err = distribution.New(n.ledger, bucket, layout, packages, ring, &distribution.Options{PublicRead: true}); err != nil {
		return err
	}
	if _, err := n.publisher.Run(context.Background()); err != nil {
		return err
	}
	if err := let(n); err != nil {
		return err
	}
	_, err = n.publisher.Run(context.Background())
	return err
}

// partner lets the hours up to treeEnd pass, each with an upload of a partner.
func (n *publishing) partner(seed uint64) error {
	gen := keystest.New(seed, &keystest.Options{EndOfPeriod: true})
	for !n.clock.After(treeEnd) {
		up := gen.Upload(n.clock)
		if err := n.accept("partner", up); err != nil {
			return err
		}
		if _, err := n.ledger.Release(context.Background(), nil); err != nil {
			return err
		}
		n.clock = n.clock.Add(time.Hour)
	}
	return nil
}

func (n *publishing) accept(source ledger.Source, up keystest.Upload) error {
	d := &ledger.Delivery{Source: source, Uploads: []ledger.Upload{{ID: up.ID, Keys: up.Keys}}}
	_, err := n.ledger.Accept(context.Background(), d)
	return err
}

// own lets hours pass, each with so many uploads of phones.
func (n *publishing) own(hours, uploads int) error {
	for range hours {
		for range uploads {
			if err := n.accept(ledger.Own, n.phones.Upload(n.clock)); err != nil {
				return err
			}
		}
		n.clock = n.clock.Add(time.Hour)
		if _, err := n.ledger.Release(context.Background(), nil); err != nil {
			return err
		}
	}
	return nil
}

// makeKeys writes the key files of a script and returns the signer.
func makeKeys(dir string) (*signing.Signer, error) {
	signer, err := writeKey(filepath.Join(dir, "public.txt"))
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(signer.PublicKey().Key)
	if err != nil {
		return nil, err
	}
	bare := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "public.pem"), bare, 0o644); err != nil {
		return nil, err
	}
	_, err = writeKey(filepath.Join(dir, "other.txt"))
	return signer, err
}

func writeKey(path string) (*signing.Signer, error) {
	key, err := signing.GenerateKey()
	if err != nil {
		return nil, err
	}
	signer, err := signing.NewSigner(deploy.Default().Identity(), key, nil)
	if err != nil {
		return nil, err
	}
	text, err := signing.MarshalKeyFile(signing.Registration{PublicKey: signer.PublicKey()})
	if err != nil {
		return nil, err
	}
	return signer, os.WriteFile(path, text, 0o644)
}
