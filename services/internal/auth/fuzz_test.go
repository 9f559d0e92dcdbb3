package auth

import (
	"slices"
	"strings"
	"testing"

	"github.com/cotmoc/cotmoc/pkg/event"
	"github.com/cotmoc/cotmoc/pkg/name"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// FuzzParseURI: what is read is written the same way again, and reaches what its role
// reaches.
func FuzzParseURI(f *testing.F) {
	const domain = "cotmoc.test"
	for _, path := range []string{"admin/alice", "unit/79", "unit/79/desk-1", "monitor/vn", "reader/79", "subscriber/79/board",
		"service/reporting", "admin/a/b", "unit/", "unit//x", "unit/79/", "unit/79?x", "unit/%37%39", "UNIT/79", "unit/79#"} {
		f.Add("spiffe://" + domain + "/" + path)
	}
	f.Add("spiffe://COTMOC.test/admin/alice")
	f.Add("spiffe://cotmoc.test.evil/admin/alice")
	f.Fuzz(func(t *testing.T, uri string) {
		who, err := ParseURI(uri, domain)
		if err != nil {
			if who != (Identity{}) {
				t.Fatalf("%q is refused, and is %+v: %v", uri, who, err)
			}
			return
		}
		ids := slices.DeleteFunc([]string{string(who.Role), who.Unit, who.Name}, func(id string) bool { return id == "" })
		if again := "spiffe://" + domain + "/" + strings.Join(ids, "/"); again != uri || who.URI != uri {
			t.Errorf("%q is read as %+v, which is %q", uri, who, again)
		}
		if who.Role.Everything() != (who.Unit == "") || who.Role.Everything() && who.Name == "" {
			t.Errorf("%q is read as %+v", uri, who)
		}
		for _, id := range ids {
			if err := name.CheckID(id, maxName); err != nil {
				t.Errorf("%q: %v", uri, err)
			}
		}
	})
}

// FuzzSubjects: by a filter that a caller of a unit may have, no event comes that it may
// not see. Subjects are made of few words, and filters of subjects, so that they meet.
func FuzzSubjects(f *testing.F) {
	words := []string{"79", "vn", "760", "cards", "p", "all", "01", "unit", "submission"}
	f.Add(byte(0), []byte{4, 8, 8, 3, 1, 0, 2}, []byte{1, 1, 1, 1, 1, 0, 2}, []byte{4, 8, 8, 3, 1, 6, 2})
	f.Add(byte(0), []byte{0, 0, 0, 0, 1, 6}, []byte{0, 0, 0, 0, 0, 2}, []byte{0, 0, 0, 0, 1, 6})
	f.Add(byte(1), []byte{4, 4, 4, 4}, []byte{1, 1, 1, 2}, []byte{1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, unitAt byte, of, mask, other []byte) {
		unit := words[int(unitAt)%len(words)]
		subject := func(from []byte) []string {
			tokens := []string{"cotmoc"}
			for _, b := range from {
				tokens = append(tokens, words[int(b)%len(words)])
			}
			return tokens
		}
		tokens := subject(of)
		for i, m := range mask[:min(len(mask), len(tokens))] {
			if m%4 == 1 {
				tokens[i] = "*"
			} else if m%4 == 2 {
				tokens = append(tokens[:i], ">")
				break
			}
		}
		filter := strings.Join(tokens, ".")
		c := &caller{Identity: Identity{Role: Subscriber, Unit: unit}} // which no tree helps
		err := c.subjects(t.Context(), "subjects", &reportingv1.EnsureSubscriptionRequest{Subjects: []string{filter}})
		if err != nil {
			return
		}
		for _, about := range [][]string{subject(of), subject(other)} {
			if !event.Match(filter, strings.Join(about, ".")) {
				continue
			}
			path := strings.Join(about[min(pathAt, len(about)):], ".")
			if !(Sight{unit: unit}).Sees(path) {
				t.Errorf("%s may follow %s, by which comes %s", unit, filter, strings.Join(about, "."))
			}
		}
	})
}
