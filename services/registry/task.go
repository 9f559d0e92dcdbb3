package registry

import (
	"context"
	"slices"

	"github.com/cotmoc/cotmoc/pkg/name"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/registry/book"
)

// GetTask returns one task.
func (s *Service) GetTask(ctx context.Context, req *registryv1.GetTaskRequest) (*registryv1.GetTaskResponse, error) {
	id, err := name.ParseTask(req.GetName())
	if err != nil {
		return nil, badName("name", err)
	}
	resp := &registryv1.GetTaskResponse{}
	err = s.view(ctx, func(b *book.Book) error {
		resp.Task = b.Task(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if resp.Task == nil {
		return nil, missing(errorv1.Reason_REASON_TASK_NOT_FOUND, "name", req.GetName())
	}
	return resp, nil
}

// ListTasks lists the tasks of a programme by id.
func (s *Service) ListTasks(ctx context.Context, req *registryv1.ListTasksRequest) (*registryv1.ListTasksResponse, error) {
	parent, err := name.ParseProgramme(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	at, err := pageOf(ctx, req)
	if err != nil {
		return nil, err
	}
	resp, next := &registryv1.ListTasksResponse{}, ""
	err = s.view(ctx, func(b *book.Book) error {
		if b.Programme(parent) == nil {
			return missing(errorv1.Reason_REASON_PROGRAMME_NOT_FOUND, "parent", req.GetParent())
		}
		resp.Tasks, next = b.Tasks(parent, at.Page, func(t *registryv1.Task) bool {
			return (req.GetPillar() == "" || t.GetPillar() == req.GetPillar()) &&
				(req.GetGroup() == "" || t.GetGroup() == req.GetGroup()) &&
				(req.GetUnit() == "" || hasPart(t, req.GetUnit()))
		})
		return nil
	})
	if err := at.done(err); err != nil {
		return nil, err
	}
	resp.Tasks, next = fit(resp.Tasks, next)
	resp.NextPageToken = tokenOf(req, next)
	return resp, nil
}

// CreateTask makes a new task.
func (s *Service) CreateTask(ctx context.Context, req *registryv1.CreateTaskRequest) (*registryv1.CreateTaskResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	parent, err := name.ParseProgramme(req.GetParent())
	if err != nil {
		return nil, badName("parent", err)
	}
	id := name.Task{Programme: parent, ID: req.GetTaskId()}
	resp := &registryv1.CreateTaskResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Task, _, err = b.PutTask(id, req.GetTask(), create())
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// UpdateTask replaces a task by a new version.
func (s *Service) UpdateTask(ctx context.Context, req *registryv1.UpdateTaskRequest) (*registryv1.UpdateTaskResponse, error) {
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	id, err := name.ParseTask(req.GetTask().GetName())
	if err != nil {
		return nil, badName("task.name", err)
	}
	how := s.update("task", req.GetUpdateMask())
	resp := &registryv1.UpdateTaskResponse{}
	err = s.decide(ctx, req.GetValidateOnly(), func(b *book.Book) (err error) {
		resp.Task, _, err = b.PutTask(id, req.GetTask(), how)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// hasPart reports whether a unit has a part in a task.
func hasPart(t *registryv1.Task, unit string) bool {
	return slices.ContainsFunc(t.GetAssignments(), func(a *registryv1.Assignment) bool { return a.GetUnit() == unit })
}
