package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gaenkit/gaen/examples/internal/scripttest"
	"github.com/gaenkit/gaen/internal/fastclock"
)

// mainVariable makes the test binary the program.
const mainVariable = "GAEN_NATIONALBACKEND_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
		return
	}
	testscript.Main(m, map[string]func(){"nationalbackend": func() {
		ledgerClock = fastclock.FromEnvironment()
		main()
	}})
}

func TestScripts(t *testing.T) { scripttest.Run(t, nil, nil) }

const config = `{
	"submission": {"listen": "127.0.0.1:0", "authorizer": "apiKey", "apiKeys": {"file": "api-keys"}, "signingKey": {"file": "keys/answers.pem"}, "beat": "10ms"},
	"operations": {"listen": "127.0.0.1:0"},
	"input": {"consentToFederate": "given"}
}`

// TestServe starts the program as a process, submits to it, looks at it, and has it
// end.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"backend.json": config, "api-keys": "app:0123456789abcdef\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "backend.json")
	if status := run([]string{"init", "-config", path}, io.Discard, os.Stderr); status != 0 {
		t.Fatal("init:", status)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "serve", "-config", path)
	cmd.Env = append(os.Environ(), mainVariable+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	addr := map[string]string{}
	for len(addr) < 2 && lines.Scan() {
		var line struct{ Msg, For, Addr string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			addr[line.For] = "http://" + line.Addr
		}
	}
	rest := make(chan string)
	go func() {
		var text strings.Builder
		for lines.Scan() {
			text.WriteString(lines.Text() + "\n")
		}
		rest <- text.String()
	}()

	req, err := http.NewRequest(http.MethodPost, addr["submission"]+"/submission/diagnosis-keys", strings.NewReader(`{"temporaryExposureKeys":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != 200 || resp.Header.Get("X-Amz-Meta-Signature") == "" {
		t.Errorf("submission: %v, %v", resp, err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(addr["operations"] + "/readyz")
		if err == nil && resp.StatusCode == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %v, %v", resp, err)
		}
	}
	if resp, err := http.Get(addr["operations"] + "/submission/diagnosis-keys"); err != nil || resp.StatusCode != 404 {
		t.Errorf("submissions where operators look: %v, %v", resp, err)
	}
	if resp, err := http.Get(addr["submission"] + "/metrics"); err != nil || resp.StatusCode != 404 {
		t.Errorf("metrics where phones submit: %v, %v", resp, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	text := <-rest
	if err := cmd.Wait(); err != nil || !strings.Contains(text, `"msg":"ended"`) {
		t.Errorf("it ended with %v:\n%s", err, text)
	}
	if strings.Contains(text, "0123456789abcdef") {
		t.Error("the log holds an API key")
	}
}
