package book

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// errImage says that an image cannot be read; it is then rebuilt from the log.
var errImage = errors.New("image is damaged")

// imageWriter writes numbers and strings; the first error stays.
type imageWriter struct {
	w   *bufio.Writer
	buf [binary.MaxVarintLen64]byte
	err error
}

func (w *imageWriter) uint(v uint64) {
	n := binary.PutUvarint(w.buf[:], v)
	w.raw(w.buf[:n])
}

func (w *imageWriter) int(v int64) {
	n := binary.PutVarint(w.buf[:], v)
	w.raw(w.buf[:n])
}

func (w *imageWriter) bool(v bool) {
	if v {
		w.uint(1)
	} else {
		w.uint(0)
	}
}

func (w *imageWriter) string(s string) {
	w.uint(uint64(len(s)))
	if w.err == nil {
		_, w.err = w.w.WriteString(s)
	}
}

func (w *imageWriter) raw(b []byte) {
	if w.err == nil {
		_, w.err = w.w.Write(b)
	}
}

// imageReader reads what imageWriter wrote; after the first error all reads give zero.
type imageReader struct {
	r   *bufio.Reader
	err error
}

func (r *imageReader) uint() uint64 {
	if r.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(r.r)
	r.err = err
	return v
}

func (r *imageReader) int() int64 {
	if r.err != nil {
		return 0
	}
	v, err := binary.ReadVarint(r.r)
	r.err = err
	return v
}

func (r *imageReader) bool() bool { return r.uint() == 1 }

// count reads a number of things to come, bounded so that damage cannot ask for
// more memory than the machine has.
func (r *imageReader) count() int {
	n := r.uint()
	if n > 1<<31 {
		r.err = errImage
		return 0
	}
	return int(n)
}

func (r *imageReader) string() string {
	n := r.count()
	if r.err != nil || n > 1<<24 {
		r.err = errors.Join(r.err, errImage)
		return ""
	}
	b := make([]byte, n)
	_, r.err = io.ReadFull(r.r, b)
	return string(b)
}
