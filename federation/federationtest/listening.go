package federationtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/gaenkit/gaen/federation"
	"github.com/gaenkit/gaen/keys"
	"github.com/gaenkit/gaen/keys/keystest"
)

// overheard are the errors that clients returned.
type overheard struct {
	mu     sync.Mutex
	errors []error
}

// listening is a client whose errors are looked at.
type listening struct {
	to *overheard
	Client
}

func (l *listening) Download(ctx context.Context, at federation.Place) (*federation.Page, error) {
	page, err := l.Client.Download(ctx, at)
	l.to.hear(err)
	return page, err
}

func (l *listening) Upload(ctx context.Context, b *federation.Batch) (*federation.Answer, error) {
	answer, err := l.Client.Upload(ctx, b)
	l.to.hear(err)
	return answer, err
}

func (o *overheard) hear(err error) {
	if err == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.errors = append(o.errors, err)
}

// leak returns an error if one that was heard holds a secret or the data of a known
// key: that is part of every clause.
func (o *overheard) leak(known []keys.DiagnosisKey, secrets ...string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, err := range o.errors {
		text := fmt.Sprintf("%v %+v %#v", err, err, err)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				return errors.New("an error holds the token")
			}
		}
		for i := range known {
			if form := keystest.Leak(text, known[i].KeyData); form != "" {
				return fmt.Errorf("an error holds key data (%s)", form)
			}
		}
	}
	return nil
}

// endsWithContext returns an error unless calls to a server that does not answer end
// soon after their context has.
func endsWithContext(ctx context.Context, c Client, at federation.Place, b *federation.Batch) error {
	return within("a call without a context", func() error {
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		begun := time.Now()
		if _, err := c.Download(ctx, at); err == nil {
			return errors.New("a download that was cancelled is no error")
		}
		if _, err := c.Upload(ctx, b); err == nil {
			return errors.New("an upload that was cancelled is no error")
		}
		if d := time.Since(begun); d >= clientTimeout {
			return fmt.Errorf("they end %s after", d)
		}
		return nil
	})
}
