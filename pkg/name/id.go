package name

import (
	"fmt"
	"strings"
)

// CheckID says what is wrong with an id of at most limit bytes: ids are
// lower-case letters, digits and single hyphens that are neither first nor last.
func CheckID(id string, limit int) error {
	switch {
	case id == "":
		return fmt.Errorf("an id is empty")
	case len(id) > limit:
		return fmt.Errorf("id %.80q is longer than %d", id, limit)
	}
	hyphen := true // one may not come first
	for i := range len(id) {
		c := id[i]
		switch {
		case c == '-' && !hyphen:
			hyphen = true
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			hyphen = false
		default:
			return badID(id)
		}
	}
	if hyphen {
		return badID(id)
	}
	return nil
}

func badID(id string) error {
	return fmt.Errorf("id %.80q must be lower-case letters, digits and single hyphens between them", id)
}

// AllProgrammes is the word that stands in a subject for events of no programme.
const AllProgrammes = "all"

// Reserved reports whether no programme may have this id.
func (p Programme) Reserved() bool { return p == AllProgrammes }

// DerivedPrefix begins the ids of the counts of tasks that the system derives.
const DerivedPrefix = "tasks-"

// ReservedTarget reports whether no target, task or regime may have this id: it
// stands in subjects for something else, or is that of a derived count.
func ReservedTarget(id string) bool {
	switch id {
	case "unit", "programme", "clock":
		return true
	}
	return strings.HasPrefix(id, DerivedPrefix)
}
