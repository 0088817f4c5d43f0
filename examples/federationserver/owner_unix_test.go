//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gaenkit/gaen/signing/jws"
)

// TestSecretsStayTheServers: the file that is changed is read by who read it before,
// whoever changes it.
func TestSecretsStayTheServers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token-secrets")
	if _, err := readOrMakeSecrets(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = 65534, 65533
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("only root can change files of others: the mode alone is looked at")
	}
	next := newSecret()
	if err := changeSecrets(path, func(all []jws.SecretKey) ([]jws.SecretKey, error) { return append(all, next), nil }); err != nil {
		t.Fatal(err)
	}
	if all, err := readSecrets(path); err != nil || len(all) != 2 {
		t.Errorf("%d secrets, %v, want 2", len(all), err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o640 {
		t.Errorf("mode %v, want 0640", info.Mode())
	}
	if s := info.Sys().(*syscall.Stat_t); int(s.Uid) != uid || int(s.Gid) != gid {
		t.Errorf("it belongs to %d:%d, want %d:%d", s.Uid, s.Gid, uid, gid)
	}
}
