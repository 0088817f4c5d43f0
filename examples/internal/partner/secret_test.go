package partner

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSecrets are had from files, the environment and commands.
func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte(" in a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GAEN_TEST_SECRET", "in a variable")
	for _, c := range []struct {
		secret Secret
		want   string
	}{
		{Secret{File: "f"}, "in a file"},
		{Secret{Env: "GAEN_TEST_SECRET"}, "in a variable"},
		{Secret{Command: []string{"cat", "f"}}, "in a file"},
		{Secret{File: "g"}, ""},
		{Secret{Env: "GAEN_TEST_NOTHING"}, ""},
		{Secret{Command: []string{"sh", "-c", "echo hunter2; echo hunter2 >&2; exit 1"}}, ""},
	} {
		got, err := c.secret.Read(t.Context(), dir)
		if got != c.want || (err == nil) != (c.want != "") || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %q, %v", c.secret, got, err)
		}
	}
}

// TestSecretIsWaitedForNoLonger than its reader has time: also if the command leaves
// somebody behind who holds on to its output.
func TestSecretIsWaitedForNoLonger(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Secret{Command: []string{"sh", "-c", "sleep 20 & wait"}}.Read(ctx, "")
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(15 * time.Second):
		t.Error("it waits")
	}
}
