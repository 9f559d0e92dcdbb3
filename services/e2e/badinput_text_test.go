package e2e_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// badItems are lists of items that are none.
func badItems() []badSubmission {
	c1 := byUnit("c1")
	asItem := func(name string) badSubmission {
		return bad(fmt.Sprintf("item %.20q", name), sentFor("share", itemsOf("a", name), c1), invalid, badField, "submission.items.items[1].name")
	}
	many := make([]string, 1001)
	for i := range many {
		many[i] = strconv.Itoa(i)
	}
	return []badSubmission{
		bad("no items", sentFor("share", itemsOf(), c1), invalid, badField, "submission.items.items"),
		bad("1,001 items", sentFor("share", itemsOf(many...), c1), invalid, badField, "submission.items.items"),
		asItem(""), asItem("   "), asItem(strings.Repeat("đ", 201)), asItem("a\nb"), asItem("a\x00b"), asItem("a\u202Eb"), asItem("\u2067a"), asItem("e\u0301"), asItem("a\uFEFF"),
		bad("item twice", sentFor("share", itemsOf("a", "b", "a"), c1), invalid, errorv1.Reason_REASON_DUPLICATE_ITEM, "submission.items.items[2].name"),
		bad("two items twice", sentFor("share", itemsOf("a", "b", "b", "a"), c1), invalid, errorv1.Reason_REASON_DUPLICATE_ITEM, "submission.items.items[2].name"),
		bad("two bad items", sentFor("share", itemsOf("", "b", ""), c1), invalid, badField,
			"submission.items.items[0].name submission.items.items[2].name"),
	}
}

// badTexts are numbers in text that cannot be read, or not in one way only.
func badTexts() (all []badSubmission) {
	add := func(target, text, locale string, reason errorv1.Reason, field string) {
		all = append(all, bad(fmt.Sprintf("%.24q in %q for %s", text, locale, target), sentFor(target, textOf(text, locale), byUnit("c1")),
			invalid, reason, "submission.text."+field))
	}
	for _, text := range []string{"1.146", "1,146", "92,77", "93.1", "93,1 %", "1 146", "12a", "-5", "+5", "1e5", "0x10", "%", "٥", "五", "1.146.", "1.5.000"} {
		add("cards", text, "", ambiguous, "locale")
	}
	for _, text := range []string{"1.14", "1.1460", "11.46.000", "1,146.5", "1.146,", ",5", "1,2,3", "1.146,1234567", "0.146", "00.146", "-1.146", "1146 thẻ", "1 146", "1..146", "% 5"} {
		add("cards", text, "vi-VN", ambiguous, "text")
	}
	for _, text := range []string{"1,14", "1.146,5", "1,146.", ".5", "1.2.3", "(5)", "0,146", "5 %%"} {
		add("share", text, "en-US", ambiguous, "text")
	}
	for _, text := range []string{"50 %", "93,1%", "1.146%"} { // a percentage is no count
		for _, target := range []string{"cards", "fees", "joined"} {
			want := "COUNT"
			if target == "joined" {
				want = "YES_NO"
			}
			all = append(all, bad(fmt.Sprintf("%q for %s", text, target), sentFor(target, textOf(text, "vi-VN"), byUnit("c1")),
				invalid, wrongKind, "submission.text", "want="+want))
		}
	}
	add("share", "1.000.000.000.001 %", "vi-VN", badField, "text")
	add("cards", "1,5", "vi-VN", badField, "text")
	add("cards", "1.5", "en-US", badField, "text")
	add("fees", "1,234", "vi-VN", badField, "text") // three decimals where two are kept
	add("cards", "1000000000000000001", "", badField, "text")
	add("cards", "9223372036854775808", "", badField, "text")
	add("cards", "99999999999999999999999999", "vi-VN", badField, "text")
	add("cards", "1.000.000.000.000.000.001", "vi-VN", badField, "text")
	add("fees", "10.000.000.000.000.000,01", "vi-VN", badField, "text")
	add("yearly", "1000000000001", "en-US", badField, "text")
	add("cards", "", "vi-VN", badField, "text")
	add("cards", strings.Repeat("1", 41), "vi-VN", badField, "text")
	add("cards", "1\n", "vi-VN", badField, "text")
	add("cards", "1.146", "fr-FR", badField, "locale")
	add("cards", "1.146", "vi", badField, "locale")
	add("cards", "1146", "vi_VN", badField, "locale")
	return all
}

