// Package pgd runs PostgreSQL servers as real processes, for tests and for the whole
// of Cotmoc on one machine. They end with the process that started them.
package pgd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
	socketPath   = 100 // bytes that a socket's path may have, a little less than the system's limit
	unixPort     = 5432
)

// Config says where a server runs. Its settings are those that a ledger asks for.
type Config struct {
	// Dir keeps the server's files, and is taken up again where there are some.
	// Empty means a temporary folder, which Close removes.
	Dir string
	// Durable keeps a temporary folder on a disk. Otherwise it is in memory where
	// the system has room for it there: quick, and what a power cut would lose.
	Durable bool
	// Port is the TCP port on 127.0.0.1, where roles have passwords; 0 means a unix
	// socket only, which none but this process's user and root can reach.
	Port int
}

// Server is one PostgreSQL server. Its methods may be called at the same time.
type Server struct {
	cfg     Config
	bin     string
	socket  string // folder
	scratch []string
	user    *owner

	mu   sync.Mutex
	proc *process // nil when it does not run
}

// Start starts a server and returns when it answers.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	bin, err := Binaries()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, bin: bin}
	if s.user, err = unprivileged(); err == nil {
		err = s.prepare(ctx)
	}
	if err == nil {
		err = s.Restart(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL in %s: %w", s.cfg.Dir, err), s.Close())
	}
	return s, nil
}

// prepare makes the folders, and the cluster where there is none.
func (s *Server) prepare(ctx context.Context) (err error) {
	if s.cfg.Dir == "" {
		if s.cfg.Dir, err = s.temporary(memory(s.cfg.Durable)); err != nil {
			return err
		}
	} else if s.cfg.Dir, err = filepath.Abs(s.cfg.Dir); err != nil {
		return err
	}
	if err := s.user.folder(s.cfg.Dir); err != nil {
		return err
	}
	if s.user != nil {
		s.user.through = barred(s.cfg.Dir)
	}
	s.socket = s.cfg.Dir
	if len(s.cfg.Dir) > socketPath-len("/.s.PGSQL.5432.lock") {
		if s.socket, err = s.temporary(""); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(s.data(), "PG_VERSION")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.initdb(ctx)
}

// temporary makes a folder that Close removes.
func (s *Server) temporary(in string) (string, error) {
	dir, err := os.MkdirTemp(in, "cotmoc-pg-")
	if err != nil {
		return "", err
	}
	s.scratch = append(s.scratch, dir)
	return dir, s.user.folder(dir)
}

func (s *Server) data() string { return filepath.Join(s.cfg.Dir, "data") }
func (s *Server) log() string  { return filepath.Join(s.cfg.Dir, "log") }

// passwords is the file with the password of all roles, for TCP.
func (s *Server) passwords() string { return filepath.Join(s.cfg.Dir, "password") }

func (s *Server) initdb(ctx context.Context) error {
	if err := os.WriteFile(s.passwords(), []byte(rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	args := []string{"-D", s.data(), "--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--data-checksums"}
	if !s.cfg.Durable {
		args = append(args, "--no-sync")
	}
	c := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), args...)
	c.Dir, c.SysProcAttr = "/", s.user.attr()
	if out, err := c.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("initdb: %w: %s", err, out), os.RemoveAll(s.data()))
	}
	return nil
}

func (s *Server) command() *exec.Cmd {
	args := []string{
		"-D", s.data(), "-k", s.socket, "-p", strconv.Itoa(s.port()),
		"-c", "listen_addresses=", "-c", "max_connections=200",
		"-c", "shared_buffers=64MB", "-c", "min_wal_size=32MB", "-c", "max_wal_size=256MB",
		"-c", "dynamic_shared_memory_type=mmap", "-c", "log_min_messages=warning",
	}
	if s.cfg.Port != 0 {
		args = append(args, "-c", "listen_addresses=127.0.0.1")
	}
	c := exec.Command(filepath.Join(s.bin, "postgres"), args...)
	c.Dir, c.SysProcAttr = "/", s.user.attr()
	return c
}

func (s *Server) port() int {
	if s.cfg.Port != 0 {
		return s.cfg.Port
	}
	return unixPort
}

// Restart starts the server again after Kill or Stop, with the same addresses, and
// returns when it answers. It is an error while the server runs.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc != nil {
		return errors.New("pgd: the server runs")
	}
	p, err := begin(s.command(), s.log())
	if err != nil {
		return err
	}
	s.proc = p
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if err = s.ping(ctx); err == nil {
			return nil
		}
		select {
		case <-p.done:
			s.proc = nil
			return fmt.Errorf("pgd: the server ended: %w: %s", p.err, last(s.log()))
		case <-ctx.Done():
			s.kill()
			return fmt.Errorf("pgd: the server does not answer: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (s *Server) ping(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.Superuser("postgres"))
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// Superuser is the URL of the role that may do anything, on a database, by the
// unix socket.
func (s *Server) Superuser(database string) string { return s.url("postgres", database, true) }

// url is how a role gets to a database, without a password.
func (s *Server) url(role, database string, local bool) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database}
	if local || s.cfg.Port == 0 {
		u.RawQuery = url.Values{"host": {s.socket}, "port": {strconv.Itoa(s.port())}}.Encode()
	} else {
		u.Host = "127.0.0.1:" + strconv.Itoa(s.cfg.Port)
		u.RawQuery = "sslmode=disable"
	}
	return u.String()
}

// Pid is the process of the running server, 0 when it does not run.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return 0
	}
	return s.proc.pid()
}

// Dir is where the server's files are.
func (s *Server) Dir() string { return s.cfg.Dir }

// Kill ends the server and every process that belongs to it by SIGKILL, and returns
// when they are gone.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kill()
}

func (s *Server) kill() {
	if s.proc == nil {
		return
	}
	s.proc.signal(syscall.SIGKILL)
	<-s.proc.done
	killIn(s.data())
	s.proc = nil
}

// Stop ends the server: connections are cut, and what is in memory is written out.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proc == nil {
		return nil
	}
	s.proc.signal(syscall.SIGINT)
	select {
	case <-s.proc.done:
		err := s.proc.err
		s.proc = nil
		return err
	case <-time.After(stopTimeout):
		s.kill()
		return fmt.Errorf("pgd: the server did not stop in %v and was killed", stopTimeout)
	}
}

// Close stops the server and removes temporary folders.
func (s *Server) Close() error {
	errs := []error{s.Stop()}
	for _, dir := range s.scratch {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
