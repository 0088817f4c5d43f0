package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/gaenkit/gaen/examples/internal/deploy"
	"github.com/gaenkit/gaen/examples/internal/wholefile"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/signing"
	"github.com/gaenkit/gaen/signing/cms"
	"github.com/gaenkit/gaen/signing/jws"
)

// rights are flags that say what a nation may do. Those that are not given change
// nothing.
type rights struct {
	flags       *flag.FlagSet
	region      string
	relays      regions
	downloads   bool
	withdrawals bool
	extended    bool
	sealedOnly  bool
}

func rightsFlags(f *flag.FlagSet) *rights {
	r := &rights{flags: f}
	f.StringVar(&r.region, "region", "", "`region` that is the origin of its own keys")
	f.Var(&r.relays, "relays", "`regions` whose keys it may bring besides (DE,FR or *)")
	f.BoolVar(&r.downloads, "downloads", true, "it may download")
	f.BoolVar(&r.withdrawals, "withdrawals", false, "it is told of withdrawals")
	f.BoolVar(&r.extended, "extended", false, "it is handed the extended form")
	f.BoolVar(&r.sealedOnly, "sealed-only", false, "with -protocol efgs: it is handed nothing that no nation has signed, such as keys that came by another protocol")
	return r
}

// apply changes a nation as the flags say.
func (r *rights) apply(n *nation) (err error) {
	r.flags.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "region":
			if n.Region, err = parseRegion(r.region); err != nil {
				err = usage("-region: %w", err)
			}
		case "relays":
			n.Relays = r.relays.set
		case "downloads":
			n.Downloads = r.downloads
		case "withdrawals":
			n.Withdrawals = r.withdrawals
		case "extended":
			n.Extended = r.extended
		case "sealed-only":
			n.SealedOnly = r.sealedOnly
		}
	})
	return err
}

// parseRegion returns a region, or none for none.
func parseRegion(s string) (keys.Region, error) {
	if s == "" {
		return keys.Region{}, nil
	}
	return keys.ParseRegion(s)
}

func nationAdd(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation add", stderr)
	r := rightsFlags(f)
	var files deploy.List
	f.Var(&files, "key", "public key `file` (PEM) that it signs uploads with; may be repeated; none: it may not upload")
	speaks := f.String("protocol", "interop", "`protocol` that it speaks: interop or efgs")
	list := f.String("certificates", "", "with -protocol efgs: `file` of a list (JSON), of which those of its country are its own")
	anchor := f.String("anchor", "", "`file` of the trust anchor, which has to have signed them")
	id, err := parseID(f, args)
	if err != nil {
		return err
	}
	p, entries, err := protocolOf(*speaks, *list, *anchor)
	if err != nil {
		return err
	}
	return withNewRegistry(ctx, *place, func(g *registry) error {
		if err := g.free(ctx, id); err != nil {
			return err
		}
		err := g.change(ctx, id, func(n *nation) error {
			if n.Removed.IsZero() && (!n.Region.IsZero() || !n.Relays.IsEmpty()) {
				return errors.New("is there already; see nation rights, nation key")
			}
			if !n.Removed.IsZero() && n.Protocol != p {
				return errors.New("was here by another protocol; who seals keys and who does not cannot be one in the ledger: choose another id")
			}
			n.Removed, n.Downloads, n.Protocol = time.Time{}, true, p
			if err := errors.Join(r.apply(n), g.alone(ctx, n)); err != nil {
				return err
			}
			if *list != "" {
				if err := n.addCertificates(entries); err != nil {
					return err
				}
			}
			for _, path := range files {
				if err := addKeyFile(n, path, ""); err != nil {
					return err
				}
			}
			return nil
		})
		return say(stdout, err, "nation %s added", id)
	})
}

// protocolOf returns what the flags of nation add say of the protocol.
func protocolOf(name, list, anchor string) (protocol, []cms.Entry, error) {
	switch {
	case name == "interop" && list != "":
		return "", nil, usage("-certificates: is for -protocol efgs")
	case name == "interop":
		return "", nil, nil
	case protocol(name) != protocolEFGS:
		return "", nil, usage("-protocol: %q, want interop or efgs", name)
	case list == "":
		return protocolEFGS, nil, nil
	}
	entries, err := listedIn(list, anchor)
	return protocolEFGS, entries, err
}

func addKeyFile(n *nation, path, keyID string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, signing.MaxKeyText+1))
	if err != nil {
		return err
	}
	public, err := signing.ParsePublicKey(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return n.addKey(public, keyID, now())
}

// now is the time that is noted of changes.
func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// say prints what was done, if it was.
func say(w io.Writer, err error, format string, args ...any) error {
	if err == nil {
		fmt.Fprintf(w, format+"\n", args...)
	}
	return err
}

func nationRights(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation rights", stderr)
	r := rightsFlags(f)
	id, err := parseID(f, args)
	if err != nil {
		return err
	}
	return withRegistry(ctx, *place, func(g *registry) error {
		err := g.change(ctx, id, present(func(n *nation) error { return errors.Join(r.apply(n), g.alone(ctx, n)) }))
		return say(stdout, err, "nation %s changed", id)
	})
}

func nationKey(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation key", stderr)
	add := f.String("add", "", "public key `file` (PEM) to add")
	keyID := f.String("key-id", "", "`id` by which its messages name the key that is added, if they do")
	remove := f.String("remove", "", "`fingerprint` or id of the key to remove, as nation list prints it")
	id, err := parseID(f, args)
	if err != nil {
		return err
	}
	if (*add == "") == (*remove == "") {
		return usage("nation key: want -add or -remove")
	}
	return withRegistry(ctx, *place, func(g *registry) error {
		err := g.change(ctx, id, present(func(n *nation) error {
			if *remove != "" {
				return n.removeKey(*remove)
			}
			return addKeyFile(n, *add, *keyID)
		}))
		return say(stdout, err, "nation %s changed", id)
	})
}

