package ledger

import (
	"context"
	"fmt"
)

// emptyHead is where an engine begins on an empty log: nobody else has read it, so
// it begins with the newest level.
func (e *Engine[S]) emptyHead() Head { return Head{Epoch: FirstEpoch, Level: e.cfg.Level} }

// ahead is how many blocks may be decoded and not yet applied.
const ahead = 16

// replay applies the log after from to the state itself, up to upTo or its head,
// and returns where it ended. Reading, decoding and checking the chain run ahead in
// a goroutine of their own.
func (e *Engine[S]) replay(ctx context.Context, s S, from Head, upTo uint64) (Head, error) {
	if from.Sequence >= upTo {
		return from, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks := make(chan *Block, ahead)
	failed := make(chan error, 1)
	go func() {
		defer close(blocks)
		failed <- e.verified(ctx, from, upTo, blocks)
	}()
	head, err := applyAll(s, from, upTo, blocks)
	if err != nil {
		cancel()
		for range blocks { // let the reader end
		}
		return head, err
	}
	return head, <-failed
}

// verified sends the blocks after from whose chain holds, up to the one with upTo.
func (e *Engine[S]) verified(ctx context.Context, from Head, upTo uint64, to chan<- *Block) error {
	l := linker{level: e.cfg.Level}
	if from.Sequence == 0 {
		from = Head{}
	}
	for b, err := range e.cfg.Store.Blocks(ctx, from.Sequence) {
		if err != nil {
			return err
		}
		if err := l.follows(b, from); err != nil {
			return err
		}
		select {
		case to <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if from = b.Head(); from.Sequence >= upTo {
			break
		}
	}
	return nil
}

func applyAll[S State[S]](s S, head Head, upTo uint64, blocks <-chan *Block) (Head, error) {
	var l linker
	for b := range blocks {
		for i, en := range b.Entries {
			n := b.First + uint64(i)
			if n > upTo {
				return part(&l, b, upTo), nil
			}
			if err := s.Apply(n, en); err != nil {
				return head, fmt.Errorf("apply entry %d: %w", n, err)
			}
		}
		head = b.Head()
	}
	return head, nil
}

// part returns where the log would end after an entry within the block.
func part(l *linker, b *Block, upTo uint64) Head {
	cut := *b
	cut.Entries = b.Entries[:upTo-b.First+1]
	h := cut.Head()
	h.Hash = l.run(&cut)
	return h
}
