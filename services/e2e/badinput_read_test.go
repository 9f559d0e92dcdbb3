package e2e_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

// not is a bad call of a kind that is most common: a field breaks its own rule.
func not(name string, call func(context.Context, *rig) error, fields string) badCall {
	return badCall{name, call, refusal{invalid, badField, fields, ""}}
}

// refuse is any bad call.
func refuse(name string, call func(context.Context, *rig) error, code codes.Code, reason errorv1.Reason, fields string) badCall {
	return badCall{name, call, refusal{code, reason, fields, ""}}
}

// keyed are the reads of a figure by its key, of any page and any event seen.
func keyed() map[string]func(k *reportingv1.FigureKey, seen uint64) func(context.Context, *rig) error {
	type key = *reportingv1.FigureKey
	type made = func(context.Context, *rig) error
	return map[string]func(key, uint64) made{
		"GetFigure": func(k key, seen uint64) made {
			return getFigure(&reportingv1.GetFigureRequest{Key: k, MinSequence: seen})
		},
		"ListFigures": func(k key, seen uint64) made {
			return listFigures(&reportingv1.ListFiguresRequest{Key: k, MinSequence: seen})
		},
		"CountByKind": func(k key, seen uint64) made {
			return func(ctx context.Context, r *rig) error {
				_, err := r.progress.CountByKind(ctx, &reportingv1.CountByKindRequest{Key: k, MinSequence: seen})
				return err
			}
		},
		"Explain": func(k key, seen uint64) made {
			return getExplain(&reportingv1.ExplainRequest{Key: k, MinSequence: seen})
		},
	}
}

func getFigure(req *reportingv1.GetFigureRequest) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.progress.GetFigure(ctx, req)
		return err
	}
}

func listFigures(req *reportingv1.ListFiguresRequest) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.progress.ListFigures(ctx, req)
		return err
	}
}

func getExplain(req *reportingv1.ExplainRequest) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.progress.Explain(ctx, req)
		return err
	}
}

func getHistory(req *reportingv1.ListCellHistoryRequest) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.progress.ListCellHistory(ctx, req)
		return err
	}
}

func getItems(req *reportingv1.ListItemsRequest) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.progress.ListItems(ctx, req)
		return err
	}
}

func getReceipt(req *reportingv1.GetReceiptRequest) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		_, err := r.progress.GetReceipt(ctx, req)
		return err
	}
}

// soon gives a call a short deadline.
func soon(f func(context.Context, *rig) error) func(context.Context, *rig) error {
	return func(ctx context.Context, r *rig) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		return f(ctx, r)
	}
}

// cellKey names a cell with two revisions, changed as wanted.
func cellKey(change func(*reportingv1.CellKey)) *reportingv1.CellKey {
	k := &reportingv1.CellKey{Programme: "p", Target: "cards", Unit: "26734", Period: "2022-M05"}
	if change != nil {
		change(k)
	}
	return k
}

