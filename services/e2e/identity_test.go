package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// published returns what an installation has on a stream, in order; nothing where there is none yet.
func published(t *testing.T, r *rig, name string) []*jetstream.RawStreamMsg {
	t.Helper()
	js, err := jetstream.New(r.nats(t))
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []*jetstream.RawStreamMsg
	for n := s.CachedInfo().State.FirstSeq; n <= s.CachedInfo().State.LastSeq; n++ {
		m, err := s.GetMsg(t.Context(), n)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // a later value of the subject took its place
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(m.Subject, "cotmoc-board.") {
			all = append(all, m)
		}
	}
	return all
}

// facts returns the stream of facts of the present epoch once it holds the whole log, and
// checks that the log gives the same ids and source.
func facts(t *testing.T, r *rig) []*jetstream.RawStreamMsg {
	t.Helper()
	waitFor(t, "the stream of the log", r, func(s *reportingv1.GetStatusResponse) bool {
		return s.GetStreamProblem() == "" && s.GetStreamSequence() == s.GetHeadSequence()
	})
	epoch := status(t, r).GetEpoch()
	all := published(t, r, stream.FactsName(epoch))
	page, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if len(page.GetEvents()) != len(all) {
		t.Fatalf("the log has %d events, the stream %d", len(page.GetEvents()), len(all))
	}
	for i, m := range all {
		stored := page.GetEvents()[i]
		if m.Header.Get("ce-id") != stored.GetId() || m.Header.Get("ce-source") != page.GetSource() ||
			m.Header.Get("ce-epoch") != fmt.Sprint(epoch) || m.Header.Get("ce-sequence") != fmt.Sprintf("%020d", stored.GetSequence()) {
			t.Errorf("event %d: headers %v; the log says %q of %q", stored.GetSequence(), m.Header, stored.GetId(), page.GetSource())
		}
		if u, err := url.Parse(m.Header.Get("ce-source")); err != nil || !u.IsAbs() {
			t.Errorf("source %q: %v", m.Header.Get("ce-source"), err)
		}
		// An answer that begins anywhere gives the same.
		one, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: stored.GetSequence() - 1, PageSize: 1})
		if err != nil || one.GetEvents()[0].GetId() != stored.GetId() || one.GetSource() != page.GetSource() {
			t.Errorf("event %d is %v on its own, %v", stored.GetSequence(), one, err)
		}
	}
	return all
}

// census counts every message that any installation published.
type census struct {
	facts    map[string]string // by id: bytes and number
	messages map[string]string // by source and id: subject and bytes
}

// take counts messages of one stream. No message may have the source and id of another,
// and no fact the id of another.
func (c *census) take(t *testing.T, where string, all []*jetstream.RawStreamMsg) {
	t.Helper()
	for _, m := range all {
		id, source := m.Header.Get("ce-id"), m.Header.Get("ce-source")
		key, what := source+" "+id, fmt.Sprintf("%s %x", m.Subject, m.Data)
		if was, ok := c.messages[key]; ok && (was != what || !strings.Contains(m.Subject, ".progress.")) {
			t.Errorf("%s: message %d has the source and id %s of another", where, m.Sequence, key)
		}
		c.messages[key] = what
		if strings.Contains(m.Subject, ".progress.") {
			continue
		}
		if was, ok := c.facts[id]; ok && was != what {
			t.Errorf("%s: fact %d has the id %s of another", where, m.Sequence, id)
		}
		c.facts[id] = what
	}
}

// afresh checks that no fact after a number has the id of one that was counted before.
func (c *census) afresh(t *testing.T, where string, all []*jetstream.RawStreamMsg, after uint64) {
	t.Helper()
	for _, m := range all {
		if _, known := c.facts[m.Header.Get("ce-id")]; known != (m.Sequence <= after) {
			t.Errorf("%s: fact %d has the id %s, which was seen before: %t", where, m.Sequence, m.Header.Get("ce-id"), known)
		}
	}
}

// totalsOf returns the totals of the present epoch, once the whole board was published.
func totalsOf(t *testing.T, r *rig, least int) []*jetstream.RawStreamMsg {
	t.Helper()
	var all []*jetstream.RawStreamMsg
	waitFor(t, "the board", r, func(s *reportingv1.GetStatusResponse) bool {
		all = published(t, r, stream.ProgressName(s.GetEpoch()))
		return len(all) >= least
	})
	for _, m := range all {
		p := &eventv1.ProgressChanged{}
		if err := proto.Unmarshal(m.Data, p); err != nil {
			t.Fatal(err)
		}
		if m.Header.Get("ce-type") != "vn.cotmoc.progress.changed.v1" || m.Header.Get("ce-subject") != p.GetPath() ||
			m.Header.Get("ce-sequence") != fmt.Sprintf("%020d", p.GetSequence()) || m.Header.Get("ce-epoch") != fmt.Sprint(p.GetEpoch()) {
			t.Errorf("total %v has the headers %v", p, m.Header)
		}
	}
	return all
}

