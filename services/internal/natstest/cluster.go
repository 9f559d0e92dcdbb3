package natstest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
)

// Cluster is NATS servers in the test's process that form a cluster.
type Cluster struct {
	t       testing.TB
	dir     string
	listen  []string
	routes  []string
	servers []*natsd.Server // nil for one that is stopped
}

// StartCluster starts so many servers and returns when they have elected who leads.
func StartCluster(t testing.TB, n int) *Cluster {
	t.Helper()
	c := &Cluster{t: t, dir: t.TempDir(), servers: make([]*natsd.Server, n)}
	for range n {
		c.listen = append(c.listen, freeAddress(t))
		c.routes = append(c.routes, freeAddress(t))
	}
	started := make(chan struct{})
	for i := range n { // each waits for the others to be ready
		go func() {
			c.start(i)
			started <- struct{}{}
		}()
	}
	for range n {
		<-started
	}
	if t.Failed() {
		t.FailNow()
	}
	nc := c.Connect()
	defer nc.Close()
	c.await(nc)
	return c
}

// await returns when the cluster takes streams of as many replicas as it has servers.
func (c *Cluster) await(nc *nats.Conn) {
	c.t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	probe := jetstream.StreamConfig{Name: "PROBE", Subjects: []string{"probe"}, Replicas: len(c.servers), MaxBytes: 1 << 20}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_, err := js.CreateStream(c.t.Context(), probe)
		if err == nil {
			err = js.DeleteStream(c.t.Context(), probe.Name)
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("no cluster in 30 s: %v", err)
		}
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (c *Cluster) start(i int) {
	s, err := natsd.Start(natsd.Config{StoreDir: c.folder(i), Listen: c.listen[i], Open: true,
		Name: fmt.Sprint("s", i), Cluster: c.routes[i], Routes: c.routes})
	if err != nil {
		c.t.Error(err)
		return
	}
	c.servers[i] = s
	c.t.Cleanup(s.Close)
}

func (c *Cluster) folder(i int) string { return filepath.Join(c.dir, fmt.Sprint("s", i)) }

// Stop stops a server as if it was killed for its clients.
func (c *Cluster) Stop(i int) {
	c.servers[i].Close()
	c.servers[i] = nil
}

// Wipe removes all that a stopped server had stored.
func (c *Cluster) Wipe(i int) {
	c.t.Helper()
	if err := os.RemoveAll(c.folder(i)); err != nil {
		c.t.Fatal(err)
	}
}

// Start starts a stopped server again.
func (c *Cluster) Start(i int) {
	c.t.Helper()
	c.start(i)
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// URL is the addresses of all servers.
func (c *Cluster) URL() string { return "nats://" + strings.Join(c.listen, ",nats://") }

// Connect connects to one of the servers, and reconnects for ever to any.
func (c *Cluster) Connect() *nats.Conn {
	c.t.Helper()
	nc, err := nats.Connect(c.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(nats.DefaultReconnectWait/20), nats.ReconnectJitter(0, 0))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	return nc
}

// Leader is the number of the server that leads a stream, -1 while none does.
func (c *Cluster) Leader(nc *nats.Conn, stream string) int {
	c.t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		c.t.Fatal(err)
	}
	s, err := js.Stream(c.t.Context(), stream)
	if err != nil || s.CachedInfo().Cluster == nil {
		return -1
	}
	var n int
	if _, err := fmt.Sscanf(s.CachedInfo().Cluster.Leader, "s%d", &n); err != nil {
		return -1
	}
	return n
}
