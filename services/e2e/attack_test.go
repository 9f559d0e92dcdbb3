package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/e2e/assault"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/cluster"
)

// maxResident is what a replica may need under every attack.
const maxResident = 256 << 20

// attacked is a replica of each service with the shipped limits, and those who attack it.
type attacked struct {
	*locked
	k                   *cluster.Cluster
	registry, reporting *cluster.Replica
	floods              int
}

// TestAttacks: what a caller with a good certificate, or none, can do to a replica is
// bounded: its memory, its processor, its log, and what others notice.
func TestAttacks(t *testing.T) {
	k, err := cluster.Start(t.Context(), cluster.Config{Bin: binaryFolder(t), Replicas: 1, ManualClock: true, Begin: start})
	must(t, err)
	t.Cleanup(func() { must(t, k.Close()) })
	a := &attacked{locked: &locked{rig: rigOf(t, k)}, k: k, registry: k.Registry[0], reporting: k.Reporting[0]}
	a.furnish(t)
	defer assault.StepBack()()
	quiet := a.quiet(t)
	quiet.rest(t, 2*time.Second)
	calm := quiet.p99(t, a.reporting)
	for _, c := range attacks {
		t.Run(c.name, func(t *testing.T) {
			at := a.reporting
			if c.registry {
				at = a.registry
			}
			logged := sizeOf(t, at.Log())
			stop, err := assault.Watch(at.Pid())
			must(t, err)
			began := time.Now()
			got := c.run(t, a)
			took := time.Since(began).Seconds()
			cost := stop()
			lines := sizeOf(t, at.Log()) - logged
			t.Logf("%s: %.1f s, processor %.2f s, resident %d MiB at most, log %d KiB", got, took, cost.CPU.Seconds(), cost.Peak>>20, lines>>10)
			if cost.Peak > maxResident {
				t.Errorf("resident %d MiB\n%s", cost.Peak>>20, memoryOf(scrape(t, at)))
			}
			if most := 0.25 + c.cpu*took; cost.CPU.Seconds() > most {
				t.Errorf("processor %.2f s in %.1f s", cost.CPU.Seconds(), took)
			}
			if lines > 1<<20 && !c.answered {
				t.Errorf("%d KiB of log", lines>>10)
			}
			if !at.Running() {
				t.Fatalf("the replica ended:\n%s", at.Tail())
			}
		})
	}
	quiet.end(t)
	noisy := quiet.p99(t, a.reporting)
	t.Logf("a quiet unit's %d calls were all answered; by the server's own time p99 %v calm, %v beside all of this", quiet.calls, calm, noisy)
}

// attack is one thing that somebody does for some seconds. It returns what the caller saw.
type attack struct {
	name     string
	registry bool    // it hits the registry, else reporting
	cpu      float64 // share of a processor that it may take, at most
	answered bool    // calls within the allowance are answered, and have a line each
	run      func(*testing.T, *attacked) string
}

// Submit and the like, as paths.
const (
	submitPath     = "/cotmoc.reporting.v1.ReportingService/Submit"
	batchPath      = "/cotmoc.reporting.v1.ReportingService/SubmitBatch"
	figurePath     = "/cotmoc.reporting.v1.ProgressService/GetFigure"
	figuresPath    = "/cotmoc.reporting.v1.ProgressService/ListFigures"
	eventsPath     = "/cotmoc.reporting.v1.EventService/ListEvents"
	batchWritePath = "/cotmoc.registry.v1.RegistryAdminService/BatchWrite"
)

