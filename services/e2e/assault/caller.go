// Package assault calls gRPC servers in ways that no library does: it speaks HTTP/2 frame
// by frame, sends messages that never end, does not read answers, and floods. It is for
// tests that hold a server of ours to its limits.
package assault

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Caller is one connection. Its methods may be called from several goroutines.
type Caller struct {
	raw net.Conn

	write   sync.Mutex // the framer's writing side, and the encoder
	framer  *http2.Framer
	headers bytes.Buffer
	encoder *hpack.Encoder
	next    uint32

	mu       sync.Mutex
	changed  *sync.Cond
	window   map[uint32]int // what may be sent on a stream; 0 is the connection
	initial  int
	statuses map[string]int // gRPC status codes that came, and how streams ended otherwise
	open     map[uint32]bool
	err      error // why the connection ended
	lazy     bool  // gives no window for what it reads
}

// Option changes how a caller begins.
type Option func(*Caller, *[]http2.Setting)

// Unread never gives the server room to send an answer.
func Unread(c *Caller, settings *[]http2.Setting) {
	c.lazy = true
	*settings = append(*settings, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
}

// Dial connects; without a configuration it speaks without TLS.
func Dial(address string, config *tls.Config, options ...Option) (*Caller, error) {
	raw, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	if config != nil {
		config = config.Clone()
		config.NextProtos = []string{"h2"}
		secure := tls.Client(raw, config)
		_ = secure.SetDeadline(time.Now().Add(10 * time.Second))
		if err := secure.Handshake(); err != nil {
			_ = raw.Close()
			return nil, err
		}
		_ = secure.SetDeadline(time.Time{})
		raw = secure
	}
	c := &Caller{raw: raw, framer: http2.NewFramer(raw, raw), next: 1, window: map[uint32]int{0: 65535}, initial: 65535,
		statuses: map[string]int{}, open: map[uint32]bool{}}
	c.changed = sync.NewCond(&c.mu)
	c.encoder = hpack.NewEncoder(&c.headers)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	settings := []http2.Setting{}
	for _, o := range options {
		o(c, &settings)
	}
	if _, err := raw.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	if err := c.framer.WriteSettings(settings...); err != nil {
		return nil, err
	}
	go c.read()
	return c, nil
}

// Close ends the connection.
func (c *Caller) Close() { _ = c.raw.Close() }

// Err is why the connection ended; nil while it stands.
func (c *Caller) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Statuses are how many streams ended in which way: a gRPC code's number, or `reset`.
func (c *Caller) Statuses() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[string]int, len(c.statuses))
	for k, v := range c.statuses {
		all[k] = v
	}
	return all
}

// Open begins a call and returns its stream. headers are names and values in turn.
func (c *Caller) Open(method string, headers ...string) (uint32, error) {
	c.write.Lock()
	defer c.write.Unlock()
	stream := c.next
	c.next += 2
	c.headers.Reset()
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":path", method}, {":authority", "localhost"},
		{"content-type", "application/grpc"}, {"te", "trailers"}} {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: headers[i], Value: headers[i+1]})
	}
	c.mu.Lock()
	c.window[stream] = c.initial
	c.open[stream] = true
	c.mu.Unlock()
	return stream, c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.headers.Bytes(), EndHeaders: true})
}

// Frame puts the header of a gRPC message before it; size is what the header says.
func Frame(message []byte, size int) []byte {
	framed := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(size))
	return append(framed, message...)
}

