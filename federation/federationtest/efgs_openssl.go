package federationtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The suites sign and verify by package cms, which is also what this library's own
// gateway and client do: what both get wrong nobody would see. So each suite has
// clauses in which openssl signs or verifies instead, where it is installed.

// errNoOpenSSL is the answer of such a clause elsewhere.
var errNoOpenSSL = fmt.Errorf("%w: openssl is not installed here", errNotGiven)

// openssl runs openssl with files of these contents, whose names are in the place of
// those in args, and returns what it writes.
func openssl(ctx context.Context, files map[string][]byte, args ...string) ([]byte, error) {
	path, err := exec.LookPath("openssl")
	if err != nil {
		return nil, errNoOpenSSL
	}
	dir, err := os.MkdirTemp("", "federationtest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for i, arg := range args {
		content, ok := files[arg]
		if !ok {
			continue
		}
		args[i] = filepath.Join(dir, arg)
		if err := os.WriteFile(args[i], content, 0o600); err != nil {
			return nil, err
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("openssl: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return stdout.Bytes(), nil
}

// opensslSign returns a signature that openssl makes.
func opensslSign(ctx context.Context, pair *tls.Certificate, content []byte) (string, error) {
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return "", fmt.Errorf("%w: the key is in no file that openssl could be given", errNotGiven)
	}
	files := map[string][]byte{
		"content": content, "cert.pem": []byte(pemOf(pair.Leaf)), "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
	der, err := openssl(ctx, files, "cms", "-sign", "-binary", "-in", "content", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER", "-md", "sha256", "-nosmimecap")
	return base64.StdEncoding.EncodeToString(der), err
}

// opensslVerify has openssl verify a signature by a certificate.
func opensslVerify(ctx context.Context, cert *x509.Certificate, content []byte, signature string) error {
	der, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return fmt.Errorf("a signature that is not in base64: %w", err)
	}
	files := map[string][]byte{"content": content, "cert.pem": []byte(pemOf(cert)), "signature": der}
	_, err = openssl(ctx, files, "cms", "-verify", "-binary", "-inform", "DER", "-in", "signature", "-content", "content",
		"-certfile", "cert.pem", "-noverify", "-nointern", "-out", os.DevNull)
	return err
}
