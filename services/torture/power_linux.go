package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// The shutdown of an ext4 file system that forgets what was not synced, as a power
// cut does: EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH.
const (
	ext4Shutdown = 0x8004587d
	noLogFlush   = 2
)

// cutPower makes the file system at a path go dark.
func cutPower(at string) error {
	f, err := os.Open(at)
	if err != nil {
		return fmt.Errorf("cut the power: %w", err)
	}
	defer func() { _ = f.Close() }()
	how := uint32(noLogFlush)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		return fmt.Errorf("cut the power of %s: %w", at, errno)
	}
	return nil
}
