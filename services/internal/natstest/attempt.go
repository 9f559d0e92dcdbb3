package natstest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// Fact is a subject that the stream of facts takes in.
const Fact = "cotmoc.p.submission.accepted.cards.vn.forged"

// Attempt is a message by which somebody who only reads may try to do more.
type Attempt struct {
	Name, Subject string
	Reply         string      // where an answer shall go; what it does is in that case the attempt
	Header        nats.Header // nil for none
	Body          string
	Allowed       bool // NATS takes it in; it must come to nothing
}

// Attempts are what a user tries who reads the subscription own and no other, of the
// epoch's streams. other is a subscription that it may not read; empty where it may read
// all there are.
func Attempts(epoch int, own, other string) []Attempt {
	facts, progress := fmt.Sprintf("COTMOC-FACTS-%d", epoch), fmt.Sprintf("COTMOC-PROGRESS-%d", epoch)
	all := publications(epoch, facts)
	all = append(all, onStreams(facts, progress)...)
	all = append(all, onConsumers(facts, own)...)
	all = append(all, byAnswers(facts, progress, own)...)
	all = append(all, ofTheServer()...)
	if other != "" {
		all = append(all, ofOthers(facts, other)...)
	}
	return all
}

func publications(epoch int, facts string) []Attempt {
	expected := nats.Header{nats.ExpectedStreamHdr: {facts}}
	return []Attempt{
		{Name: "a fact", Subject: Fact, Body: "forged"},
		{Name: "a fact, answered for", Subject: Fact, Reply: "_INBOX.x", Body: "forged"},
		{Name: "a fact that names its stream", Subject: Fact, Header: expected, Body: "forged"},
		{Name: "a fact that rolls up its subject", Subject: Fact, Header: nats.Header{"Nats-Rollup": {"sub"}}},
		{Name: "a fact that rolls up all", Subject: Fact, Header: nats.Header{"Nats-Rollup": {"all"}}},
		{Name: "a fact with a time to live", Subject: Fact, Header: nats.Header{"Nats-TTL": {"1s"}}},
		{Name: "a fact in a batch", Subject: Fact, Header: nats.Header{"Nats-Batch-Id": {"x"}, "Nats-Batch-Sequence": {"1"}, "Nats-Batch-Commit": {"1"}}},
		{Name: "a milestone", Subject: "cotmoc.p.milestone.reached.cards.vn", Body: "forged"},
		{Name: "a closing", Subject: "cotmoc.p.closing.published.x", Body: "forged"},
		{Name: "a last value", Subject: "cotmoc.p.progress.changed.cards.vn", Body: "forged"},
		{Name: "the sign of the board", Subject: fmt.Sprintf("cotmoc-board.%d", epoch)},
		{Name: "a dead letter", Subject: fmt.Sprintf("cotmoc.epoch-%d.deadletter.board.1", epoch), Body: "forged"},
		{Name: "a fact of an epoch that is over", Subject: "cotmoc-epoch-1.facts.x", Body: "forged"},
	}
}

func onStreams(facts, progress string) []Attempt {
	const api = "$JS.API.STREAM."
	return []Attempt{
		{Name: "a stream that takes facts", Subject: api + "CREATE.X", Body: `{"name":"X","subjects":["cotmoc.>"]}`},
		{Name: "a stream that republishes as facts", Subject: api + "CREATE.X",
			Body: `{"name":"X","subjects":["x"],"republish":{"src":"x","dest":"` + Fact + `"}}`},
		{Name: "a stream that mirrors", Subject: api + "CREATE.X", Body: `{"name":"X","mirror":{"name":"` + facts + `"}}`},
		{Name: "a stream that copies from others", Subject: api + "CREATE.X", Body: `{"name":"X","sources":[{"name":"` + facts + `"}]}`},
		{Name: "a stream that renames subjects", Subject: api + "CREATE.X",
			Body: `{"name":"X","subjects":["x"],"subject_transform":{"src":"x","dest":"` + Fact + `"}}`},
		{Name: "facts that may be deleted", Subject: api + "UPDATE." + facts, Body: `{"name":"` + facts + `","deny_delete":false,"deny_purge":false}`},
		{Name: "facts that are copied from elsewhere", Subject: api + "UPDATE." + facts, Body: `{"name":"` + facts + `","sources":[{"name":"X"}]}`},
		{Name: "last values republished as facts", Subject: api + "UPDATE." + progress,
			Body: `{"name":"` + progress + `","republish":{"src":">","dest":"` + Fact + `"}}`},
		{Name: "deletion of the facts", Subject: api + "DELETE." + facts},
		{Name: "deletion of the last values", Subject: api + "DELETE." + progress},
		{Name: "a purge of the facts", Subject: api + "PURGE." + facts},
		{Name: "a purge of the last values", Subject: api + "PURGE." + progress},
		{Name: "deletion of a message", Subject: api + "MSG.DELETE." + facts, Body: `{"seq":1}`},
		{Name: "a message past the consumer", Subject: api + "MSG.GET." + facts, Body: `{"seq":1}`},
		{Name: "a message directly", Subject: "$JS.API.DIRECT.GET." + facts, Body: `{"seq":1}`},
		{Name: "the last message of a subject", Subject: "$JS.API.DIRECT.GET." + facts + "." + Fact},
		{Name: "a snapshot sent as facts", Subject: api + "SNAPSHOT." + facts, Body: `{"deliver_subject":"` + Fact + `"}`},
		{Name: "a stream restored", Subject: api + "RESTORE.X", Body: `{"config":{"name":"X","subjects":["cotmoc.>"]}}`},
		{Name: "what the facts are like", Subject: api + "INFO." + facts},
		{Name: "which streams there are", Subject: api + "LIST"},
		{Name: "how the streams are named", Subject: api + "NAMES"},
		{Name: "another leader of the facts", Subject: api + "LEADER.STEPDOWN." + facts},
		{Name: "a copy of the facts less", Subject: api + "PEER.REMOVE." + facts, Body: `{"peer":"s1"}`},
	}
}

