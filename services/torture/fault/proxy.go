package fault

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Line is how a proxy passes on what it is given.
type Line int

// Lines.
const (
	Clear     Line = iota
	Slow           // each piece comes later
	BlackHole      // nothing comes, in either direction, and nobody is told
	HalfOpen       // what clients send arrives, and no answer comes back
)

// String names a line.
func (l Line) String() string {
	return []string{"clear", "slow", "black hole", "half open"}[l]
}

// latency is by how much a slow line is late.
const latency = 100 * time.Millisecond

// Proxy is a TCP relay between clients and a service that can be made to fail.
type Proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	line  Line
	clear *sync.Cond // the line changed, or the proxy was closed
	pairs map[*pair]struct{}
	over  bool
}

type pair struct{ client, server net.Conn }

// NewProxy listens on a free port of this machine and passes on to an address.
func NewProxy(target string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("proxy of %s: %w", target, err)
	}
	p := &Proxy{listener: l, target: target, pairs: make(map[*pair]struct{})}
	p.clear = sync.NewCond(&p.mu)
	go p.accept()
	return p, nil
}

// Addr is where clients connect.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the line, also of connections that are open.
func (p *Proxy) Set(l Line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = l
	p.clear.Broadcast()
}

// Reset breaks all connections with a TCP reset and returns how many there were.
func (p *Proxy) Reset() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.pairs)
	for c := range p.pairs {
		for _, conn := range []net.Conn{c.client, c.server} {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
		}
	}
	return n
}

// Close ends the proxy and all connections.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.over = true
	p.clear.Broadcast()
	p.mu.Unlock()
	err := p.listener.Close()
	p.Reset()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(c)
	}
}

func (p *Proxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.target, 2*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &pair{client, server}
	p.mu.Lock()
	p.pairs[c] = struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client, false) })
	both.Go(func() { p.pass(client, server, true) })
	both.Wait()
	p.mu.Lock()
	delete(p.pairs, c)
	p.mu.Unlock()
}

// pass carries one direction. When it ends, both do.
func (p *Proxy) pass(to, from net.Conn, answers bool) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !p.wait(answers) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// wait holds a piece back as the line says. It returns false when the proxy was closed.
func (p *Proxy) wait(answer bool) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line == Slow {
		p.mu.Unlock()
		time.Sleep(latency)
		p.mu.Lock()
	}
	for !p.over && (p.line == BlackHole || p.line == HalfOpen && answer) {
		p.clear.Wait()
	}
	return !p.over
}
