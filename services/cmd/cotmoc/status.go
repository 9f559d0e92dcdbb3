package main

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// statusCmd tells where a programme stands.
type statusCmd struct {
	target
	Programme string  `arg:"" help:"Id of the programme."`
	Target    string  `help:"Only this target, task or regime, in full." placeholder:"ID"`
	Unit      string  `help:"Id of the unit; the programme's root when not given." placeholder:"ID"`
	Period    period  `help:"Figures of this period, such as 2022-Q3; when not given the current ones, and of a regime those of the period that ended last." placeholder:"PERIOD"`
	AsOf      day     `help:"Current figures as they stood for this day." placeholder:"DATE"`
	KnownAt   instant `help:"What was known at this time, or by the end of this day." placeholder:"TIME"`
	Children  bool    `help:"With --target: the units directly below, too."`
	JSON      bool    `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*statusCmd) Help() string {
	return `Without --target: every target of the programme, its tasks by the four official
classes, and how good the data is, of each regime's period that ended last. The tasks
are those of now, or of --known-at, and are left out for a period or another day.
With --target, --json is a list of figures, the unit's own first.

Examples:
  cotmoc status de-an-06
  cotmoc status de-an-06 --unit 79 --as-of 2022-07-31
  cotmoc status de-an-06 --target chip-cards --children
  cotmoc status de-an-06 --target chip-cards --as-of 2022-07-31 --known-at 2022-08-01`
}

// Run prints one figure, or where all stand.
func (u *statusCmd) Run(ctx context.Context, c *console) error {
	if u.Children && u.Target == "" {
		return errors.New("--children goes with --target: the units below are listed for one target")
	}
	if u.Period != "" && u.AsOf != "" {
		return errors.New("--period and --as-of cannot be used together: the figure of a period stands for its last day")
	}
	s, err := u.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	programme, err := s.programme(ctx, u.Programme)
	if err != nil {
		return err
	}
	if u.Unit == "" {
		u.Unit = programme.GetRootUnit()
	}
	if u.Target != "" {
		return u.one(ctx, c, s)
	}
	o, err := u.overview(ctx, s)
	if err != nil {
		return err
	}
	if u.JSON {
		return o.json(c)
	}
	return o.print(c, programme.GetDisplayName())
}

// key names the figure of a target.
func (u *statusCmd) key(target string) *reportingv1.FigureKey {
	return &reportingv1.FigureKey{Programme: u.Programme, Target: target, Unit: u.Unit, Period: string(u.Period),
		Basis: typev1.Basis_BASIS_REPORTED, AsOfDate: string(u.AsOf), KnownAt: u.KnownAt.proto()}
}

// one prints the figure of one target.
func (u *statusCmd) one(ctx context.Context, c *console, s *services) error {
	if u.Period == "" && u.AsOf == "" { // reports are counted by period only
		newest, err := s.newestPeriodOf(ctx, u.Programme, u.Target, u.KnownAt.Time)
		if err != nil {
			return err
		}
		u.Period = period(newest)
	}
	resp, err := s.progress().GetFigure(ctx, &reportingv1.GetFigureRequest{Key: u.key(u.Target)})
	if err != nil {
		return show.Refusal(err)
	}
	var below []*reportingv1.Figure
	if u.Children {
		err = pages(func(token string) (string, bool, error) {
			page, err := s.progress().ListFigures(ctx, &reportingv1.ListFiguresRequest{Key: u.key(u.Target),
				PageSize: pageSize, PageToken: token, MinSequence: resp.GetFigure().GetSequence()})
			below = append(below, page.GetFigures()...)
			return page.GetNextPageToken(), true, err
		})
		if err != nil {
			return err
		}
	}
	if u.JSON {
		return c.json(&reportingv1.ListFiguresResponse{Figures: append([]*reportingv1.Figure{resp.GetFigure()}, below...),
			Sequence: resp.GetFigure().GetSequence()})
	}
	printFigure(c, resp.GetFigure())
	if !u.Children {
		return nil
	}
	c.printf("\n")
	t, left := figuresBelow(below)
	if err := c.table(t); err != nil {
		return err
	}
	if left > 0 {
		c.printf("%d more units, where it applies to nobody\n", left)
	}
	return nil
}

// overview is where a programme stands at a unit.
type overview struct {
	unit    string
	period  string    // empty for current figures
	knownAt time.Time // zero for now
	targets []targetStatus
	tasks   []taskCount
	quality []regimeQuality
}

// targetStatus is a target with its figure, or why there is none.
type targetStatus struct {
	target  *registryv1.Target
	id      string
	figure  *reportingv1.Figure
	refused string
}

// taskCount is tasks of one kind by class.
type taskCount struct {
	form     typev1.TaskForm
	audience typev1.Audience
	basis    typev1.CountingBasis
	counts   *reportingv1.Timeliness
}

// regimeQuality is how good the data of a regime's period is.
type regimeQuality struct {
	regime, period string
	total          *reportingv1.Quality
}

// overview asks for all parts.
func (u *statusCmd) overview(ctx context.Context, s *services) (*overview, error) {
	o := &overview{unit: u.Unit, period: string(u.Period), knownAt: u.KnownAt.Time}
	var err error
	if o.targets, err = u.targets(ctx, s); err != nil {
		return nil, err
	}
	if u.Period == "" {
		if o.tasks, err = u.tasks(ctx, s); err != nil {
			return nil, err
		}
	}
	o.quality, err = u.quality(ctx, s)
	return o, err
}

// targets asks for the figure of each target.
func (u *statusCmd) targets(ctx context.Context, s *services) ([]targetStatus, error) {
	var all []targetStatus
	parent := "programmes/" + u.Programme
	err := pages(func(token string) (string, bool, error) {
		page, err := s.registry().ListTargets(ctx, &registryv1.ListTargetsRequest{Parent: parent, PageSize: pageSize, PageToken: token})
		for _, t := range page.GetTargets() {
			all = append(all, targetStatus{target: t, id: t.GetName()[len(parent+"/targets/"):]})
		}
		return page.GetNextPageToken(), true, err
	})
	if err != nil {
		return nil, err
	}
	for i := range all {
		resp, err := s.progress().GetFigure(ctx, &reportingv1.GetFigureRequest{Key: u.key(all[i].id)})
		switch e, ok := apierr.Parse(err); {
		case err == nil:
			all[i].figure = resp.GetFigure()
		case ok && e.Code == codes.InvalidArgument && u.Period != "":
			all[i].refused = e.Message // such as a month of a target that counts in quarters
		default:
			return nil, show.Refusal(err)
		}
	}
	return all, nil
}

// tasks counts tasks by form, audience and basis, and leaves out what there is none of.
func (u *statusCmd) tasks(ctx context.Context, s *services) ([]taskCount, error) {
	var all []taskCount
	for _, form := range []typev1.TaskForm{typev1.TaskForm_TASK_FORM_TASK, typev1.TaskForm_TASK_FORM_GROUP} {
		for _, audience := range []typev1.Audience{typev1.Audience_AUDIENCE_CENTRAL, typev1.Audience_AUDIENCE_LOCAL} {
			for _, basis := range []typev1.CountingBasis{typev1.CountingBasis_COUNTING_BASIS_TASK, typev1.CountingBasis_COUNTING_BASIS_ASSIGNMENT} {
				resp, err := s.monitoring().GetTimeliness(ctx, &reportingv1.GetTimelinessRequest{Programme: u.Programme, Unit: u.Unit,
					CountingBasis: basis, Form: form, Audience: audience, AsOfDate: string(u.AsOf), KnownAt: u.KnownAt.proto()})
				if err != nil {
					return nil, show.Refusal(err)
				}
				if n := resp.GetTimeliness(); n.GetCompletedOnTime()+n.GetCompletedLate()+n.GetPendingInTime()+n.GetPendingOverdue() > 0 {
					all = append(all, taskCount{form, audience, basis, n})
				}
			}
		}
	}
	return all, nil
}

// quality asks how good the data is, for each regime of the period asked for, else
// of the one that ended last.
func (u *statusCmd) quality(ctx context.Context, s *services) ([]regimeQuality, error) {
	at, err := u.moment(ctx, s)
	if err != nil {
		return nil, err
	}
	var all []regimeQuality
	parent := "programmes/" + u.Programme
	err = pages(func(token string) (string, bool, error) {
		page, err := s.registry().ListRegimes(ctx, &registryv1.ListRegimesRequest{Parent: parent, PageSize: pageSize, PageToken: token})
		if err != nil {
			return "", false, err
		}
		for _, r := range page.GetRegimes() {
			q := regimeQuality{regime: r.GetName()[len(parent+"/regimes/"):], period: string(u.Period)}
			if q.period == "" {
				if q.period, err = s.newestPeriod(ctx, r, at); err != nil {
					return "", false, err
				}
			}
			resp, err := s.monitoring().GetQuality(ctx, &reportingv1.GetQualityRequest{Programme: u.Programme, Unit: u.Unit,
				Regime: q.regime, FromPeriod: q.period, ToPeriod: q.period, KnownAt: u.KnownAt.proto(), PageSize: 1}) // the total alone
			if e, ok := apierr.Parse(err); ok && e.Code == codes.InvalidArgument && u.Period != "" {
				continue // no period of this regime
			}
			if err != nil {
				return "", false, err
			}
			q.total = resp.GetTotal()
			all = append(all, q)
		}
		return page.GetNextPageToken(), true, nil
	})
	return all, err
}

// moment is the time of which the newest period is asked: that known at, the end of
// the day asked for, else the service's.
func (u *statusCmd) moment(ctx context.Context, s *services) (time.Time, error) {
	if u.AsOf != "" {
		d, err := calendar.ParseDate(string(u.AsOf))
		return d.End(), err
	}
	if !u.KnownAt.IsZero() {
		return u.KnownAt.Time, nil
	}
	return s.now(ctx)
}
