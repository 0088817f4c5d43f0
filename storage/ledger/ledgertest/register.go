package ledgertest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gaenkit/gaen/storage/ledger"
)

var identityClauses = []clause{
	{
		name:  "identity-random",
		must:  "two ledgers have different identities, neither of them zero",
		check: checkIdentityRandom,
	},
	{
		name:  "identity-stable",
		must:  "a ledger's identity never changes",
		check: checkIdentityStable,
	},
	{
		name:  "clock",
		must:  "the ledger's time is that of its clock, in UTC, to the microsecond",
		check: checkClock,
	},
}

var registerClauses = []clause{
	{
		name:  "register-prefix",
		must:  "Registers returns the registers whose names begin with the prefix, byte by byte, in ascending order",
		check: checkRegisterPrefix,
	},
	{
		name:  "register-empty",
		must:  "a register that is absent is not one that is empty",
		check: checkRegisterEmpty,
	},
	{
		name:  "register-bytes",
		must:  "a value is any bytes, up to 64 KiB, and comes back as it was",
		check: checkRegisterBytes,
	},
	{
		name:  "register-private",
		must:  "values given and returned are the caller's own: changing them changes nothing in the ledger",
		check: checkRegisterPrivate,
	},
	{
		name:  "register-version",
		must:  "versions begin above 0, change with every change, and are never used again for the same name, not even after a deletion",
		check: checkRegisterVersion,
	},
	{
		name:  "register-conflict",
		must:  "a swap with another version than the register has is a ConflictError with the register as it is, and changes nothing",
		check: checkRegisterConflict,
	},
	{
		name:  "register-several",
		must:  "several swaps happen all or not at all",
		check: checkRegisterSeveral,
	},
	{
		name:  "register-nonce",
		must:  "a register carries the nonce of who wrote it, and of several conflicts one with the writer's own nonce is returned",
		check: checkRegisterNonce,
	},
}

func checkIdentityRandom(tr *trial) {
	a, b := tr.openStore(), tr.openStore()
	logA, err := a.Log(tr.ctx, 0)
	tr.must(err)
	logB, err := b.Log(tr.ctx, 0)
	tr.must(err)
	if zero := (ledger.Identity{}); logA.Identity == logB.Identity || logA.Identity == zero || logB.Identity == zero {
		tr.fail("two ledgers have the identities %s and %s", logA.Identity, logB.Identity)
	}
}

func checkIdentityStable(tr *trial) {
	tr.open(eager())
	before := tr.log().Identity
	tr.accept(ledger.Own, tr.key("DE"))
	tr.cut()
	if after := tr.log().Identity; after != before || tr.ledger.Identity() != before {
		tr.fail("the identity was %s and is %s", before, after)
	}
}

func checkClock(tr *trial) {
	tr.openStore()
	for _, now := range []time.Time{noon, noon.Add(1234567 * time.Nanosecond), noon.Add(-time.Hour), noon.In(time.FixedZone("", 3600))} {
		tr.clock.set(now)
		got, want := tr.log().Now, now.UTC().Truncate(time.Microsecond)
		if !got.Equal(want) || got.Location() != time.UTC {
			tr.fail("the clock shows %s, and the log says %s", now, got)
		}
	}
}

// swap changes registers, which must succeed.
func (tr *trial) swap(swaps ...ledger.Swap) ledger.Nonce {
	tr.tb.Helper()
	nonce := ledger.NewNonce()
	tr.must(tr.store.Swap(tr.ctx, nonce, swaps))
	return nonce
}

// conflict changes registers, which must be a conflict.
func (tr *trial) conflict(nonce ledger.Nonce, swaps ...ledger.Swap) *ledger.ConflictError {
	tr.tb.Helper()
	err := tr.store.Swap(tr.ctx, nonce, swaps)
	conflict, ok := errors.AsType[*ledger.ConflictError](err)
	if !ok {
		tr.fail("got %v, want a conflict", err)
	}
	return conflict
}

// registers returns those with a prefix.
func (tr *trial) registers(prefix string) []ledger.Register {
	tr.tb.Helper()
	found, err := tr.store.Registers(tr.ctx, prefix)
	tr.must(err)
	return found
}

