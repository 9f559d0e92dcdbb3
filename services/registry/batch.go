package registry

import (
	"context"
	"fmt"

	"github.com/cotmoc/cotmoc/pkg/name"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// BatchWrite writes many resources: all of them or none.
func (s *Service) BatchWrite(ctx context.Context, req *registryv1.BatchWriteRequest) (*registryv1.BatchWriteResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	writes := make([]func(*book.Book) (*registryv1.WriteResult, error), len(req.GetWrites()))
	for i, w := range req.GetWrites() {
		var err error
		if writes[i], err = parseWrite(fmt.Sprintf("writes[%d].", i), w); err != nil {
			return nil, err
		}
	}
	resp := &registryv1.BatchWriteResponse{Results: make([]*registryv1.WriteResult, len(writes))}
	err := s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) error {
		for i, write := range writes {
			var err error
			if resp.Results[i], err = write(b); err != nil {
				return failAt(fmt.Sprintf("writes[%d].", i), err)
			}
		}
		resp.Revision = b.Head()
		return nil
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// parseWrite makes of a write what is to be done to the book.
func parseWrite(at string, w *registryv1.Write) (func(*book.Book) (*registryv1.WriteResult, error), error) {
	how := book.How{Mode: book.Put}
	switch r := w.GetResource().(type) {
	case *registryv1.Write_Programme:
		id, err := name.ParseProgramme(r.Programme.GetName())
		return writeOf(at+"programme", err, func(b *book.Book) (*registryv1.Programme, book.Outcome, error) {
			return b.PutProgramme(id, r.Programme, how)
		})
	case *registryv1.Write_Unit:
		id, err := name.ParseUnit(r.Unit.GetName())
		return writeOf(at+"unit", err, func(b *book.Book) (*registryv1.Unit, book.Outcome, error) {
			return b.PutUnit(id, r.Unit, how)
		})
	case *registryv1.Write_Task:
		id, err := name.ParseTask(r.Task.GetName())
		return writeOf(at+"task", err, func(b *book.Book) (*registryv1.Task, book.Outcome, error) {
			return b.PutTask(id, r.Task, how)
		})
	case *registryv1.Write_Target:
		id, err := name.ParseTarget(r.Target.GetName())
		return writeOf(at+"target", err, func(b *book.Book) (*registryv1.Target, book.Outcome, error) {
			return b.PutTarget(id, r.Target, how)
		})
	case *registryv1.Write_Allocation:
		id, err := name.ParseAllocation(r.Allocation.GetName())
		return writeOf(at+"allocation", err, func(b *book.Book) (*registryv1.Allocation, book.Outcome, error) {
			return b.PutAllocation(id, r.Allocation, how)
		})
	case *registryv1.Write_Calendar:
		id, err := name.ParseCalendar(r.Calendar.GetName())
		return writeOf(at+"calendar", err, func(b *book.Book) (*registryv1.Calendar, book.Outcome, error) {
			return b.PutCalendar(id, r.Calendar, how)
		})
	case *registryv1.Write_Regime:
		id, err := name.ParseRegime(r.Regime.GetName())
		return writeOf(at+"regime", err, func(b *book.Book) (*registryv1.Regime, book.Outcome, error) {
			return b.PutRegime(id, r.Regime, how)
		})
	}
	return nil, fmt.Errorf("a write holds a %T", w.GetResource())
}

// writeOf wraps the write of one kind of resource, whose name was read with nameErr.
func writeOf[M interface {
	GetName() string
	GetRevision() int64
}](field string, nameErr error, put func(*book.Book) (M, book.Outcome, error)) (func(*book.Book) (*registryv1.WriteResult, error), error) {
	if nameErr != nil {
		return nil, badName(field+".name", nameErr)
	}
	return func(b *book.Book) (*registryv1.WriteResult, error) {
		m, outcome, err := put(b)
		if err != nil {
			return nil, err
		}
		return &registryv1.WriteResult{Name: m.GetName(), Outcome: outcomeOf(outcome), Revision: m.GetRevision()}, nil
	}, nil
}

// outcomeOf is the contract's word for an outcome.
func outcomeOf(o book.Outcome) registryv1.WriteOutcome {
	switch o {
	case book.Created:
		return registryv1.WriteOutcome_WRITE_OUTCOME_CREATED
	case book.Updated:
		return registryv1.WriteOutcome_WRITE_OUTCOME_UPDATED
	}
	return registryv1.WriteOutcome_WRITE_OUTCOME_UNCHANGED
}
