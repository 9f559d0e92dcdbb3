package main

import (
	"context"
	"encoding/hex"
	"fmt"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// closeCmd is about closings: everything as it stood at a day, frozen and hashed.
type closeCmd struct {
	Publish closePublishCmd `cmd:"" default:"withargs" help:"Freeze everything at a day and print its hash (what cotmoc close alone does)."`
	List    closeListCmd    `cmd:"" help:"List the closings of a programme, newest first."`
	Export  closeExportCmd  `cmd:"" help:"Write a closing's document and check its hash."`
}

// closePublishCmd publishes a closing.
type closePublishCmd struct {
	target
	Programme string `arg:"" help:"Id of the programme."`
	ID        string `arg:"" help:"Id of the closing."`
	AsOf      day    `required:"" help:"The day that its figures shall stand for, not after today." placeholder:"DATE"`
	Name      string `required:"" help:"What people call it." placeholder:"TEXT"`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*closePublishCmd) Help() string {
	return `What is published is never changed: the same id, name and day again give the same
closing, and others are refused.

Examples:
  cotmoc close de-an-06 so-ket-2022 --as-of 2022-12-25 --name "Sơ kết năm 2022"
  cotmoc close publish de-an-06 so-ket-2022 --as-of 2022-12-25 --name "Sơ kết năm 2022"
  cotmoc close export de-an-06 so-ket-2022 --out so-ket-2022.json`
}

// Run publishes and prints the hash.
func (p *closePublishCmd) Run(ctx context.Context, c *console) error {
	s, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	resp, err := s.review().PublishClosing(ctx, &reportingv1.PublishClosingRequest{Programme: p.Programme, Closing: p.ID,
		DisplayName: p.Name, AsOfDate: string(p.AsOf)})
	if err != nil {
		return show.Refusal(err)
	}
	if p.JSON {
		return c.json(resp)
	}
	closing := resp.GetClosing()
	c.printf("%s: %s, as of %s\n", closing.GetId(), closing.GetDisplayName(), closing.GetAsOfDate())
	c.printf("published  %s, event %d, of what was known at event %d\n", show.Time(closing.GetPublishTime().AsTime()),
		closing.GetSequence(), closing.GetKnownSequence())
	c.printf("document   %s bytes\n", show.Amount(closing.GetSizeBytes(), 0))
	c.printf("SHA-256    %s\n", hex.EncodeToString(closing.GetSha256()))
	return nil
}

// closeListCmd lists closings.
type closeListCmd struct {
	target
	Programme string `arg:"" help:"Id of the programme."`
	JSON      bool   `name:"json" help:"Print the answer as JSON."`
}

// Help shows how the command is used.
func (*closeListCmd) Help() string {
	return `Example:
  cotmoc close list de-an-06`
}

// Run lists.
func (l *closeListCmd) Run(ctx context.Context, c *console) error {
	s, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	resp := &reportingv1.ListClosingsResponse{}
	err = pages(func(token string) (string, bool, error) {
		page, err := s.monitoring().ListClosings(ctx, &reportingv1.ListClosingsRequest{Programme: l.Programme, PageSize: pageSize, PageToken: token})
		resp.Closings = append(resp.Closings, page.GetClosings()...)
		return page.GetNextPageToken(), true, err
	})
	if err != nil {
		return err
	}
	if l.JSON {
		return c.json(resp)
	}
	if len(resp.GetClosings()) == 0 {
		c.printf("%s has no closings\n", l.Programme)
		return nil
	}
	t := show.NewTable(show.Left("closing"), show.Left("as of"), show.Left("published"), show.Right("event"), show.Right("bytes"),
		show.Left("name"), show.Left("SHA-256"))
	for _, one := range resp.GetClosings() {
		t.Add(one.GetId(), one.GetAsOfDate(), show.Time(one.GetPublishTime().AsTime()), fmt.Sprint(one.GetSequence()),
			show.Amount(one.GetSizeBytes(), 0), one.GetDisplayName(), hex.EncodeToString(one.GetSha256()))
	}
	return c.table(t)
}
