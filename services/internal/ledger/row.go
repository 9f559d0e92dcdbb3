package ledger

import "fmt"

// Row is a block as a database keeps it: its first and last number beside its stored form.
type Row struct {
	First, Last uint64
	Body        []byte
}

// Decode reads the block and checks that it is the one to be expected after an entry;
// else the error wraps ErrDamaged, or ErrLevel.
func (r Row) Decode(after uint64) (*Block, error) {
	b, err := Decode(r.Body)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", r.First, err)
	}
	if b.First != r.First || b.End() != r.Last || b.First > after+1 || b.End() <= after {
		return nil, fmt.Errorf("block %d, found after entry %d in the place of %d to %d: %w", b.First, after, r.First, r.Last, ErrDamaged)
	}
	return b, nil
}
