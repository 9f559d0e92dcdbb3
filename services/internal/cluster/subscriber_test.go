package cluster_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	files "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// hall is a NATS cluster with the accounts that are shipped: a service, two subscribers
// with subscriptions of their own, and one who may read any.
type hall struct {
	t     *testing.T
	urls  []string
	keys  map[string]nkeys.KeyPair
	js    jetstream.JetStream // the service's
	facts jetstream.Stream
}

func newHall(t *testing.T, servers int, settings ...string) *hall {
	t.Helper()
	h := &hall{t: t, keys: map[string]nkeys.KeyPair{}}
	public := func(user string) string {
		pair, err := nkeys.CreateUser()
		h.must(err)
		h.keys[user] = pair
		key, err := pair.PublicKey()
		h.must(err)
		return key
	}
	var accounts bytes.Buffer
	h.must(files.WriteAccounts(&accounts, []files.Account{{Name: "a", Service: public("service"), Subscribers: []files.Subscriber{
		{Name: "board", Key: public("board"), Consumers: []string{"board"}},
		{Name: "press", Key: public("press"), Consumers: []string{"press", "press-2"}},
		{Name: "any", Key: public("any"), Consumers: []string{"*"}}}}}))
	routes := ports(t, servers)
	for i := range servers {
		text := fmt.Sprintf("server_name: s%d\nlisten: 127.0.0.1:-1\njetstream { store_dir: %q, max_memory_store: 256MB, max_file_store: 8TB }\n%s\n%s\n", i, t.TempDir(), accounts.String(), strings.Join(settings, "\n"))
		if servers > 1 {
			text += fmt.Sprintf("cluster { name: c, listen: %q, routes: [nats://%s] }", routes[i], strings.Join(routes, ", nats://"))
		}
		h.serve(text)
	}
	var err error
	h.js, err = jetstream.New(h.connect("service", 0))
	h.must(err)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if err = stream.EnsureStreams(t.Context(), h.js, 1, servers); err == nil || time.Now().After(deadline) {
			break // a cluster takes a while to elect who leads
		}
	}
	h.must(err)
	h.facts, err = h.js.Stream(t.Context(), stream.FactsName(1))
	h.must(err)
	for _, name := range []string{"board", "press"} {
		_, err := h.js.CreateConsumer(t.Context(), stream.FactsName(1), jetstream.ConsumerConfig{
			Durable: name, AckPolicy: jetstream.AckExplicitPolicy, FilterSubject: "cotmoc.*.*.*.*.vn." + name})
		h.must(err)
		_, err = h.js.Publish(t.Context(), "cotmoc.p.submission.accepted.cards.vn."+name, []byte(name))
		h.must(err)
	}
	return h
}

