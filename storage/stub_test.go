package storage_test

import (
	"context"
	"io"
	"iter"
	"strings"

	"github.com/gaenkit/gaen/storage"
)

// stub is a bucket that answers what the test wants.
type stub struct {
	before func() // called by every method but List, if not nil
	err    error  // of every method

	body  io.Reader // of Get
	size  int64
	names []string // of List

	closed bool                // whether the body was closed
	got    io.Reader           // what Put was given
	opts   *storage.PutOptions // what Put was given
}

func (s *stub) call() error {
	if s.before != nil {
		s.before()
	}
	return s.err
}

func (s *stub) Get(context.Context, string) (io.ReadCloser, storage.Attributes, error) {
	if err := s.call(); err != nil {
		return nil, storage.Attributes{}, err
	}
	return stubBody{s.body, s}, storage.Attributes{Size: s.size, ETag: "e"}, nil
}

type stubBody struct {
	io.Reader
	s *stub
}

func (b stubBody) Close() error { b.s.closed = true; return nil }

func (s *stub) Put(_ context.Context, _ string, r io.Reader, opts *storage.PutOptions) (storage.Attributes, error) {
	s.got, s.opts = r, opts
	return storage.Attributes{ETag: "e", ContentType: "x", Metadata: map[string]string{"x": "y"}}, s.call()
}

func (s *stub) Delete(context.Context, string) error { return s.call() }

func (s *stub) List(_ context.Context, prefix string) iter.Seq2[storage.Attributes, error] {
	return func(yield func(storage.Attributes, error) bool) {
		for _, name := range s.names {
			if !yield(storage.Attributes{Name: name, Size: 1, ETag: "e", ContentType: "x"}, nil) {
				return
			}
		}
		if s.err != nil {
			yield(storage.Attributes{}, s.err)
		}
	}
}

func content(s string) io.Reader { return strings.NewReader(s) }