// badReads are reads of figures and cells that are none.
func badReads() (all []badCall) {
	type key = *reportingv1.FigureKey
	for method, read := range keyed() {
		at := func(change func(key)) func(context.Context, *rig) error { return read(figureKey(change), 0) }
		name := func(what string) string { return method + " " + what }
		all = append(all,
			not(name("without a key"), read(nil, 0), "key"),
			not(name("with an empty key"), read(&reportingv1.FigureKey{}, 0), "key.programme key.target key.unit key.basis"),
			refuse(name("of no programme"), at(func(k key) { k.Programme = "q" }), absent, noProg, "key.programme"),
			refuse(name("of no target"), at(func(k key) { k.Target = "pies" }), absent, noTarget, "key.target"),
			refuse(name("of no unit"), at(func(k key) { k.Unit = "99999" }), absent, noUnit, "key.unit"),
			not(name("of a path"), at(func(k key) { k.Unit = "vn.79" }), "key.unit"),
			not(name("of a month that is none"), at(func(k key) { k.Period = "2022-M13" }), "key.period"),
			not(name("of a month of a derived count"), at(func(k key) { k.Target, k.Period = "tasks-task-local-by-task", "2022-M05" }), "key.period"),
			not(name("by no basis"), at(func(k key) { k.Basis = typev1.Basis_BASIS_UNSPECIFIED }), "key.basis"),
			not(name("by an unknown basis"), at(func(k key) { k.Basis = 9 }), "key.basis"),
			refuse(name("of what was approved"), at(func(k key) { k.Basis = typev1.Basis_BASIS_APPROVED }), failed, errorv1.Reason_REASON_BASIS_NOT_SERVED, "key.basis"),
			refuse(name("of what was verified"), at(func(k key) { k.Basis = typev1.Basis_BASIS_VERIFIED }), failed, errorv1.Reason_REASON_BASIS_NOT_SERVED, "key.basis"),
			refuse(name("of an event to come"), soon(read(figureKey(nil), 1<<40)), codes.DeadlineExceeded, 0, ""),
		)
	}
	return append(append(append(all, badLists()...), badTaskCounts()...), badCellReads()...)
}

// badLists are selections of figures that are none.
func badLists() []badCall {
	list := func(change func(*reportingv1.ListFiguresRequest)) func(context.Context, *rig) error {
		req := &reportingv1.ListFiguresRequest{Key: figureKey(nil)}
		change(req)
		return listFigures(req)
	}
	type req = *reportingv1.ListFiguresRequest
	return []badCall{
		not("list by an unknown selection", list(func(q req) { q.Selection = 9 }), "selection"),
		not("list by an unknown state of reporting", list(func(q req) { q.Reporting = -1 }), "reporting"),
		not("list of kind none", list(func(q req) { q.Kinds = []typev1.UnitKind{kindProvince, 0} }), "kinds[1]"),
		not("list of an unknown kind", list(func(q req) { q.Kinds = []typev1.UnitKind{99} }), "kinds[0]"),
		not("list of 21 kinds", list(func(q req) { q.Kinds = slices.Repeat([]typev1.UnitKind{kindProvince}, 21) }), "kinds"),
		not("list of a level with an accent", list(func(q req) { q.Levels = []string{"xã"} }), "levels[0]"),
		not("list of 21 levels", list(func(q req) { q.Levels = strings.Fields(strings.Repeat("a ", 21)) }), "levels"),
		not("list of 1,001 figures", list(func(q req) { q.PageSize = 1001 }), "page_size"),
		not("list of -1 figures", list(func(q req) { q.PageSize = -1 }), "page_size"),
		not("explanation in pages of 1,001", getExplain(&reportingv1.ExplainRequest{Key: figureKey(nil), PageSize: 1001}), "page_size"),
		not("history in pages of -1", getHistory(&reportingv1.ListCellHistoryRequest{Key: cellKey(nil), PageSize: -1}), "page_size"),
	}
}