// prose puts a text where people write freely.
func prose(field, text string) edit {
	return func(s *reportingv1.Submission) {
		countOf(1)(s)
		switch field {
		case "note":
			s.Note = text
		case "reason":
			s.Reason, s.ExpectedRevision = text, 2
		case "not_applicable.reason":
			notApplicableFor(text)(s)
		}
	}
}

// badProse are free texts that are too long or hold what no text may.
func badProse() (all []badSubmission) {
	for field, length := range map[string]int{"note": 2000, "reason": 500, "not_applicable.reason": 500} {
		for what, text := range map[string]string{
			"too long": strings.Repeat("ữ", length+1), "with NUL": "a\x00b", "with a carriage return": "a\r\nb", "with a tab": "a\tb",
			"with DEL": "a\x7f", "with a C1 control": "a\u0085b", "with a line separator": "a\u2028b",
			"turned to the left": "a\u202Eb", "with an isolate": "a\u2066b\u2069", "with a mark": "\u200Fa",
			"with a byte order mark": "\uFEFFa", "not composed": "Ha\u0300 No\u0323\u0302i",
		} {
			all = append(all, bad(field+" "+what, sentFor("cards", prose(field, text)), invalid, badField, "submission."+field))
		}
	}
	return append(all,
		bad("not applicable without a reason", sentFor("share", notApplicableFor(""), byUnit("c1")), invalid, badField, "submission.not_applicable.reason"),
		bad("not applicable for a blank reason", sentFor("share", notApplicableFor(" \n "), byUnit("c1")), invalid, badField, "submission.not_applicable.reason"),
	)
}

// badPersonalData are texts that seem to hold a citizen's data.
func badPersonalData() (all []badSubmission) {
	for what, text := range map[string]string{
		"an identity number": "gặp ông A, 079123456789, ở xã", "an identity number alone": "079123456789",
		"a telephone number": "gọi 0912345678", "a telephone number with blanks": "gọi 0912 345 678",
		"a telephone number with points": "ĐT 091.234.5678", "a telephone number in wide digits": "gọi ０９１２３４５６７８", "a telephone number of Viet Nam": "gọi +84 91 234 5678",
		"an e-mail address": "hỏi nguyen.van.a@example.vn nhé",
	} {
		for _, field := range []string{"note", "reason", "not_applicable.reason"} {
			all = append(all, bad(field+" with "+what, sentFor("cards", prose(field, text)), invalid, personal, "submission."+field))
		}
		all = append(all, bad("item with "+what, sentFor("share", itemsOf("a", text), byUnit("c1")), invalid, personal, "submission.items.items[1].name"))
	}
	for _, id := range []string{"079123456789", "0912345678", "sdt-0912345678", "a@b.vn"} {
		all = append(all, bad("request id "+id, sentFor("cards", countOf(1), byUnit("c1")), invalid, personal, "request_id").ask(id))
	}
	return append(all, bad("evidence with an e-mail address", sentFor("cards", func(s *reportingv1.Submission) {
		s.Value = &reportingv1.Submission_Count{Count: 1}
		s.Evidence = []*reportingv1.Evidence{{Url: "https://example.vn/?to=nguyen.van.a@example.vn", Sha256: make([]byte, 32)}}
	}), invalid, personal, "submission.evidence[0].url"))
}

