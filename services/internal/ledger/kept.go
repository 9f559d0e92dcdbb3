package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/cotmoc/cotmoc/services/internal/calendar"
)

// keptMost is how many images of former times are kept. Each is as large as the
// image that the engine starts from.
const keptMost = 60

// KeepImage writes an image of the present head and keeps it, so that the state of
// this moment can later be had without a replay. It does nothing without an
// ImagePath or on an empty log. Once begun it does not heed ctx.
func (e *Engine[S]) KeepImage(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("keep image: %w", context.Cause(ctx))
	}
	if e.cfg.ImagePath == "" || e.Head().Sequence == 0 {
		return nil
	}
	cut, h := e.Freeze()
	if err := e.keep(cut, h); err != nil {
		return fmt.Errorf("keep image of entry %d: %w", h.Sequence, err)
	}
	return nil
}

// keep writes a cut to a file of its own, and removes kept images beyond the most.
func (e *Engine[S]) keep(cut S, h Head) error {
	e.keeping.Lock()
	defer e.keeping.Unlock()
	fresh := e.cfg.ImagePath + ".kept" // one name: what a crash leaves of it is overwritten
	if err := writeImage(fresh, cut, h); err != nil {
		return err
	}
	if err := os.Rename(fresh, e.keptPath(h.Sequence)); err != nil {
		return errors.Join(err, os.Remove(fresh))
	}
	return e.thin()
}

// monthOf is the calendar month of a time.
func monthOf(t time.Time) calendar.Period { return calendar.EndOfMonth.At(t, calendar.Monthly) }

// keepMonth keeps a cut that is the first of its calendar month.
func (e *Engine[S]) keepMonth(cut S, h Head) {
	if ns := e.kept(); len(ns) > 0 {
		newest, err := e.keptHead(ns[len(ns)-1], cut.Fold())
		if err == nil && monthOf(newest.Time) == monthOf(h.Time) {
			return
		}
	}
	if err := e.keep(cut, h); err != nil {
		e.log.Error("keep image", zap.Uint64("sequence", h.Sequence), zap.Error(err))
		return
	}
	e.log.Info("image kept", zap.Uint64("sequence", h.Sequence))
}

// thin removes kept images beyond the most: each time the one whose two neighbours
// are closest, so that no replay becomes much longer. The newest stays.
func (e *Engine[S]) thin() error {
	ns := e.kept()
	for len(ns) > keptMost {
		least, narrowest := 0, ns[1]
		for i := 1; i < len(ns)-1; i++ {
			if gap := ns[i+1] - ns[i-1]; gap < narrowest {
				least, narrowest = i, gap
			}
		}
		if err := os.Remove(e.keptPath(ns[least])); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		ns = slices.Delete(ns, least, least+1)
	}
	return nil
}

// nearestImage returns the state of the last kept image at or before an entry, and
// where it stands, or an empty state. An image that cannot be used is removed. Only
// a store that cannot be read is an error.
func (e *Engine[S]) nearestImage(ctx context.Context, sequence uint64) (S, Head, error) {
	for _, n := range slices.Backward(e.kept()) {
		if n > sequence {
			continue
		}
		path := e.keptPath(n)
		s, h, err := e.openImage(ctx, path)
		if err == nil && h.Sequence != n {
			err = fmt.Errorf("%w: it is of entry %d", errUnusable, h.Sequence)
		}
		switch {
		case err == nil:
			return s, h, nil
		case errors.Is(err, os.ErrNotExist): // thinned out just now
		case errors.Is(err, errUnusable):
			e.log.Warn("kept image removed", zap.String("path", path), zap.Error(errors.Join(err, os.Remove(path))))
		default:
			return s, h, err
		}
	}
	return e.cfg.Empty(), e.emptyHead(), nil
}

// keptPath names the kept image of an entry.
func (e *Engine[S]) keptPath(sequence uint64) string {
	return e.cfg.ImagePath + "." + strconv.FormatUint(sequence, 10)
}

// kept lists the entries of which images are kept, in order: what is in the folder.
func (e *Engine[S]) kept() []uint64 {
	if e.cfg.ImagePath == "" {
		return nil
	}
	files, err := os.ReadDir(filepath.Dir(e.cfg.ImagePath))
	if err != nil {
		e.log.Warn("list kept images", zap.Error(err))
		return nil
	}
	var ns []uint64
	for _, f := range files {
		digits, ok := strings.CutPrefix(f.Name(), filepath.Base(e.cfg.ImagePath)+".")
		n, err := strconv.ParseUint(digits, 10, 64)
		if ok && err == nil && digits == strconv.FormatUint(n, 10) {
			ns = append(ns, n)
		}
	}
	slices.Sort(ns)
	return ns
}

// keptHead reads where a kept image stands.
func (e *Engine[S]) keptHead(sequence uint64, fold string) (Head, error) {
	f, err := os.Open(e.keptPath(sequence))
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	return readHeader(bufio.NewReader(f), fold)
}
