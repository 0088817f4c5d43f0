package ringtest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"

	"github.com/gaenkit/gaen/keys"
)

// leaks looks for key data and secrets in what programs say (invariant 11). Of
// the forms that keystest.Leak knows it looks for those that encoders give, since
// there are too many keys to look for one by one.
type leaks struct {
	mu      sync.RWMutex
	hex     map[[16]byte]bool // the first 8 bytes
	base64  map[[10]byte]bool // the first 7½
	secrets []string
}

func newLeaks() *leaks { return &leaks{hex: map[[16]byte]bool{}, base64: map[[10]byte]bool{}} }

// addKey adds what must not be said. It is called before any program has it.
func (l *leaks) addKey(data keys.KeyData) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hex[[16]byte([]byte(hex.EncodeToString(data[:8])))] = true
	l.base64[[10]byte([]byte(base64.StdEncoding.EncodeToString(data[:])))] = true
}

// addSecret adds a secret; of one of several lines, each.
func (l *leaks) addSecret(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
			l.secrets = append(l.secrets, line)
		}
	}
}

var standard = strings.NewReplacer("-", "+", "_", "/")

// in names what a line holds, nothing if it is clean.
func (l *leaks) in(line string) string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, s := range l.secrets {
		if strings.Contains(line, s) {
			return "a secret"
		}
	}
	text := []byte(standard.Replace(line))
	for i := range len(text) - 9 {
		if l.base64[[10]byte(text[i:])] {
			return "key data in base64"
		}
	}
	text = bytes.ToLower(text)
	for i := range len(text) - 15 {
		if l.hex[[16]byte(text[i:])] {
			return "key data in hexadecimal"
		}
	}
	return ""
}
