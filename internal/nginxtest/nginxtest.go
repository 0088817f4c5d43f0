// Package nginxtest runs Debian's nginx for a test, with the configuration that is
// documented.
package nginxtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Start runs nginx in a process of its own until the test ends, and returns once it
// listens. The file has what stands in its http block; each of the replacements, old
// and new, is made in it, and must be possible once. The test is skipped where nginx
// is not installed.
func Start(t *testing.T, file string, addresses []string, replacements ...[2]string) {
	t.Helper()
	nginx := find(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(configuration(dir, read(t, file, replacements))), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "nginx.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-c", config, "-p", dir)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt) // nginx ends its workers and then itself
		cmd.Wait()
		log.Close()
	})
	for _, address := range addresses {
		await(t, address, log.Name())
	}
}

// find returns the program.
func find(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"nginx", "/usr/sbin/nginx"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("nginx is not installed")
	return ""
}

// FreeAddress returns an address on loopback that nobody listens at.
func FreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func read(t *testing.T, file string, replacements [][2]string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for _, r := range replacements {
		if strings.Count(text, r[0]) != 1 {
			t.Fatalf("%s does not say %q once", file, r[0])
		}
		text = strings.Replace(text, r[0], r[1], 1)
	}
	return text
}

// configuration returns a whole configuration, for a process in the foreground that
// keeps to a folder.
func configuration(dir, servers string) string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the folder of a test is its owner's alone
	}
	return fmt.Sprintf(`%[3]s
daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
access_log off;
client_body_temp_path %[1]s/body;
proxy_temp_path %[1]s/proxy;
fastcgi_temp_path %[1]s/fastcgi;
uwsgi_temp_path %[1]s/uwsgi;
scgi_temp_path %[1]s/scgi;
%[2]s
}
`, dir, servers, user)
}

func await(t *testing.T, address, log string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			return
		}
	}
	text, _ := os.ReadFile(log)
	t.Fatalf("nginx did not come up at %s:\n%s", address, text)
}
