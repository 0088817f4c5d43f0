package storage_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

func TestPutOptionsCheck(t *testing.T) {
	kib := strings.Repeat("x", 1024)
	for _, tt := range []struct {
		name  string
		opts  storage.PutOptions
		field string // "" if the options are valid
	}{
		{name: "zero"},
		{name: "all", opts: storage.PutOptions{ContentType: "application/zip", ContentEncoding: "gzip", CacheControl: "public,max-age=300", ACL: storage.PublicRead, Metadata: map[string]string{"cwa-hash": "0f", "x2": ""}}},
		{name: "longest", opts: storage.PutOptions{ContentType: kib, Metadata: map[string]string{"a": kib, "b": kib[:1022]}}},
		{name: "type too long", opts: storage.PutOptions{ContentType: kib + "x"}, field: "ContentType"},
		{name: "line break", opts: storage.PutOptions{ContentEncoding: "gzip\r\nx: y"}, field: "ContentEncoding"},
		{name: "space", opts: storage.PutOptions{CacheControl: " no-cache"}, field: "CacheControl"},
		{name: "not ASCII", opts: storage.PutOptions{CacheControl: "ü"}, field: "CacheControl"},
		{name: "not UTF-8", opts: storage.PutOptions{CacheControl: "\xff"}, field: "CacheControl"},
		{name: "ACL", opts: storage.PutOptions{ACL: 2}, field: "ACL"},
		{name: "upper-case key", opts: storage.PutOptions{Metadata: map[string]string{"cwa-Hash": "0f"}}, field: "Metadata"},
		{name: "underscore", opts: storage.PutOptions{Metadata: map[string]string{"cwa_hash": "0f"}}, field: "Metadata"},
		{name: "no key", opts: storage.PutOptions{Metadata: map[string]string{"": "0f"}}, field: "Metadata"},
		{name: "value", opts: storage.PutOptions{Metadata: map[string]string{"cwa-hash": "0f\n"}}, field: `Metadata["cwa-hash"]`},
		{name: "much metadata", opts: storage.PutOptions{Metadata: map[string]string{"a": kib, "b": kib[:1023]}}, field: "Metadata"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.opts.Check()
			if tt.field == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, storage.ErrInvalidOptions) || !errors.Is(err, fs.ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalidOptions, which is an fs.ErrInvalid", err)
			}
			if !strings.Contains(err.Error(), tt.field+":") {
				t.Errorf("got %q, want the field %s", err, tt.field)
			}
		})
	}
}

func TestACLString(t *testing.T) {
	for acl, want := range map[storage.ACL]string{storage.BucketACL: "bucket", storage.PublicRead: "public-read", 7: "ACL(7)"} {
		if got := acl.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