// badTaskCounts are counts of tasks that do not say what they count.
func badTaskCounts() []badCall {
	type req = *reportingv1.CountTasksRequest
	kindCount := func(change func(req)) func(context.Context, *rig) error {
		q := &reportingv1.CountTasksRequest{Programme: "p", Basis: typev1.Basis_BASIS_REPORTED,
			CountingBasis: typev1.CountingBasis_COUNTING_BASIS_TASK, Form: typev1.TaskForm_TASK_FORM_TASK}
		change(q)
		return func(ctx context.Context, r *rig) error {
			_, err := r.progress.CountTasks(ctx, q)
			return err
		}
	}
	return []badCall{
		not("tasks by no counting basis", kindCount(func(q req) { q.CountingBasis = 0 }), "counting_basis"),
		not("tasks by an unknown counting basis", kindCount(func(q req) { q.CountingBasis = 9 }), "counting_basis"),
		not("tasks of no form", kindCount(func(q req) { q.Form = 0 }), "form"),
		not("tasks of an unknown form", kindCount(func(q req) { q.Form = 9 }), "form"),
		not("tasks for an unknown audience", kindCount(func(q req) { q.Audience = 9 }), "audience"),
		not("tasks of a long pillar", kindCount(func(q req) { q.Pillar = strings.Repeat("a", 61) }), "pillar"),
		not("tasks of a long group", kindCount(func(q req) { q.Group = strings.Repeat("a", 61) }), "group"),
		not("tasks of a pillar that is none", kindCount(func(q req) { q.Pillar = "nowhere" }), "pillar"),
		not("tasks of a group that is none", kindCount(func(q req) { q.Group = "nowhere" }), "group"),
		not("tasks of a programme that is none", kindCount(func(q req) { q.Programme = "" }), "programme"),
		refuse("tasks of no programme", kindCount(func(q req) { q.Programme = "q" }), absent, noProg, "programme"),
		not("tasks by no basis", kindCount(func(q req) { q.Basis = 0 }), "basis"),
		refuse("tasks approved", kindCount(func(q req) { q.Basis = typev1.Basis_BASIS_APPROVED }), failed, errorv1.Reason_REASON_BASIS_NOT_SERVED, "basis"),
		refuse("tasks at an event to come", soon(kindCount(func(q req) { q.MinSequence = math.MaxUint64 })), codes.DeadlineExceeded, 0, ""),
	}
}

// badCellReads are reads of cells that are none or hold nothing of the kind.
func badCellReads() (all []badCall) {
	type key = *reportingv1.CellKey
	reads := map[string]func(key) func(context.Context, *rig) error{
		"history": func(k key) func(context.Context, *rig) error {
			return getHistory(&reportingv1.ListCellHistoryRequest{Key: k})
		},
		"items": func(k key) func(context.Context, *rig) error { return getItems(&reportingv1.ListItemsRequest{Key: k}) },
		"receipt": func(k key) func(context.Context, *rig) error {
			return getReceipt(&reportingv1.GetReceiptRequest{Key: k, RequestId: "cards-1"})
		},
	}
	for what, read := range reads {
		at := func(change func(key)) func(context.Context, *rig) error { return read(cellKey(change)) }
		all = append(all,
			refuse(what+" of no programme", at(func(k key) { k.Programme = "q" }), absent, noProg, "key.programme"),
			refuse(what+" of no target", at(func(k key) { k.Target = "pies" }), absent, noTarget, "key.target"),
			refuse(what+" of no unit", at(func(k key) { k.Unit = "99999" }), absent, noUnit, "key.unit"),
			not(what+" of no month", at(func(k key) { k.Period = "" }), "key.period"),
			not(what+" of a day", at(func(k key) { k.Period = "2022-05-10" }), "key.period"),
			not(what+" of a derived count", at(func(k key) { k.Target = "tasks-task-local-by-task" }), "key.period"),
		)
	}
	byUnit := func(seq uint64, id string, k key) func(context.Context, *rig) error {
		return getReceipt(&reportingv1.GetReceiptRequest{Sequence: seq, RequestId: id, Key: k})
	}
	at := func(target, unit, period string) *reportingv1.ListItemsRequest {
		return &reportingv1.ListItemsRequest{Key: &reportingv1.CellKey{Programme: "p", Target: target, Unit: unit, Period: period}}
	}
	return append(all,
		not("history without a key", getHistory(&reportingv1.ListCellHistoryRequest{}), "key"),
		not("items without a key", getItems(&reportingv1.ListItemsRequest{}), "key"),
		refuse("history at an event to come", soon(getHistory(&reportingv1.ListCellHistoryRequest{Key: cellKey(nil), MinSequence: 1 << 40})), codes.DeadlineExceeded, 0, ""),
		refuse("items at an event to come", soon(getItems(&reportingv1.ListItemsRequest{Key: cellKey(nil), MinSequence: 1 << 40})), codes.DeadlineExceeded, 0, ""),
		refuse("items of a cell without a report", getItems(at("share", "c1", "2022-M06")), absent, noReport, "key"),
		refuse("items of a ratio", getItems(at("share", "26734", "2022-M05")), absent, noReport, "key"),
		refuse("items of what was withdrawn", getItems(at("cards", "26737", "2022-M05")), absent, noReport, "key"),
		not("receipt of nothing", byUnit(0, "", nil), "sequence"),
		not("receipt by both", byUnit(1, "cards-1", cellKey(nil)), "sequence"),
		not("receipt of a cell without a request id", byUnit(0, "", cellKey(nil)), "request_id"),
		not("receipt of a number with a request id", byUnit(1, "cards-1", nil), "request_id"),
		not("receipt of a long request id", byUnit(0, strings.Repeat("x", 65), cellKey(nil)), "request_id"),
		refuse("receipt of a request never sent", byUnit(0, "never", cellKey(nil)), absent, noReport, "request_id"),
		refuse("receipt of another cell's request", byUnit(0, "share-1", cellKey(nil)), absent, noReport, "request_id"),
		refuse("receipt of an event that is no submission", byUnit(1, "", nil), absent, noReport, "sequence"),
		refuse("receipt of an event to come", byUnit(1<<40, "", nil), absent, noReport, "sequence"),
		refuse("receipt beyond measure", byUnit(math.MaxUint64, "", nil), absent, noReport, "sequence"),
	)
}

