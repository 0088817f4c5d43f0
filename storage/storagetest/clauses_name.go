package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

var nameClauses = []clause{
	{"name-escape", "No name and no prefix may lead out of the bucket or to the bucket's own files: invalid names must be refused, such prefixes list nothing.", nameEscape},
	{"legal-names", "Every name that storage.CheckName accepts must work and stay distinct from every other.", legalNames},
	{"longest-names", "So must the longest names that it accepts, and those with most segments.", longestNames},
	{"nested-name", "An object may be put anywhere without further ado, and its siblings stay when it goes.", nestedName},
	{"object-and-prefix", "An object and a prefix of the same name must be able to exist together, whichever came first.", objectAndPrefix},
}

var invalidNames = []string{
	"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", "./a", "a/./b",
	".gaen", ".gaen/lock", "a/.object", ".hidden", `a\b`, `..\a`, "a\x00b", "a\nb", "a\x7fb", "a\u0085b", "a\xffb",
	strings.Repeat("a", 256), strings.Repeat("ab/", 342) + "abc",
}

func nameEscape(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, "a", "b/c"); err != nil {
		return err
	}
	for _, name := range invalidNames {
		if err := refused(ctx, b, name); err != nil {
			return err
		}
	}
	for _, prefix := range []string{"../", "..", "/", "/etc/", ".gaen/", ".", "b/../", "b//", "b/./", "a/", "\x00", `b\`, "\xff"} {
		if err := listsNothing(ctx, b, prefix); err != nil {
			return err
		}
	}
	return wantList(ctx, b, "", "a", "b/c")
}

// refused returns an error unless every operation refuses the name.
func refused(ctx context.Context, b storage.Bucket, name string) error {
	_, _, getErr := storage.Get(ctx, b, name)
	_, statErr := storage.Stat(ctx, b, name)
	_, putErr := put(ctx, b, name, "x")
	_, replaceErr := storage.Replace(ctx, b, name, "x", strings.NewReader("x"), nil)
	for op, err := range map[string]error{
		"Get": getErr, "Stat": statErr, "Put": putErr, "Replace": replaceErr,
		"Delete": storage.Delete(ctx, b, name), "DeleteAll": storage.DeleteAll(ctx, b, []string{"a", name}),
	} {
		if err := wantIs(fmt.Sprintf("%s %q", op, name), err, storage.ErrInvalidName); err != nil {
			return err
		}
	}
	return nil
}

// listsNothing asks the bucket itself, since storage.List drops what has an
// invalid name.
func listsNothing(ctx context.Context, b storage.Bucket, prefix string) error {
	for a, err := range b.List(ctx, prefix) {
		if err != nil {
			return fmt.Errorf("List %q: %w", prefix, err)
		}
		return fmt.Errorf("List %q: got %q, want nothing", prefix, a.Name)
	}
	return nil
}

// oddNames are valid, and each is what some other becomes when something on
// the way to the store escapes, trims or cleans it, or forgets to.
var oddNames = []string{
	"a b", "a+b", "a%20b", "a%2520b", "a%2Fb", "a%2fb", "a/b", "a?b", "a#b", "a&b=c", "a;b", "a,b", "a:b", "a@b", "a=b", "a~b",
	"a'b", `a"b`, "a<b>", "a|b", "a*b", "[ab]", "{a}", "$a", "-a", "--", "~", "#", "a.", "a..", "a..b", "a.b", "a/b.c/d..e", "a b ",
	" a", "index", "index.html", "con", "nul.txt", "ä", "日本/語", "🦠", "gaen/log/00000000000000000001",
	strings.Repeat("n", storage.MaxSegmentLength),
}

func legalNames(ctx context.Context, b storage.Bucket) error {
	return namesWork(ctx, b, oddNames)
}

