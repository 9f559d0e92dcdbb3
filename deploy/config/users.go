package config

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"
)

// Subscriber is a user of NATS who reads.
type Subscriber struct {
	Name      string
	Key       string   // public nkey
	Consumers []string // names of its subscriptions; `*` alone is any
	// Inbox is what the inboxes of its connections begin with; _INBOX_ and its name
	// when empty.
	Inbox string
}

// InboxPrefix is what the inboxes of its connections begin with.
func (s Subscriber) InboxPrefix() string {
	if s.Inbox == "" {
		return "_INBOX_" + s.Name
	}
	return s.Inbox
}

// AnySubscription stands for all subscriptions there are.
const AnySubscription = "*"

// word is what users, accounts and subscriptions are named by.
var word = regexp.MustCompile(`^[a-z0-9](-?[a-z0-9])*$`)

// IsName reports whether an account or a user may be named so.
func IsName(name string) bool { return word.MatchString(name) && len(name) <= 60 }

// Check says what is wrong with a user: what stands in it is written into a file that
// says who may do what.
func (s Subscriber) Check() error {
	if !IsName(s.Name) {
		return fmt.Errorf("user %q is not a name of lower-case letters, digits and hyphens", s.Name)
	}
	if s.Name == "service" {
		return errors.New("user service is the service itself")
	}
	if !nkeys.IsValidPublicUserKey(s.Key) {
		return fmt.Errorf("user %s: %q is not the public half of a user's nkey", s.Name, s.Key)
	}
	if len(s.Consumers) == 0 {
		return fmt.Errorf("user %s has no subscription to read", s.Name)
	}
	for i, c := range s.Consumers {
		if c == AnySubscription && len(s.Consumers) == 1 {
			continue
		}
		if !word.MatchString(c) {
			return fmt.Errorf("user %s: %q is not the name of a subscription", s.Name, c)
		}
		if slices.Contains(s.Consumers[:i], c) {
			return fmt.Errorf("user %s: subscription %s stands twice", s.Name, c)
		}
	}
	return nil
}

// ReadSubscribers reads a file of users: each a line of its name, its public nkey, and
// the subscriptions that it reads. Empty lines and what follows a # count for nothing.
func ReadSubscribers(path string) ([]Subscriber, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	users, err := parseSubscribers(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return users, nil
}

func parseSubscribers(r io.Reader) ([]Subscriber, error) {
	var users []Subscriber
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 3 {
			return nil, fmt.Errorf("line %d is not of the form: name, public nkey, subscriptions", n)
		}
		users = append(users, Subscriber{Name: fields[0], Key: fields[1], Consumers: fields[2:]})
		if err := CheckSubscribers(users); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return users, lines.Err()
}

// CheckSubscribers says what is wrong with users, or with them beside each other.
func CheckSubscribers(users []Subscriber) error {
	taken := map[string]bool{}
	for _, u := range users {
		if err := u.Check(); err != nil {
			return err
		}
		for _, one := range append([]string{"user " + u.Name, "key " + u.Key}, prefixed("subscription ", u.Consumers)...) {
			if taken[one] {
				return fmt.Errorf("user %s: %s is taken by a user before it", u.Name, one)
			}
			taken[one] = true
		}
	}
	return nil
}

// prefixed puts a word before each.
func prefixed(before string, all []string) (out []string) {
	for _, one := range all {
		out = append(out, before+one)
	}
	return out
}

// Line is a user as it stands in a file of users.
func (s Subscriber) Line() string {
	return strings.Join(append([]string{s.Name, s.Key}, s.Consumers...), " ")
}
