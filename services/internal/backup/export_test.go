package backup

import (
	"io"

	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// WriteUnchecked writes blocks and an end that fits them, whatever they hold.
func WriteUnchecked(w io.Writer, blocks []*ledger.Block) error {
	out := newWriter(w)
	if err := out.begin(); err != nil {
		return err
	}
	for _, b := range blocks {
		if err := out.block(b); err != nil {
			return err
		}
	}
	return out.end(blocks[len(blocks)-1].Head())
}