// badPages are tokens that were made for no page or for that of another request.
func badPages() (all []badCall) {
	figures := func(token string) func(context.Context, *rig) error {
		return listFigures(&reportingv1.ListFiguresRequest{Key: figureKey(nil), PageToken: token})
	}
	for what, token := range map[string]string{"made up": "trang-2", "of blanks": "   ", "of zeros": strings.Repeat("A", 24),
		"of base 64": "bm8gdG9rZW4gYXQgYWxs", "of signs": "!!!"} {
		all = append(all,
			refuse("figures by a token "+what, figures(token), invalid, badToken, "page_token"),
			refuse("explanation by a token "+what, getExplain(&reportingv1.ExplainRequest{Key: figureKey(nil), PageToken: token}), invalid, badToken, "page_token"),
			refuse("history by a token "+what, getHistory(&reportingv1.ListCellHistoryRequest{Key: cellKey(nil), PageToken: token}), invalid, badToken, "page_token"),
		)
	}
	next := func(use func(token string) func(context.Context, *rig) error) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			page, err := r.progress.ListFigures(ctx, &reportingv1.ListFiguresRequest{Key: figureKey(nil), PageSize: 1})
			if err != nil || page.GetNextPageToken() == "" {
				return fmt.Errorf("first page: %v, %w", page, err)
			}
			return use(page.GetNextPageToken())(ctx, r)
		}
	}
	other := func(name string, use func(token string) func(context.Context, *rig) error) badCall {
		return refuse(name, next(use), invalid, badToken, "page_token")
	}
	return append(all,
		not("figures by a token too long", figures(strings.Repeat("a", 1001)), "page_token"),
		not("figures by a token with a line break", figures("AAAA\nAAAA"), "page_token"),
		other("half a token", func(token string) func(context.Context, *rig) error { return figures(token[:len(token)/2]) }),
		other("token with one letter more", func(token string) func(context.Context, *rig) error { return figures(token + "A") }),
		other("token of another unit", func(token string) func(context.Context, *rig) error {
			return listFigures(&reportingv1.ListFiguresRequest{Key: figureKey(func(k *reportingv1.FigureKey) { k.Unit = "79" }), PageToken: token})
		}),
		other("token of another month", func(token string) func(context.Context, *rig) error {
			return listFigures(&reportingv1.ListFiguresRequest{Key: figureKey(func(k *reportingv1.FigureKey) { k.Period = "2022-M05" }), PageToken: token})
		}),
		other("token of another selection", func(token string) func(context.Context, *rig) error {
			return listFigures(&reportingv1.ListFiguresRequest{Key: figureKey(nil), PageToken: token, Selection: reportingv1.UnitSelection_UNIT_SELECTION_DESCENDANTS})
		}),
		other("token of another call", func(token string) func(context.Context, *rig) error {
			return getExplain(&reportingv1.ExplainRequest{Key: figureKey(nil), PageToken: token})
		}),
	)
}

