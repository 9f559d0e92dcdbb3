//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lock keeps a second process out of a service's part of the state folder: two
// ledgers on one file would exclude each other, two NATS servers on one store would
// not. The system drops the lock with the process, however that ends.
func (b *builder) lock(name string) error {
	f, err := os.OpenFile(filepath.Join(b.c.Dir, name+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("lock the state folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("state folder %s: another process runs the %s service in it; stop that one, or take another folder", b.c.Dir, name)
		}
		return fmt.Errorf("lock the state folder: %w", err)
	}
	b.p.onClose(func(context.Context) error { return f.Close() })
	return nil
}
