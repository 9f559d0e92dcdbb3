package book

import ("testing"; "fmt"; typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1")

func TestSmoke(t *testing.T) {
	r := newRig(t, "2022-07-31")
	r.tree()
	r.target("cards", count, last, []typev1.UnitKind{commune}, atLeast(100))
	r.target("share", ratio, last, []typev1.UnitKind{commune})
	r.target("plan", yesNo, last, []typev1.UnitKind{ministry, province})
	r.task("t1", typev1.Audience_AUDIENCE_CENTRAL, []string{"bca", "btp"})
	fmt.Println(story(r.report("26734", "cards", "2022-M06", number(30))))
}
