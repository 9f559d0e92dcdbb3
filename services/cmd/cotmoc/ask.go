package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// pageSize is how many entries of a list are asked for at once, the most there may be.
const pageSize = 1000

// day is a flag's day, such as 2022-07-31; empty when it is not given.
type day string

// UnmarshalText reads a day.
func (d *day) UnmarshalText(text []byte) error {
	if _, err := calendar.ParseDate(string(text)); err != nil {
		return err
	}
	*d = day(text)
	return nil
}

// period is a flag's period, such as 2022-Q3; empty when it is not given. Whether a
// target has such a period is for the services to judge.
type period string

// UnmarshalText reads a period of any length.
func (p *period) UnmarshalText(text []byte) error {
	if _, err := calendar.EndOfMonth.Parse(string(text)); err != nil {
		return err
	}
	*p = period(text)
	return nil
}

// instant is a flag's time; zero when it is not given.
type instant struct{ time.Time }

// UnmarshalText reads a time, or a day, which means its last moment.
func (i *instant) UnmarshalText(text []byte) error {
	if d, err := calendar.ParseDate(string(text)); err == nil {
		i.Time = d.End().Add(-time.Microsecond)
		return nil
	}
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("%q is neither a time such as 2022-07-31T12:00:00+07:00 nor a day such as 2022-07-31", text)
	}
	i.Time = at
	return nil
}

// proto is the time in a request, nil when it is not given.
func (i instant) proto() *timestamppb.Timestamp {
	if i.IsZero() {
		return nil
	}
	return timestamppb.New(i.Time)
}

// table prints a table, cut to the terminal when there is one.
func (c *console) table(t *show.Table) error { return t.Write(c.Out, show.Width(c.Out)) }

// pages calls ask with one page token after the other, beginning with none, until
// there is no next page or nothing more is wanted.
func pages(ask func(token string) (next string, more bool, err error)) error {
	for token := ""; ; {
		next, more, err := ask(token)
		if err != nil {
			return show.Refusal(err)
		}
		if next == "" || !more {
			return nil
		}
		token = next
	}
}

// programme reads a programme.
func (s *services) programme(ctx context.Context, id string) (*registryv1.Programme, error) {
	resp, err := s.registry().GetProgramme(ctx, &registryv1.GetProgrammeRequest{Name: name.Programme(id).Name()})
	if err != nil {
		return nil, show.Refusal(err)
	}
	return resp.GetProgramme(), nil
}

// regime reads a regime, nil when there is none of the id.
func (s *services) regime(ctx context.Context, programme, id string) (*registryv1.Regime, error) {
	of := name.Regime{Programme: name.Programme(programme), ID: id}
	resp, err := s.registry().GetRegime(ctx, &registryv1.GetRegimeRequest{Name: of.Name()})
	if apierr.Is(err, errorv1.Reason_REASON_REGIME_NOT_FOUND) {
		return nil, nil
	}
	if err != nil {
		return nil, show.Refusal(err)
	}
	return resp.GetRegime(), nil
}

// now is the service's time.
func (s *services) now(ctx context.Context) (time.Time, error) {
	status, err := s.admin().GetStatus(ctx, &reportingv1.GetStatusRequest{})
	if err != nil {
		return time.Time{}, show.Refusal(err)
	}
	return status.GetTime().AsTime(), nil
}

// newestPeriod is the name of the last period of a regime that had ended at a time.
func (s *services) newestPeriod(ctx context.Context, r *registryv1.Regime, at time.Time) (string, error) {
	id := r.GetCalendar()
	if id == "" {
		id = calendar.Statistical
	}
	resp, err := s.registry().GetCalendar(ctx, &registryv1.GetCalendarRequest{Name: name.Calendar(id).Name()})
	if err != nil {
		return "", show.Refusal(err)
	}
	return endedPeriod(resp.GetCalendar(), r.GetFrequency(), at).String(), nil
}

// newestPeriodOf is newestPeriod for an id, which may be no regime's and then has
// none. A zero time means now.
func (s *services) newestPeriodOf(ctx context.Context, programme, id string, at time.Time) (string, error) {
	regime, err := s.regime(ctx, programme, id)
	if err != nil || regime == nil {
		return "", err
	}
	if at.IsZero() {
		if at, err = s.now(ctx); err != nil {
			return "", err
		}
	}
	return s.newestPeriod(ctx, regime, at)
}

// endedPeriod is the last period of a calendar that had ended at a time.
func endedPeriod(of *registryv1.Calendar, frequency typev1.Frequency, at time.Time) calendar.Period {
	cut := calendar.EndOfMonth
	if n := of.GetCutOffDay(); n > 0 {
		cut = calendar.Cut(n)
	}
	length := calendar.Monthly
	if frequency > typev1.Frequency_FREQUENCY_MONTHLY {
		length = calendar.Length(frequency - typev1.Frequency_FREQUENCY_MONTHLY)
	}
	return cut.At(at, length).Prev()
}

// enumOf is the contract's value for a word such as `wrong-period`; 0 for another word.
func enumOf[E ~int32](values map[string]int32, prefix, word string) E {
	return E(values[prefix+strings.ToUpper(strings.ReplaceAll(word, "-", "_"))])
}

// words is a list as people say it: `due or missing`.
func words(list []string) string {
	switch n := len(list); n {
	case 0:
		return ""
	case 1:
		return list[0]
	default:
		return strings.Join(list[:n-1], ", ") + " or " + list[n-1]
	}
}
