package partner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// secretTimeout is for how long a command that prints a secret may run. What waits
// for it is the whole back end.
const secretTimeout = 30 * time.Second

// maxSecret is the size of the largest secret in bytes.
const maxSecret = 64 << 10

// waitDelay is for how long a command that was ended may keep others waiting that it
// has started.
const waitDelay = time.Second

// A Secret says where a secret is, and is never the secret itself: in a file, in a
// variable of the environment, or what a command prints, such as the client of a
// vault. It is read before every run, so that a secret is replaced by replacing it
// there, without a restart unless it is in the environment.
type Secret struct {
	File    string   `json:"file,omitzero"`
	Env     string   `json:"env,omitzero"`
	Command []string `json:"command,omitzero"`
}

// IsZero reports whether no place is named.
func (s Secret) IsZero() bool { return s.File == "" && s.Env == "" && len(s.Command) == 0 }

// String names the place.
func (s Secret) String() string {
	switch {
	case s.File != "":
		return "file " + s.File
	case s.Env != "":
		return "environment variable " + s.Env
	case len(s.Command) > 0:
		return "command " + s.Command[0]
	}
	return "nowhere"
}

// key returns the whole of the place: two commands may differ in their arguments.
func (s Secret) key() string { return fmt.Sprintf("%q %q %q", s.File, s.Env, s.Command) }

// Check returns an error unless exactly one place is named.
func (s Secret) Check() error {
	n := 0
	for _, named := range []bool{s.File != "", s.Env != "", len(s.Command) > 0} {
		if named {
			n++
		}
	}
	switch n {
	case 0:
		return errors.New("missing: name a file, env or command")
	case 1:
		return nil
	}
	return errors.New("name one of file, env and command")
}

// Read returns the secret, without space around it. Files are below dir unless
// they are absolute. The error holds nothing of the secret.
func (s Secret) Read(ctx context.Context, dir string) (string, error) {
	return s.read(ctx, dir, maxSecret)
}

// read is Read of what may have so many bytes.
func (s Secret) read(ctx context.Context, dir string, max int) (string, error) {
	text, err := s.text(ctx, dir, max)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s, err)
	}
	switch text = strings.TrimSpace(text); {
	case text == "":
		return "", fmt.Errorf("%s: empty", s)
	case len(text) > max:
		return "", fmt.Errorf("%s: more than %d bytes", s, max)
	}
	return text, nil
}

func (s Secret) text(ctx context.Context, dir string, max int) (string, error) {
	switch {
	case s.Env != "":
		return os.Getenv(s.Env), nil
	case len(s.Command) > 0:
		ctx, cancel := context.WithTimeout(ctx, secretTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, s.Command[0], s.Command[1:]...)
		cmd.Dir = dir
		cmd.WaitDelay = waitDelay
		out, err := cmd.Output()
		if _, failed := errors.AsType[*exec.ExitError](err); failed {
			err = errors.New("it failed") // what it says may be the secret
		}
		return string(out), err
	}
	f, err := os.Open(PathIn(dir, s.File))
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, int64(max)+1))
	return string(text), err
}

// PathIn returns where a path of the configuration is.
func PathIn(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
