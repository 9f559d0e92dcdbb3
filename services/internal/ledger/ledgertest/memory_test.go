package ledgertest

import (
	"testing"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) Opener {
		m := new(Memory)
		return func(*testing.T) ledger.Store { return m }
	})
}

func TestMemory_turns(t *testing.T) {
	RunTurns(t, func(*testing.T) Opener {
		m := new(Memory)
		return func(*testing.T) ledger.Store { return m }
	})
}
