package nation

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gaenkit/gaen/signing"
)

// Plan says in words what the back end would do.
func (c *Config) Plan() string {
	b := &strings.Builder{}
	s := &c.Submission
	if s.Listen == "" {
		fmt.Fprintln(b, "takes no submissions")
	} else {
		fmt.Fprintf(b, "takes submissions at %s%s, by the authorizer %q; answers are signed with the key in %s\n", s.Listen, s.Path, s.Authorizer, s.SigningKey)
	}
	fmt.Fprintf(b, "looks every %s: pull, cut each %s, push, publish at the latest %s after the cut\n",
		time.Duration(c.Schedule.Every), time.Duration(c.Release.Grid), time.Duration(c.Schedule.PushBarrier))
	for i := range c.Instances {
		in := &c.Instances[i]
		fmt.Fprintf(b, "%s: %s\n", in.Name, strings.Join(in.plan(), ", "))
	}
	packages, err := c.Packages()
	if err != nil {
		return b.String() // Rehearse has said why
	}
	var names []string
	for _, p := range packages {
		names = append(names, p.Name)
	}
	fmt.Fprintf(b, "publishes %s\n", strings.Join(names, ", "))
	return b.String()
}

// plan lists what is done with an instance.
func (in *Instance) plan() []string {
	if in.Disabled {
		return []string{"disabled"}
	}
	var does []string
	for _, s := range []struct {
		on   bool
		what string
	}{
		{in.Import, "imports"},
		{in.Import && in.Withheld, "without publishing what comes"},
		{in.Export, "exports what is submitted"},
		{in.Gateway, "relays what others bring"},
	} {
		if s.on {
			does = append(does, s.what)
		}
	}
	if len(does) == 0 {
		does = []string{"nothing is switched on"}
	}
	return append(does, "token from "+in.Token.String())
}

// MakeKeys makes the signing keys that are files and missing, and returns their
// paths.
func (c *Config) MakeKeys() (made []string, err error) {
	places := []string{c.Paths.PrivateKey}
	if c.Submission.Listen != "" {
		places = append(places, c.Submission.SigningKey.File)
	}
	for i := range c.Instances {
		places = append(places, c.Instances[i].SigningKey.File)
	}
	for _, place := range places {
		if place == "" {
			continue
		}
		path := pathIn(c.dir, place)
		new, err := makeKey(path)
		if err != nil {
			return made, err
		}
		if new {
			made = append(made, path)
		}
	}
	return made, nil
}

// makeKey makes a private key in a file, and its public key beside it, unless it is
// there.
func makeKey(path string) (bool, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	key, err := signing.GenerateKey()
	if err != nil {
		return false, err
	}
	private, err := signing.MarshalPrivateKey(key)
	if err != nil {
		return false, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return false, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return false, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, err
	}
	_, err = f.Write(private)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return false, err
	}
	return true, os.WriteFile(path+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}), 0o644)
}
