package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

var callClauses = []clause{
	{"context-cancelled", "With a context that is over, every operation must fail with the context's error and change nothing; bodies and listings must end with it.", contextCancelled},
	{"error-text", "Every error must be a *storage.Error whose text names the operation and the object.", errorText},
	{"options-checked", "Options that no bucket can keep must be refused.", optionsChecked},
}

func contextCancelled(ctx context.Context, b storage.Bucket) error {
	before, err := put(ctx, b, "a", "content")
	if err != nil {
		return err
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	for op, err := range everyError(over, b, "a", before.ETag) {
		if err := wantIs(op, err, context.Canceled); err != nil {
			return err
		}
	}
	if err := errors.Join(bodyEnds(ctx, b), listEnds(ctx, b)); err != nil {
		return err
	}
	if err := wantVersion(ctx, b, before); err != nil {
		return err
	}
	return wantList(ctx, b, "", "a")
}

// everyError returns the error of each operation on the object name.
func everyError(ctx context.Context, b storage.Bucket, name, etag string) map[string]error {
	_, _, getErr := storage.Get(ctx, b, name)
	_, statErr := storage.Stat(ctx, b, name)
	_, putErr := put(ctx, b, name, "x")
	_, createErr := create(ctx, b, name+"/new", "x")
	_, replaceErr := storage.Replace(ctx, b, name, etag, strings.NewReader("x"), nil)
	_, listErr := list(ctx, b, name)
	return map[string]error{
		"get": getErr, "stat": statErr, "put": putErr, "create": createErr, "replace": replaceErr, "list": listErr,
		"delete":     storage.Delete(ctx, b, name),
		"delete-all": storage.DeleteAll(ctx, b, []string{name}),
	}
}

func bodyEnds(ctx context.Context, b storage.Bucket) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rc, _, err := storage.Get(ctx, b, "a")
	if err != nil {
		return err
	}
	defer rc.Close()
	cancel()
	_, err = io.ReadAll(rc)
	return wantIs("reading a body whose context was cancelled", err, context.Canceled)
}

func listEnds(ctx context.Context, b storage.Bucket) error {
	ctx, cancel := context.WithCancel(ctx)
	seq := storage.List(ctx, b, "")
	cancel()
	var err error
	n := 0
	for _, err = range seq {
		n++
	}
	if n != 1 {
		return fmt.Errorf("a listing whose context was cancelled went round %d times", n)
	}
	return wantIs("a listing whose context was cancelled", err, context.Canceled)
}

func errorText(ctx context.Context, b storage.Bucket) error {
	const name = "some/name"
	_, _, getErr := storage.Get(ctx, b, name)
	_, statErr := storage.Stat(ctx, b, name)
	if _, err := create(ctx, b, name, "x"); err != nil {
		return err
	}
	_, createErr := create(ctx, b, name, "y")
	_, putErr := storage.Put(ctx, b, name, failingReader("", errReader), nil)
	errs := map[string]error{"get": getErr, "stat": statErr, "put": errors.Join(createErr, putErr)}
	_, errs["replace"] = storage.Replace(ctx, b, name, "x", strings.NewReader("x"), nil)
	for _, op := range slices.Sorted(maps.Keys(errs)) {
		err := errs[op]
		if e, ok := errors.AsType[*storage.Error](err); !ok || e.Op != op || !strings.HasSuffix(e.Name, name) {
			return fmt.Errorf("%s %q: %#v, want a *storage.Error that says so", op, name, err)
		}
		if !strings.Contains(err.Error(), op) || !strings.Contains(err.Error(), name) {
			return fmt.Errorf("%s %q: the text is %q", op, name, err)
		}
	}
	return nil
}

func optionsChecked(ctx context.Context, b storage.Bucket) error {
	for what, opts := range map[string]*storage.PutOptions{
		"upper case":    {Metadata: map[string]string{"Key": "v"}},
		"empty key":     {Metadata: map[string]string{"": "v"}},
		"header in key": {Metadata: map[string]string{"a: b": "v"}},
		"line break":    {Metadata: map[string]string{"k": "v\r\nx: y"}},
		"not ASCII":     {ContentType: "text/plän"},
		"space at end":  {CacheControl: "no-cache "},
		"long header":   {ContentEncoding: strings.Repeat("x", storage.MaxHeaderLength+1)},
		"much metadata": {Metadata: map[string]string{"a": strings.Repeat("x", 1024), "b": strings.Repeat("x", 1024)}},
		"unknown ACL":   {ACL: 200},
	} {
		_, err := storage.Put(ctx, b, "a", strings.NewReader("x"), opts)
		if err := wantIs("Put with "+what, err, storage.ErrInvalidOptions); err != nil {
			return err
		}
	}
	return wantAbsent(ctx, b, "a")
}
