package check_test

import (
	"os"
	"testing"
)

// scratch is where the history is played.
var scratch string

func TestMain(m *testing.M) {
	code := m.Run()
	if scratch != "" {
		_ = os.RemoveAll(scratch)
	}
	os.Exit(code)
}

func tempDir() (_ string, err error) {
	scratch, err = os.MkdirTemp("", "cotmoc-check-")
	return scratch, err
}
