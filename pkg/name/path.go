package name

import (
	"fmt"
	"strings"
)

// MaxDepth is how many units a path may name, the root included.
const MaxDepth = 16

// Path is where a unit stands: the ids from the root down to it, joined by dots,
// such as `vn.79.760`. It is also the tail of the subjects of the unit's events.
type Path string

// ParsePath reads a path of 1 to MaxDepth units, none named twice.
func ParsePath(s string) (Path, error) {
	parts := strings.SplitN(s, ".", MaxDepth+1)
	if len(parts) > MaxDepth {
		return "", fmt.Errorf("path %.80q names more than %d units", s, MaxDepth)
	}
	for i, id := range parts {
		if err := CheckID(id, MaxUnit); err != nil {
			return "", fmt.Errorf("path %.80q: %w", s, err)
		}
		for _, above := range parts[:i] {
			if above == id {
				return "", fmt.Errorf("path %.80q names unit %s twice", s, id)
			}
		}
	}
	return Path(s), nil
}

// Units returns the ids from the root down.
func (p Path) Units() []Unit {
	if p == "" {
		return nil
	}
	parts := strings.Split(string(p), ".")
	units := make([]Unit, len(parts))
	for i, id := range parts {
		units[i] = Unit(id)
	}
	return units
}

// Unit returns the last id, that of the unit whose path it is.
func (p Path) Unit() Unit { return Unit(p[strings.LastIndexByte(string(p), '.')+1:]) }

// Parent returns the path of the unit above, empty for a root.
func (p Path) Parent() Path { return p[:max(0, strings.LastIndexByte(string(p), '.'))] }

// Join returns the path of a unit directly below p; below the empty path it is a root.
func (p Path) Join(u Unit) Path {
	if p == "" {
		return Path(u)
	}
	return p + "." + Path(u)
}

// Within reports whether p is top or stands below it.
func (p Path) Within(top Path) bool {
	return p == top || strings.HasPrefix(string(p), string(top)+".")
}
