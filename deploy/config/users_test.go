package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"

	config "github.com/cotmoc/cotmoc/deploy/config"
)

func key(t *testing.T) string {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return public
}

func TestReadSubscribers(t *testing.T) {
	board, press := key(t), key(t)
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := account.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, text, want string }{
		{"two", "# who reads\n\nboard " + board + " board board-progress # the wall\npress\t" + press + " press\n", ""},
		{"no_subscription", "board " + board, "line 1 is not of the form"},
		{"no_name", "a\nboard", "line 1 is not of the form"},
		{"name_of_the_service", "service " + board + " board", "is the service itself"},
		{"name_that_ends_a_list", `b"] ` + board + " board", "is not a name"},
		{"key_of_an_account", "board " + foreign + " board", "is not the public half"},
		{"pattern_of_subscriptions", "board " + board + " board.>", "is not the name of a subscription"},
		{"any_and_more", "board " + board + " * board", "is not the name of a subscription"},
		{"twice_in_a_line", "board " + board + " board board", "stands twice"},
		{"one_name_twice", "board " + board + " board\nboard " + press + " press", "user board is taken by a user before it"},
		{"one_key_twice", "board " + board + " board\npress " + board + " press", "is taken by a user before it"},
		{"one_subscription_twice", "board " + board + " board\npress " + press + " board", "subscription board is taken by a user before it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "users")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := config.ReadSubscribers(path)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %+v, %v; want %q", got, err, c.want)
				}
				return
			}
			want := []config.Subscriber{{Name: "board", Key: board, Consumers: []string{"board", "board-progress"}},
				{Name: "press", Key: press, Consumers: []string{"press"}}}
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
			if again := got[0].Line(); again != "board "+board+" board board-progress" {
				t.Errorf("written again it is %q", again)
			}
		})
	}
}
