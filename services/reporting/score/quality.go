// Package score is the arithmetic of what leaders read: the quality of data, the
// timeliness of tasks, the status of a figure and the ranking of units.
//
// Everything is exact: counts are int64, results are fractions, and rounding is left
// to whoever prints. A nil fraction is undefined: nothing was due. Days are counted
// as calendar.Date counts them. The package is pure, keeps no state and changes
// nothing that it is given.
package score

import "math/big"

// Counts is what the quality of data is computed from, for any unit, target or
// period. All are counts of reports, values or checks, none is negative, and no part
// exceeds its whole: the one who counts sees to it.
type Counts struct {
	Expected     int64 // values that were due
	Present      int64 // of Expected: have come
	Fresh        int64 // of Expected: have come and are not older than allowed
	OpenFindings int64 // of Present: values with a finding open, however many each has

	ChecksRun    int64
	ChecksFailed int64 // of ChecksRun

	ReportsExpected int64
	ReportsOnTime   int64 // of ReportsExpected

	// The verification factor is VerifiedNum/VerifiedDen: of the values that
	// inspectors looked at, those that they found as claimed.
	VerifiedNum, VerifiedDen int64
}

// Add returns the counts of two disjoint parts together. It is how quality goes up
// the tree: ratio of summed counts, never mean of ratios.
func (c Counts) Add(d Counts) Counts {
	return Counts{
		Expected:        c.Expected + d.Expected,
		Present:         c.Present + d.Present,
		Fresh:           c.Fresh + d.Fresh,
		OpenFindings:    c.OpenFindings + d.OpenFindings,
		ChecksRun:       c.ChecksRun + d.ChecksRun,
		ChecksFailed:    c.ChecksFailed + d.ChecksFailed,
		ReportsExpected: c.ReportsExpected + d.ReportsExpected,
		ReportsOnTime:   c.ReportsOnTime + d.ReportsOnTime,
		VerifiedNum:     c.VerifiedNum + d.VerifiedNum,
		VerifiedDen:     c.VerifiedDen + d.VerifiedDen,
	}
}

// Quality is the quality of data, fractions of 1. Each is nil when nothing was due.
type Quality struct {
	Complete *big.Rat // đủ: present / expected values
	// Correct is đúng: half the checks that held, half the verification factor. Of
	// two halves the defined one counts alone: unverified data is judged by its checks.
	Correct *big.Rat
	Clean   *big.Rat // sạch: present values without an open finding / present values
	// Live is sống: half the reports on time, half the fresh values. Of two halves
	// the defined one counts alone.
	Live     *big.Rat
	Overall  *big.Rat // mean of those of the four that are defined
	Verified bool     // Correct contains a verification factor
}

// Quality computes the quality that the counts amount to.
func (c Counts) Quality() Quality {
	q := Quality{
		Complete: ratio(c.Present, c.Expected),
		Correct:  mean(ratio(c.ChecksRun-c.ChecksFailed, c.ChecksRun), ratio(c.VerifiedNum, c.VerifiedDen)),
		Clean:    ratio(c.Present-c.OpenFindings, c.Present),
		Live:     mean(ratio(c.ReportsOnTime, c.ReportsExpected), ratio(c.Fresh, c.Expected)),
		Verified: c.VerifiedDen != 0,
	}
	q.Overall = mean(q.Complete, q.Correct, q.Clean, q.Live)
	return q
}

// ratio returns num/den, nil when den is 0.
func ratio(num, den int64) *big.Rat {
	if den == 0 {
		return nil
	}
	return big.NewRat(num, den)
}

// mean returns the mean of the fractions that are defined, nil when none is.
func mean(of ...*big.Rat) *big.Rat {
	sum, n := new(big.Rat), int64(0)
	for _, r := range of {
		if r != nil {
			sum.Add(sum, r)
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return sum.Quo(sum, big.NewRat(n, 1))
}
