package show

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// printed is a table at a width.
func printed(t *testing.T, table *Table, width int) string {
	t.Helper()
	var out bytes.Buffer
	if err := table.Write(&out, width); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTableAlignsVietnameseNamesHoweverTheyAreComposed(t *testing.T) {
	table := NewTable(Left("unit"), Right("score"), Left("why"))
	table.Add(norm.NFD.String("Thừa Thiên Huế"), "9.50", "đủ")
	table.Add("Đắk Lắk", "100.00", "")
	table.Add("x", "-1", "y", "dropped")
	table.Add("short")
	want := `unit             score  why
Thừa Thiên Huế    9.50  đủ
Đắk Lắk         100.00
x                   -1  y
short
`
	if got := printed(t, table, 0); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if table.Len() != 4 {
		t.Errorf("%d rows", table.Len())
	}
}

func TestTableCutsTheLastColumnOnlyAndOnlyAtATerminal(t *testing.T) {
	table := NewTable(Left("id"), Left("name"))
	table.Add("kết-nối-dữ-liệu", "Tỷ lệ hồ sơ được tiếp nhận trực tuyến")
	if got := printed(t, table, 0); strings.Contains(got, "…") {
		t.Errorf("cut without a terminal:\n%s", got)
	}
	want := "id               name\nkết-nối-dữ-liệu  Tỷ lệ hồ sơ…\n"
	if got := printed(t, table, 30); got != want {
		t.Errorf("at 30:\n%s\nwant\n%s", got, want)
	}
	if got := printed(t, table, 10); !strings.Contains(got, "kết-nối-dữ-liệu  Tỷ lệ h…") {
		t.Errorf("at 10, less than the first column:\n%s", got)
	}
	for at := 25; at < 60; at++ {
		for row := range strings.Lines(printed(t, table, at)) {
			if n := TextWidth(strings.TrimSuffix(row, "\n")); n > at {
				t.Errorf("%d wide at %d: %s", n, at, row)
			}
		}
	}
}

func TestTableKeepsARowOnOneLine(t *testing.T) {
	table := NewTable(Left("reason"))
	table.Add("one\ntwo\x1b[31m\tthree")
	if got, want := printed(t, table, 0), "reason\none two [31m three\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := printed(t, NewTable(), 80); got != "\n" {
		t.Errorf("no columns: %q", got)
	}
}

func TestTextWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "Nguyễn": 6, norm.NFD.String("Nguyễn"): 6, "越南": 4, "Đ…": 2, "ｆ": 2, "a\u200bb": 2, "→": 1,
	} {
		if got := TextWidth(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestOnlyATerminalHasAWidth(t *testing.T) {
	t.Setenv("COLUMNS", "40")
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := Width(f); got != 0 {
		t.Errorf("a file is %d wide", got)
	}
	if got := Width(&bytes.Buffer{}); got != 0 {
		t.Errorf("a buffer is %d wide", got)
	}
}