// badEvents are subjects and subscriptions that are none.
func badEvents() (all []badCall) {
	list := func(req *reportingv1.ListEventsRequest) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.events.ListEvents(ctx, req)
			return err
		}
	}
	ensure := func(name string, after uint64, subjects ...string) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.events.EnsureSubscription(ctx, &reportingv1.EnsureSubscriptionRequest{Subscription: name, AfterSequence: after, Subjects: subjects})
			return err
		}
	}
	for _, subject := range []string{"", " ", "cotmoc..x", ".cotmoc", "cotmoc.", "cotmoc.>.vn", ">.", "cotmoc.mile*", "cotmoc.P.>",
		"cotmoc.p.milestone reached", "cotmoc.đề-án.>", strings.Repeat("a.", 500) + "a"} {
		all = append(all,
			not(fmt.Sprintf("events of subject %.20q", subject), list(&reportingv1.ListEventsRequest{Subjects: []string{"cotmoc.>", subject}}), "subjects[1]"),
			not(fmt.Sprintf("subscription to subject %.20q", subject), ensure("s", 0, "cotmoc.>", subject), "subjects[1]"),
		)
	}
	for _, name := range []string{"", "S", "a.b", "a b", "a*", "a--b", strings.Repeat("s", 61)} {
		all = append(all, not(fmt.Sprintf("subscription %.10q", name), ensure(name, 0), "subscription"))
	}
	forgotten := func(after time.Duration) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.events.EnsureSubscription(ctx, &reportingv1.EnsureSubscriptionRequest{Subscription: "s", ForgetAfter: durationpb.New(after)})
			return err
		}
	}
	many := strings.Fields(strings.Repeat("cotmoc.> ", 51))
	return append(all,
		not("subscription that is forgotten at once", forgotten(time.Second), "forget_after"),
		not("subscription that was forgotten", forgotten(-time.Hour), "forget_after"),
		not("subscription that is never forgotten", forgotten(31*24*time.Hour), "forget_after"),
		not("events of 51 subjects", list(&reportingv1.ListEventsRequest{Subjects: many}), "subjects"),
		not("subscription to 51 subjects", ensure("s", 0, many...), "subjects"),
		not("subscription to subjects within others", ensure("s", 0, "cotmoc.*.milestone.>", "cotmoc.p.milestone.>"), "subjects"),
		not("subscription to a subject twice", ensure("s", 0, "cotmoc.*.milestone.>", "cotmoc.*.milestone.>"), "subjects"),
		not("subscription from beyond measure", ensure("s", math.MaxUint64), "after_sequence"),
		not("subscription to facts and to progress", ensure("s", 0, "cotmoc.p.milestone.>", "cotmoc.p.progress.>"), "subjects[1]"),
		not("subscription to progress and to facts", ensure("s", 0, "cotmoc.p.progress.>", "cotmoc.p.progress.changed.cards.vn", "cotmoc.>"), "subjects[2]"),
		refuse("events up to one to come", soon(list(&reportingv1.ListEventsRequest{MinSequence: 1 << 40})), codes.DeadlineExceeded, 0, ""),
		not("1,001 events", list(&reportingv1.ListEventsRequest{PageSize: 1001}), "page_size"),
		not("-1 events", list(&reportingv1.ListEventsRequest{PageSize: -1}), "page_size"),
	)
}

