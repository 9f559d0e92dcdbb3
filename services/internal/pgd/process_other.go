//go:build !linux

package pgd

import (
	"syscall"
	"time"
)

// attr is that of any process: elsewhere a server may outlive a killed parent.
func (o *owner) attr() *syscall.SysProcAttr { return nil }

func memory(bool) string { return "" }

// killIn gives a killed server's children the time to notice.
func killIn(string) { time.Sleep(time.Second) }
