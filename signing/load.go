package signing

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"io"
	"os"
	"strings"
)

// ReadPrivateKeyFile returns the private key in a PEM file.
func ReadPrivateKeyFile(path string) (*ecdsa.PrivateKey, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parsePrivateKey(path, text)
}

// ReadKeyFile returns what [ParseKeyFile] finds in a file.
func ReadKeyFile(path string) ([]Registration, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parseKeyFile(path, text)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{Subject: "key file", Err: err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxKeyText+1))
	if err != nil {
		return nil, &Error{Subject: "key file", Err: err}
	}
	return text, nil // whether it is too long, the parser says
}

// PrivateKeyFromEnv returns the private key in an environment variable: PEM, or
// the base64 of it, for platforms that do not take line breaks in variables.
func PrivateKeyFromEnv(name string) (*ecdsa.PrivateKey, error) {
	subject := "environment variable " + name
	value := strings.TrimSpace(os.Getenv(name))
	if value == "" {
		return nil, fail(subject, "not set or empty")
	}
	if len(value) > MaxKeyText {
		return nil, fail(subject, "%w: %d bytes, at most %d", ErrTooLarge, len(value), MaxKeyText)
	}
	text := []byte(value)
	if !bytes.Contains(text, []byte("-----BEGIN ")) {
		decoded, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return nil, fail(subject, "neither PEM nor base64 of PEM")
		}
		text = decoded
	}
	return parsePrivateKey(subject, text)
}
