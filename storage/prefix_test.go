package storage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gaenkit/gaen/storage"
)

func TestCheckPrefix(t *testing.T) {
	for _, prefix := range []string{"", "a/", "tenants/7/"} {
		if err := storage.CheckPrefix(prefix); err != nil {
			t.Errorf("%q: %v", prefix, err)
		}
	}
	for prefix, says := range map[string]string{
		"a":                       "does not end in '/'",
		"/":                       "empty",
		"a//":                     "empty segment",
		"../":                     "begins with '.'",
		strings.Repeat("a/", 600): "1199 bytes",
		strings.Repeat("b", 5000): "does not end",
	} {
		err := storage.CheckPrefix(prefix)
		if !errors.Is(err, storage.ErrInvalidName) || !strings.Contains(err.Error(), says) || len(err.Error()) > 200 {
			t.Errorf("%.20q: got %v, want one that says %q", prefix, err, says)
		}
	}
}
