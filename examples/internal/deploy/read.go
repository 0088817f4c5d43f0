package deploy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxConfig limits a configuration file.
const maxConfig = 1 << 20

// Read returns the configuration in a file, over the defaults, with what the
// settings ("signature.keyId=310") say put over that. An empty path is no file.
// The error names the field.
func Read(path string, settings []string) (*Config, error) {
	c := Default()
	if path != "" {
		if err := c.readFile(path); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	for _, s := range settings {
		if err := c.set(s); err != nil {
			return nil, fmt.Errorf("-set %s: %w", s, err)
		}
	}
	return c, c.Check()
}

func (c *Config) readFile(path string) error { return ReadInto(path, c) }

// ReadInto puts what a configuration file says over v, a configuration with its
// defaults. What v has not is an error.
func ReadInto(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return errors.Unwrap(err) // the caller names the path
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	switch {
	case err != nil:
		return err
	case len(text) > maxConfig:
		return fmt.Errorf("larger than %d bytes", maxConfig)
	}
	return Decode(text, v)
}

func (c *Config) decode(text []byte) error { return Decode(text, c) }

// Decode puts what text, JSON, says over v. What v has not is an error, which
// names the field.
func Decode(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return plain(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the configuration")
	}
	return nil
}

// plain returns an error of the decoder in terms of the file.
func plain(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s: %s where a %s belongs", wrong.Field, wrong.Value, wrong.Type)
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

// set changes one field: group.field=value, where the value is JSON or, where
// that is not of the field's type, text.
func (c *Config) set(setting string) error {
	name, value, ok := strings.Cut(setting, "=")
	if !ok {
		return errors.New("want group.field=value")
	}
	first := errors.New("no JSON")
	if json.Valid([]byte(value)) {
		if first = c.decode(nest(name, json.RawMessage(value))); first == nil {
			return nil
		}
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := c.decode(nest(name, text)); err != nil {
		if json.Valid([]byte(value)) {
			return first
		}
		return err
	}
	return nil
}

// nest returns the configuration that has nothing but one field.
func nest(name string, value json.RawMessage) json.RawMessage {
	group, rest, deeper := strings.Cut(name, ".")
	if deeper {
		value = nest(rest, value)
	}
	label, err := json.Marshal(group)
	if err != nil {
		panic("deploy: a string does not marshal: " + err.Error())
	}
	return fmt.Appendf(nil, "{%s:%s}", label, value)
}

// String returns the configuration as a file that Read takes.
func (c *Config) String() string {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic("deploy: the configuration does not marshal: " + err.Error())
	}
	return string(text) + "\n"
}

// Check refuses what the library would take for "the default", and names the
// field.
func (c *Config) Check() error {
	for _, f := range []struct {
		name  string
		value int
	}{
		{"tekExport.fileHeaderWidth", c.TEKExport.FileHeaderWidth},
		{"api.hourDigits", c.API.HourDigits},
		{"objectStore.retryAttempts", c.ObjectStore.RetryAttempts},
		{"objectStore.threads", c.ObjectStore.Threads},
		{"retention.days", c.Retention.Days},
		{"retention.hourDays", c.Retention.HourDays},
		{"input.maxKeysPerUpload", c.Input.MaxKeysPerUpload},
	} {
		if f.value < 1 {
			return fmt.Errorf("%s: %d, want at least 1", f.name, f.value)
		}
	}
	if c.ObjectStore.MaxAge < 1 {
		return fmt.Errorf("objectStore.maxAge: want more than nothing")
	}
	if c.ObjectStore.RetryBackoff < 1 {
		return fmt.Errorf("objectStore.retryBackoff: want more than nothing")
	}
	if c.ObjectStore.MaxFailedOperations < 0 {
		return fmt.Errorf("objectStore.maxFailedOperations: %d is negative", c.ObjectStore.MaxFailedOperations)
	}
	if err := CheckLayouts(c.API.Layouts); err != nil {
		return fmt.Errorf("api.layouts: %w", err)
	}
	return c.checkText()
}

func (c *Config) checkText() error {
	for _, f := range []struct{ name, value string }{
		{"paths.ledger", c.Paths.Ledger},
		{"paths.output", c.Paths.Output},
		{"paths.privateKey", c.Paths.PrivateKey},
		{"paths.publicKey", c.Paths.PublicKey},
		{"paths.metadataKey", c.Paths.MetadataKey},
		{"tekExport.fileName", c.TEKExport.FileName},
		{"tekExport.fileHeader", c.TEKExport.FileHeader},
		{"api.versionPath", c.API.VersionPath},
		{"api.version", c.API.Version},
		{"api.diagnosisKeysPath", c.API.DiagnosisKeysPath},
		{"api.countryPath", c.API.CountryPath},
		{"api.datePath", c.API.DatePath},
		{"api.hourPath", c.API.HourPath},
		{"api.originCountry", c.API.OriginCountry.String()},
		{"signature.fileName", c.Signature.FileName},
		{"objectStore.hash", c.ObjectStore.Hash},
	} {
		if f.value == "" {
			return fmt.Errorf("%s: missing", f.name)
		}
	}
	if _, err := c.MakeInbox(nil); err != nil {
		return err
	}
	if err := c.Signature.checkFurther(); err != nil {
		return err
	}
	if err := c.Input.PartnerSource.Check(); err != nil {
		return fmt.Errorf("input.partnerSource: %w", err)
	}
	if c.Input.PartnerSource == "own" || c.Input.PartnerSource == "operator" {
		return fmt.Errorf("input.partnerSource: %q is no partner", c.Input.PartnerSource)
	}
	if err := c.Release.Policy().Check(); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
}
