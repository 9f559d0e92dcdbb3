package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/ledger/ledgertest"
	"github.com/cotmoc/cotmoc/services/internal/ledger/sqlite"
	"github.com/cotmoc/cotmoc/services/reporting"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// faulty is a reporting service over SQLite whose appends fail as planned.
func faulty(t *testing.T) (*reporting.Service, *reporting.Engine, *ledgertest.Faulty) {
	t.Helper()
	sqliteStore, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "reporting.db"))
	if err != nil {
		t.Fatal(err)
	}
	store := &ledgertest.Faulty{Store: sqliteStore}
	engine, err := ledger.Open(t.Context(), ledger.Config[*book.Book]{Store: store, Empty: book.New})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = engine.Close(context.Background())
		_ = sqliteStore.Close()
	})
	if _, err := engine.Do(t.Context(), func(b *book.Book) error { return owe(b, killTree()) }); err != nil {
		t.Fatal(err)
	}
	service, err := reporting.New(reporting.Config{Engine: engine})
	if err != nil {
		t.Fatal(err)
	}
	return service, engine, store
}

// upAndDown is a batch of one cell three times: up across 25 and 50 %, down again, up again.
func upAndDown() *reportingv1.SubmitBatchRequest {
	items := []*reportingv1.BatchItem{
		{RequestId: "1", Submission: count("c1", "cards", "2022-M01", 1600)},
		{RequestId: "2", Submission: after(1, count("c1", "cards", "2022-M01", 700))},
		{RequestId: "3", Submission: after(2, count("c1", "cards", "2022-M01", 800))},
	}
	return &reportingv1.SubmitBatchRequest{Programme: "p", Items: items}
}

// crossings lists the root's milestones after a number, and the blocks' count.
func crossings(t *testing.T, e *reporting.Engine, after uint64) (list []string, blocks int) {
	t.Helper()
	for block, err := range e.Blocks(t.Context(), after) {
		if err != nil {
			t.Fatal(err)
		}
		blocks++
		for _, entry := range block.Entries {
			ev := new(eventv1.Event)
			if err := proto.Unmarshal(entry.Event, ev); err != nil {
				t.Fatal(err)
			}
			c, word := ev.GetMilestoneReached(), "reached"
			if c == nil {
				c, word = ev.GetMilestoneRevoked(), "revoked"
			}
			if c.GetPath() == "vn" {
				list = append(list, fmt.Sprint(word, " ", c.GetProgressThreshold(), " #", c.GetOrdinal()))
			}
		}
	}
	return list, blocks
}

func total(t *testing.T, e *reporting.Engine) *typev1.Tally {
	t.Helper()
	var got *typev1.Tally
	if err := e.View(t.Context(), 0, func(b *book.Book) error {
		f := b.View(b.MeasureByID("p", "cards"), book.Current).Figure(b.UnitByID("vn"))
		got = f.Total.Proto()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestOneBlock puts the same cell three times into one block, a threshold crossed
// up, down and up with it: each crossing is there once, with its ordinal.
func TestOneBlock(t *testing.T) {
	service, engine, _ := faulty(t)
	before := engine.Head().Sequence
	if _, err := service.SubmitBatch(t.Context(), upAndDown()); err != nil {
		t.Fatal(err)
	}
	got, blocks := crossings(t, engine, before)
	want := []string{"reached 2500 #1", "reached 5000 #1", "revoked 2500 #1", "revoked 5000 #1", "reached 2500 #2"}
	if diff := cmp.Diff(want, got); diff != "" || blocks != 1 {
		t.Errorf("in %d blocks (-want +got):\n%s", blocks, diff)
	}
	if diff := cmp.Diff(&typev1.Tally{Numerator: 800, Reporting: 1, Expected: communes}, total(t, engine), protocmp.Transform()); diff != "" {
		t.Errorf("total (-want +got):\n%s", diff)
	}
}

// TestAppendFails lets the append of a block fail for want of room: nothing of it is
// seen, and the same batch is taken once there is room.
func TestAppendFails(t *testing.T) {
	service, engine, store := faulty(t)
	head, was := engine.Head(), total(t, engine)
	store.Plan(0, ledgertest.Full)
	if _, err := service.SubmitBatch(t.Context(), upAndDown()); !errors.Is(err, ledger.ErrFull) {
		t.Errorf("got %v, want %v", err, ledger.ErrFull)
	}
	if now := engine.Head(); now != head {
		t.Errorf("the head moved from %v to %v", head, now)
	}
	if diff := cmp.Diff(was, total(t, engine), protocmp.Transform()); diff != "" {
		t.Errorf("the total moved (-before +after):\n%s", diff)
	}
	if _, err := service.SubmitBatch(t.Context(), upAndDown()); err != nil {
		t.Fatal(err)
	}
	if got, _ := crossings(t, engine, head.Sequence); len(got) != 5 {
		t.Errorf("the crossings are %v", got)
	}
}

// TestAnswerLost lets appends be stored while their answer is lost, and be lost
// while no answer comes: the caller gets the one true receipt either way.
func TestAnswerLost(t *testing.T) {
	for name, fault := range map[string]ledgertest.Fault{"stored": ledgertest.Lost, "not_stored": ledgertest.Failed} {
		t.Run(name, func(t *testing.T) { answerLost(t, fault) })
	}
}

func answerLost(t *testing.T, fault ledgertest.Fault) {
	service, engine, store := faulty(t)
	head := engine.Head().Sequence
	store.Plan(0, fault)
	first, err := service.SubmitBatch(t.Context(), upAndDown())
	if err != nil {
		t.Fatal(err)
	}
	again, err := service.SubmitBatch(t.Context(), upAndDown())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
		t.Errorf("a retry got other receipts (-first +second):\n%s", diff)
	}
	if got, _ := crossings(t, engine, head); len(got) != 5 {
		t.Errorf("the crossings are %v", got)
	}
	replayed, _, err := engine.Replay(t.Context(), engine.Head().Sequence)
	if err != nil {
		t.Fatal(err)
	}
	live, _ := engine.Freeze()
	if err := book.Compare(live, replayed); err != nil {
		t.Error(err)
	}
}
