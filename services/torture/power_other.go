//go:build !linux

package main

// cutPower says that it cannot be done here.
func cutPower(string) error { return errNoDisk }