func declare(t *testing.T, r *rig, from uint32) {
	t.Helper()
	if _, err := r.admin.DeclareEpoch(t.Context(), &reportingv1.DeclareEpochRequest{ExpectedEpoch: from, Reason: "restored from the backup", Force: true}); err != nil {
		t.Fatal(err)
	}
}

// TestEventIdentity restores one backup three times, twice in its place and once as an
// installation of its own, and runs one that has nothing to do with them. All clocks are
// set by hand to the same times, so many of their events are the same to the byte.
func TestEventIdentity(t *testing.T) {
	seen := &census{facts: map[string]string{}, messages: map[string]string{}}
	dir, kept := t.TempDir(), t.TempDir()
	r, end := upIn(t, dir)
	history(t, r)
	backedUp := backUp(t, dir, kept)["reporting"].Sequence
	r.submit(t, "lost", count("26737", "cards", "2022-M01", 50))
	first := facts(t, r)
	seen.take(t, "before", first)
	seen.take(t, "totals before", totalsOf(t, r, 5))
	end()

	for i, where := range []string{"first restore", "second restore"} {
		restore(t, kept, dir)
		r, end = upIn(t, dir)
		waitFor(t, "a problem of the stream", r, func(s *reportingv1.GetStatusResponse) bool { return s.GetStreamProblem() != "" })
		r.submit(t, "lost", count("26737", "cards", "2022-M01", int64(60+i)))
		// Nobody is told of it before the new epoch, which could be mixed up with what was lost.
		_, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: backedUp})
		if e, _ := apierr.Parse(err); e.Code != codes.Unavailable {
			t.Errorf("%s: the log was given out before the new epoch: %v", where, err)
		}
		for epoch := uint32(1); epoch <= uint32(i+1); epoch++ {
			declare(t, r, epoch)
		}
		r.submit(t, "later", count("26737", "cards", "2022-M02", 61))
		all := facts(t, r)
		e, err := event.Decode(all[backedUp].Data)
		if err != nil || e.GetSubmissionAccepted() == nil || e.GetEpoch() != 1 {
			t.Errorf("%s: event %d is %v, %v", where, backedUp+1, e, err)
		}
		seen.afresh(t, where, all, backedUp)
		seen.take(t, where, all)
		seen.take(t, "totals of the "+where, totalsOf(t, r, 5))
		end()
	}
	restoredElsewhere(t, seen, kept, backedUp, first)
	r, _ = upIn(t, t.TempDir())
	history(t, r)
	all := facts(t, r)
	if !bytes.Equal(all[9].Data, first[9].Data) {
		t.Error("event 10 was meant to be the same to the byte")
	}
	seen.afresh(t, "another installation", all, 0)
	seen.take(t, "another installation", all)
	seen.take(t, "totals of another installation", totalsOf(t, r, 5))
}

// restoredElsewhere restores a backup without the streams, so nothing tells the service
// that it was restored, and accepts the very submission that was lost.
func restoredElsewhere(t *testing.T, seen *census, kept string, backedUp uint64, first []*jetstream.RawStreamMsg) {
	t.Helper()
	dir := t.TempDir()
	restore(t, kept, dir)
	r, _ := upIn(t, dir)
	r.submit(t, "lost", count("26737", "cards", "2022-M01", 50))
	all := facts(t, r)
	if !bytes.Equal(all[backedUp].Data, first[backedUp].Data) {
		t.Error("the event was meant to be the lost one to the byte")
	}
	seen.afresh(t, "elsewhere", all, backedUp)
	for _, m := range all[:backedUp] { // the same facts on a copy of the same stream
		if want := first[m.Sequence-1]; m.Header.Get("ce-id") != want.Header.Get("ce-id") {
			t.Errorf("elsewhere: fact %d has the id %s, was %s", m.Sequence, m.Header.Get("ce-id"), want.Header.Get("ce-id"))
		}
	}
	seen.take(t, "elsewhere", all[backedUp:])
	before := uint64(len(all))
	declare(t, r, 1)
	all = facts(t, r)
	seen.afresh(t, "elsewhere, declared", all, before)
	seen.take(t, "elsewhere, declared", all)
	seen.take(t, "totals elsewhere", totalsOf(t, r, 5))
}