// register returns the one with that name, which must be there.
func (tr *trial) register(name string) ledger.Register {
	tr.tb.Helper()
	for _, r := range tr.registers(name) {
		if r.Name == name {
			return r
		}
	}
	tr.fail("there is no register %s", name)
	return ledger.Register{}
}

func checkRegisterPrefix(tr *trial) {
	tr.openStore()
	// Wildcards of databases, and names that differ in case alone, are letters like others.
	names := []string{"a", "a/", "a/b", "a/c", "a0", "A/b", "a_", "ab", "a%", "b*", "b?", "b[x]", "b"}
	for _, name := range names {
		tr.swap(ledger.Swap{Name: name, Value: []byte(name)})
	}
	for _, prefix := range append(names, "", "a/b/", "~") {
		var got, want []string
		for _, r := range tr.registers(prefix) {
			got = append(got, r.Name)
		}
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				want = append(want, name)
			}
		}
		if slices.Sort(want); !slices.Equal(got, want) {
			tr.fail("prefix %q: got %q, want %q", prefix, got, want)
		}
	}
}

func checkRegisterEmpty(tr *trial) {
	tr.openStore()
	if got := tr.registers("cursor"); len(got) != 0 {
		tr.fail("a new ledger has %d registers of that name", len(got))
	}
	tr.swap(ledger.Swap{Name: "cursor"})
	r := tr.register("cursor")
	if len(r.Value) != 0 || r.Version < 1 {
		tr.fail("the empty register has %d bytes and version %d", len(r.Value), r.Version)
	}
	tr.conflict(ledger.NewNonce(), ledger.Swap{Name: "cursor", Value: []byte("x")})
	tr.swap(ledger.Swap{Name: "cursor", Version: r.Version, Delete: true})
	if got := tr.registers("cursor"); len(got) != 0 {
		tr.fail("the deleted register is still there")
	}
}

func checkRegisterBytes(tr *trial) {
	tr.openStore()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, value := range map[string][]byte{
		"every-byte": all,
		"not-utf8":   {0xff, 0xfe, 0, 0x80},
		"zeros":      make([]byte, 7),
		"longest":    bytes.Repeat(all, ledger.MaxRegister/len(all)),
	} {
		tr.swap(ledger.Swap{Name: name, Value: value})
		if got := tr.register(name); !bytes.Equal(got.Value, value) {
			tr.fail("%s: %d bytes were stored and %d others returned", name, len(value), len(got.Value))
		}
	}
}

func checkRegisterPrivate(tr *trial) {
	tr.openStore()
	value := []byte("value")
	nonce := tr.swap(ledger.Swap{Name: "r", Value: value})
	value[0] = 'X'
	tr.register("r").Value[1] = 'X'
	tr.conflict(nonce, ledger.Swap{Name: "r"}).Have.Value[2] = 'X'
	tr.must(tr.store.Accept(tr.ctx, &ledger.Intake{
		Registers: []string{"r"},
		Decide: func(s *ledger.Standing) (*ledger.Changes, error) {
			s.Registers["r"].Value[3] = 'X'
			return &ledger.Changes{}, nil
		},
	}))
	if got := tr.register("r").Value; string(got) != "value" {
		tr.fail("got %q, want %q", got, "value")
	}
}

func checkRegisterVersion(tr *trial) {
	tr.openStore()
	used := map[int64]bool{0: true}
	version := int64(0)
	for i := range 12 {
		if i%3 == 2 {
			tr.swap(ledger.Swap{Name: "r", Version: version, Delete: true})
			version = 0
			continue
		}
		tr.swap(ledger.Swap{Name: "r", Version: version, Value: []byte("the same value")})
		version = tr.register("r").Version
		if version < 1 || used[version] {
			tr.fail("version %d at change %d, after %v", version, i, used)
		}
		used[version] = true
	}
}