var attacks = []attack{
	{"empty writes on the administrators' port by a commune", true, 1, false, func(t *testing.T, a *attacked) string {
		return a.send(t, a.registry.Admin, "unit/26734", batchWritePath, bytes.Repeat(emptyOf(1), 1_900_000), 6, codes.PermissionDenied)
	}},
	{"empty writes on the administrators' port by an administrator", true, 1, false, func(t *testing.T, a *attacked) string {
		return a.send(t, a.registry.Admin, "admin/ops", batchWritePath, bytes.Repeat(emptyOf(1), 1_900_000), 6, codes.InvalidArgument)
	}},
	{"empty items by a unit that does not exist", false, 1, false, func(t *testing.T, a *attacked) string {
		items := bytes.Repeat(emptyOf(1), 500_000) // of an ItemList, in a Submission, in a SubmitRequest
		request := inner(fieldOf(&reportingv1.SubmitRequest{}, "submission"), inner(fieldOf(&reportingv1.Submission{}, "items"), items))
		return a.send(t, a.reporting.Addr, "unit/99999", submitPath, request, 6, codes.InvalidArgument)
	}},
	{"a million kinds", false, 1, false, func(t *testing.T, a *attacked) string {
		kinds := bytes.Repeat([]byte{1}, 1_000_000)
		return a.send(t, a.reporting.Addr, "reader/79", figuresPath, inner(fieldOf(&reportingv1.ListFiguresRequest{}, "kinds"), kinds), 6, codes.InvalidArgument)
	}},
	{"a batch of items with thousands of names", false, 1.5, false, func(t *testing.T, a *attacked) string {
		names := inner(fieldOf(&reportingv1.Submission{}, "items"), bytes.Repeat(emptyOf(1), 2000))
		one := inner(fieldOf(&reportingv1.BatchItem{}, "submission"), names)
		batch := bytes.Repeat(inner(fieldOf(&reportingv1.SubmitBatchRequest{}, "items"), one), 1000)
		return a.send(t, a.reporting.Addr, "unit/79", batchPath, batch, 6, codes.InvalidArgument)
	}},
	{"messages that never end", false, 1, false, neverEnd},
	{"streams that send nothing", false, 1.5, false, silentStreams},
	{"answers that nobody reads", false, 1.5, false, unread},
	{"packed messages that become large", false, 2, false, packed},
	{"streams of all systems of a unit", false, 1.5, false, manySystems},
	{"metrics that nobody reads", false, 1.5, false, unreadMetrics},
	{"refused calls without end", false, 1.5, false, func(t *testing.T, a *attacked) string {
		return a.storm(t, "subscriber/79", batchWritePath, nil)
	}},
	{"bad calls without end", false, 1.5, false, func(t *testing.T, a *attacked) string {
		return a.storm(t, "unit/26737", submitPath, &reportingv1.SubmitRequest{Programme: "p", RequestId: "x", Submission: count("NO", "cards", "2022-M01", 1)})
	}},
	{"events that match nothing", false, 1, true, func(t *testing.T, a *attacked) string {
		return a.storm(t, "reader/79", eventsPath, &reportingv1.ListEventsRequest{Subjects: []string{"cotmoc.x.y.z.w.vn.79"}})
	}},
	{"settings without end", false, 1, false, func(t *testing.T, a *attacked) string {
		return a.flood(t, func(f *http2.Framer, _ uint32) error { return f.WriteSettings() })
	}},
	{"window updates without end", false, 1, false, func(t *testing.T, a *attacked) string {
		return a.flood(t, func(f *http2.Framer, _ uint32) error { return f.WriteWindowUpdate(0, 1) })
	}},
	{"priorities without end", false, 1, false, func(t *testing.T, a *attacked) string {
		return a.flood(t, func(f *http2.Framer, stream uint32) error {
			return f.WritePriority(stream, http2.PriorityParam{StreamDep: 0, Weight: 1})
		})
	}},
	{"empty data without end", false, 1, false, emptyData},
	{"rapid resets", false, 1.5, false, rapidResets},
	{"silent connections", false, 0.5, false, silentConnections},
	{"all connections of a unit by one of its systems", false, 1, false, takenConnections},
	{"strangers at the door", false, 1, false, strangersAtTheDoor},
}

// fieldOf is the number of a field.
func fieldOf(m proto.Message, name string) protowire.Number {
	return m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(name)).Number()
}

