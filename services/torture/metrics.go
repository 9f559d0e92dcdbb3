package main

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cotmoc/cotmoc/services/torture/site"
)

// metrics reads all figures that a replica tells of itself, by name with labels.
func metrics(ctx context.Context, p *site.Replica) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Metrics+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("metrics of %s: %s", p.Name, resp.Status)
	}
	all := make(map[string]float64)
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		at := strings.LastIndexByte(lines.Text(), ' ')
		if at < 0 || strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		if all[lines.Text()[:at]], err = strconv.ParseFloat(lines.Text()[at+1:], 64); err != nil {
			return nil, fmt.Errorf("metrics of %s: %w", p.Name, err)
		}
	}
	return all, lines.Err()
}

// histogram is how many things took not longer than each bound, in seconds; the last
// bound is infinite.
type histogram struct {
	bounds []float64
	within []float64
}

// histogramOf picks one from metrics.
func histogramOf(all map[string]float64, name string) (h histogram, err error) {
	found := make(map[float64]float64)
	for key, count := range all {
		if !strings.HasPrefix(key, name+"_bucket{") {
			continue
		}
		_, text, _ := strings.Cut(key, `le="`)
		text, _, _ = strings.Cut(text, `"`)
		bound, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return h, fmt.Errorf("bound of %s: %w", key, err)
		}
		found[bound] = count
		h.bounds = append(h.bounds, bound)
	}
	slices.Sort(h.bounds)
	for _, b := range h.bounds {
		h.within = append(h.within, found[b])
	}
	if len(found) == 0 || len(found) != len(h.bounds) || !math.IsInf(h.bounds[len(h.bounds)-1], 1) {
		return h, fmt.Errorf("metrics have no whole histogram %s", name)
	}
	return h, nil
}

// since is what came after an earlier reading of the same process.
func (h histogram) since(before histogram) histogram {
	now := histogram{h.bounds, slices.Clone(h.within)}
	for i := range now.within {
		now.within[i] -= before.within[i]
	}
	return now
}

func (h histogram) count() float64 { return h.within[len(h.within)-1] }

// most is the least bound that a part of all, 0 to 1, did not exceed.
func (h histogram) most(part float64) time.Duration {
	for i, b := range h.bounds {
		if h.within[i] >= part*h.count() && !math.IsInf(b, 1) {
			return time.Duration(b * float64(time.Second))
		}
	}
	return math.MaxInt64
}

// String tells it on a line, by its bounds.
func (h histogram) String() string {
	bound := func(part float64) string {
		if d := h.most(part); d < math.MaxInt64 {
			return "≤ " + d.String()
		}
		return "> " + time.Duration(h.bounds[len(h.bounds)-2]*float64(time.Second)).String()
	}
	return fmt.Sprintf("p50 %s, p99 %s, max %s of %.0f", bound(0.5), bound(0.99), bound(1), h.count())
}
