//go:build cloud

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gaenkit/gaen/examples/internal/nation"
)

// mainVariable makes the test binary the function.
const mainVariable = "GAEN_LAMBDA_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// function returns the function as a process, for the runtime API at a server.
func function(t *testing.T, task, api string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "backend.json")
	if err := os.WriteFile(path, []byte(`{"paths": {"ledger": "bucket+file://`+dir+`/ledger"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "ledger"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := nation.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.MakeKeys(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), mainVariable+"=1", "GAEN_CONFIG="+path, "GAEN_TASK="+task, "AWS_LAMBDA_RUNTIME_API="+api)
	return cmd
}

// TestFunction has the function be called as the platform calls it, by the runtime
// API: an event is fetched, and the answer posted.
func TestFunction(t *testing.T) {
	for task, want := range map[string]string{
		"import": `"cut":false`,
		"export": `"cut":true`,
		"tick":   `"cut":true`,
	} {
		t.Run(task, func(t *testing.T) {
			events := make(chan bool, 1)
			events <- true
			answers := make(chan string, 2)
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					body, _ := io.ReadAll(r.Body)
					answers <- r.URL.Path + " " + string(body)
					w.WriteHeader(http.StatusAccepted)
					return
				}
				select {
				case <-events:
				case <-r.Context().Done():
					return
				}
				w.Header().Set("Lambda-Runtime-Aws-Request-Id", "1")
				w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
				fmt.Fprint(w, `{"source":"aws.events","detail-type":"Scheduled Event"}`)
			}))
			cmd := function(t, task, strings.TrimPrefix(api.URL, "http://"))
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer api.Close()
			defer cmd.Wait()
			defer cmd.Process.Kill()
			select {
			case got := <-answers:
				if !strings.HasPrefix(got, "/2018-06-01/runtime/invocation/1/response ") || !strings.Contains(got, want) {
					t.Errorf("got %s, want %s", got, want)
				}
			case <-time.After(time.Minute):
				t.Error("no answer")
			}
		})
	}
}

// TestSetUp has a function without a task not start.
func TestSetUp(t *testing.T) {
	out, err := function(t, "", "127.0.0.1:1").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "GAEN_TASK") {
		t.Errorf("%v: %s", err, out)
	}
}
