package load

import (
	"slices"
	"testing"
	"time"

	"buf.build/go/protovalidate"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

func plan() *Plan {
	return &Plan{Programme: "load", Root: "vn", Units: []string{"01", "79", "001"}, Targets: 24, Period: "2022-M07", Run: "load-1"}
}

func TestPlanSendsEachCellOnce(t *testing.T) {
	p := plan()
	sums := make(map[string]int64)
	cells, ids := make(map[string]bool), make(map[string]bool)
	for i := range p.Cells() {
		item := p.item(i)
		s := item.GetSubmission()
		if err := protovalidate.Validate(&reportingv1.SubmitRequest{Programme: p.Programme, Submission: s, RequestId: item.GetRequestId()}); err != nil {
			t.Fatal(err)
		}
		cells[s.GetUnit()+s.GetTarget()], ids[item.GetRequestId()] = true, true
		sums[s.GetTarget()] += s.GetCount()
	}
	if len(cells) != 72 || len(ids) != 72 {
		t.Errorf("%d cells, %d request ids of 72", len(cells), len(ids))
	}
	for i := range p.Targets {
		if got, want := p.Sum(i), sums[p.target(i)]; got != want {
			t.Errorf("target %d: sum %d, sent %d", i, got, want)
		}
	}
}

func TestResourcesKeepToTheContract(t *testing.T) {
	writes := plan().Resources()
	if len(writes) != 25 {
		t.Errorf("%d resources", len(writes))
	}
	for _, w := range writes {
		if err := protovalidate.Validate(w); err != nil {
			t.Errorf("%v in %v", err, w)
		}
	}
}

func TestLatencyIsByNearestRank(t *testing.T) {
	var r Result
	if r.Latency(0.5) != 0 {
		t.Error("a latency without calls")
	}
	for i := range 100 {
		r.Latencies = append(r.Latencies, time.Duration(i+1))
	}
	for share, want := range map[float64]time.Duration{0: 1, 0.5: 50, 0.9: 90, 0.99: 99, 1: 100} {
		if got := r.Latency(share); got != want {
			t.Errorf("%.2f: %d, want %d", share, got, want)
		}
	}
	r.Latencies = []time.Duration{7}
	if got := []time.Duration{r.Latency(0.01), r.Latency(0.99)}; !slices.Equal(got, []time.Duration{7, 7}) {
		t.Errorf("of one call %v", got)
	}
}

func TestParseStatus(t *testing.T) {
	got, err := parseStatus("Name:\tcotmoc\nVmHWM:\t  638000 kB\nVmRSS:\t   12345 kB\nThreads:\t9\n")
	if err != nil || got != (Memory{Resident: 12345 << 10, Peak: 638000 << 10}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "VmRSS:\t1 kB\n", "VmHWM:\tx kB\nVmRSS:\t1 kB\n"} {
		if _, err := parseStatus(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