// Send sends bytes on a stream as the server makes room for them, for ten seconds at most.
func (c *Caller) Send(stream uint32, data []byte, end bool) error {
	const most = 16 << 10
	for first := true; first || len(data) > 0; first = false {
		n, err := c.room(stream, min(len(data), most))
		if err != nil {
			return err
		}
		c.write.Lock()
		err = c.framer.WriteData(stream, end && n == len(data), data[:n])
		c.write.Unlock()
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

var errNoRoom = errors.New("the server makes no room")

// room waits until something may be sent, and takes up to n of it.
func (c *Caller) room(stream uint32, n int) (int, error) {
	timeout := time.AfterFunc(10*time.Second, c.changed.Broadcast)
	defer timeout.Stop()
	late := time.Now().Add(10 * time.Second)
	c.mu.Lock()
	defer c.mu.Unlock()
	for n > 0 && min(c.window[0], c.window[stream]) <= 0 {
		switch {
		case c.err != nil:
			return 0, c.err
		case !c.open[stream]:
			return 0, fmt.Errorf("stream %d is over", stream)
		case time.Now().After(late):
			return 0, errNoRoom
		}
		c.changed.Wait()
	}
	n = min(n, c.window[0], c.window[stream])
	c.window[0] -= n
	c.window[stream] -= n
	return n, c.err
}

// Flood writes raw frames until the connection ends or it is told to stop; it returns how
// many it wrote.
func (c *Caller) Flood(write func(*http2.Framer, uint32) error, most int) (n int) {
	for n < most {
		c.write.Lock()
		err := write(c.framer, c.next)
		c.next += 2
		c.write.Unlock()
		if err != nil || c.Err() != nil {
			return n
		}
		n++
	}
	return n
}

// Reset ends a stream.
func (c *Caller) Reset(stream uint32) error {
	c.write.Lock()
	defer c.write.Unlock()
	return c.framer.WriteRSTStream(stream, http2.ErrCodeCancel)
}

// Begin is Open and Reset at once.
func (c *Caller) Begin(method string) error {
	stream, err := c.Open(method)
	if err == nil {
		err = c.Reset(stream)
	}
	return err
}

// Settled waits until no stream is open, or the connection ends.
func (c *Caller) Settled(within time.Duration) bool {
	late := time.Now().Add(within)
	for time.Now().Before(late) {
		c.mu.Lock()
		done := len(c.open) == 0 || c.err != nil
		c.mu.Unlock()
		if done {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}

func (c *Caller) read() {
	for {
		f, err := c.framer.ReadFrame()
		if err != nil {
			var bad http2.StreamError
			if errors.As(err, &bad) {
				continue
			}
			c.mu.Lock()
			c.err = err
			c.changed.Broadcast()
			c.mu.Unlock()
			return
		}
		c.see(f)
	}
}

// see takes what the server sent into account.
func (c *Caller) see(f http2.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed.Broadcast()
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			return
		}
		_ = f.ForeachSetting(func(s http2.Setting) error {
			if s.ID == http2.SettingInitialWindowSize {
				c.initial = int(s.Val)
			}
			return nil
		})
		go c.locked(func() error { return c.framer.WriteSettingsAck() })
	case *http2.PingFrame:
		if data := f.Data; !f.IsAck() {
			go c.locked(func() error { return c.framer.WritePing(true, data) })
		}
	case *http2.WindowUpdateFrame:
		c.window[f.StreamID] += int(f.Increment)
	case *http2.DataFrame:
		if n := uint32(f.Length); n > 0 && !c.lazy {
			stream := f.StreamID
			go c.locked(func() error { _ = c.framer.WriteWindowUpdate(stream, n); return c.framer.WriteWindowUpdate(0, n) })
		}
	case *http2.RSTStreamFrame:
		if c.open[f.StreamID] {
			c.over(f.StreamID, "reset")
		}
	case *http2.MetaHeadersFrame:
		for _, h := range f.Fields {
			if h.Name == "grpc-status" {
				c.over(f.StreamID, h.Value)
			}
		}
	case *http2.GoAwayFrame:
		c.statuses["goaway "+strconv.Itoa(int(f.ErrCode))]++
	}
}

func (c *Caller) over(stream uint32, how string) {
	c.statuses[how]++
	delete(c.open, stream)
	delete(c.window, stream)
}

func (c *Caller) locked(do func() error) {
	c.write.Lock()
	defer c.write.Unlock()
	_ = do()
}