func checkRegisterConflict(tr *trial) {
	tr.openStore()
	nonce := tr.swap(ledger.Swap{Name: "r", Value: []byte("old")})
	have := tr.register("r")
	for _, wrong := range []ledger.Swap{
		{Name: "r", Version: 0, Value: []byte("new")},
		{Name: "r", Version: have.Version + 1, Value: []byte("new")},
		{Name: "r", Version: have.Version + 1, Delete: true},
		{Name: "r", Version: 0, Delete: true},
	} {
		c := tr.conflict(ledger.NewNonce(), wrong)
		if c.Have.Name != "r" || c.Have.Version != have.Version || string(c.Have.Value) != "old" || c.Have.Nonce != nonce || c.Want != wrong.Version {
			tr.fail("the conflict says %+v, want %+v and version %d", *c, have, wrong.Version)
		}
	}
	c := tr.conflict(ledger.NewNonce(), ledger.Swap{Name: "none", Version: 7})
	if c.Have.Name != "none" || c.Have.Version != 0 || c.Want != 7 {
		tr.fail("the conflict with no register says %+v", *c)
	}
	if got := tr.register("r"); got.Version != have.Version || string(got.Value) != "old" || got.Nonce != nonce {
		tr.fail("after conflicts the register is %+v, want %+v", got, have)
	}
}

func checkRegisterSeveral(tr *trial) {
	tr.openStore()
	tr.swap(ledger.Swap{Name: "a", Value: []byte("1")}, ledger.Swap{Name: "b", Value: []byte("1")})
	a, b := tr.register("a"), tr.register("b")
	for _, wrong := range [][]ledger.Swap{
		{{Name: "a", Version: a.Version, Value: []byte("2")}, {Name: "b", Version: b.Version + 9, Value: []byte("2")}},
		{{Name: "b", Version: b.Version + 9, Value: []byte("2")}, {Name: "a", Version: a.Version, Value: []byte("2")}},
		{{Name: "a", Version: a.Version, Delete: true}, {Name: "c", Value: []byte("2")}, {Name: "b", Value: []byte("2")}},
	} {
		tr.conflict(ledger.NewNonce(), wrong...)
		if got := tr.registers(""); len(got) != 2 || got[0].Version != a.Version || got[1].Version != b.Version {
			tr.fail("after a conflict there are %d registers: %+v", len(got), got)
		}
	}
	nonce := tr.swap(
		ledger.Swap{Name: "a", Version: a.Version, Delete: true},
		ledger.Swap{Name: "b", Version: b.Version, Value: []byte("3")},
		ledger.Swap{Name: "c", Value: []byte("3")})
	got := tr.registers("")
	if len(got) != 2 || string(got[0].Value) != "3" || string(got[1].Value) != "3" || got[0].Nonce != nonce || got[1].Nonce != nonce {
		tr.fail("after a swap of three there are %+v", got)
	}
}

func checkRegisterNonce(tr *trial) {
	tr.openStore()
	mine := ledger.NewNonce()
	swaps := []ledger.Swap{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("1")}, {Name: "c", Value: []byte("1")}}
	tr.must(tr.store.Swap(tr.ctx, mine, swaps))
	if c := tr.conflict(mine, swaps...); c.Have.Nonce != mine {
		tr.fail("after a lost answer the writer meets the nonce %x, want its own, %x", c.Have.Nonce, mine)
	}
	for _, name := range []string{"a", "c"} { // now b alone is as mine left it
		tr.swap(ledger.Swap{Name: name, Version: tr.register(name).Version, Value: []byte("2")})
	}
	if c := tr.conflict(mine, swaps...); c.Have.Nonce != mine || c.Have.Name != "b" {
		tr.fail("the conflict is with %s of nonce %x, want b of %x", c.Have.Name, c.Have.Nonce, mine)
	}
	err := tr.store.Accept(tr.ctx, &ledger.Intake{Nonce: mine, Swaps: swaps, Decide: nothing})
	if c, ok := errors.AsType[*ledger.ConflictError](err); !ok || c.Have.Nonce != mine {
		tr.fail("Accept returns %v, want the conflict with b", err)
	}
}

// nothing decides to store nothing.
func nothing(*ledger.Standing) (*ledger.Changes, error) { return &ledger.Changes{}, nil }
