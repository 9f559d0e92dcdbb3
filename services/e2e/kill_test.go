package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/cotmoc/cotmoc/pkg/client"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

var (
	killRounds = flag.Int("kill.rounds", 30, "how often TestKill ends the process")
	killSeed   = flag.Uint64("kill.seed", 0, "seed of TestKill; 0 takes one from the clock")
)

// acked is a submission with the receipt that a client got for it.
type acked struct {
	submission *reportingv1.Submission
	requestID  string
	receipt    *reportingv1.Receipt
}

// journal is what clients were told.
type journal struct {
	mu  sync.Mutex
	all []acked
}

func (j *journal) add(a acked) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.all = append(j.all, a)
}

// grows waits until so many more submissions were acknowledged.
func (j *journal) grows(t *testing.T, by int, p *process) {
	t.Helper()
	count := func() int {
		j.mu.Lock()
		defer j.mu.Unlock()
		return len(j.all)
	}
	want := count() + by
	for deadline := time.Now().Add(time.Minute); count() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nothing is acknowledged:\n%s", p.log)
		}
	}
}

// communes is how many units report in TestKill.
const communes = 60

func killTree() []*registryv1.Write {
	w := []*registryv1.Write{unit("vn", "", typev1.UnitKind_UNIT_KIND_COUNTRY, "country")}
	for i := range 3 {
		w = append(w, unit(fmt.Sprintf("p%d", i), "vn", typev1.UnitKind_UNIT_KIND_PROVINCE, "province"))
	}
	for i := range communes {
		w = append(w, unit(fmt.Sprintf("c%d", i), fmt.Sprintf("p%d", i%3), typev1.UnitKind_UNIT_KIND_COMMUNE, "commune"))
	}
	return append(w, programme(), target("cards", typev1.ValueKind_VALUE_KIND_COUNT, func(g *registryv1.Target) { g.Goal.Value = communes * 50 }),
		target("procedures", typev1.ValueKind_VALUE_KIND_RATIO, nil))
}

// TestKill ends `cotmoc up` with SIGKILL at random moments under load and starts it
// again, many times. In the end every receipt that a client got must be in the log
// as it was given, totals must equal their cells, the stream must equal the log, and
// each milestone must be there once.
func TestKill(t *testing.T) {
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %d rounds", seed, *killRounds)
	random := rand.New(rand.NewPCG(seed, 1))
	addr, natsAddr, dir := freePort(t), freePort(t), t.TempDir()
	up := func() *process {
		return launch(t, "cotmoc", "up", "--dir", filepath.Join(dir, "state"), "--listen", addr, "--metrics-listen", "127.0.0.1:0",
			"--nats-listen", natsAddr, "--clock", "manual", "--start", start.Format(time.RFC3339), "--log-level", "warn")
	}
	p := up()
	serving(t, p, addr)
	r := clients(t, addr, addr)
	r.owe(t, killTree()...)
	r.figure(t, "procedures", "vn", "")
	var j journal
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() { write(ctx, t, addr, w, seed, &j) })
	}
	for round := range *killRounds {
		if round%4 > 0 { // else it may be killed while it starts
			j.grows(t, 20, p)
		}
		time.Sleep(time.Duration(50+random.IntN(350)) * time.Millisecond)
		p.kill(t)
		p = up()
	}
	serving(t, p, addr)
	time.Sleep(200 * time.Millisecond)
	cancel()
	writers.Wait()
	if len(j.all) < 15**killRounds {
		t.Errorf("only %d submissions were acknowledged: the load does not test anything", len(j.all))
	}
	checkAcked(t, r, j.all)
	verify(t, r)
	checkMilestones(t, r)
	p.stop(t)
}

// write submits to the cells of its own units, corrects and withdraws, until ctx ends.
func write(ctx context.Context, t *testing.T, addr string, writer int, seed uint64, j *journal) {
	c, err := client.Dial(ctx, addr, client.Options{})
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = c.Close() }()
	random := rand.New(rand.NewPCG(seed, uint64(writer)+2))
	revision := make(map[string]uint32)
	for n := 0; ctx.Err() == nil; n++ {
		u := fmt.Sprintf("c%d", writer+8*random.IntN(communes/8))
		s := count(u, "cards", "2022-M01", int64(random.IntN(100)))
		if random.IntN(3) == 0 {
			s = ratio(u, "procedures", "2022-M01", int64(random.IntN(10)), 10)
		}
		cell := s.GetTarget() + "/" + u
		if s.ExpectedRevision = revision[cell]; s.ExpectedRevision > 0 {
			s.Reason = "rà soát"
		}
		id := fmt.Sprintf("w%d-%d", writer, n)
		receipt, err := c.Submit(ctx, "p", s, client.WithRequestID(id))
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("submit %s: %v", id, err)
			}
			return
		}
		revision[cell] = receipt.GetRevision()
		j.add(acked{s, id, receipt})
	}
}

// checkAcked compares what clients were told with what is stored.
func checkAcked(t *testing.T, r *rig, all []acked) {
	t.Helper()
	for _, a := range all {
		got, err := r.progress.GetReceipt(t.Context(), &reportingv1.GetReceiptRequest{Sequence: a.receipt.GetSequence()})
		if err != nil {
			t.Errorf("acknowledged as %d and lost: %v", a.receipt.GetSequence(), err)
			continue
		}
		rec := got.GetRecord()
		if rec.GetRequestId() != a.requestID || rec.GetSubmission().GetUnit() != a.submission.GetUnit() ||
			!cmp.Equal(a.receipt, rec.GetReceipt(), protocmp.Transform()) {
			t.Errorf("acknowledged as %v, stored as %v", a, rec)
		}
	}
	t.Logf("%d acknowledged submissions looked up", len(all))
}

// checkMilestones reads the log and sees each crossing once, reached and revoked in turn.
func checkMilestones(t *testing.T, r *rig) {
	t.Helper()
	seen, up := make(map[string]bool), make(map[string]bool)
	requests := make(map[string]uint64)
	n := 0
	for after, head := uint64(0), status(t, r).GetHeadSequence(); after < head; {
		page, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{AfterSequence: after, PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, stored := range page.GetEvents() {
			e := new(eventv1.Event)
			if err := proto.Unmarshal(stored.GetEvent(), e); err != nil {
				t.Fatal(err)
			}
			if id := e.GetSubmissionAccepted().GetRequestId(); id != "" {
				if requests[id] != 0 {
					t.Errorf("request %s was accepted as %d and as %d", id, requests[id], e.GetSequence())
				}
				requests[id] = e.GetSequence()
			}
			c, reached := e.GetMilestoneReached(), true
			if c == nil {
				c, reached = e.GetMilestoneRevoked(), false
			}
			if c == nil {
				continue
			}
			n++
			place := strings.Join([]string{c.GetTarget(), c.GetPath(), c.GetPeriod(), fmt.Sprint(c.GetGoalRevision(), c.GetThresholdIndex())}, "|")
			key := fmt.Sprint(place, c.GetOrdinal(), reached)
			if seen[key] || up[place] == reached {
				t.Errorf("milestone %s came twice or out of turn", key)
			}
			seen[key], up[place] = true, reached
		}
		after = page.GetLastSequence()
	}
	t.Logf("%d submissions and %d crossings in the log, each once", len(requests), n)
}
