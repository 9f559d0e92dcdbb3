package ledger

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// An image file is
//
//	"COTMOCIM" | version (1) | fold's length as varint, fold |
//	sequence, time, epoch, level as varints | chain hash (32) |
//	what the state wrote | CRC-32C of all before (4)
const (
	imageMagic   = "COTMOCIM"
	imageVersion = 1
	imageBuffer  = 1 << 20
)

// loadImage returns the state of the image and where it stands, or an empty state
// when there is no image that can be used. Only a store that cannot be read is an error.
func (e *Engine[S]) loadImage(ctx context.Context) (S, Head, error) {
	if e.cfg.ImagePath == "" {
		return e.cfg.Empty(), e.emptyHead(), nil
	}
	s, head, err := e.openImage(ctx, e.cfg.ImagePath)
	switch {
	case err == nil:
		return s, head, nil
	case errors.Is(err, os.ErrNotExist):
	case errors.Is(err, errUnusable):
		e.log.Warn("image not used; rebuilding from the log", zap.String("path", e.cfg.ImagePath), zap.Error(err))
	default:
		return s, Head{}, err
	}
	return e.cfg.Empty(), e.emptyHead(), nil
}

// errUnusable says that there is no image, or one that this engine cannot use.
var errUnusable = errors.New("image unusable")

// openImage returns the state of an image of this fold with which the log agrees,
// and where it stands. An error that does not wrap errUnusable is the store's.
func (e *Engine[S]) openImage(ctx context.Context, path string) (S, Head, error) {
	s, head, err := readImage(path, e.cfg.Empty())
	if err != nil {
		return s, Head{}, fmt.Errorf("%w: %w", errUnusable, err)
	}
	if head.Level > e.cfg.Level {
		return s, Head{}, fmt.Errorf("%w: it is of level %d", errUnusable, head.Level)
	}
	agrees, err := agree(ctx, e.cfg.Store, head)
	if err != nil {
		return s, Head{}, fmt.Errorf("check the image against the log: %w", err)
	}
	if !agrees {
		return s, Head{}, fmt.Errorf("%w: the log is not the one it was made of", errUnusable)
	}
	return s, head, nil
}

// agree reports whether the store's chain at the head's number is the head's.
func agree(ctx context.Context, store Store, h Head) (bool, error) {
	if h.Sequence == 0 {
		return false, nil
	}
	for b, err := range store.Blocks(ctx, h.Sequence-1) {
		if err != nil {
			return false, err
		}
		return b.End() == h.Sequence && b.Last == h.Hash, nil
	}
	return false, nil
}

// readImage fills the state from the file, after the whole file's checksum held.
func readImage[S State[S]](path string, s S) (_ S, h Head, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("image: panic in ReadImage: %v", r)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return s, h, err
	}
	defer f.Close()
	size, err := checkSum(f)
	if err != nil {
		return s, h, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return s, h, err
	}
	r := bufio.NewReaderSize(io.LimitReader(f, size), imageBuffer)
	if h, err = readHeader(r, s.Fold()); err != nil {
		return s, h, err
	}
	if err := s.ReadImage(r); err != nil {
		return s, h, fmt.Errorf("image: %w", err)
	}
	return s, h, nil
}

// checkSum verifies the file's last four bytes and returns how many are before them.
func checkSum(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	size := info.Size() - crcSize
	if size < 0 {
		return 0, errors.New("image: cut short")
	}
	sum := crc32.New(castagnoli)
	if _, err := io.CopyBuffer(sum, io.LimitReader(f, size), make([]byte, imageBuffer)); err != nil {
		return 0, err
	}
	var want [crcSize]byte
	if _, err := io.ReadFull(f, want[:]); err != nil {
		return 0, err
	}
	if sum.Sum32() != binary.BigEndian.Uint32(want[:]) {
		return 0, errors.New("image: checksum differs")
	}
	return size, nil
}

func readHeader(r *bufio.Reader, fold string) (h Head, err error) {
	magic := make([]byte, len(imageMagic)+1)
	if _, err := io.ReadFull(r, magic); err != nil {
		return h, err
	}
	if !bytes.Equal(magic, append([]byte(imageMagic), imageVersion)) {
		return h, errors.New("image: not of this format")
	}
	n, err := binary.ReadUvarint(r)
	if err != nil || n > 1<<10 {
		return h, errors.New("image: fold unreadable")
	}
	got := make([]byte, n)
	if _, err := io.ReadFull(r, got); err != nil {
		return h, err
	}
	if string(got) != fold {
		return h, fmt.Errorf("image: of fold %q, not %q", got, fold)
	}
	var v [4]uint64
	for i := range v {
		if v[i], err = binary.ReadUvarint(r); err != nil {
			return h, err
		}
	}
	h = Head{Sequence: v[0], Time: time.UnixMicro(int64(v[1])).UTC(), Epoch: uint32(v[2]), Level: uint32(v[3])}
	_, err = io.ReadFull(r, h.Hash[:])
	return h, err
}

func header(fold string, h Head) []byte {
	b := append([]byte(imageMagic), imageVersion)
	b = binary.AppendUvarint(b, uint64(len(fold)))
	b = append(b, fold...)
	for _, v := range []uint64{h.Sequence, uint64(h.Time.UnixMicro()), uint64(h.Epoch), uint64(h.Level)} {
		b = binary.AppendUvarint(b, v)
	}
	return append(b, h.Hash[:]...)
}

// maybeImage begins an image in the background when the log grew enough since the
// last one and none is being written.
func (e *Engine[S]) maybeImage(h Head) {
	if e.cfg.ImagePath == "" || h.Sequence-e.imaged.Load() < e.cfg.ImageEvery || !e.writing.CompareAndSwap(false, true) {
		return
	}
	cut, h := e.Freeze()
	e.imaging.Add(1)
	go func() {
		defer e.imaging.Done()
		defer e.writing.Store(false)
		e.image(cut, h)
	}()
}

// lastImage writes an image of the log's end, so that a start after a clean stop
// replays nothing.
func (e *Engine[S]) lastImage() {
	if e.cfg.ImagePath == "" || e.Head().Sequence == e.imaged.Load() {
		return
	}
	cut, h := e.Freeze()
	e.image(cut, h)
}

// image writes a cut and logs how that went. After a failure the next try comes
// with the next image that is due.
func (e *Engine[S]) image(cut S, h Head) {
	began := time.Now()
	err := writeImage(e.cfg.ImagePath, cut, h)
	e.imaged.Store(h.Sequence)
	if err != nil {
		e.log.Error("write image", zap.String("path", e.cfg.ImagePath), zap.Error(err))
		return
	}
	e.log.Info("image written", zap.Uint64("sequence", h.Sequence), zap.Duration("took", time.Since(began)))
	e.keepMonth(cut, h)
}

// writeImage puts a cut in the place of the file at path, whole or not at all. What
// it could not finish takes no room, of which there may be none.
func writeImage[S State[S]](path string, cut S, h Head) (err error) {
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(path+".tmp", path)
		}
		if err != nil {
			_ = os.Remove(path + ".tmp")
			return
		}
		err = syncFolder(filepath.Dir(path))
	}()
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), imageBuffer)
	if _, err := w.Write(header(cut.Fold(), h)); err != nil {
		return err
	}
	if err := cut.WriteImage(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := f.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32())); err != nil {
		return err
	}
	return f.Sync()
}

// syncFolder makes a rename in the folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
