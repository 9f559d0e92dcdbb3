package play

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"github.com/cotmoc/cotmoc/pkg/client"
)

// stopWithin is how long the process may take to end cleanly, reachWithin to serve.
const (
	stopWithin  = time.Minute
	reachWithin = time.Minute
)

// server is `cotmoc up` in a process of its own, with a manual clock. It may be
// killed, and then comes up again.
type server struct {
	addr  string
	start func() *exec.Cmd
	while context.Context // ends when the process ends by itself
	fail  context.CancelCauseFunc

	mu     sync.Mutex // of what follows, and held while it comes up again
	cmd    *exec.Cmd
	ended  chan error // what came of the process
	killed int
	cpu    time.Duration // of processes that were killed
	peak   uint64
}

// startServer starts the process; its clock stands on the morning of a day.
func startServer(ctx context.Context, binary, dir string, at day) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{addr: l.Addr().String()}
	if err := l.Close(); err != nil {
		return nil, err
	}
	s.while, s.fail = context.WithCancelCause(ctx)
	s.start = func() *exec.Cmd {
		return exec.Command(binary, "up", "--dir", dir, "--listen", s.addr, "--metrics-listen", "127.0.0.1:0", "--nats-listen", "",
			"--clock", "manual", "--start", at.morning().Format(time.RFC3339), "--log-level", "warn")
	}
	return s, s.run()
}

// run starts a process and watches over it.
func (s *server) run() error {
	var log bytes.Buffer
	s.cmd, s.ended = s.start(), make(chan error, 1)
	s.cmd.Stdout, s.cmd.Stderr = &log, &log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the service: %w", err)
	}
	go func(cmd *exec.Cmd, ended chan<- error) {
		err := cmd.Wait()
		if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
			if err != nil {
				err = fmt.Errorf("%w\n%s", err, &log)
			}
			s.fail(fmt.Errorf("the service ended: %w", errors.Join(err, context.Canceled)))
		}
		ended <- err
	}(s.cmd, s.ended)
	return nil
}

// kill ends the process at once and starts it again.
func (s *server) kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, peak := usageOf(s.cmd.Process.Pid)
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.ended
	s.killed++
	s.cpu, s.peak = s.cpu+used, max(s.peak, peak)
	return s.run()
}

// stop lets the process end cleanly.
func (s *server) stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return nil // it ended before, which is known
	}
	select {
	case err := <-s.ended:
		return err
	case <-time.After(stopWithin):
		return errors.Join(errors.New("the service does not stop"), s.cmd.Process.Kill())
	}
}

// why is what went wrong: that the process ended, where it did.
func (s *server) why(err error) error {
	if err != nil && s.while.Err() != nil {
		return errors.Join(context.Cause(s.while), err)
	}
	return err
}

// kills is how often it was killed.
func (s *server) kills() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.killed
}

// cpuNow is the processor time of all processes so far.
func (s *server) cpuNow() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	used, _ := usageOf(s.cmd.Process.Pid)
	return s.cpu + used
}

// peakNow is the most memory that any process held so far.
func (s *server) peakNow() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, peak := usageOf(s.cmd.Process.Pid)
	return max(s.peak, peak)
}

// usageOf asks the system for the processor time of a process and the most memory
// that it held; 0 where it does not tell, as outside Linux.
func usageOf(pid int) (cpu time.Duration, peak uint64) {
	of := "/proc/" + strconv.Itoa(pid)
	if data, err := os.ReadFile(of + "/stat"); err == nil {
		_, rest, _ := strings.Cut(string(data), ") ") // the name before may hold anything
		if f := strings.Fields(rest); len(f) > 12 {
			user, _ := strconv.ParseInt(f[11], 10, 64)
			system, _ := strconv.ParseInt(f[12], 10, 64)
			cpu = time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100 on Linux
		}
	}
	if data, err := os.ReadFile(of + "/status"); err == nil {
		_, rest, _ := strings.Cut(string(data), "VmHWM:")
		line, _, _ := strings.Cut(rest, "\n")
		kib, _ := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(line, "kB")), 10, 64)
		peak = kib << 10
	}
	return cpu, peak
}

// ownCPU is the processor time of this process so far.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // cannot happen with these arguments
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// lines is a connection for each client.
type lines []*client.Client

func dialAll(ctx context.Context, addr string, n int) (l lines, _ error) {
	ctx, cancel := context.WithTimeout(ctx, reachWithin)
	defer cancel()
	for range n {
		c, err := client.Dial(ctx, addr, client.Options{Dial: []grpc.DialOption{grpc.WithDefaultCallOptions(grpc.WaitForReady(true))}})
		if err != nil {
			l.close()
			return nil, err
		}
		l = append(l, c)
	}
	return l, nil
}

func (l lines) close() {
	for _, c := range l {
		_ = c.Close()
	}
}
