package pgd

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/postgres"
)

// orphan names a file into which the test binary, started again, writes where the
// server is that it leaves behind.
const orphan = "PGD_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if path := os.Getenv(orphan); path != "" {
		s, err := Start(context.Background(), Config{Dir: filepath.Dir(path) + "/pg"})
		if err == nil {
			err = os.WriteFile(path, []byte(strconv.Itoa(s.Pid())), 0o600)
		}
		if err != nil {
			panic(err)
		}
		select {} // until it is killed
	}
	os.Exit(m.Run())
}

func started(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// left lists the processes that work in a server's data folder.
func left(t *testing.T, s *Server) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, l := range links {
		if dir, err := os.Readlink(l); err == nil && dir == s.data() {
			found = append(found, l)
		}
	}
	return found
}

func TestServer_keeps_what_was_appended_when_it_is_killed(t *testing.T) {
	s := started(t, Config{})
	d, err := s.NewDatabase(t.Context(), "registry")
	if err != nil {
		t.Fatal(err)
	}
	st, err := postgres.Open(t.Context(), postgres.Config{URL: d.App})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for round := range 5 {
		bs := ledgertest.Fill(t, st, 1, 2)
		if len(left(t, s)) < 3 {
			t.Fatal("the server's processes are not where they are looked for")
		}
		s.Kill()
		if l := left(t, s); len(l) > 0 {
			t.Fatalf("round %d: left after Kill: %v", round, l)
		}
		if s.Pid() != 0 {
			t.Error("a killed server has a process")
		}
		if err := s.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		h, err := st.Head(t.Context())
		for range 5 { // each reading connection may have been cut
			if err == nil {
				break
			}
			h, err = st.Head(t.Context())
		}
		if err != nil || h != bs[1].Head() {
			t.Fatalf("round %d: %+v, %v", round, h, err)
		}
	}
}

func TestServer_is_taken_up_again_from_its_folder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	// Longer than a socket's path may be.
	c := Config{Dir: filepath.Join(t.TempDir(), strings.Repeat("deep/", 20), "pg"), Port: l.Addr().(*net.TCPAddr).Port}
	s := started(t, c)
	d, err := s.NewDatabase(t.Context(), "registry")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err == nil {
		t.Error("started twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = started(t, c)
	if again := s.Database("registry"); again != d {
		t.Errorf("%+v, want %+v", again, d)
	}
	st, err := postgres.Open(t.Context(), postgres.Config{URL: d.App, PasswordFile: d.PasswordFile})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestServer_ends_with_the_process_that_started_it(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pid")
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), orphan+"="+path)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var pid []byte
	for wait := time.Now(); len(pid) == 0; time.Sleep(10 * time.Millisecond) {
		if pid, _ = os.ReadFile(path); time.Since(wait) > 20*time.Second {
			t.Fatal("no server")
		}
	}
	_ = c.Process.Kill()
	_ = c.Wait()
	p, err := strconv.Atoi(string(pid))
	if err != nil {
		t.Fatal(err)
	}
	for wait := time.Now(); alive(p); time.Sleep(10 * time.Millisecond) {
		if time.Since(wait) > 5*time.Second {
			t.Fatal("the server outlives who started it")
		}
	}
}

// alive reports whether a process runs; one that only waits to be buried does not.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !bytes.Contains(stat, []byte(") Z ")) && syscall.Kill(pid, 0) == nil
}

func TestStart_says_why_it_could_not(t *testing.T) {
	t.Setenv("PG_BIN", t.TempDir())
	if _, err := Start(t.Context(), Config{}); err == nil || !strings.Contains(err.Error(), "PG_BIN") {
		t.Errorf("without binaries: %v", err)
	}
	t.Setenv("PG_BIN", "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Start(t.Context(), Config{Port: l.Addr().(*net.TCPAddr).Port})
	if err == nil || !strings.Contains(err.Error(), "Address already in use") {
		t.Errorf("on a port that is taken: %v", err)
	}
}