// badAdmin are settings of the clock that it cannot take.
func badAdmin() []badCall {
	set := func(at *timestamppb.Timestamp) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.admin.SetClock(ctx, &reportingv1.SetClockRequest{Time: at})
			return err
		}
	}
	day := func(year int) *timestamppb.Timestamp {
		return timestamppb.New(time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))
	}
	return []badCall{
		not("clock set to nothing", set(nil), "time"),
		not("clock set to no time", set(&timestamppb.Timestamp{Seconds: day(2023).GetSeconds(), Nanos: -1}), "time"),
		not("clock set before all periods", set(day(1999)), "time"),
		not("clock set behind all periods", set(day(2100)), "time"),
		not("clock set to the year 9999", set(day(9999)), "time"),
		not("clock set to no year", set(&timestamppb.Timestamp{Seconds: math.MaxInt64}), "time"),
		refuse("clock set back by a month", set(timestamppb.New(time.Date(2022, 10, 10, 9, 0, 0, 0, start.Location()))), failed, errorv1.Reason_REASON_CLOCK, "time"),
		refuse("clock set back by a millisecond", set(timestamppb.New(time.Date(2022, 11, 10, 8, 59, 59, 999_000_000, start.Location()))), failed, errorv1.Reason_REASON_CLOCK, "time"),
	}
}

// badSubscriptions are subscriptions and dead letters that are none.
func badSubscriptions() (all []badCall) {
	end := func(name string) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.events.DeleteSubscription(ctx, &reportingv1.DeleteSubscriptionRequest{Subscription: name})
			return err
		}
	}
	put := func(change func(*reportingv1.PutDeadLetterRequest)) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			req := &reportingv1.PutDeadLetterRequest{Subscription: "s", Sequence: 1, Error: "no such column", Attempts: 1}
			change(req)
			_, err := r.events.PutDeadLetter(ctx, req)
			return err
		}
	}
	list := func(req *reportingv1.ListDeadLettersRequest) func(context.Context, *rig) error {
		return func(ctx context.Context, r *rig) error {
			_, err := r.events.ListDeadLetters(ctx, req)
			return err
		}
	}
	type dead = reportingv1.PutDeadLetterRequest
	for _, name := range []string{"", "S", "a.b", "a b", "a*", ">", "a--b", "-a", strings.Repeat("s", 61)} {
		all = append(all,
			not(fmt.Sprintf("end of subscription %.10q", name), end(name), "subscription"),
			not(fmt.Sprintf("dead letter of %.10q", name), put(func(d *dead) { d.Subscription = name }), "subscription"),
			not(fmt.Sprintf("dead letters of %.10q", name), list(&reportingv1.ListDeadLettersRequest{Subscription: name}), "subscription"),
		)
	}
	for name, text := range map[string]string{"no error": "", "a long error": strings.Repeat("x", 1001), "an error of two lines": "a\nb",
		"an error with a control character": "a\x00b", "an error that turns": "a\u202eb"} {
		all = append(all, not("dead letter with "+name, put(func(d *dead) { d.Error = text }), "error"))
	}
	return append(all,
		refuse("end of a subscription that is none", end("nobody"), codes.NotFound, errorv1.Reason_REASON_SUBSCRIPTION_NOT_FOUND, "subscription"),
		not("dead letter of event 0", put(func(d *dead) { d.Sequence = 0 }), "sequence"),
		not("dead letter of an event to come", put(func(d *dead) { d.Sequence = 1 << 40 }), "sequence"),
		not("dead letter of the last number", put(func(d *dead) { d.Sequence = math.MaxUint64 }), "sequence"),
		not("dead letter never tried", put(func(d *dead) { d.Attempts = 0 }), "attempts"),
		not("dead letter tried -1 times", put(func(d *dead) { d.Attempts = -1 }), "attempts"),
		not("1,001 dead letters", list(&reportingv1.ListDeadLettersRequest{Subscription: "s", PageSize: 1001}), "page_size"),
		not("-1 dead letters", list(&reportingv1.ListDeadLettersRequest{Subscription: "s", PageSize: -1}), "page_size"),
	)
}
