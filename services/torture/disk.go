package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// errNoDisk says that this machine gives no disk whose power can be cut, or that can
// be filled without harm.
var errNoDisk = errors.New("no disk for it")

// disk is an ext4 file system of its own, in a file.
type disk struct{ image, at string }

// newDisk makes one of a size and mounts it at a folder.
func newDisk(image, at string, bytes int64) (*disk, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("%w: it needs root", errNoDisk)
	}
	f, err := os.Create(image)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(bytes), f.Close(), os.MkdirAll(at, 0o711)); err != nil {
		return nil, err
	}
	d := &disk{image, at}
	if err := command("mkfs.ext4", "-q", "-m", "0", d.image); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoDisk, err)
	}
	if err := d.mount(); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoDisk, err)
	}
	return d, os.Chmod(d.at, 0o711)
}

func (d *disk) mount() error { return command("mount", "-o", "loop", d.image, d.at) }

func (d *disk) unmount() error {
	var err error
	for range 50 { // a process that was just ended may hold it for a moment
		if err = command("umount", d.at); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

// mountAll makes disks of a small size at folders below one, and says how to be rid of
// those that there are.
func mountAll(dir string, names []string) (all map[string]*disk, unmount func(), _ error) {
	all = make(map[string]*disk)
	unmount = func() {
		for _, d := range all {
			if err := d.unmount(); err != nil {
				fmt.Fprintln(os.Stderr, "torture:", err)
			}
		}
	}
	for _, name := range names {
		d, err := newDisk(filepath.Join(dir, name+".img"), filepath.Join(dir, name), fullBytes)
		if err != nil {
			return all, unmount, err
		}
		all[name] = d
	}
	return all, unmount, nil
}

// ballast takes the room on a disk that others have not.
func (d *disk) ballast() string { return filepath.Join(d.at, "ballast") }

// fill leaves no room on it.
func (d *disk) fill() error {
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil && errors.Is(err, syscall.ENOSPC) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	for piece := make([]byte, 1<<20); err == nil; {
		_, err = f.Write(piece)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("fill %s: %w", d.at, err)
	}
	return nil
}

// free gives the room back.
func (d *disk) free() error { return os.Remove(d.ballast()) }

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	return nil
}