func nationRevoke(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation revoke", stderr)
	token := f.String("token", "", "`id` of the token, as nation list prints it (default all there are)")
	id, err := parseID(f, args)
	if err != nil {
		return err
	}
	return withRegistry(ctx, *place, func(g *registry) error {
		err := g.change(ctx, id, present(func(n *nation) error {
			if *token != "" {
				return n.revoke(*token, now())
			}
			n.revokeAll(now())
			return nil
		}))
		return say(stdout, err, "revoked")
	})
}

func nationRemove(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation remove", stderr)
	id, err := parseID(f, args)
	if err != nil {
		return err
	}
	return withRegistry(ctx, *place, func(g *registry) error {
		err := g.change(ctx, id, present(func(n *nation) error {
			n.remove(now())
			return nil
		}))
		return say(stdout, err, "nation %s removed; its keys stay until they are too old", id)
	})
}

func nationToken(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation token", stderr)
	secrets := secretsFlag(f)
	lifetime := f.Duration("lifetime", jws.DefaultLifetime, "how long it is good for")
	out := f.String("out", "", "`file` to write it to, which must not be there (default standard output)")
	id, err := parseID(f, args)
	if err != nil {
		return err
	}
	return withRegistry(ctx, *place, func(g *registry) error {
		token, err := issue(ctx, g, string(id), *secrets, *lifetime)
		if err != nil {
			return err
		}
		return handOver(stdout, *out, token)
	})
}

// issue issues a token, and has it noted before anybody gets it.
func issue(ctx context.Context, g *registry, id, secrets string, lifetime time.Duration) (token string, err error) {
	all, err := readOrMakeSecrets(secrets)
	if err != nil {
		return "", err
	}
	tokens, err := jws.NewSecretTokens(all, &jws.TokenOptions{Lifetime: lifetime, MaxLifetime: max(lifetime, jws.DefaultMaxLifetime)})
	if err != nil {
		return "", err
	}
	err = g.change(ctx, sourceOf(id), present(func(n *nation) error {
		if n.european() {
			return errors.New("it is known by its certificates, not by tokens")
		}
		if err := waitUntil(ctx, n.RevokedUntil.Add(time.Second)); err != nil {
			return err
		}
		var c jws.Claims
		if token, c, err = tokens.Issue(id); err != nil {
			return err
		}
		n.issued(c, now())
		return nil
	}))
	return token, err
}

// maxWait is how far the clock of this machine may be behind that of another.
const maxWait = 5 * time.Second

// waitUntil waits for a token that is issued now not to be one of those that were
// revoked a moment ago: they are known by the second.
func waitUntil(ctx context.Context, t time.Time) error {
	wait := time.Until(t)
	if wait > maxWait {
		return fmt.Errorf("its tokens are revoked up to %s: the clock of this machine is wrong, or that of another was", t.Format(time.RFC3339))
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

// handOver writes a token where only who asked for it reads it.
func handOver(stdout io.Writer, path, token string) error {
	if path == "" {
		fmt.Fprintln(stdout, token)
		return nil
	}
	return wholefile.Create(path, []byte(token+"\n"))
}

func nationList(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, place := newFlags("nation list", stderr)
	if _, err := parse(f, args, 0, "none"); err != nil {
		return err
	}
	return withRegistry(ctx, *place, func(g *registry) error {
		all, err := g.all(ctx)
		for _, n := range all {
			n.print(stdout)
		}
		return err
	})
}

// print prints a nation, its keys and its tokens, a line each.
func (n *nation) print(w io.Writer) {
	words := []string{string(n.ID)}
	for _, right := range []struct {
		word string
		has  bool
	}{
		{"region=" + n.Region.String(), !n.Region.IsZero()},
		{"relays=" + listed(n.Relays), !n.Relays.IsEmpty()},
		{"protocol=" + string(n.Protocol), n.Protocol != ""},
		{"uploads", len(n.Keys) > 0 || n.european()},
		{"downloads", n.Downloads},
		{"withdrawals", n.Withdrawals},
		{"extended", n.Extended},
		{"sealed-only", n.SealedOnly},
	} {
		if right.has {
			words = append(words, right.word)
		}
	}
	fmt.Fprintln(w, strings.Join(words, " "))
	for _, k := range n.Keys {
		fmt.Fprintf(w, "  key %s %q added %s\n", k.fingerprint(), k.KeyID, deploy.Shown(k.Added))
	}
	n.printCertificates(w)
	for _, t := range n.Tokens {
		state := "good until " + deploy.Shown(t.Expires)
		if !t.Revoked.IsZero() {
			state = "revoked " + deploy.Shown(t.Revoked)
		}
		fmt.Fprintf(w, "  token %s issued %s, %s\n", t.ID, deploy.Shown(t.Issued), state)
	}
	if !n.RevokedUntil.IsZero() {
		fmt.Fprintf(w, "  no token is good that was issued up to %s\n", deploy.Shown(n.RevokedUntil))
	}
}

// listed returns a set of regions as its flag takes it.
func listed(s keys.Set[keys.Region]) string {
	text, err := s.MarshalJSON()
	if err != nil {
		return "?"
	}
	return strings.NewReplacer(`"`, "", "[", "", "]", "").Replace(string(text))
}
