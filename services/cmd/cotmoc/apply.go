package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cotmoc/cotmoc/deploy/demo"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/bulk"
)

// applyCmd makes the registry be as files say.
type applyCmd struct {
	target
	File   []string `short:"f" required:"" help:"File of resources in YAML or JSON, or - for standard input; several are taken in order." placeholder:"FILE"`
	DryRun bool     `help:"Print what would change, and change nothing."`
}

// Help shows how the command is used.
func (*applyCmd) Help() string {
	return `A file holds a list of resources by the names of the contract's fields, written in
this order:

  resources:
  - programme: {name: programmes/de-an-06, display_name: "Đề án 06", root_unit: vn,
                start_date: "2022-01-01", end_date: "2025-12-31"}
  - regime: {name: programmes/de-an-06/regimes/monthly, due_working_days: 5, ...}
  - target: {name: programmes/de-an-06/targets/chip-cards, regime: monthly, ...}
  - calendar: {name: calendars/statistical, holidays: [{date: "2025-09-02"}], ...}

A target comes after its regime, a programme with scorecards once more after all
that they are about. Of a resource that stands several times only the last is taken
when the registry holds just that.

What is missing is created, what differs is replaced, what is equal stays: applying
the same again changes nothing. Nothing is ever deleted. Files of up to 1,000
resources are written whole or not at all.

Examples:
  cotmoc apply -f deploy/demo/programme.yaml --dry-run
  cotmoc apply -f deploy/demo/programme.yaml -f deploy/demo/assignments-2023.yaml
  cotmoc apply -f deploy/calendars/viet-nam.yaml`
}

// Run applies.
func (a *applyCmd) Run(ctx context.Context, c *console) error {
	var writes []*registryv1.Write
	for _, f := range a.File {
		more, err := readResources(f)
		if err != nil {
			return fmt.Errorf("%s: %w", f, err)
		}
		writes = append(writes, more...)
	}
	s, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	if writes, err = bulk.WithoutDetours(ctx, s.registry(), writes); err != nil {
		return err
	}
	if a.DryRun {
		return a.compare(ctx, c, s, writes)
	}
	began := time.Now()
	done, err := applyResources(ctx, c, s.writes(), writes, false)
	for _, kind := range bulk.KindsOf(done) {
		c.printf("%-11s %s\n", kind, done.Kinds[kind])
	}
	if err != nil {
		return err
	}
	c.printf("%d resources: %s; revision %d, %s\n", done.Total(), done.Counts, done.Revision, time.Since(began).Round(time.Millisecond))
	return nil
}

func readResources(file string) ([]*registryv1.Write, error) {
	text, err := readFile(file)
	if err != nil {
		return nil, err
	}
	return demo.Resources(text)
}

func readFile(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(file)
}

// applyResources writes resources and shows how far it is.
func applyResources(ctx context.Context, c *console, registry registryv1.RegistryAdminServiceClient, writes []*registryv1.Write, checkOnly bool) (bulk.Outcome, error) {
	moved, end := c.bar(len(writes), "resources")
	defer end()
	return bulk.Write(ctx, registry, bulk.Batches(writes), bulk.Options{CheckOnly: checkOnly, Moved: moved})
}

// compare prints what would change, and asks the registry whether it would take it.
func (a *applyCmd) compare(ctx context.Context, c *console, s *services, writes []*registryv1.Write) error {
	changes := make([]bulk.Change, len(writes))
	moved, end := c.bar(len(writes), "compare")
	defer end()
	before := make(map[string]*registryv1.Write)
	for i, w := range writes {
		var err error
		if earlier := before[bulk.Name(w)]; earlier != nil {
			changes[i] = bulk.Between(earlier, w)
		} else if changes[i], err = bulk.Compare(ctx, s.registry(), w); err != nil {
			return err
		}
		before[bulk.Name(w)] = w
		moved(1)
	}
	end()
	for _, change := range changes {
		switch {
		case change.New:
			c.printf("create %s\n", change.Name)
		case len(change.Differences) > 0:
			c.printf("update %s\n", change.Name)
		}
		for _, d := range change.Differences {
			c.printf("    %s\n", d)
		}
	}
	c.printf("%d resources would be: %s (dry run)\n", len(writes), bulk.Summary(changes))
	if len(writes) > bulk.BatchSize {
		c.printf("not checked by the registry: more than %d resources are written in several steps\n", bulk.BatchSize)
		return nil
	}
	_, err := applyResources(ctx, &console{Out: c.Out, Err: c.Err}, s.writes(), writes, true)
	return err
}