// badRevisions follow no revision that there is, or do not say why.
func badRevisions() []badSubmission {
	revision := func(n uint32) edit { return func(s *reportingv1.Submission) { s.ExpectedRevision = n } }
	reason := func(text string) edit { return func(s *reportingv1.Submission) { s.Reason = text } }
	const required, nothing = errorv1.Reason_REASON_REASON_REQUIRED, errorv1.Reason_REASON_NOTHING_TO_WITHDRAW
	return []badSubmission{
		bad("second first report", sentFor("cards", countOf(32)), aborted, stale, "submission.expected_revision", "expected=0 actual=2"),
		bad("correction of an old revision", sentFor("cards", countOf(32), corrects(1)), aborted, stale, "submission.expected_revision", "expected=1 actual=2"),
		bad("correction of a revision to come", sentFor("cards", countOf(32), corrects(3)), aborted, stale, "submission.expected_revision", "expected=3 actual=2"),
		bad("correction of nothing", sentFor("cards", countOf(32), byUnit("c1"), corrects(1)), aborted, stale, "submission.expected_revision", "expected=1 actual=0"),
		bad("correction of another month", sentFor("cards", countOf(32), inPeriod("2022-M06"), corrects(2)), aborted, stale, "submission.expected_revision", "expected=2 actual=0"),
		bad("first report after a withdrawal", sentFor("cards", countOf(8), byUnit("26737")), aborted, stale, "submission.expected_revision", "expected=0 actual=2"),
		bad("first report after not applicable", sentFor("share", ratioOf(1, 2), byUnit("26737")), aborted, stale, "submission.expected_revision", "expected=0 actual=1"),
		bad("revision beyond measure", sentFor("cards", countOf(32), corrects(1_000_001)), invalid, badField, "submission.expected_revision"),
		bad("correction without a reason", sentFor("cards", countOf(32), revision(2)), invalid, required, "submission.reason"),
		bad("correction for a blank reason", sentFor("cards", countOf(32), revision(2), reason(" \n")), invalid, required, "submission.reason"),
		bad("withdrawal without a reason", sentFor("cards", withdrawn, revision(2)), invalid, required, "submission.reason"),
		bad("withdrawal of an old revision", sentFor("cards", withdrawn, corrects(1)), aborted, stale, "submission.expected_revision", "expected=1 actual=2"),
		bad("withdrawal of nothing", sentFor("cards", withdrawn, byUnit("c1"), reason("nhầm")), failed, nothing, "submission.withdrawal"),
		bad("withdrawal of nothing without a reason", sentFor("cards", withdrawn, byUnit("c1")), invalid, required, "submission.reason"),
		bad("withdrawal of a withdrawal", sentFor("cards", withdrawn, byUnit("26737"), corrects(2)), failed, nothing, "submission.withdrawal"),
		bad("withdrawal of a task not reported", sentFor("plan", withdrawn, byUnit("01"), reason("nhầm")), failed, nothing, "submission.withdrawal"),
	}
}

// badRequestIDs are ids that are none, or that were used for another content.
func badRequestIDs(seq map[string]uint64) []badSubmission {
	c1 := byUnit("c1")
	used := func(name, id string, sub *reportingv1.Submission) badSubmission {
		return bad(name, sub, taken, reused, "request_id", fmt.Sprintf("sequence=%d", seq[id])).ask(id)
	}
	note := edited(func(s *reportingv1.Submission) { s.Note = "thêm" })
	all := []badSubmission{
		used("id of the cell with another value", "cards-1", sentFor("cards", countOf(99))),
		used("id of the cell with another kind of value", "share-1", sentFor("share", itemsOf("a"))),
		used("id of the cell with a note", "share-1", sentFor("share", ratioOf(388, 1146), note)),
		used("id of the cell with a qualifier", "share-1", sentFor("share", ratioOf(388, 1146), edited(func(s *reportingv1.Submission) { s.Qualifier = 2 }))),
		used("id of the cell with other items", "items-1", sentFor("share", itemsOf("a", "c", "b"), inPeriod("2022-M06"))),
		used("id of the cell with another reason", "cards-2", sentFor("cards", countOf(31), corrects(1), edited(func(s *reportingv1.Submission) { s.Reason = "khác" }))),
		used("id of the cell with a withdrawal", "cards-1", sentFor("cards", withdrawn, edited(func(s *reportingv1.Submission) { s.Reason = "nhầm" }))),
		used("id of the cell for the next revision", "cards-2", sentFor("cards", countOf(33), corrects(2))),
		used("id of another month", "cards-1", sentFor("cards", countOf(30), inPeriod("2022-M06"))),
		used("id of another target", "cards-1", sentFor("listed", countOf(30))),
		used("id of a withdrawal for another cell", "gone-2", sentFor("joined", yesOrNo(true), byUnit("26737"))),
		used("id of a task for another cell", "plan-1", sentFor("own", countOf(5), byUnit("79"), inPeriod("2022-M06"))),
	}
	for _, id := range []string{"", strings.Repeat("x", 65), "a b", "mã-1", "a\n", "a\x7f"} {
		all = append(all, bad(fmt.Sprintf("request id %.12q", id), sentFor("cards", countOf(1), c1), invalid, badField, "request_id").ask(id))
	}
	return all
}

