package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Settings are parameters of a server.
type Settings map[string]string

// A Server is a PostgreSQL server that is running.
type Server struct {
	dir    string
	bin    string
	server *exec.Cmd
	ended  chan struct{}
}

// user owns the server and every database.
const user = "gaen"

// nobody is who runs the server where the tests run as root, since PostgreSQL
// refuses to.
const nobody = 65534

// startTimeout is how long a server may take to answer.
const startTimeout = time.Minute

// Start starts a server. The error satisfies errors.Is(err, [fs.ErrNotExist])
// where there are no programs to start one with.
func Start(settings Settings) (*Server, error) {
	s, err := newServer()
	if err != nil {
		return nil, err
	}
	if err := s.init(); err != nil {
		s.Stop()
		return nil, err
	}
	if err := s.run(settings); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// newServer finds the programs and makes a folder with a short name: the path of
// a Unix socket has at most 107 bytes.
func newServer() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "gaen-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin}
	if os.Geteuid() == 0 {
		err = os.Chown(dir, nobody, nobody)
	}
	return s, err
}

// needed are the programs that a server is made with.
var needed = []string{"postgres", "initdb", "pg_basebackup"}

// programs returns the folder of PostgreSQL's programs: where PATH has them, or
// of the latest version that Debian has.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	if path, err := exec.LookPath("postgres"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			found = append([]string{filepath.Dir(path)}, found...)
		}
	}
	for _, dir := range found {
		if !slices.ContainsFunc(needed, func(name string) bool { _, err := exec.LookPath(filepath.Join(dir, name)); return err != nil }) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("pgtest: no %s in PATH or /usr/lib/postgresql: %w", strings.Join(needed, ", "), fs.ErrNotExist)
}

// version returns the version in a path of Debian's.
func version(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// command returns one of PostgreSQL's programs, to be run as somebody who may.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...)
	c.Dir = s.dir
	c.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	if os.Geteuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return c
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) init() error {
	out, err := s.command("initdb", "-D", s.data(), "-A", "trust", "-U", user, "-E", "UTF8", "--no-locale", "-N").CombinedOutput()
	if err != nil {
		return fmt.Errorf("pgtest: initdb: %w\n%s", err, out)
	}
	return nil
}

// run starts the server and waits until it answers.
func (s *Server) run(settings Settings) error {
	args := []string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "max_connections=200"}
	for name, value := range settings {
		args = append(args, "-c", name+"="+value)
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	defer log.Close()
	s.server = s.command("postgres", args...)
	s.server.Stdout, s.server.Stderr = log, log
	if err := s.server.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.ended = ended
	go func() { defer close(ended); s.server.Wait() }()
	return s.await(ended)
}

// await waits until the server answers.
func (s *Server) await(ended chan struct{}) error {
	for start := time.Now(); time.Since(start) < startTimeout; time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			return fmt.Errorf("pgtest: the server ended\n%s", s.Log())
		default:
		}
		if s.exec(context.Background(), "SELECT 1") == nil {
			return nil
		}
	}
	return fmt.Errorf("pgtest: the server does not answer\n%s", s.Log())
}

// Log returns what the server has logged.
func (s *Server) Log() string {
	content, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(content)
}

// URL returns where a database is.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", user, database, url.QueryEscape(s.dir))
}

func (s *Server) exec(ctx context.Context, query string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, query)
	return err
}

// Stop stops the server at once and removes what it kept.
func (s *Server) Stop() {
	if s.server != nil && s.server.Process != nil {
		s.server.Process.Signal(syscall.SIGQUIT) // immediate shutdown
		<-s.ended
	}
	os.RemoveAll(s.dir)
}

// Restart has the server crash, and starts it again: what it had answered as
// committed must be there.
func (s *Server) Restart(settings Settings) error {
	s.server.Process.Signal(syscall.SIGQUIT)
	<-s.ended
	return s.run(settings)
}

// Standby starts a server that follows s, as a replica does. It stops with s
// only if it is stopped.
func (s *Server) Standby() (*Server, error) {
	r, err := newServer()
	if err != nil {
		return nil, err
	}
	out, err := s.command("pg_basebackup", "-D", r.data(), "-h", s.dir, "-U", user, "-R", "-X", "stream", "-c", "fast", "--no-sync").CombinedOutput()
	if err != nil {
		r.Stop()
		return nil, fmt.Errorf("pgtest: pg_basebackup: %w\n%s", err, out)
	}
	if err := r.run(Settings{"hot_standby": "on"}); err != nil {
		r.Stop()
		return nil, err
	}
	return r, nil
}