func longestNames(ctx context.Context, b storage.Bucket) error {
	last := strings.Repeat("0123456789abcde/", 63) + "0123456789abcdef"
	deep := strings.Repeat("a/", 511) + "ab"
	if len(last) != storage.MaxNameLength || len(deep) != storage.MaxNameLength {
		return errors.New("storagetest: these names are not the longest")
	}
	return namesWork(ctx, b, []string{last, last[:len(last)-1] + "g", deep, deep[:len(deep)-1] + "c"})
}

// namesWork puts, gets, lists and deletes the objects.
func namesWork(ctx context.Context, b storage.Bucket, names []string) error {
	if err := putAll(ctx, b, names...); err != nil {
		return err
	}
	for _, name := range names {
		if err := wantContent(ctx, b, name, name); err != nil {
			return err
		}
	}
	if err := wantList(ctx, b, "", slices.Sorted(slices.Values(names))...); err != nil {
		return err
	}
	for _, name := range names {
		if err := errors.Join(storage.Delete(ctx, b, name), wantAbsent(ctx, b, name)); err != nil {
			return err
		}
	}
	return wantList(ctx, b, "")
}

func nestedName(ctx context.Context, b storage.Bucket) error {
	if err := putAll(ctx, b, "a/b/c/d/e", "a/b/c/f", "a/b/x"); err != nil {
		return err
	}
	if err := wantContent(ctx, b, "a/b/c/d/e", "a/b/c/d/e"); err != nil {
		return err
	}
	if err := storage.Delete(ctx, b, "a/b/c/d/e"); err != nil {
		return err
	}
	if err := wantList(ctx, b, "", "a/b/c/f", "a/b/x"); err != nil {
		return err
	}
	if err := putAll(ctx, b, "a/b/c/d/e"); err != nil {
		return err
	}
	return wantList(ctx, b, "a/b/c/d", "a/b/c/d/e")
}

func objectAndPrefix(ctx context.Context, b storage.Bucket) error {
	orders := [][]string{
		{"d/2020-06-11", "d/2020-06-11/hour", "d/2020-06-11/hour/5"},
		{"d/2020-06-11/hour/5", "d/2020-06-11/hour", "d/2020-06-11"},
		{"d/2020-06-11/hour", "d/2020-06-11/hour/5", "d/2020-06-11"},
	}
	for _, order := range orders {
		for gone := range order {
			if err := together(ctx, b, order, gone); err != nil {
				return fmt.Errorf("put in the order %q: %w", order, err)
			}
		}
	}
	return nil
}

// together puts the names in order, deletes one, looks at the others, and
// cleans up.
func together(ctx context.Context, b storage.Bucket, order []string, gone int) error {
	all := slices.Sorted(slices.Values(order))
	for i, name := range order {
		opts := &storage.PutOptions{Metadata: map[string]string{"name": name}}
		if _, err := storage.Put(ctx, b, name, strings.NewReader(name), opts); err != nil {
			return err
		}
		if err := wholeAll(ctx, b, order[:i+1]); err != nil {
			return err
		}
	}
	if err := wantList(ctx, b, "", all...); err != nil {
		return err
	}
	if err := storage.Delete(ctx, b, order[gone]); err != nil {
		return err
	}
	left := slices.Delete(slices.Clone(order), gone, gone+1)
	if err := errors.Join(wantAbsent(ctx, b, order[gone]), wholeAll(ctx, b, left)); err != nil {
		return fmt.Errorf("after Delete %q: %w", order[gone], err)
	}
	for _, name := range left {
		if err := storage.Delete(ctx, b, name); err != nil {
			return err
		}
	}
	return wantList(ctx, b, "")
}

// wholeAll returns an error unless each object has its name as content and as
// metadata.
func wholeAll(ctx context.Context, b storage.Bucket, names []string) error {
	for _, name := range names {
		a, err := storage.Stat(ctx, b, name)
		if err != nil {
			return err
		}
		if a.Metadata["name"] != name {
			return fmt.Errorf("%q has metadata %v", name, a.Metadata)
		}
		if err := wantContent(ctx, b, name, name); err != nil {
			return err
		}
	}
	return nil
}
