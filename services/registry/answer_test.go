package registry_test

import (
	"fmt"
	"strings"
	"testing"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"google.golang.org/protobuf/proto"
)

// mostBytes is how large an answer may be: half a MiB below what a client takes that was
// told nothing else.
const mostBytes = 7 << 19

// heavyCalendar is nearly as large as a resource may be.
func heavyCalendar(id, name string) *registryv1.Calendar {
	c := &registryv1.Calendar{Name: "calendars/" + id, DisplayName: name, CutOffDay: 14}
	for i := range 600 {
		c.Holidays = append(c.Holidays, &registryv1.Holiday{Date: fmt.Sprintf("20%02d-%02d-%02d", 10+i/240, 1+i/20%12, 1+i%20),
			DisplayName: strings.Repeat("𠀋", 200)})
	}
	return c
}

// heavyUnit has stood in as many places as it may, with the longest words.
func heavyUnit(i int) *registryv1.Unit {
	u := &registryv1.Unit{Name: fmt.Sprintf("units/u%03d", i) + strings.Repeat("x", 36), DisplayName: strings.Repeat("𠀋", 200)}
	for k := range 50 {
		u.Placements = append(u.Placements, &registryv1.Placement{FromDate: fmt.Sprint(2010+k, "-01-01"), Parent: "vn", Kind: province,
			Level: strings.Repeat("l", 38) + fmt.Sprintf("%02d", k)})
	}
	return u
}

// TestNoAnswerIsLargerThanADefaultClientTakes asks for the largest answers there can be,
// with a client that was told nothing.
func TestNoAnswerIsLargerThanADefaultClientTakes(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.seed()
	const calendars, revisions, units = 12, 10, 1_000
	for i := range calendars {
		r.write(heavyCalendar(fmt.Sprint("heavy-", i), "heavy"))
	}
	for i := range revisions {
		r.write(heavyCalendar("heavy-0", fmt.Sprint("revision ", i)))
	}
	for from := 0; from < units; from += 500 {
		var all []proto.Message
		for i := range 500 {
			all = append(all, heavyUnit(from+i))
		}
		r.write(all...)
	}
	walk(t, "ListCalendars", calendars+2, func(token string) (proto.Message, int, string, error) {
		p, err := r.read.ListCalendars(ctx, &registryv1.ListCalendarsRequest{PageSize: 1000, PageToken: token})
		return p, len(p.GetCalendars()), p.GetNextPageToken(), err
	})
	walk(t, "ListRevisions", revisions+1, func(token string) (proto.Message, int, string, error) {
		p, err := r.read.ListRevisions(ctx, &registryv1.ListRevisionsRequest{Name: "calendars/heavy-0", PageSize: 1000, PageToken: token})
		return p, len(p.GetChanges()), p.GetNextPageToken(), err
	})
	walk(t, "ListUnits", units+7, func(token string) (proto.Message, int, string, error) {
		p, err := r.read.ListUnits(ctx, &registryv1.ListUnitsRequest{PageSize: 1000, PageToken: token})
		return p, len(p.GetUnits()), p.GetNextPageToken(), err
	})
	again, err := r.admin.BatchWrite(ctx, batch(func() (all []proto.Message) {
		for i := range 500 {
			all = append(all, heavyUnit(i))
		}
		return all
	}()...))
	if err != nil || len(again.GetResults()) != 500 || proto.Size(again) > mostBytes/2 {
		t.Errorf("BatchWrite: %d results of %d bytes, %v", len(again.GetResults()), proto.Size(again), err)
	}
	watch, err := r.read.WatchRegistry(ctx, &registryv1.WatchRegistryRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for seen, largest := int64(0), 0; seen < int64(r.head()); {
		m, err := watch.Recv()
		if err != nil {
			t.Fatalf("WatchRegistry after %d: %v", seen, err)
		}
		if largest = max(largest, proto.Size(m)); largest > mostBytes {
			t.Fatalf("WatchRegistry: a message of %d bytes", largest)
		}
		if n := len(m.GetChanges()); n > 0 {
			seen = m.GetChanges()[n-1].GetRevision()
		}
	}
}

// walk asks for all pages, and counts what they hold and how large the largest is.
func walk(t *testing.T, what string, want int, ask func(token string) (page proto.Message, elements int, next string, err error)) {
	t.Helper()
	found, pages, largest := 0, 0, 0
	for token, more := "", true; more; more = token != "" {
		page, n, next, err := ask(token)
		if pages++; err != nil || pages > want {
			t.Errorf("%s: page %d: %v", what, pages, err)
			return
		}
		found, largest, token = found+n, max(largest, proto.Size(page)), next
	}
	t.Logf("%-15s %5d elements on %2d pages, the largest of %7d bytes", what, found, pages, largest)
	if found != want || largest > mostBytes {
		t.Errorf("%s: %d elements, want %d; the largest page has %d bytes", what, found, want, largest)
	}
}
