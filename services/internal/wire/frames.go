package wire

import "encoding/binary"

// Types and flags of HTTP/2 frames: RFC 9113, section 6.
const (
	typeData     = 0x0
	typeHeaders  = 0x1
	typeReset    = 0x3
	flagEnd      = 0x1 // END_STREAM, of DATA and HEADERS
	headerSize   = 9
	prefaceSize  = 24 // what a client sends before its first frame
	streamIDMask = 1<<31 - 1
)

// frame is the header of one.
type frame struct {
	kind, flags byte
	stream      uint32
	length      int
}

// ends reports whether the frame ends its sender's half of the stream.
func (f frame) ends() bool { return f.flags&flagEnd != 0 && f.kind <= typeHeaders }

// frames finds the headers of frames in what passes over a connection in one direction.
type frames struct {
	skip int // bytes before the next header
	have int // bytes of the header that have come
	head [headerSize]byte
	each func(frame)
}

// feed looks at the next bytes.
func (f *frames) feed(p []byte) {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip -= n
			p = p[n:]
			continue
		}
		n := copy(f.head[f.have:], p)
		f.have += n
		p = p[n:]
		if f.have < headerSize {
			return
		}
		f.have = 0
		f.skip = int(f.head[0])<<16 | int(f.head[1])<<8 | int(f.head[2])
		f.each(frame{kind: f.head[3], flags: f.head[4], stream: binary.BigEndian.Uint32(f.head[5:]) & streamIDMask, length: f.skip})
	}
}