// inner is a field that holds a message or text.
func inner(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// emptyOf is a field with a message in which nothing is.
func emptyOf(number protowire.Number) []byte { return inner(number, nil) }

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

// as connects with a certificate of the cluster's authority.
func (a *attacked) as(t *testing.T, identity, address string) *grpc.ClientConn {
	t.Helper()
	f, err := a.k.Files(identity)
	must(t, err)
	creds, err := auth.ClientTLS(f)
	must(t, err)
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(creds))
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// send sends the same bytes a number of times at once and wants one code for all.
func (a *attacked) send(t *testing.T, address, identity, method string, request []byte, times int, want codes.Code) string {
	t.Helper()
	conn := a.as(t, identity, address)
	seen := tally{}
	var all sync.WaitGroup
	for range times {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			var resp []byte
			seen.add(grpcstatus.Code(conn.Invoke(ctx, method, request, &resp, grpc.ForceCodecV2(rawCodec{}))).String())
		})
	}
	all.Wait()
	if seen.of[want.String()] == 0 || len(seen.of) > 2 || len(seen.of) == 2 && seen.of[codes.ResourceExhausted.String()] == 0 {
		t.Errorf("got %s, want %s", &seen, want)
	}
	return seen.String()
}

// storm calls as fast as eight connections can, for three seconds.
func (a *attacked) storm(t *testing.T, identity, method string, request proto.Message) string {
	t.Helper()
	raw, err := proto.Marshal(request)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	seen := tally{}
	var all sync.WaitGroup
	for range 8 {
		conn := a.as(t, identity, a.reporting.Addr)
		for range 8 {
			all.Go(func() {
				for ctx.Err() == nil {
					var resp []byte
					err := conn.Invoke(ctx, method, raw, &resp, grpc.ForceCodecV2(rawCodec{}))
					if ctx.Err() == nil {
						seen.add(grpcstatus.Code(err).String())
					}
				}
			})
		}
	}
	all.Wait()
	const allowed = 4000 + 3*2000 // at once, and in three seconds
	if n := seen.all(); n > allowed*11/10 && seen.of[codes.ResourceExhausted.String()] == 0 {
		t.Errorf("nothing of %d calls was above the allowance: %s", n, &seen)
	}
	return seen.String()
}

// tlsOf is TLS with a certificate of the cluster's authority.
func (a *attacked) tlsOf(t *testing.T, identity string) *tls.Config {
	t.Helper()
	f, err := a.k.Files(identity)
	must(t, err)
	cert, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	must(t, err)
	text, err := os.ReadFile(f.CA)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}
}

