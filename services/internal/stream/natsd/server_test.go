package natsd_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	config "github.com/cotmoc/cotmoc/deploy/config"
	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/internal/stream/natsd"
)

// inside is a server with streams, and a message for each of two subscriptions.
type inside struct {
	*natsd.Server
	t  *testing.T
	js jetstream.JetStream
}

func start(t *testing.T, c natsd.Config) *inside {
	t.Helper()
	c.StoreDir, c.Listen = t.TempDir(), "127.0.0.1:0"
	s, err := natsd.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	nc, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	i := &inside{Server: s, t: t}
	if i.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if err := stream.EnsureStreams(t.Context(), i.js, 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"board", "press"} {
		if _, err := i.js.CreateConsumer(t.Context(), stream.FactsName(1), jetstream.ConsumerConfig{Durable: name, AckPolicy: jetstream.AckExplicitPolicy}); err != nil {
			t.Fatal(err)
		}
		if _, err := i.js.Publish(t.Context(), "cotmoc.p.submission.accepted.cards.vn."+name, []byte(name)); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

// state is all that there is: streams, what they hold, and their consumers.
func (i *inside) state() string {
	i.t.Helper()
	ctx, cancel := context.WithTimeout(i.t.Context(), 5*time.Second)
	defer cancel()
	var all []string
	streams := i.js.ListStreams(ctx)
	for info := range streams.Info() {
		all = append(all, fmt.Sprintf("%s%+v", info.Config.Name, info.Config))
		s, err := i.js.Stream(ctx, info.Config.Name)
		if err != nil {
			i.t.Fatal(err)
		}
		for n := info.State.FirstSeq; n > 0 && n <= info.State.LastSeq; n++ {
			m, err := s.GetMsg(ctx, n)
			if err != nil {
				i.t.Fatal(err)
			}
			all = append(all, m.Subject+"="+string(m.Data))
		}
		names := s.ConsumerNames(ctx)
		for name := range names.Name() {
			all = append(all, name)
		}
	}
	if err := streams.Err(); err != nil {
		i.t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

func reader(t *testing.T, name string) (config.Subscriber, nkeys.KeyPair) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	key, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return config.Subscriber{Name: name, Key: key, Consumers: []string{name}}, pair
}

// TestWhoReadsChangesNothing: neither a user with a key nor, where nobody needs one,
// anybody on this machine.
func TestWhoReadsChangesNothing(t *testing.T) {
	board, key := reader(t, "board")
	press, _ := reader(t, "press")
	for _, c := range []struct {
		name, other string
		config      natsd.Config
		options     []nats.Option
	}{
		{"a_user", "press", natsd.Config{Readers: []config.Subscriber{board, press}}, []nats.Option{nats.Nkey(board.Key, key.Sign), nats.CustomInboxPrefix("_INBOX_board")}},
		{"anybody", "", natsd.Config{Anybody: true}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			i := start(t, c.config)
			var refused natstest.Refusals
			nc, err := nats.Connect(i.URL(), append(c.options, nats.ErrorHandler(refused.Handler))...)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			before, attempts := i.state(), natstest.Attempts(1, "board", c.other)
			natstest.Try(t, nc, &refused, attempts)
			if after := i.state(); after != before {
				t.Errorf("there was\n%s\nthere is\n%s", before, after)
			}
			if len(attempts) < 40 {
				t.Errorf("%d attempts", len(attempts))
			}
		})
	}
}

// TestReadersHaveLimits: in connections, subscriptions and sizes.
func TestReadersHaveLimits(t *testing.T) {
	i := start(t, natsd.Config{Anybody: true})
	var open []*nats.Conn
	for {
		nc, err := nats.Connect(i.URL(), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			break
		}
		defer nc.Close()
		if open = append(open, nc); len(open) > 100 {
			break
		}
	}
	if len(open) != 64 {
		t.Fatalf("%d connections at a time, want 64", len(open))
	}
	if most := open[0].MaxPayload(); most != 64<<10 {
		t.Errorf("messages of %d bytes", most)
	}
	for n := range 200 {
		if _, err := open[0].SubscribeSync(fmt.Sprint("_INBOX.x.", n)); err != nil {
			break
		}
	}
	_ = open[0].FlushTimeout(2 * time.Second)
	if err := open[0].LastError(); err == nil || !strings.Contains(err.Error(), "maximum subscriptions") {
		t.Errorf("200 subscriptions: %v", err)
	}
	if nc, err := i.Connect(); err != nil {
		t.Errorf("they shut the service out: %v", err)
	} else {
		nc.Close()
	}
}
