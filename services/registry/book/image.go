package book

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"google.golang.org/protobuf/proto"
)

// maxChange bounds what is read of an image for one resource.
const maxChange = 16 << 20

// Fold names the format of the image and the meaning of Apply.
func (b *Book) Fold() string { return "registry-2" }

// Apply folds in an entry of the log. It refuses what is not the next version of
// its resource.
func (b *Book) Apply(sequence uint64, e ledger.Entry) error {
	var c registryv1.Change
	if err := (proto.UnmarshalOptions{}).Unmarshal(e.Event, &c); err != nil {
		return fmt.Errorf("decode change %d: %w", sequence, err)
	}
	if c.GetRevision() != int64(sequence) {
		return fmt.Errorf("change %d calls itself %d", sequence, c.GetRevision())
	}
	if c.GetLevelRaised() != nil {
		return nil // of no resource
	}
	at, _, err := b.Revision(NameOf(&c))
	if err != nil {
		return fmt.Errorf("change %d: %w", sequence, err)
	}
	if at != c.GetPreviousRevision() {
		return fmt.Errorf("change %d of %s follows revision %d, but %d is present",
			sequence, NameOf(&c), c.GetPreviousRevision(), at)
	}
	if err := b.place(&c); err != nil {
		return fmt.Errorf("apply change %d: %w", sequence, err)
	}
	return nil
}

// NameOf is the name of a change's resource; empty where it is about none.
func NameOf(c *registryv1.Change) string {
	switch r := c.GetResource().(type) {
	case *registryv1.Change_Programme:
		return r.Programme.GetName()
	case *registryv1.Change_Unit:
		return r.Unit.GetName()
	case *registryv1.Change_Task:
		return r.Task.GetName()
	case *registryv1.Change_Target:
		return r.Target.GetName()
	case *registryv1.Change_Allocation:
		return r.Allocation.GetName()
	case *registryv1.Change_Calendar:
		return r.Calendar.GetName()
	case *registryv1.Change_Regime:
		return r.Regime.GetName()
	}
	return ""
}

// WriteImage writes each resource's present version, in the order of kinds and
// names, so that equal books have equal images.
func (b *Book) WriteImage(w io.Writer) error {
	out := bufio.NewWriter(w)
	total := len(b.programmes.added) + len(b.units.added) + len(b.tasks.added) +
		len(b.targets.added) + len(b.allocations.added) + len(b.calendars.added) + len(b.regimes.added)
	if _, err := out.Write(binary.AppendUvarint(nil, uint64(total))); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	err := errors.Join(
		writeShelf(out, b.programmes, func(p *registryv1.Programme) *registryv1.Change {
			return &registryv1.Change{Revision: p.Revision, Resource: &registryv1.Change_Programme{Programme: p}}
		}),
		writeShelf(out, b.units, func(u *unit) *registryv1.Change {
			return &registryv1.Change{Revision: u.proto.Revision, Resource: &registryv1.Change_Unit{Unit: u.proto}}
		}),
		writeShelf(out, b.tasks, func(t *registryv1.Task) *registryv1.Change {
			return &registryv1.Change{Revision: t.Revision, Resource: &registryv1.Change_Task{Task: t}}
		}),
		writeShelf(out, b.targets, func(t *registryv1.Target) *registryv1.Change {
			return &registryv1.Change{Revision: t.Revision, Resource: &registryv1.Change_Target{Target: t}}
		}),
		writeShelf(out, b.allocations, func(a *registryv1.Allocation) *registryv1.Change {
			return &registryv1.Change{Revision: a.Revision, Resource: &registryv1.Change_Allocation{Allocation: a}}
		}),
		writeShelf(out, b.calendars, func(c *registryv1.Calendar) *registryv1.Change {
			return &registryv1.Change{Revision: c.Revision, Resource: &registryv1.Change_Calendar{Calendar: c}}
		}),
		writeShelf(out, b.regimes, func(r *registryv1.Regime) *registryv1.Change {
			return &registryv1.Change{Revision: r.Revision, Resource: &registryv1.Change_Regime{Regime: r}}
		}),
	)
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write image: %w", err)
	}
	return nil
}

// writeShelf writes a shelf in order of names, each resource behind its length.
func writeShelf[V any](w io.Writer, s *shelf[V], change func(V) *registryv1.Change) error {
	var buf []byte
	for _, n := range s.names() {
		v, _ := s.get(n)
		m, err := proto.MarshalOptions{Deterministic: true}.Marshal(change(v))
		if err != nil {
			return fmt.Errorf("encode %s: %w", n, err)
		}
		buf = append(binary.AppendUvarint(buf[:0], uint64(len(m))), m...)
		if _, err := w.Write(buf); err != nil {
			return fmt.Errorf("write %s: %w", n, err)
		}
	}
	return nil
}

// ReadImage fills a new book from an image, and refuses one that is cut or
// longer than it says.
func (b *Book) ReadImage(r io.Reader) error {
	in := bufio.NewReader(r)
	total, err := binary.ReadUvarint(in)
	if err != nil {
		return fmt.Errorf("read image: %w", err)
	}
	var buf []byte
	for i := range total {
		size, err := binary.ReadUvarint(in)
		if err != nil || size > maxChange {
			return fmt.Errorf("read resource %d of %d, of %d bytes: %w", i+1, total, size, errors.Join(err, io.ErrUnexpectedEOF))
		}
		if uint64(cap(buf)) < size {
			buf = make([]byte, size)
		}
		if _, err := io.ReadFull(in, buf[:size]); err != nil {
			return fmt.Errorf("read resource %d of %d: %w", i+1, total, err)
		}
		var c registryv1.Change
		if err := proto.Unmarshal(buf[:size], &c); err != nil {
			return fmt.Errorf("decode resource %d of %d: %w", i+1, total, err)
		}
		if err := b.place(&c); err != nil {
			return fmt.Errorf("place resource %d of %d: %w", i+1, total, err)
		}
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return fmt.Errorf("the image goes on after its %d resources", total)
	}
	return nil
}
