package book

import (
	"bytes"
	"testing"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// TestImage_damaged shows that what is cut off is refused and not half read.
func TestImage_damaged(t *testing.T) {
	r := newRig(t, "2022-07-31")
	r.tree()
	r.target("cards", count, last, kinds(commune), atLeast(100))
	r.central(0, 2)
	r.allocate("cards", "79", 40)
	r.report("26734", "cards", "2022-M06", number(30))
	r.report("bca", "t-0", "2022-M06", yes())
	var image bytes.Buffer
	if err := r.b.Freeze().WriteImage(&image); err != nil {
		t.Fatal(err)
	}
	whole := image.Bytes()
	for n := range whole {
		if err := New().ReadImage(bytes.NewReader(whole[:n])); err == nil {
			t.Fatalf("%d of %d bytes are taken for an image", n, len(whole))
		}
	}
	b := New()
	if err := b.ReadImage(bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	if err := Compare(b, r.b); err != nil {
		t.Error(err)
	}
	if b.Fold() != r.b.Fold() || b.Fold() == "" {
		t.Errorf("folds %q and %q", b.Fold(), r.b.Fold())
	}
}

// TestTouched shows that what moved is told once.
func TestTouched(t *testing.T) {
	r := newRig(t, "2022-07-31")
	r.tree()
	r.target("cards", count, last, kinds(commune))
	r.b.TakeTouched()
	r.report("26734", "cards", "2022-M06", number(30))
	moved := r.b.TakeTouched()
	m := r.b.MeasureByID(prog, "cards").ix
	for _, id := range []string{"26734", "760", "79", "vn"} {
		k := FigureKey{m, r.b.UnitByID(id).ix}
		if _, ok := moved[k]; !ok {
			t.Errorf("%s did not move", id)
		}
		delete(moved, k)
	}
	if len(moved) > 0 || len(r.b.TakeTouched()) > 0 {
		t.Errorf("moved, too: %v", moved)
	}
	r.report("26734", "cards", "2022-M05", number(10)) // older: the current total stays
	if moved := r.b.TakeTouched(); len(moved) > 0 {
		t.Errorf("moved: %v", moved)
	}
}

func TestBooksThatDifferInARegimeAlone(t *testing.T) {
	x, y := newDuties(t), newDuties(t, func(g *registryv1.Regime) { g.GraceWorkingDays = 1 })
	if err := Compare(x.b, y.b); err == nil {
		t.Error("two books whose regimes differ are taken for the same")
	}
	if err := Compare(x.b, newDuties(t).b); err != nil {
		t.Error(err)
	}
}
