package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/gaenkit/gaen/storage"
)

var createClauses = []clause{
	{"put-if-absent", "Put with IfAbsent must create what does not exist, also where it was deleted or another begins with its name.", putIfAbsent},
	{"put-if-absent-same-content", "Put with IfAbsent must leave an object that exists alone and satisfy errors.Is(err, fs.ErrExist), though the content is the same.", putIfAbsentSame},
	{"put-if-absent-different-content", "Put with IfAbsent must leave an object that exists alone and satisfy errors.Is(err, fs.ErrExist).", putIfAbsentDifferent},
	{"put-if-absent-one-winner", "Of concurrent Puts with IfAbsent exactly one must win, and its content and attributes be what is there.", putIfAbsentOneWinner},
}

// create puts an object if there is none; its metadata is its content.
func create(ctx context.Context, b storage.Bucket, name, content string) (storage.Attributes, error) {
	opts := &storage.PutOptions{IfAbsent: true, Metadata: map[string]string{"content": content}}
	return storage.Put(ctx, b, name, strings.NewReader(content), opts)
}

func putIfAbsent(ctx context.Context, b storage.Bucket) error {
	for _, name := range []string{"a/b", "a", "a/b/c", "a/b"} {
		if _, err := create(ctx, b, name, "one"); err != nil {
			return err
		}
		if err := wantContent(ctx, b, name, "one"); err != nil {
			return err
		}
		if name == "a/b/c" { // now a/b may be created once more
			if err := storage.Delete(ctx, b, "a/b"); err != nil {
				return err
			}
		}
	}
	return wantList(ctx, b, "", "a", "a/b", "a/b/c")
}

func putIfAbsentSame(ctx context.Context, b storage.Bucket) error {
	return createTwice(ctx, b, "content")
}

func putIfAbsentDifferent(ctx context.Context, b storage.Bucket) error {
	return errors.Join(createTwice(ctx, b, "CONTENT"), createTwice(ctx, b, "x"), createTwice(ctx, b, ""))
}

// createTwice creates objects, a folder's name among them, and once more.
func createTwice(ctx context.Context, b storage.Bucket, second string) error {
	for _, name := range []string{"a/b", "a"} {
		if err := storage.Delete(ctx, b, name); err != nil {
			return err
		}
		first, err := create(ctx, b, name, "content")
		if err != nil {
			return err
		}
		_, err = create(ctx, b, name, second)
		if err := wantIs("Put with IfAbsent of what exists", err, fs.ErrExist); err != nil {
			return err
		}
		now, err := storage.Stat(ctx, b, name)
		if err != nil {
			return err
		}
		if err := sameAttributes(now, first); err != nil {
			return fmt.Errorf("the object changed: %w", err)
		}
		if err := wantContent(ctx, b, name, "content"); err != nil {
			return err
		}
	}
	return nil
}

// racers is how many goroutines compete where one must win.
const racers = 16

func putIfAbsentOneWinner(ctx context.Context, b storage.Bucket) error {
	for round := range 5 {
		name := fmt.Sprintf("round/%d", round)
		err := oneWinner(ctx, b, name, fs.ErrExist, func(content string) (storage.Attributes, error) {
			return create(ctx, b, name, content)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// oneWinner lets racers call attempt at once, each with its own content, and
// returns an error unless one succeeds, the others lose with the error lost,
// and the winner's is what is there.
func oneWinner(ctx context.Context, b storage.Bucket, name string, lost error, attempt func(content string) (storage.Attributes, error)) error {
	var attrs [racers]storage.Attributes
	var errs [racers]error
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		wg.Go(func() {
			<-start
			attrs[i], errs[i] = attempt(fmt.Sprintf("content %02d", i))
		})
	}
	close(start)
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			return fmt.Errorf("%d and %d both won", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, lost):
			return fmt.Errorf("%d lost with %v, want an error that is %q", i, err, lost)
		}
	}
	if won < 0 {
		return errors.New("nobody won")
	}
	if err := wantVersion(ctx, b, attrs[won]); err != nil {
		return err
	}
	return wantContent(ctx, b, name, fmt.Sprintf("content %02d", won))
}
