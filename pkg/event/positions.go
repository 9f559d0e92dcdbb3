package event

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"sync"
)

// Position is how far a subscriber has come: everything up to Sequence was handled.
type Position struct {
	Epoch    uint32 // epoch of the log that the number belongs to
	Sequence uint64 // 0 before the first event
}

// PositionStore keeps a subscriber's position, best in the same place and
// transaction as what its handler writes.
type PositionStore interface {
	// Load returns the position that was saved last, the zero Position at first.
	Load(ctx context.Context) (Position, error)
	// Save keeps the position. It is called after each event that was handled.
	Save(ctx context.Context, p Position) error
}

// MemoryPositions keeps a position as long as the process lives. The zero value
// is ready, at the beginning.
type MemoryPositions struct {
	mu sync.Mutex
	p  Position
}

// Load returns the position.
func (m *MemoryPositions) Load(context.Context) (Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.p, nil
}

// Save keeps the position.
func (m *MemoryPositions) Save(_ context.Context, p Position) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p = p
	return nil
}

// slotSize holds a line with both numbers at their longest and a checksum.
const slotSize = 64

// filePositions keeps a position in one of two slots of a file, in turn, so that
// a write cut short never harms the one before.
type filePositions struct {
	path string
	mu   sync.Mutex
	next int64 // slot to write
}

// FilePositions keeps a position in a file, which is made at the first Save. It
// survives the end of the process at any time. It is not synced to the disk:
// after a power cut, events that were handled shortly before come again.
func FilePositions(path string) PositionStore { return &filePositions{path: path} }

// Load reads the newer slot. A file without any good slot is an error.
func (f *filePositions) Load(context.Context) (Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Position{}, nil
	}
	if err != nil {
		return Position{}, fmt.Errorf("load position: %w", err)
	}
	var best Position
	found := len(b) == 0 // made, and not written yet
	for slot := range int64(2) {
		from, to := int(slot)*slotSize, int(slot+1)*slotSize
		if len(b) < to {
			break
		}
		p, ok := parseSlot(b[from:to])
		if ok && (!found || p.after(best)) {
			best, found = p, true
			f.next = 1 - slot
		}
	}
	if !found {
		return Position{}, fmt.Errorf("load position: %s holds none; delete it to begin anew", f.path)
	}
	return best, nil
}

// Save writes the slot that holds the older position.
func (f *filePositions) Save(_ context.Context, p Position) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("save position: %w", err)
	}
	_, err = file.WriteAt(formatSlot(p), f.next*slotSize)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("save position: %w", err)
	}
	f.next = 1 - f.next
	return nil
}

// after orders positions: a later epoch follows all of an earlier one.
func (p Position) after(q Position) bool {
	return p.Epoch > q.Epoch || p.Epoch == q.Epoch && p.Sequence > q.Sequence
}

// formatSlot writes a position as one line of text with its checksum, padded.
func formatSlot(p Position) []byte {
	line := fmt.Appendf(nil, "%d %d", p.Epoch, p.Sequence)
	line = fmt.Appendf(line, " %08x", crc32.ChecksumIEEE(line))
	slot := bytes.Repeat([]byte{' '}, slotSize)
	copy(slot, line)
	slot[slotSize-1] = '\n'
	return slot
}

// parseSlot reads what formatSlot wrote, to the byte.
func parseSlot(b []byte) (Position, bool) {
	var p Position
	if _, err := fmt.Sscanf(string(b), "%d %d", &p.Epoch, &p.Sequence); err != nil {
		return Position{}, false
	}
	return p, bytes.Equal(formatSlot(p), b)
}
