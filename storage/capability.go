package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The capabilities below are what some stores can do beyond a [Bucket]. A store
// that has one implements the method; the package function of the same name
// uses it, or falls back where that is safe.
//
// A wrapper, which learns only when it is made what the bucket in it can do,
// implements all of them and returns an error that satisfies
// errors.Is(err, [errors.ErrUnsupported]) for what is missing, having done
// nothing. It gets that by calling the package functions on what it wraps;
// storagetest.TestWrapper checks it.

// A Replacer can put an object on the condition that it has not changed.
type Replacer interface {
	// Replace is [Bucket.Put], but must store only if the object's ETag is
	// etag at that moment; else it must leave everything alone and return an
	// error that satisfies errors.Is(err, ErrPrecondition). So it must if
	// there is no such object, and if etag is none that this store would give.
	// Of any number of concurrent calls with one ETag at most one may win.
	Replace(ctx context.Context, name, etag string, r io.Reader, opts *PutOptions) (Attributes, error)
}

// A BatchDeleter can delete many objects by few requests.
type BatchDeleter interface {
	// DeleteAll must delete as [Bucket.Delete] does, any number of names, some
	// of them perhaps twice. The error must join one [*Error] for each object
	// that may still be there. names must not be changed.
	DeleteAll(ctx context.Context, names []string) error
}

// A Stater can give an object's attributes without opening it.
type Stater interface {
	// Stat must return the attributes that Get returns.
	Stat(ctx context.Context, name string) (Attributes, error)
}

// Replace puts an object as [Put] does, but only if its ETag still is etag;
// else the error satisfies errors.Is(err, [ErrPrecondition]) and nothing has
// changed. Where the bucket cannot do that, the error satisfies
// errors.Is(err, [errors.ErrUnsupported]): it never puts unconditionally. An
// empty etag is that of no object.
func Replace(ctx context.Context, b Bucket, name, etag string, r io.Reader, opts *PutOptions) (Attributes, error) {
	a, o, err := Attributes{}, (*PutOptions)(nil), error(nil)
	if o, err = beginPut(ctx, name, opts); err == nil {
		a, err = replace(ctx, b, name, etag, r, o)
	}
	if err != nil {
		return Attributes{}, fail(ctx, "replace", name, err)
	}
	return stored(a, name, o), nil
}

func replace(ctx context.Context, b Bucket, name, etag string, r io.Reader, o *PutOptions) (Attributes, error) {
	rep, ok := b.(Replacer)
	switch {
	case o.IfAbsent:
		return Attributes{}, fmt.Errorf("%w: IfAbsent: not in a replace", ErrInvalidOptions)
	case !ok:
		return Attributes{}, fmt.Errorf("replace: %w", errors.ErrUnsupported)
	case etag == "":
		return Attributes{}, fmt.Errorf("%w: the ETag expected is empty", ErrPrecondition)
	default:
		return rep.Replace(ctx, name, etag, input(ctx, r), o)
	}
}

// CanReplace reports whether b has [Replace], so that a combination that needs
// it can be refused at start-up. It asks by an attempt to replace the object
// name under an ETag that nothing has. A store that says it can and does not
// would overwrite that object, which is found and reported; so name must be
// one that the caller can spare.
func CanReplace(ctx context.Context, b Bucket, name string) (bool, error) {
	_, err := Replace(ctx, b, name, "no object has this ETag", strings.NewReader(""), nil)
	switch {
	case errors.Is(err, ErrPrecondition):
		return true, nil
	case errors.Is(err, errors.ErrUnsupported):
		return false, nil
	case err == nil:
		return false, fail(ctx, "replace", name, errors.New("the store replaced under an ETag that nothing has"))
	default:
		return false, err
	}
}

// DeleteAll deletes the objects; those that do not exist count as deleted. All
// names are checked before anything is deleted. One failure does not keep the
// others from being tried; the error joins an [*Error] for each object that
// may still be there. When ctx ends, so does DeleteAll.
func DeleteAll(ctx context.Context, b Bucket, names []string) error {
	for _, name := range names {
		if err := begin(ctx, name); err != nil {
			return fail(ctx, "delete", name, err)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if d, ok := b.(BatchDeleter); ok {
		err := d.DeleteAll(ctx, names)
		if !errors.Is(err, errors.ErrUnsupported) {
			return fail(ctx, "delete", names[0], err)
		}
	}
	return deleteEach(ctx, b, names)
}

func deleteEach(ctx context.Context, b Bucket, names []string) error {
	var errs []error
	for _, name := range names {
		if err := Delete(ctx, b, name); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Stat returns the object's attributes: all that [Get] gives.
func Stat(ctx context.Context, b Bucket, name string) (Attributes, error) {
	if err := begin(ctx, name); err != nil {
		return Attributes{}, fail(ctx, "stat", name, err)
	}
	a, err := stat(ctx, b, name)
	if err != nil {
		return Attributes{}, fail(ctx, "stat", name, err)
	}
	a.Name = name
	return a, nil
}

func stat(ctx context.Context, b Bucket, name string) (Attributes, error) {
	if s, ok := b.(Stater); ok {
		a, err := s.Stat(ctx, name)
		if !errors.Is(err, errors.ErrUnsupported) {
			return a, err
		}
	}
	rc, a, err := b.Get(ctx, name)
	if err != nil {
		return Attributes{}, err
	}
	return a, rc.Close()
}