func onConsumers(facts, own string) []Attempt {
	const api = "$JS.API.CONSUMER."
	push := `{"stream_name":"` + facts + `","config":{"name":"x","deliver_subject":"` + Fact + `","ack_policy":"none"}}`
	return []Attempt{
		{Name: "a consumer that delivers as facts", Subject: api + "CREATE." + facts, Body: push},
		{Name: "a named consumer", Subject: api + "CREATE." + facts + ".x", Body: push},
		{Name: "a named consumer with a filter", Subject: api + "CREATE." + facts + ".x.cotmoc.>", Body: push},
		{Name: "a durable consumer", Subject: api + "DURABLE.CREATE." + facts + ".x", Body: push},
		{Name: "another filter for its own", Subject: api + "CREATE." + facts + "." + own, Body: push},
		{Name: "deletion of its own", Subject: api + "DELETE." + facts + "." + own},
		{Name: "a pause of its own", Subject: api + "PAUSE." + facts + "." + own, Body: `{"pause_until":"2099-01-01T00:00:00Z"}`},
		{Name: "its own begun again", Subject: api + "RESET." + facts + "." + own, Body: `{"seq":1}`},
		{Name: "its own unpinned", Subject: api + "UNPIN." + facts + "." + own, Body: `{"group":"x"}`},
		{Name: "another leader of its own", Subject: api + "LEADER.STEPDOWN." + facts + "." + own},
		{Name: "which consumers there are", Subject: api + "LIST." + facts},
		{Name: "how the consumers are named", Subject: api + "NAMES." + facts},
		{Name: "an acknowledgement that is too long", Subject: "$JS.ACK." + facts + "." + own + ".1.1.1.1.0.more"},
		{Name: "an acknowledgement that is too short", Subject: "$JS.ACK." + facts + "." + own},
		{Name: "flow control", Subject: "$JS.FC." + facts + "." + own + ".1"},
	}
}

// byAnswers are requests that are allowed, whose answers shall go where they do harm.
func byAnswers(facts, progress, own string) []Attempt {
	info, next := "$JS.API.CONSUMER.INFO."+facts+"."+own, "$JS.API.CONSUMER.MSG.NEXT."+facts+"."+own
	ack := "$JS.ACK." + facts + "." + own + ".1.1.1.1.0"
	long := "$JS.ACK._.hash." + facts + "." + own + ".1.1.1.1.0"
	var all []Attempt
	for _, reply := range []string{Fact, "cotmoc.p.progress.changed.cards.vn", "$JS.API.STREAM.DELETE." + facts,
		"$JS.API.STREAM.PURGE." + progress, "$JS.API.CONSUMER.DELETE." + facts + "." + own, "_INBOX_service.x"} {
		all = append(all,
			Attempt{Name: "information to " + reply, Subject: info, Reply: reply, Allowed: true},
			Attempt{Name: "the next message to " + reply, Subject: next, Reply: reply, Body: `{"batch":1,"no_wait":true}`, Allowed: true},
			Attempt{Name: "a mistake told to " + reply, Subject: next, Reply: reply, Body: "no request", Allowed: true})
	}
	traced := nats.Header{"Nats-Trace-Dest": {Fact}}
	return append(all,
		Attempt{Name: "an acknowledgement told as a fact", Subject: ack, Reply: Fact, Body: "+ACK", Allowed: true},
		Attempt{Name: "an acknowledgement that asks for the next as a fact", Subject: ack, Reply: Fact, Body: `+NXT {"batch":1}`, Allowed: true},
		Attempt{Name: "the same in the longer form", Subject: long, Reply: Fact, Body: `+NXT {"batch":1}`, Allowed: true},
		Attempt{Name: "the trace of a request as a fact", Subject: next, Header: traced, Body: `{"batch":1,"no_wait":true}`, Allowed: true},
		Attempt{Name: "the trace of an acknowledgement as a fact", Subject: ack, Header: traced, Allowed: true})
}