func (h *hall) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// ports are addresses that are free now.
func ports(t *testing.T, n int) (all []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

// serve starts a server.
func (h *hall) serve(text string) {
	h.t.Helper()
	path := filepath.Join(h.t.TempDir(), "nats.conf")
	h.must(os.WriteFile(path, []byte(text), 0o600))
	options, err := server.ProcessConfigFile(path)
	h.must(err)
	options.NoSigs, options.NoLog = true, true
	s, err := server.NewServer(options)
	h.must(err)
	s.Start()
	h.t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	h.urls = append(h.urls, s.ClientURL())
}

// connect connects a user to one of the servers.
func (h *hall) connect(user string, at int) *nats.Conn {
	h.t.Helper()
	public, err := h.keys[user].PublicKey()
	h.must(err)
	nc, err := nats.Connect(h.urls[at], nats.Nkey(public, h.keys[user].Sign), nats.CustomInboxPrefix("_INBOX_"+user),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	h.must(err)
	h.t.Cleanup(nc.Close)
	return nc
}

// state is what there is: messages of the facts, and the consumers.
func (h *hall) state() string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	info, err := h.facts.Info(ctx)
	if err != nil {
		return err.Error()
	}
	all := []string{info.Config.Name}
	for n := info.State.FirstSeq; n <= info.State.LastSeq; n++ {
		m, err := h.facts.GetMsg(ctx, n)
		if err != nil {
			return err.Error()
		}
		all = append(all, m.Subject+"="+string(m.Data))
	}
	names := h.facts.ConsumerNames(ctx)
	for n := range names.Name() {
		all = append(all, n)
	}
	return strings.Join(all, " ")
}

// TestASubscriberChangesNothing: what NATS answers goes to whatever
// subject the asker names, so an answer must not reach where facts are taken in, nor
// NATS's own interface.
func TestASubscriberChangesNothing(t *testing.T) {
	h := newHall(t, 1)
	board := h.connect("board", 0)
	before := h.state()
	const info, next = "$JS.API.CONSUMER.INFO.COTMOC-FACTS-1.board", "$JS.API.CONSUMER.MSG.NEXT.COTMOC-FACTS-1.board"
	for _, subject := range []string{info, next} {
		for _, reply := range []string{"cotmoc.p.submission.accepted.cards.vn.x", "$JS.API.STREAM.DELETE.COTMOC-FACTS-1",
			"$JS.API.STREAM.PURGE.COTMOC-PROGRESS-1", "$JS.API.CONSUMER.DELETE.COTMOC-FACTS-1.press", "cotmoc.p.progress.changed.cards.vn.x"} {
			for _, body := range []string{"", `{"batch":1,"no_wait":true}`, "not a request"} {
				h.must(board.PublishRequest(subject, reply, []byte(body)))
			}
		}
	}
	h.must(board.Flush())
	time.Sleep(300 * time.Millisecond)
	if after := h.state(); after != before {
		t.Errorf("there was %s,\nthere is %s", before, after)
	}
}

// TestASubscriberReadsItsOwn: many at a time, whichever server it is connected to, and
// acknowledges them, in either form that NATS may be told to use.
func TestASubscriberReadsItsOwn(t *testing.T) {
	for form, flag := range map[string]string{"nine_words": "false", "eleven_words": "true"} {
		t.Run(form, func(t *testing.T) { readsItsOwn(t, newHall(t, 3, "feature_flags { js_ack_fc_v2: "+flag+" }")) })
	}
}

func readsItsOwn(t *testing.T, h *hall) {
	t.Helper()
	read := uint64(0)
	for at, user := range []string{"board", "board", "board", "any"} {
		for range 5 {
			_, err := h.js.Publish(t.Context(), "cotmoc.p.submission.accepted.cards.vn.board", []byte("board"))
			h.must(err)
		}
		js, err := jetstream.New(h.connect(user, at%3))
		h.must(err)
		c, err := js.Consumer(t.Context(), stream.FactsName(1), "board")
		h.must(err)
		for i, err := c.Info(t.Context()); i.NumPending > 0; i, err = c.Info(t.Context()) {
			h.must(err)
			got, err := c.Fetch(3, jetstream.FetchMaxWait(500*time.Millisecond), jetstream.FetchHeartbeat(100*time.Millisecond))
			h.must(err)
			for m := range got.Messages() {
				h.must(m.DoubleAck(t.Context()))
				read++
			}
			h.must(got.Error())
		}
	}
	if read != 1+4*5 {
		t.Errorf("it read %d", read)
	}
}

// TestASubscriberAsksForNothingElse: nor is it told of anything else.
func TestASubscriberAsksForNothingElse(t *testing.T) {
	h := newHall(t, 1)
	board := h.connect("board", 0)
	for _, subject := range []string{"$JS.API.INFO", "$JS.API.STREAM.LIST", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.COTMOC-FACTS-1",
		"$JS.API.STREAM.MSG.GET.COTMOC-FACTS-1", "$JS.API.DIRECT.GET.COTMOC-FACTS-1", "$JS.API.STREAM.CREATE.X", "$JS.API.STREAM.UPDATE.COTMOC-FACTS-1",
		"$JS.API.STREAM.DELETE.COTMOC-FACTS-1", "$JS.API.STREAM.PURGE.COTMOC-FACTS-1", "$JS.API.STREAM.MSG.DELETE.COTMOC-FACTS-1",
		"$JS.API.STREAM.SNAPSHOT.COTMOC-FACTS-1", "$JS.API.CONSUMER.NAMES.COTMOC-FACTS-1", "$JS.API.CONSUMER.LIST.COTMOC-FACTS-1",
		"$JS.API.CONSUMER.CREATE.COTMOC-FACTS-1", "$JS.API.CONSUMER.CREATE.COTMOC-FACTS-1.board", "$JS.API.CONSUMER.CREATE.COTMOC-FACTS-1.x.>",
		"$JS.API.CONSUMER.DURABLE.CREATE.COTMOC-FACTS-1.board", "$JS.API.CONSUMER.DELETE.COTMOC-FACTS-1.board",
		"$JS.API.CONSUMER.INFO.COTMOC-FACTS-1.press", "$JS.API.CONSUMER.MSG.NEXT.COTMOC-FACTS-1.press", "$JS.API.CONSUMER.MSG.NEXT.COTMOC-FACTS-1.*",
		"$JS.API.CONSUMER.PAUSE.COTMOC-FACTS-1.board", "$JS.ACK.COTMOC-FACTS-1.press.1.2.1.1.0", "$SYS.REQ.SERVER.PING",
		"cotmoc.p.submission.accepted.cards.vn.board", "_INBOX_press.x", "_INBOX_service.x"} {
		if m, err := board.Request(subject, nil, 300*time.Millisecond); err == nil {
			t.Errorf("%s is answered: %s", subject, m.Data)
		}
	}
	for _, subject := range []string{">", "cotmoc.>", "_INBOX_press.>", "_INBOX_service.>", "_INBOX.>", "_R_.>", "$JS.>", "$SYS.>"} {
		sub, err := board.SubscribeSync(subject)
		h.must(err)
		_, err = h.js.Publish(t.Context(), "cotmoc.p.submission.accepted.cards.vn.press", nil)
		h.must(err)
		if m, err := sub.NextMsg(50 * time.Millisecond); err == nil {
			t.Errorf("by %s it hears %s", subject, m.Subject)
		}
	}
}
