package privacy

import (
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestTable is the measure: what people write, and what is made of it.
func TestTable(t *testing.T) {
	if len(ordinary) < 60 || len(personal) < 60 {
		t.Fatalf("the table has %d and %d texts", len(ordinary), len(personal))
	}
	for _, text := range ordinary {
		if got := InText(text); got != None {
			t.Errorf("%q is refused as %v", text, got)
		}
	}
	for _, c := range personal {
		if got := InText(c.text); got != c.kind {
			t.Errorf("%q: %v, want %v", c.text, got, c.kind)
		}
	}
	for _, id := range ordinaryIDs {
		if got := InID(id); got != None {
			t.Errorf("id %q is refused as %v", id, got)
		}
	}
	for _, c := range personalIDs {
		if got := InID(c.id); got != c.kind {
			t.Errorf("id %q: %v, want %v", c.id, got, c.kind)
		}
	}
}

// TestWhereverItStands: what is personal stays so among other words, and an ordinary
// text does not hide it.
func TestWhereverItStands(t *testing.T) {
	for _, c := range personal {
		for _, text := range []string{"Báo cáo: " + c.text, c.text + "\nHết.", "a\n" + c.text, "\u201c" + c.text + "\u201d", "(" + c.text + ")", strings.Repeat("Đã làm xong. ", 200) + c.text} {
			if InText(text) == None {
				t.Errorf("%.80q passes", text)
			}
		}
	}
	for _, text := range ordinary {
		if InText(text+"\n0912 345 678") != Telephone || InText("001098012345\n"+text) != Identity {
			t.Errorf("behind or before %q a number passes", text)
		}
	}
}

// TestMadeByPrograms: no id of the usual makes is ever refused.
func TestMadeByPrograms(t *testing.T) {
	const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	at := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 20_000 {
		hex := make([]byte, []int{8, 16, 20, 32}[i%4])
		_, _ = rand.Read(hex)
		ulid := make([]byte, 26)
		for k := range ulid {
			ulid[k] = crockford[mrand.IntN(32)]
		}
		ulid[0] = "01234567"[mrand.IntN(8)]
		at = at.Add(time.Duration(mrand.Int64N(int64(24 * time.Hour))))
		for _, id := range []string{
			uuid.NewString(), strings.ToUpper(uuid.NewString()), "req-" + uuid.NewString(), fmt.Sprintf("%x", hex), string(ulid),
			at.Format("20060102150405"), at.Format(time.RFC3339Nano), at.Format("batch-2006-01-02-") + fmt.Sprintf("%06d", i),
			fmt.Sprint(at.UnixMilli()), fmt.Sprint(at.UnixNano()), fmt.Sprint(at.Unix()), fmt.Sprintf("%05d-%d-%d", mrand.IntN(32_000), i%12+1, i%300),
			fmt.Sprintf("%02d-%s-%d", i%97, at.Format("2006-M01"), i),
		} {
			if got := InID(id); got != None {
				t.Fatalf("id %q is refused as %v", id, got)
			}
		}
	}
}

// TestAmountsAndDates: no amount as it is written in either locale, no date, is refused.
func TestAmountsAndDates(t *testing.T) {
	group := func(n int64, by string) string {
		s := fmt.Sprint(n)
		for i := len(s) - 3; i > 0; i -= 3 {
			s = s[:i] + by + s[i:]
		}
		return s
	}
	at := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 20_000 {
		n := mrand.Int64N(int64(1) << (1 + mrand.IntN(50)))
		at = at.Add(time.Duration(mrand.Int64N(int64(24 * time.Hour))))
		for _, text := range []string{
			group(n, "."), group(n, ","), group(n, " ") + " đồng", fmt.Sprintf("%d đồng", n), "đạt " + group(n, ".") + " thẻ CCCD", group(n, ".") + "," + fmt.Sprintf("%02d", n%100),
			at.Format("02/01/2006 15:04"), at.Format("02-01-2006 15:04:05"), at.Format("02.01.2006"), at.Format(time.RFC3339Nano),
			fmt.Sprintf("%d/QĐ-UBND ngày %s", n%5000, at.Format("02/01/2006")),
		} {
			if got := InText(text); got != None {
				t.Fatalf("%q is refused as %v", text, got)
			}
		}
	}
}

// TestAllNumbers: every mobile number and every identity number is found, in whatever
// way it is grouped.
func TestAllNumbers(t *testing.T) {
	for range 20_000 {
		mobile := fmt.Sprintf("0%s%07d", []string{"32", "35", "39", "52", "56", "58", "70", "76", "79", "81", "85", "88", "90", "91", "94", "97", "98"}[mrand.IntN(17)], mrand.IntN(10_000_000))
		year := mrand.IntN(100)
		person := fmt.Sprintf("%03d%d%02d%06d", 1+mrand.IntN(96), mrand.IntN(4), year, 100_000+mrand.IntN(900_000))
		for _, by := range []string{"", " ", ".", "-"} {
			for _, text := range []string{
				mobile[:4] + by + mobile[4:7] + by + mobile[7:], mobile[:3] + by + mobile[3:6] + by + mobile[6:], mobile[:3] + by + mobile[3:7] + by + mobile[7:],
				mobile[:4] + by + mobile[4:6] + by + mobile[6:8] + by + mobile[8:], "+84" + by + mobile[1:4] + by + mobile[4:7] + by + mobile[7:],
			} {
				if got := InText("gặp " + text + " nhé"); got != Telephone {
					t.Fatalf("%q: %v", text, got)
				}
			}
			for _, text := range []string{person[:3] + by + person[3:6] + by + person[6:], person[:6] + by + person[6:], person[:3] + by + person[3:4] + by + person[4:6] + by + person[6:]} {
				if got := InText("gặp " + text + " nhé"); got != Identity {
					t.Fatalf("%q: %v", text, got)
				}
			}
		}
	}
}

// FuzzInText: nothing breaks it, blanks around a text change nothing, and time goes with
// its length: a text that is a hundred times as long is checked within seconds.
func FuzzInText(f *testing.F) {
	for _, text := range ordinary {
		f.Add(text)
	}
	for _, c := range personal {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := InText(text)
		if again := InText(" " + text + " "); len(text) < 4000 && again == None && got != None && strings.TrimSpace(text) == text && text != "" {
			t.Errorf("%q is %v, but not between blanks", text, got)
		}
		InID(text)
		start := time.Now()
		InText(strings.Repeat(text, 100))
		if took := time.Since(start); took > time.Duration(len(text)+1)*100*20*time.Microsecond+time.Second {
			t.Errorf("%q a hundred times takes %v", text, took)
		}
	})
}

func BenchmarkInText(b *testing.B) {
	for name, text := range map[string]string{
		"short":       "Nhập nhầm số của tháng 6",
		"note-200":    strings.Repeat("Đến 25/12/2022 đã cấp 1.234.567 thẻ. ", 5),
		"note-4000":   strings.Repeat("Đến ngày 25/12/2022 đã cấp được 1.234.567 thẻ trên 2.000.000, đạt 61,7 %. ", 55)[:4000],
		"digits-4000": strings.Repeat("012 345 67 89 1 2 3 ", 200),
		"codes-4000":  strings.Repeat("a0912345678b ", 308),
		"at-4000":     strings.Repeat("a @ b (at) ", 364),
		"link-4000":   "https://a.vn/" + strings.Repeat("0912345678-", 362),
		"plain-4000":  strings.Repeat("9", 4000),
		"words-4000":  strings.Repeat("sdt 712345678 dong ", 210),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				InText(text)
			}
		})
	}
	b.Run("uuid", func(b *testing.B) {
		for b.Loop() {
			InID("7c9e6679-7425-40de-944b-e07fc1f90ae7")
		}
	})
}
