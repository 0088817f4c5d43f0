package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/gaenkit/gaen/examples/internal/wholefile"
	"github.com/gaenkit/gaen/signing/jws"
)

// The file of secrets has one on a line, the one that issues first: its id, a
// space, and the secret in base64url. Lines that begin with # say nothing.

// maxSecrets limits the file, in bytes.
const maxSecrets = 64 << 10

// readSecrets reads the file. Errors do not quote it.
func readSecrets(path string) ([]jws.SecretKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("%s: mode %o: everybody on this machine can read it, and issue tokens with it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecrets+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxSecrets:
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxSecrets)
	}
	all, err := parseSecrets(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

func parseSecrets(text string) (all []jws.SecretKey, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, encoded, _ := strings.Cut(line, " ")
		secret, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil || len(secret) < jws.MinSecret {
			return nil, fmt.Errorf("line %d: want an id, a space, and %d bytes or more in base64url", n, jws.MinSecret)
		}
		all = append(all, jws.SecretKey{ID: id, Secret: secret})
	}
	if len(all) == 0 {
		return nil, errors.New("no secret")
	}
	_, err = jws.NewSecretTokens(all, nil) // ids that come twice, or are none
	return all, err
}

func formatSecrets(all []jws.SecretKey) string {
	var b strings.Builder
	b.WriteString("# Whoever has these can issue tokens. The first issues, all verify.\n")
	for _, k := range all {
		b.WriteString(k.ID + " " + base64.RawURLEncoding.EncodeToString(k.Secret) + "\n")
	}
	return b.String()
}

// newSecret returns a secret with an id of its own.
func newSecret() jws.SecretKey { return jws.SecretKey{ID: rand.Text()[:8], Secret: jws.NewSecret()} }

// readOrMakeSecrets reads the file, and makes it if there is none. Of several
// processes that do, all get the same.
func readOrMakeSecrets(path string) ([]jws.SecretKey, error) {
	all, err := readSecrets(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return all, err
	}
	err = wholefile.Create(path, []byte(formatSecrets([]jws.SecretKey{newSecret()})))
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readSecrets(path)
}

// changeSecrets changes the file, whole or not at all, and leaves it to whom it
// belongs: the server that is to read it is another user than who changes it. Two
// changes at once are refused, since one would undo the other.
func changeSecrets(path string, change func([]jws.SecretKey) ([]jws.SecretKey, error)) error {
	beside := path + ".new"
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: another change is under way, or was interrupted: then remove it", err)
	}
	if err != nil {
		return err
	}
	defer os.Remove(beside)
	all, err := readSecrets(path)
	if err == nil {
		all, err = change(all)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if err := keepAccess(f, path); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := write(f, formatSecrets(all)); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

// keepAccess has a file belong to whom another belongs, and be read by who reads that.
func keepAccess(f *os.File, as string) error {
	info, err := os.Stat(as)
	if err != nil {
		return err
	}
	if err := keepOwner(f, info); err != nil {
		return fmt.Errorf("%s would no longer belong to its owner: change it as that user: %w", as, err)
	}
	return f.Chmod(info.Mode().Perm())
}

// write writes a file and closes it.
func write(f *os.File, text string) error {
	_, err := io.WriteString(f, text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func tokenFlags(name string, args []string, n int, what string, stderr io.Writer) (path string, others []string, err error) {
	f, _ := newFlags(name, stderr)
	secrets := secretsFlag(f)
	others, err = parse(f, args, n, what)
	return *secrets, others, err
}

func tokenRotate(_ context.Context, args []string, stdout, stderr io.Writer) error {
	path, _, err := tokenFlags("token rotate", args, 0, "none", stderr)
	if err != nil {
		return err
	}
	k := newSecret()
	err = changeSecrets(path, func(all []jws.SecretKey) ([]jws.SecretKey, error) {
		if len(all) >= jws.MaxKeys {
			return nil, fmt.Errorf("%d secrets, at most %d: drop one", len(all), jws.MaxKeys)
		}
		return slices.Insert(all, 0, k), nil
	})
	return say(stdout, err, "new tokens are issued with the secret %s", k.ID)
}

func tokenDrop(_ context.Context, args []string, stdout, stderr io.Writer) error {
	path, others, err := tokenFlags("token drop", args, 1, "the id of a secret", stderr)
	if err != nil {
		return err
	}
	err = changeSecrets(path, func(all []jws.SecretKey) ([]jws.SecretKey, error) {
		rest := slices.DeleteFunc(slices.Clone(all), func(k jws.SecretKey) bool { return k.ID == others[0] })
		switch len(rest) {
		case len(all):
			return nil, fmt.Errorf("no secret %q", others[0])
		case 0:
			return nil, errors.New("it is the only secret; rotate first")
		}
		return rest, nil
	})
	return say(stdout, err, "tokens issued with it are refused")
}

func tokenList(_ context.Context, args []string, stdout, stderr io.Writer) error {
	path, _, err := tokenFlags("token list", args, 0, "none", stderr)
	if err != nil {
		return err
	}
	all, err := readSecrets(path)
	for _, k := range all {
		fmt.Fprintln(stdout, k.ID)
	}
	return err
}
