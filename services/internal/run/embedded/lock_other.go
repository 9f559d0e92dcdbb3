//go:build !linux && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package embedded

// lock does nothing where there is no flock: it is left to people not to start a
// second process on one folder.
func (b *builder) lock(string) error { return nil }
