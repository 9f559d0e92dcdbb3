package main

import (
	"context"
	"fmt"
	"os"
	"time"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/bulk"
)

// importCmd imports lists.
type importCmd struct {
	Units importUnitsCmd `cmd:"" help:"Import a list of units from a CSV file."`
}

// importUnitsCmd imports units.
type importUnitsCmd struct {
	target
	File   string `arg:"" help:"CSV file in UTF-8, or - for standard input."`
	Parent string `help:"Id of the unit above those without a parent_code; ${default} when not given." default:"vn" placeholder:"UNIT"`
	From   string `help:"First day of every unit; ${default} when not given." default:"2000-01-01" placeholder:"DATE"`
	DryRun bool   `help:"Check only, and change nothing."`
}

// Help shows how the command is used.
func (*importUnitsCmd) Help() string {
	return `The first line names the columns code,level,parent_code,name,kind. The id of a unit
is its code in lower case; kind is its official designation, for display. Levels are
COUNTRY, MINISTRY, AGENCY, STATE_ENTERPRISE, TELECOM, PROVINCE, DISTRICT, COMMUNE and
DEPARTMENT. Rows may come in any order. Units that are there already become as the
list says; the same list again changes nothing.

Examples:
  cotmoc import units deploy/demo/agencies.csv --from 2022-01-01 --dry-run
  cotmoc import units deploy/demo/units-2022.csv --parent vn --from 2022-01-01`
}

// Run imports.
func (i *importUnitsCmd) Run(ctx context.Context, c *console) error {
	rows, err := i.read()
	if err != nil {
		return fmt.Errorf("%s: %w", i.File, err)
	}
	s, err := i.dial(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	began := time.Now()
	done, err := importUnits(ctx, c, s.writes(), rows, i.DryRun)
	if err != nil {
		return fmt.Errorf("%s: %w", i.File, err)
	}
	took := time.Since(began).Round(time.Millisecond)
	if i.DryRun {
		c.printf("%d units would be: %s (dry run, %s)\n", done.Total(), done.Counts, took)
		return nil
	}
	c.printf("%d units: %s; revision %d, %s\n", done.Total(), done.Counts, done.Revision, took)
	return nil
}

func (i *importUnitsCmd) read() ([]bulk.UnitRow, error) {
	o := bulk.UnitOptions{Parent: i.Parent, From: i.From}
	if _, err := time.Parse(time.DateOnly, i.From); err != nil {
		return nil, fmt.Errorf("--from %q is not a day of the form 2022-01-01", i.From)
	}
	if i.File == "-" {
		return bulk.ReadUnits(os.Stdin, o)
	}
	f, err := os.Open(i.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bulk.ReadUnits(f, o)
}

// importUnits writes units and shows how far it is.
func importUnits(ctx context.Context, c *console, registry registryv1.RegistryAdminServiceClient, rows []bulk.UnitRow, checkOnly bool) (bulk.Outcome, error) {
	moved, end := c.bar(len(rows), "units")
	defer end()
	return bulk.Write(ctx, registry, bulk.UnitBatches(rows, checkOnly), bulk.Options{CheckOnly: checkOnly, Moved: moved})
}
