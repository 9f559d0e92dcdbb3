package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// bench is a run of the measurements.
type bench struct {
	dir     string
	profile string
	pairs   int
	run     time.Duration
	short   bool
	nation  *nation

	verdicts []verdict
}

// verdict is one goal and what came of it.
type verdict struct {
	name           string
	subject, limit string // medians, with their unit
	ratio          string
	goal           string
	holds          bool
}

// crowd is the part of the machine that others may use before rates tell nothing:
// beyond it processor time is judged instead.
const crowd = 0.10

// ratios are what came of running a subject and its limit in turn.
type ratios struct {
	name           string
	unit           string // what a rate counts
	scale          float64
	subject, limit []flow
	goal           float64
}

// judge prints the ratios of a goal and notes the verdict.
func (b *bench) judge(r ratios) {
	wall, cpu := make([]float64, len(r.subject)), make([]float64, len(r.subject))
	var subject, limit []float64
	var others, took time.Duration
	for i, s := range r.subject {
		l := r.limit[i]
		wall[i] = s.rate() / l.rate()
		cpu[i] = float64(l.cost()) / float64(s.cost())
		subject, limit = append(subject, s.rate()*r.scale), append(limit, l.rate()*r.scale)
		others += s.others + l.others
		took += s.took + l.took
	}
	crowded := float64(others)/float64(took)/processors > crowd
	judged, by := wall, "rate"
	if crowded {
		judged, by = cpu, "processor time"
	}
	v := verdict{name: r.name, subject: human(median(subject)) + " " + r.unit, limit: human(median(limit)) + " " + r.unit,
		ratio: spread(judged), goal: fmt.Sprintf("≥ %.2f", r.goal), holds: median(judged) >= r.goal}
	b.verdicts = append(b.verdicts, v)
	fmt.Printf("%s: %s, limit %s\n  ratio of rates %s, of processor time %s, goal %s by %s: %s\n",
		v.name, v.subject, v.limit, spread(wall), spread(cpu), v.goal, by, word(v.holds))
	fmt.Printf("  processor time: subject %s, limit %s; others used %.0f %% of the machine\n",
		split(r.subject, r.scale), split(r.limit, r.scale), 100*float64(others)/float64(took)/processors)
}

// split is the processor time a call, or an item of it, of client and service.
func split(fs []flow, scale float64) string {
	var client, server, p50, p99 []float64
	for _, f := range fs {
		client = append(client, float64(f.client)/float64(f.calls)/scale)
		server = append(server, float64(f.server)/float64(f.calls)/scale)
		p50, p99 = append(p50, float64(f.p50)), append(p99, float64(f.p99))
	}
	out := fmt.Sprintf("client %.2f + service %.2f µs", median(client)/1e3, median(server)/1e3)
	if median(p99) > 0 {
		out += fmt.Sprintf(" (a call: half within %s, 99 %% within %s)",
			time.Duration(median(p50)).Round(10*time.Microsecond), time.Duration(median(p99)).Round(10*time.Microsecond))
	}
	return out
}

// atMost notes a goal that is a bound and not a ratio.
func (b *bench) atMost(name string, got, bound float64, unit string) {
	v := verdict{name: name, subject: fmt.Sprintf("%.3g %s", got, unit), limit: "–", ratio: "–",
		goal: fmt.Sprintf("≤ %g %s", bound, unit), holds: got <= bound}
	b.verdicts = append(b.verdicts, v)
	fmt.Printf("%s: %s, goal %s: %s\n", v.name, v.subject, v.goal, word(v.holds))
}

// summary prints all verdicts and counts the goals that were missed.
func (b *bench) summary() (missed int) {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "goal\tsubject\tlimit\tratio (min–max)\twanted\t")
	for _, v := range b.verdicts {
		fmt.Fprintln(w, strings.Join([]string{v.name, v.subject, v.limit, v.ratio, v.goal, word(v.holds)}, "\t"))
		if !v.holds {
			missed++
		}
	}
	_ = w.Flush()
	return missed
}

func word(holds bool) string {
	if holds {
		return "holds"
	}
	return "MISSED"
}

// median of what is not empty; of an even number the lower of the two in the middle.
func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[(len(s)-1)/2]
}

func spread(v []float64) string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(v), slices.Min(v), slices.Max(v))
}

// human writes a rate with a comma before its thousands.
func human(v float64) string {
	n := int64(v)
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
