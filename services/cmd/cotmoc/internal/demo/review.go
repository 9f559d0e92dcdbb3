package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// rungs are the days from a due date on which a deadline is told.
var rungs = [...]int32{-30, -7, -1, 0, 1, 7, 30}

// Deadlines counts the rungs that were told for what was due in a year.
type Deadlines struct {
	reports, tasks map[int32]int
	to             map[eventv1.Addressee]int
	late           int
}

// Deadlines counts the rungs told for what was due in a year.
func (l *Listener) Deadlines(year int) Deadlines {
	d := Deadlines{reports: make(map[int32]int), tasks: make(map[int32]int), to: make(map[eventv1.Addressee]int)}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.deadlines {
		if !strings.HasPrefix(r.GetDueDate(), strconv.Itoa(year)) {
			continue
		}
		if r.GetPeriod() != "" {
			d.reports[r.GetDays()]++
		} else {
			d.tasks[r.GetDays()]++
		}
		d.to[r.GetAddressee()]++
		if r.GetLate() {
			d.late++
		}
	}
	return d
}

// Write prints the counts.
func (d Deadlines) Write(w io.Writer, year int) error {
	columns := []show.Column{show.Left(fmt.Sprintf("deadlines of %d", year))}
	reports, tasks := []string{"reports outstanding"}, []string{"tasks outstanding"}
	for _, r := range rungs {
		columns = append(columns, show.Right(fmt.Sprintf("T%+d", r)))
		reports = append(reports, strconv.Itoa(d.reports[r]))
		tasks = append(tasks, strconv.Itoa(d.tasks[r]))
	}
	t := show.NewTable(columns...)
	t.Add(reports...)
	t.Add(tasks...)
	if err := t.Write(w, 0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "told to the unit itself %d, to the one above %d, to the centre %d; %d of them late\n",
		d.to[eventv1.Addressee_ADDRESSEE_UNIT], d.to[eventv1.Addressee_ADDRESSEE_PARENT], d.to[eventv1.Addressee_ADDRESSEE_CENTRE], d.late)
	return err
}

// Review prints the deadlines of the year and a ranking, and closes the year: twice,
// to see that it is closed once.
func (p *Player) Review(ctx context.Context) error {
	if err := p.Listener.Deadlines(p.review.Year).Write(p.Out, p.review.Year); err != nil {
		return err
	}
	ranking, err := p.monitoring.Rank(ctx, p.review.Ranking)
	if err != nil {
		return fmt.Errorf("rank: %w", show.Refusal(err))
	}
	if err := writeRanking(p.Out, p.review.Ranking, ranking); err != nil {
		return err
	}
	return p.close(ctx)
}

func writeRanking(w io.Writer, req *reportingv1.RankRequest, r *reportingv1.RankResponse) error {
	t := show.NewTable(show.Right("rank"), show.Left("unit"), show.Right("score"), show.Right("since "+req.GetComparePeriod()), show.Left("remark"))
	others := 0
	remarks := make(map[string]string)
	for _, u := range r.GetCommended() {
		remarks[u.GetUnit()] = "commended: " + first(u.GetReasons())
	}
	for _, u := range r.GetSlow() {
		remarks[u.GetUnit()] = "slow: " + first(u.GetReasons())
	}
	for _, u := range r.GetUnits() {
		rank, remark := strconv.Itoa(int(u.GetRank())), remarks[u.GetUnit()]
		if remark == "" && u.GetRank() > 0 {
			others++ // cotmoc rank prints all
			continue
		}
		if u.GetRank() == 0 {
			rank, remark = "-", "not ranked: "+u.GetNotRankedReason()
		}
		t.Add(rank, u.GetUnitDisplayName(), u.GetScore(), u.GetImprovement(), remark)
	}
	if _, err := fmt.Fprintf(w, "\nranking %s, %s: %d units, of them %d that are neither commended nor slow\n", req.GetScorecard(),
		req.GetPeriod(), len(r.GetUnits()), others); err != nil {
		return err
	}
	return t.Write(w, 0)
}

// first is the weightiest reason; `cotmoc rank` prints all.
func first(reasons []string) string { return strings.Join(reasons[:min(1, len(reasons))], "") }

// close publishes the closing twice and reads its document back.
func (p *Player) close(ctx context.Context) error {
	first, err := p.reviews.PublishClosing(ctx, p.review.Closing)
	if err != nil {
		return fmt.Errorf("close: %w", show.Refusal(err))
	}
	again, err := p.reviews.PublishClosing(ctx, p.review.Closing)
	if err != nil {
		return fmt.Errorf("close again: %w", show.Refusal(err))
	}
	c := first.GetClosing()
	text, err := p.export(ctx, c.GetId())
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(text); !bytes.Equal(sum[:], c.GetSha256()) || !bytes.Equal(c.GetSha256(), again.GetClosing().GetSha256()) {
		return fmt.Errorf("closing %s: published as %x, then as %x, its document hashes to %x",
			c.GetId(), c.GetSha256(), again.GetClosing().GetSha256(), sum)
	}
	p.say("\nclosing %s as of %s: %d bytes; published again and exported: the same\nSHA-256 %x",
		c.GetId(), c.GetAsOfDate(), c.GetSizeBytes(), c.GetSha256())
	return nil
}

// export reads a closing's document.
func (p *Player) export(ctx context.Context, id string) ([]byte, error) {
	stream, err := p.monitoring.ExportClosing(ctx, &reportingv1.ExportClosingRequest{Programme: p.review.Closing.GetProgramme(), Closing: id})
	if err != nil {
		return nil, fmt.Errorf("export: %w", show.Refusal(err))
	}
	var text []byte
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return text, nil
		}
		if err != nil {
			return nil, fmt.Errorf("export: %w", show.Refusal(err))
		}
		text = append(text, piece.GetData()...)
	}
}
