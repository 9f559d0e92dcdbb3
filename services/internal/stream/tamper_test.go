package stream_test

import (
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/cotmoc/cotmoc/services/internal/natstest"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// sealing is a relay's configuration with a key.
func sealing(c *stream.RelayConfig) { c.Key = []byte("the relays of this log") }

// forge writes into the stream as no relay does, on one of its subjects.
func forge(t *testing.T, nc *nats.Conn, header nats.Header, body string) uint64 {
	t.Helper()
	m := &nats.Msg{Subject: "cotmoc.all.submission.accepted.t.vn.3", Header: header, Data: []byte(body)}
	ack, err := jsOf(t, nc).PublishMsg(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Sequence
}

// named waits until a relay says who wrote: somebody else.
func named(t *testing.T, r *stream.Relay, want string) {
	t.Helper()
	until(t, "named: "+want, func() bool { return strings.Contains(r.Tampered(), want) })
	if r.Problem() != r.Tampered() || r.Restored() != "" || strings.Contains(r.Problem(), "epoch;") || strings.Contains(r.Problem(), "declare") {
		t.Errorf("problem %q, tampered %q, restored %q", r.Problem(), r.Tampered(), r.Restored())
	}
}

// rebuilt deletes a stream, and waits until it is the log again.
func rebuilt(t *testing.T, nc *nats.Conn, r *stream.Relay, e *engine) {
	t.Helper()
	if err := jsOf(t, nc).DeleteStream(t.Context(), stream.FactsName(1)); err != nil {
		t.Fatal(err)
	}
	until(t, "made again", func() bool { return r.Published() == e.Head().Sequence && r.Problem() == "" && r.Tampered() == "" })
	same(t, nc, e)
}

func TestRelay_names_what_somebody_else_wrote(t *testing.T) {
	for name, write := range map[string]func(t *testing.T, nc *nats.Conn, e *engine){
		"beyond_the_log": func(t *testing.T, nc *nats.Conn, _ *engine) { forge(t, nc, nil, "forged") },
		"with_a_seal_of_another_message": func(t *testing.T, nc *nats.Conn, _ *engine) {
			s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
			if err != nil {
				t.Fatal(err)
			}
			m, err := s.GetMsg(t.Context(), 94)
			if err != nil || m.Header.Get("Cotmoc-Seal") == "" {
				t.Fatal(m, err)
			}
			forge(t, nc, nats.Header{"Cotmoc-Seal": m.Header["Cotmoc-Seal"]}, string(m.Data))
		},
		"just_before_a_block_of_the_log": func(t *testing.T, nc *nats.Conn, e *engine) {
			forge(t, nc, nil, "forged")
			grow(t, e, 1, 5) // its second event stands on the forged one
		},
		"just_before_many_blocks": func(t *testing.T, nc *nats.Conn, e *engine) {
			forge(t, nc, nil, "forged")
			grow(t, e, 5, 500)
		},
	} {
		t.Run(name, func(t *testing.T) {
			nc, _ := natstest.Start(t)
			e := newEngine(t)
			grow(t, e, 10, 10)
			r, _ := run(t, nc, e, sealing)
			until(t, "published", func() bool { return r.Published() == 100 })
			write(t, nc, e)
			named(t, r, "no relay of this log wrote message 101")
			rebuilt(t, nc, r, e)
		})
	}
}

// TestRelay_that_begins_looks_back: what an earlier process published after a forged
// message, and ended before it looked.
func TestRelay_that_begins_looks_back(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	grow(t, e, 10, 10)
	r, stop := run(t, nc, e, sealing)
	until(t, "published", func() bool { return r.Published() == 100 })
	stop()
	forge(t, nc, nil, "forged")
	grow(t, e, 1, 50)
	for n := uint64(102); n <= 150; n++ {
		en, _, err := e.Entry(t.Context(), n)
		if err != nil {
			t.Fatal(err)
		}
		if forge(t, nc, nil, string(en.Event)) != n {
			t.Fatal(n)
		}
	}
	r, _ = run(t, nc, e, sealing)
	named(t, r, "message 101 of stream COTMOC-FACTS-1 is not event 101")
	rebuilt(t, nc, r, e)
}

// TestRelay_two_keep_watch: of two relays neither goes on after what somebody else wrote
// while both were publishing.
func TestRelay_two_keep_watch(t *testing.T) {
	nc, url := natstest.Start(t)
	e := newEngine(t)
	var rs []*stream.Relay
	for range 2 {
		own, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(own.Close)
		r, _ := run(t, own, e, sealing)
		rs = append(rs, r)
	}
	grow(t, e, 20, 10)
	until(t, "published", func() bool { return rs[0].Published() == 200 && rs[1].Published() == 200 })
	n := forge(t, nc, nil, "forged")
	grow(t, e, 20, 10)
	for _, r := range rs[:1] {
		until(t, "named", func() bool { return r.Tampered() != "" || rs[1].Tampered() != "" })
	}
	if n != 201 {
		t.Errorf("forged as %d", n)
	}
}

func TestRelay_names_a_stream_that_writes_by_itself(t *testing.T) {
	for name, change := range map[string]func(*jetstream.StreamConfig){
		"republishes": func(c *jetstream.StreamConfig) {
			c.RePublish = &jetstream.RePublish{Source: ">", Destination: "elsewhere.>"}
		},
		"copies": func(c *jetstream.StreamConfig) { c.Sources = []*jetstream.StreamSource{{Name: "OTHER"}} },
	} {
		t.Run(name, func(t *testing.T) {
			nc, _ := natstest.Start(t)
			e := newEngine(t)
			grow(t, e, 10, 10)
			r, _ := run(t, nc, e, sealing)
			until(t, "published", func() bool { return r.Published() == 100 })
			c := stream.Facts(1)
			change(&c)
			if _, err := jsOf(t, nc).UpdateStream(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			named(t, r, "was told to copy, rename or publish")
			rebuilt(t, nc, r, e)
		})
	}
}

func TestRelay_names_a_later_stream_that_somebody_else_made(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	grow(t, e, 10, 10)
	c := stream.Facts(9)
	c.Subjects = []string{"elsewhere.>"}
	if _, err := jsOf(t, nc).CreateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r, _ := run(t, nc, e, sealing)
	named(t, r, "COTMOC-FACTS-9, which no relay of this log filled")
	if err := jsOf(t, nc).DeleteStream(t.Context(), c.Name); err != nil {
		t.Fatal(err)
	}
	until(t, "goes on", func() bool { return r.Published() == 100 && r.Problem() == "" })
}

// TestVerify_leaves_no_consumer: it would look like a subscription that is behind.
func TestVerify_leaves_no_consumer(t *testing.T) {
	nc, _ := natstest.Start(t)
	e := newEngine(t)
	grow(t, e, 10, 10)
	r, _ := run(t, nc, e, sealing)
	until(t, "published", func() bool { return r.Published() == 100 })
	same(t, nc, e)
	s, err := jsOf(t, nc).Stream(t.Context(), stream.FactsName(1))
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Consumers; n != 0 {
		t.Errorf("%d consumers are left", n)
	}
}
