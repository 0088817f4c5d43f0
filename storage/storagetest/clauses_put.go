package storagetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/gaenkit/gaen/storage"
)

var putClauses = []clause{
	{"put-overwrites", "Put must replace what was there, content and attributes, at once and altogether.", putOverwrites},
	{"put-keeps-no-alias", "Put must keep neither opts nor what the reader handed out.", putKeepsNoAlias},
	{"put-from-where-it-stands", "Put must store what is left of a reader that has been read from.", putFromWhereItStands},
	{"put-failed-reader-keeps-old", "Put must leave what was there if the reader fails, and its error must be the reader's.", putFailedReaderKeepsOld},
	{"put-cancelled-keeps-old", "Put must leave what was there if ctx is cancelled half way.", putCancelledKeepsOld},
	{"put-concurrent-never-mixed", "No reader may see parts of two versions, or one's content with the other's attributes.", putConcurrentNeverMixed},
}

func putOverwrites(ctx context.Context, b storage.Bucket) error {
	if _, err := storage.Put(ctx, b, "a", strings.NewReader("long content"), fullOptions()); err != nil {
		return err
	}
	if _, err := put(ctx, b, "a", "short"); err != nil {
		return err
	}
	a, err := storage.Stat(ctx, b, "a")
	if err != nil {
		return err
	}
	if a.CacheControl != "" || len(a.Metadata) != 0 {
		return fmt.Errorf("the old version's attributes are still there: %+v", a)
	}
	if err := wantContent(ctx, b, "a", "short"); err != nil {
		return err
	}
	return wantList(ctx, b, "", "a")
}

// putKeepsNoAlias calls the bucket itself, because storage.Put copies opts and
// hides what the reader is.
func putKeepsNoAlias(ctx context.Context, b storage.Bucket) error {
	content := []byte("content")
	opts := &storage.PutOptions{CacheControl: "no-cache", Metadata: map[string]string{"k": "v"}}
	if _, err := b.Put(ctx, "a", bytes.NewBuffer(content), opts); err != nil {
		return err
	}
	copy(content, "XXXXXXX")
	scribble(opts.Metadata)
	opts.CacheControl = "X"
	a, err := storage.Stat(ctx, b, "a")
	if err != nil {
		return err
	}
	if a.CacheControl != "no-cache" || a.Metadata["k"] != "v" {
		return fmt.Errorf("the attributes changed with the caller's options: %+v", a)
	}
	return wantContent(ctx, b, "a", "content")
}

func putFromWhereItStands(ctx context.Context, b storage.Bucket) error {
	r := strings.NewReader("head and content")
	if _, err := r.Seek(int64(len("head and ")), io.SeekStart); err != nil {
		return err
	}
	if _, err := storage.Put(ctx, b, "a", r, nil); err != nil {
		return err
	}
	return wantContent(ctx, b, "a", "content")
}

var errReader = errors.New("storagetest: the reader failed on purpose")

func putFailedReaderKeepsOld(ctx context.Context, b storage.Bucket) error {
	return putKeepsOld(ctx, b, func(ctx context.Context, name string) error {
		for _, head := range []string{"", "new", strings.Repeat("new", 1<<18)} {
			_, err := storage.Put(ctx, b, name, failingReader(head, errReader), nil)
			if err := wantIs("Put", err, errReader); err != nil {
				return err
			}
		}
		return nil
	})
}

func putCancelledKeepsOld(ctx context.Context, b storage.Bucket) error {
	return putKeepsOld(ctx, b, func(ctx context.Context, name string) error {
		for _, head := range []string{"", "new", strings.Repeat("new", 1<<18)} {
			ctx, cancel := context.WithCancel(ctx)
			cancelling := readerFunc(func(p []byte) (int, error) { cancel(); return copy(p, "more"), nil })
			r := io.MultiReader(strings.NewReader(head), io.LimitReader(cancelling, 100))
			_, err := storage.Put(ctx, b, name, r, nil)
			cancel()
			if err := wantIs("Put", err, context.Canceled); err != nil {
				return err
			}
		}
		return nil
	})
}

// putKeepsOld lets Puts fail where there is an object and where there is none.
func putKeepsOld(ctx context.Context, b storage.Bucket, fail func(ctx context.Context, name string) error) error {
	before, err := storage.Put(ctx, b, "old", strings.NewReader("old content"), fullOptions())
	if err != nil {
		return err
	}
	if err := errors.Join(fail(ctx, "old"), fail(ctx, "none/here")); err != nil {
		return err
	}
	after, err := storage.Stat(ctx, b, "old")
	if err != nil {
		return err
	}
	if err := sameAttributes(after, before); err != nil {
		return fmt.Errorf("the attributes changed: %w", err)
	}
	if err := errors.Join(wantContent(ctx, b, "old", "old content"), wantAbsent(ctx, b, "none/here")); err != nil {
		return err
	}
	return wantList(ctx, b, "", "old")
}

func putConcurrentNeverMixed(ctx context.Context, b storage.Bucket) error {
	const writers, readers, rounds = 4, 4, 30
	if err := putVersion(ctx, b, 0); err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make([]error, writers+readers)
	for i := range errs {
		wg.Go(func() {
			for round := 0; round < rounds && errs[i] == nil; round++ {
				if i < writers {
					errs[i] = putVersion(ctx, b, i*rounds+round)
				} else {
					errs[i] = wholeVersion(ctx, b)
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// putVersion puts an object whose content is a number over and over, whose
// size depends on it, and whose metadata is the same number.
func putVersion(ctx context.Context, b storage.Bucket, n int) error {
	number := fmt.Sprintf("%08d", n)
	content := strings.Repeat(number, 4000+n%3)
	_, err := storage.Put(ctx, b, "a", strings.NewReader(content), &storage.PutOptions{Metadata: map[string]string{"number": number}})
	return err
}

func wholeVersion(ctx context.Context, b storage.Bucket) error {
	content, a, err := storage.ReadAll(ctx, b, "a", maxRead)
	if err != nil {
		return err
	}
	number := a.Metadata["number"]
	if number == "" || string(content) != strings.Repeat(number, len(content)/8) {
		return fmt.Errorf("mixed: metadata %v, content %s", a.Metadata, brief(string(content)))
	}
	return nil
}