// dial connects frame by frame.
func (a *attacked) dial(t *testing.T, identity string, options ...assault.Option) *assault.Caller {
	t.Helper()
	c, err := assault.Dial(a.reporting.Addr, a.tlsOf(t, identity), options...)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// neverEnd sends all but the last byte of as many messages as it may, and waits.
func neverEnd(t *testing.T, a *attacked) string {
	message := assault.Frame(make([]byte, 4<<20-6), 4<<20-5)
	ended := 0
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 4 {
		c := a.dial(t, "unit/26737/endless")
		all.Go(func() {
			for range 100 {
				stream, err := c.Open(batchPath)
				if err == nil {
					err = c.Send(stream, message, false)
				}
				if err != nil {
					break
				}
			}
			time.Sleep(200 * time.Millisecond) // until the end is noticed here
			mu.Lock()
			defer mu.Unlock()
			if c.Err() != nil {
				ended++
			}
		})
	}
	all.Wait()
	if ended != 4 {
		t.Errorf("%d of 4 connections were ended", ended)
	}
	return fmt.Sprintf("%d of 4 connections were ended", ended)
}

// silentStreams opens streams that send nothing.
func silentStreams(t *testing.T, a *attacked) string {
	seen := tally{}
	var callers []*assault.Caller
	for range 60 {
		c := a.dial(t, "unit/79/silent")
		callers = append(callers, c)
		for range 250 {
			if _, err := c.Open(submitPath); err != nil {
				break
			}
		}
	}
	time.Sleep(time.Second)
	for _, c := range callers {
		for how, n := range c.Statuses() {
			seen.addN(how, n)
		}
	}
	if seen.of["8"] < 60*250-1000-4000 { // RESOURCE_EXHAUSTED
		t.Errorf("of 15,000 streams %s were refused", &seen)
	}
	return seen.String()
}

// unread asks for large answers and reads none.
func unread(t *testing.T, a *attacked) string {
	seen := tally{}
	var callers []*assault.Caller
	request, err := proto.Marshal(&reportingv1.ListEventsRequest{PageSize: 1000})
	must(t, err)
	for range 8 {
		c := a.dial(t, "reader/vn", assault.Unread)
		for range 100 {
			stream, err := c.Open(eventsPath)
			if err == nil {
				err = c.Send(stream, assault.Frame(request, len(request)), true)
			}
			if err != nil {
				break
			}
		}
		callers = append(callers, c)
	}
	time.Sleep(3 * time.Second)
	for _, c := range callers {
		for how, n := range c.Statuses() {
			seen.addN(how, n)
		}
	}
	return "of 800 answers that were not read, refused instead: " + seen.String()
}

// packed sends as many messages as it may, which a few kilobytes unpack to megabytes, all but
// the last byte of each, and then all last bytes at once.
func packed(t *testing.T, a *attacked) string {
	var zip bytes.Buffer
	w := gzip.NewWriter(&zip)
	_, _ = w.Write(inner(500, make([]byte, 4<<20-100))) // a field that nobody knows
	must(t, w.Close())
	message := assault.Frame(zip.Bytes(), zip.Len())
	message[0] = 1 // compressed
	seen := tally{}
	var all sync.WaitGroup
	for range 4 {
		c := a.dial(t, "unit/26734/packed")
		all.Go(func() {
			var streams []uint32
			for range 240 {
				stream, err := c.Open(submitPath, "grpc-encoding", "gzip")
				if err != nil || c.Send(stream, message[:len(message)-1], false) != nil {
					break
				}
				streams = append(streams, stream)
			}
			for _, stream := range streams {
				_ = c.Send(stream, message[len(message)-1:], true)
			}
			c.Settled(10 * time.Second)
			for how, n := range c.Statuses() {
				seen.addN(how, n)
			}
		})
	}
	all.Wait()
	return seen.String()
}

// manySystems holds streams by eight systems of a unit; another unit is served.
func manySystems(t *testing.T, a *attacked) string {
	seen := tally{}
	for system := range 8 {
		for range 4 {
			c := a.dial(t, fmt.Sprint("unit/26734/many-", system))
			for range 250 {
				stream, err := c.Open("/grpc.health.v1.Health/Watch", "x-large", strings.Repeat("x", 12_000))
				if err != nil || c.Send(stream, assault.Frame(nil, 0), true) != nil {
					break
				}
			}
			for how, n := range c.Statuses() {
				seen.addN(how, n)
			}
		}
	}
	figure(t, a.as(t, "reader/vn/other", a.reporting.Addr))
	return "another unit is served; refused: " + seen.String()
}

// unreadMetrics asks for metrics without end and reads none.
func unreadMetrics(t *testing.T, a *attacked) string {
	request := []byte(strings.Repeat("GET /metrics HTTP/1.1\r\nHost: "+a.reporting.Metrics+"\r\n\r\n", 90))
	for range 300 {
		c, err := net.DialTimeout("tcp", a.reporting.Metrics, time.Second)
		if err != nil {
			break
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = c.Write(request)
	}
	time.Sleep(2 * time.Second)
	return "300 connections to the metrics"
}

// flood writes control frames until it is hung up on.
func (a *attacked) flood(t *testing.T, write func(*http2.Framer, uint32) error) string {
	t.Helper()
	const most = 2_000_000
	a.floods++ // who was hung up on waits: each flood is another's
	c := a.dial(t, fmt.Sprint("unit/79/flood-", a.floods))
	n := c.Flood(write, most)
	if n == most {
		t.Errorf("%d frames were taken", n)
	}
	return fmt.Sprintf("hung up on after %d frames or fewer", n)
}

func emptyData(t *testing.T, a *attacked) string {
	c := a.dial(t, "unit/79/empty")
	stream, err := c.Open(submitPath)
	must(t, err)
	const most = 2_000_000
	n := c.Flood(func(f *http2.Framer, _ uint32) error { return f.WriteData(stream, false, nil) }, most)
	if n == most {
		t.Errorf("%d frames were taken", n)
	}
	return fmt.Sprintf("hung up on after %d frames or fewer", n)
}

func rapidResets(t *testing.T, a *attacked) string {
	c := a.dial(t, "unit/79/reset")
	const most = 500_000
	n := 0
	for ; n < most && c.Err() == nil; n++ {
		if c.Begin(submitPath) != nil {
			break
		}
	}
	if n == most {
		t.Errorf("%d resets were taken", n)
	}
	return fmt.Sprintf("hung up on after %d resets or fewer", n)
}

// silentConnections opens more connections than an address may have unfinished; a caller
// from there is let in all the same.
func silentConnections(t *testing.T, a *attacked) string {
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range 400 {
		c, err := net.Dial("tcp", a.reporting.Addr)
		must(t, err)
		open = append(open, c)
	}
	began := time.Now()
	figure(t, a.as(t, "reader/79/late", a.reporting.Addr))
	return fmt.Sprintf("another was let in after %d ms", time.Since(began).Milliseconds())
}

// takenConnections: one system takes all that it can get; another of its unit is let in.
func takenConnections(t *testing.T, a *attacked) string {
	n := 0
	for range 110 {
		c, err := assault.Dial(a.reporting.Addr, a.tlsOf(t, "unit/vn/greedy"))
		if err != nil {
			break
		}
		t.Cleanup(c.Close)
		time.Sleep(2 * time.Millisecond)
		if c.Err() == nil {
			n++
		}
	}
	figure(t, a.as(t, "unit/vn/modest", a.reporting.Addr))
	return fmt.Sprintf("about %d connections, and another system of the unit was let in", n)
}

// strangersAtTheDoor: refused handshakes are counted by reason and logged in samples.
func strangersAtTheDoor(t *testing.T, a *attacked) string {
	before := sizeOf(t, a.reporting.Log())
	for range 300 {
		plain, err := net.Dial("tcp", a.reporting.Addr)
		must(t, err)
		_, _ = plain.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		_ = plain.Close()
		config := a.tlsOf(t, "unit/79")
		config.Certificates = nil
		if c, err := tls.Dial("tcp", a.reporting.Addr, config); err == nil {
			_ = c.SetDeadline(time.Now().Add(time.Second))
			_, _ = c.Read(make([]byte, 1))
			_ = c.Close()
		}
	}
	text := scrape(t, a.reporting)
	for _, want := range []string{`cotmoc_connections_refused_total{reason="not_tls"`, `cotmoc_connections_refused_total{reason="no_certificate"`} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	log, err := os.ReadFile(a.reporting.Log())
	must(t, err)
	lines := strings.Count(string(log[before:]), "handshake refused")
	if lines == 0 || lines > 10 {
		t.Errorf("%d lines of 600 refused handshakes", lines)
	}
	return fmt.Sprintf("600 refused handshakes have %d lines", lines)
}

// figure reads one figure.
func figure(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := reportingv1.NewProgressServiceClient(conn).GetFigure(ctx, &reportingv1.GetFigureRequest{Key: &reportingv1.FigureKey{
		Programme: "p", Target: "cards", Unit: "26734", Period: "2022-M01", Basis: typev1.Basis_BASIS_REPORTED}}, grpc.WaitForReady(true))
	if err != nil {
		t.Errorf("a figure cannot be read: %v", err)
	}
}

// quietUnit calls now and then, and notices what others do to it.
type quietUnit struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	calls  int
	errors []error
	from   int // in the log
}

const quietIdentity = "unit/01/quiet"

// quiet begins to call, fifty times a second.
func (a *attacked) quiet(t *testing.T) *quietUnit {
	t.Helper()
	q := &quietUnit{}
	ctx, cancel := context.WithCancel(context.Background())
	q.stop = cancel
	reporting := a.as(t, quietIdentity, a.reporting.Addr)
	registry := a.as(t, quietIdentity, a.registry.Addr)
	again := count("00001", "cards", "2022-M01", 10)
	again.ExpectedRevision, again.Reason = 1, "đính chính"
	q.done.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			_, err := reportingv1.NewReportingServiceClient(reporting).Submit(ctx, &reportingv1.SubmitRequest{Programme: "p",
				RequestId: fmt.Sprint("quiet-", n), Submission: again, ValidateOnly: true})
			if err == nil {
				_, err = registryv1.NewRegistryServiceClient(registry).GetUnit(ctx, &registryv1.GetUnitRequest{Name: "units/01"})
			}
			if ctx.Err() == nil {
				q.calls++
				if err != nil {
					q.errors = append(q.errors, err)
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	t.Cleanup(func() { cancel(); q.done.Wait() })
	return q
}

func (q *quietUnit) rest(t *testing.T, d time.Duration) { time.Sleep(d) }

func (q *quietUnit) end(t *testing.T) {
	q.stop()
	q.done.Wait()
	for _, err := range q.errors[:min(3, len(q.errors))] {
		t.Errorf("the quiet unit: %v", err)
	}
}

// p99 is how long the server worked on the quiet unit's calls since it was asked last, by
// its own log.
func (q *quietUnit) p99(t *testing.T, r *cluster.Replica) time.Duration {
	t.Helper()
	text, err := os.ReadFile(r.Log())
	must(t, err)
	var all []time.Duration
	for line := range bytes.Lines(text[q.from:]) {
		var l struct{ Msg, Caller, Method, Duration string }
		if json.Unmarshal(line, &l) != nil || l.Msg != "call" || !strings.HasSuffix(l.Caller, quietIdentity) || l.Method != submitPath {
			continue
		}
		if d, err := time.ParseDuration(l.Duration); err == nil {
			all = append(all, d)
		}
	}
	q.from = len(text)
	if len(all) == 0 {
		t.Fatal("the quiet unit made no call")
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

// tally counts what happened.
type tally struct {
	mu sync.Mutex
	of map[string]int
}

func (c *tally) add(what string) { c.addN(what, 1) }

func (c *tally) addN(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = make(map[string]int)
	}
	c.of[what] += n
}

// all is how many there were.
func (c *tally) all() (n int) {
	for _, of := range c.of {
		n += of
	}
	return n
}

// String lists them.
func (c *tally) String() string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		all = append(all, fmt.Sprintf("%d %s", c.of[what], what))
	}
	return strings.Join(all, ", ")
}

// memoryOf is what metrics say of a process's memory.
func memoryOf(metrics string) string {
	var all []string
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "go_memstats_") || strings.HasPrefix(line, "go_goroutines") || strings.HasPrefix(line, "go_gc_go") {
			all = append(all, line)
		}
	}
	return strings.Join(all, "")
}

// scrape reads a replica's metrics.
func scrape(t *testing.T, r *cluster.Replica) string {
	t.Helper()
	resp, err := http.Get("http://" + r.Metrics + "/metrics")
	must(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return string(text)
}

func sizeOf(t *testing.T, file string) int {
	t.Helper()
	info, err := os.Stat(file)
	must(t, err)
	return int(info.Size())
}