// badEvidence are proofs that lie nowhere or hash to nothing.
func badEvidence() []badSubmission {
	const at = "submission.evidence[0]."
	proof := func(name, fields string, urls ...string) badSubmission {
		sub := sentFor("cards", countOf(1), byUnit("c1"))
		for _, url := range urls {
			sub.Evidence = append(sub.Evidence, &reportingv1.Evidence{Url: url, Sha256: make([]byte, 32)})
		}
		return bad(name, sub, invalid, badField, fields)
	}
	hash := func(name string, n int) badSubmission {
		b := proof(name, at+"sha256", "https://a.vn/b.pdf")
		b.sub.Evidence[0].Sha256 = make([]byte, n)
		return b
	}
	return []badSubmission{
		proof("proof nowhere", at+"url", ""), proof("proof in the clear", at+"url", "http://a.vn/b.pdf"),
		proof("proof on this machine", at+"url", "file:///etc/passwd"), proof("proof with a blank", at+"url", "https://a.vn/b c.pdf"),
		proof("proof far away", at+"url", "https://a.vn/"+strings.Repeat("b", 1000)),
		proof("proof turned to the left", at+"url", "https://a.vn/\u202Efdp.exe"),
		hash("proof without a hash", 0), hash("proof with a short hash", 31), hash("proof with a long hash", 33),
		proof("21 proofs", "submission.evidence", strings.Split(strings.Repeat("https://a.vn/b ", 21), " ")[:21]...),
	}
}

// TestTextsThatAreRead is the other side: what can be read in one way only is read so.
func TestTextsThatAreRead(t *testing.T) {
	r := inProcess(t)
	r.badTree(t)
	for _, c := range []struct{ target, text, locale, want string }{
		{"cards", "1146", "", "1146"}, {"cards", "1.146", "vi-VN", "1146"}, {"cards", "1,146", "en-US", "1146"},
		{"cards", " 1.146.000 ", "vi-VN", "1146000"}, {"cards", "0", "", "0"}, {"cards", "007", "", "7"},
		{"cards", "1000000000000000000", "", "1000000000000000000"}, {"cards", "1.000.000.000.000.000.000", "vi-VN", "1000000000000000000"},
		{"fees", "92,77", "vi-VN", "9277"}, {"fees", "92,7", "vi-VN", "9270"}, {"fees", "1.146,5", "vi-VN", "114650"},
		{"fees", "0.05", "en-US", "5"}, {"fees", "12", "", "1200"},
		{"share", "93,1 %", "vi-VN", "93.1 %"}, {"share", "93.10%", "en-US", "93.10 %"}, {"share", "93", "", "93 %"},
	} {
		resp, err := r.reporting.Submit(t.Context(), &reportingv1.SubmitRequest{Programme: "p", RequestId: "text", ValidateOnly: true,
			IncludeFigures: true, Submission: sentFor(c.target, textOf(c.text, c.locale), byUnit("c1"))})
		if err != nil {
			t.Errorf("%q in %q for %s: %v", c.text, c.locale, c.target, err)
			continue
		}
		own := resp.GetFigures()[0].GetOwn()
		got := strconv.FormatInt(own.GetTally().GetNumerator(), 10)
		if own.GetBarePercentage() != "" {
			got = own.GetBarePercentage() + " %"
		}
		if got != c.want {
			t.Errorf("%q in %q for %s was read as %s, not %s", c.text, c.locale, c.target, got, c.want)
		}
	}
}