func ofTheServer() []Attempt {
	return []Attempt{
		{Name: "what the account may have", Subject: "$JS.API.INFO"},
		{Name: "another leader of JetStream", Subject: "$JS.API.META.LEADER.STEPDOWN"},
		{Name: "a server less", Subject: "$JS.API.SERVER.REMOVE", Body: `{"peer":"s1"}`},
		{Name: "all streams of an account", Subject: "$JS.API.ACCOUNT.PURGE.cotmoc"},
		{Name: "who the servers are", Subject: "$SYS.REQ.SERVER.PING"},
		{Name: "who the accounts are", Subject: "$SYS.REQ.ACCOUNT.PING.CONNZ"},
		{Name: "who the user is", Subject: "$SYS.REQ.USER.INFO"},
		{Name: "an answer to the service", Subject: "_INBOX_service.x", Body: `{"seq":1}`},
		{Name: "an answer on behalf of the server", Subject: "_R_.x"},
		{Name: "what the servers agree upon", Subject: "$NRG.V.x"},
		{Name: "an answer through a gateway", Subject: "_GR_.x." + Fact},
	}
}

func ofOthers(facts, other string) []Attempt {
	return []Attempt{
		{Name: "information about another's", Subject: "$JS.API.CONSUMER.INFO." + facts + "." + other},
		{Name: "the next message of another's", Subject: "$JS.API.CONSUMER.MSG.NEXT." + facts + "." + other},
		{Name: "the next message of all", Subject: "$JS.API.CONSUMER.MSG.NEXT." + facts + ".any"},
		{Name: "another's acknowledged", Subject: "$JS.ACK." + facts + "." + other + ".1.1.1.1.0"},
		{Name: "another's acknowledged in the longer form", Subject: "$JS.ACK._.hash." + facts + "." + other + ".1.1.1.1.0"},
		{Name: "deletion of another's", Subject: "$JS.API.CONSUMER.DELETE." + facts + "." + other},
		{Name: "an answer to another", Subject: "_INBOX_" + other + ".x"},
	}
}

// Try makes all attempts on a connection that notes its errors, and reports those that
// NATS neither refused nor was to take in.
func Try(t testing.TB, nc *nats.Conn, refused *Refusals, attempts []Attempt) {
	t.Helper()
	for _, a := range attempts {
		m := &nats.Msg{Subject: a.Subject, Reply: a.Reply, Header: a.Header, Data: []byte(a.Body)}
		before := refused.count()
		if err := nc.PublishMsg(m); err != nil {
			t.Errorf("%s: %v", a.Name, err)
			continue
		}
		if err := nc.Flush(); err != nil {
			t.Fatalf("%s: %v", a.Name, err)
		}
		if want := "permissions violation for publish to \"" + a.Subject; !a.Allowed && !refused.await(before, want) {
			t.Errorf("%s: not refused", a.Name)
		}
	}
	for _, subject := range []string{">", "*", "cotmoc.>", "cotmoc-board.*", "_INBOX_service.>", "_R_.>", "$JS.>", "$JS.EVENT.>", "$SYS.>", "$SRV.>"} {
		before := refused.count()
		if _, err := nc.SubscribeSync(subject); err != nil {
			t.Errorf("subscribe to %s: %v", subject, err)
		}
		if !refused.await(before, "permissions violation for subscription to \""+subject) {
			t.Errorf("a subscription to %s is not refused", subject)
		}
	}
	time.Sleep(300 * time.Millisecond) // for what was taken in to come to something
}

// Refusals notes what a server says to a connection.
type Refusals struct {
	mu   sync.Mutex
	said []string
}

// Handler is for nats.ErrorHandler.
func (r *Refusals) Handler(_ *nats.Conn, _ *nats.Subscription, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, err.Error())
}

func (r *Refusals) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.said)
}

// await reports whether, after so many, a server says something.
func (r *Refusals) await(before int, something string) bool {
	something = strings.ToLower(something)
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r.mu.Lock()
		found := slices.ContainsFunc(r.said[before:], func(s string) bool { return strings.Contains(strings.ToLower(s), something) })
		r.mu.Unlock()
		if found {
			return true
		}
	}
	return false
}
