package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"

	"google.golang.org/grpc"

	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/internal/run"
)

// Roles of a server process.
const (
	roleNothing = "nothing" // answers calls and does nothing
	roleBare    = "bare"    // the reporting service on SQLite, nothing around its handlers
	roleFull    = "full"    // the same with all that is around handlers, and its log; no NATS
	roleUp      = "up"      // what `cotmoc up` runs: both services, NATS inside
	roleTable   = "table"   // no service: rows into a table
)

// process is what a server process runs.
type process interface {
	addr() string
	// tell adds to an answer what it knows of itself.
	tell(*answer)
	// rows inserts rows; only of roleTable.
	rows(order) (answer, error)
	close() error
}

// serve is the whole of a server process: it says where it serves and then does
// what the client's lines ask, until there are no more.
func serve(args []string) (err error) {
	run.KeepMemoryNear() // as the serving commands do, and the limit too
	role, dir := args[0], args[1]
	out := json.NewEncoder(os.Stdout)
	p, err := open(role, dir)
	if err != nil {
		return errors.Join(out.Encode(answer{Error: err.Error()}), err)
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := out.Encode(answer{Addr: p.addr()}); err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var o order
		if err := json.Unmarshal(line, &o); err != nil {
			return err
		}
		a, err := do(p, o)
		if err != nil {
			a.Error = err.Error()
		}
		if err := out.Encode(a); err != nil {
			return err
		}
	}
}

func open(role, dir string) (process, error) {
	ctx := context.Background()
	switch role {
	case roleNothing:
		return openNothing()
	case roleBare:
		return openBare(ctx, dir)
	case roleFull:
		return openFull(ctx, dir)
	case roleUp:
		return openUp(ctx, dir)
	case roleTable:
		return openTable(ctx, dir)
	}
	return nil, fmt.Errorf("no role %q", role)
}

// do does one order.
func do(p process, o order) (a answer, err error) {
	switch o.Do {
	case "usage":
	case "collect":
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		a.Heap = m.HeapAlloc
	case "profile":
		f, err := os.Create(o.Arg)
		if err != nil {
			return a, err
		}
		return a, pprof.StartCPUProfile(f) // the file is the process's until it ends
	case "profiled":
		pprof.StopCPUProfile()
		f, err := os.Create(o.Arg + ".heap")
		if err != nil {
			return a, err
		}
		return a, errors.Join(pprof.Lookup("heap").WriteTo(f, 0), f.Close())
	case "rows":
		if a, err = p.rows(o); err != nil {
			return a, err
		}
	default:
		return a, fmt.Errorf("no order %q", o.Do)
	}
	p.tell(&a)
	a.usage = ownUsage()
	return a, nil
}

// listener serves a gRPC server on a free port of loopback.
type listener struct {
	server *grpc.Server
	l      net.Listener
}

// listen serves without anything around the handlers.
func listen(register func(grpc.ServiceRegistrar)) (listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return listener{}, err
	}
	s := grpc.NewServer(rpc.Limits()...)
	register(s)
	go func() { _ = s.Serve(l) }()
	return listener{s, l}, nil
}

func (l listener) addr() string { return l.l.Addr().String() }

func (l listener) rows(order) (answer, error) { return answer{}, errors.New("no table here") }

// sizeOf adds up the files whose names begin with a path.
func sizeOf(path string) (n int64) {
	files, err := filepath.Glob(path + "*")
	if err != nil {
		return 0
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return n
}
