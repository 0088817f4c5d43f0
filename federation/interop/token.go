package interop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A Token returns the bearer token to send. It is asked before each request, so
// that a new token is used as soon as it is there.
type Token func(ctx context.Context) (string, error)

// maxToken is the longest token that is sent, in bytes: servers limit headers.
const maxToken = 8 << 10

// TokenText returns a token that does not change.
func TokenText(token string) Token {
	return func(context.Context) (string, error) { return token, nil }
}

// TokenFile returns the token in a file, which is read before each request: it is
// replaced by replacing the file. Space around it is passed over.
func TokenFile(path string) Token {
	return func(context.Context) (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
		return string(text), err
	}
}

// header returns the header that sends the token.
func (t Token) header(ctx context.Context) (string, error) {
	text, err := t(ctx)
	if err != nil {
		return "", fmt.Errorf("token: %w", err)
	}
	text = strings.TrimSpace(text)
	if text == "" || len(text) > maxToken {
		return "", fmt.Errorf("token: %d bytes, want 1 to %d", len(text), maxToken)
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return "", errors.New("token: not printable ASCII without spaces")
		}
	}
	return "Bearer " + text, nil
}
