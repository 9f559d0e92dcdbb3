package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// console is where a command writes: results to Out, progress to Err.
type console struct {
	Out, Err io.Writer
	TTY      bool // somebody looks at Err, so progress bars are drawn
}

// newConsole is the console of this process.
func newConsole() *console {
	return &console{Out: os.Stdout, Err: os.Stderr, TTY: term.IsTerminal(int(os.Stderr.Fd()))}
}

// printf writes to Out; a reader that went away is not worth an error.
func (c *console) printf(format string, args ...any) { fmt.Fprintf(c.Out, format, args...) }

// json writes a message as one line of JSON with the contract's field names.
func (c *console) json(m proto.Message) error {
	line, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	return c.line(line)
}

// line writes JSON on one line. protojson varies its blanks from build to build on
// purpose; json.RawMessage is compacted by the encoder.
func (c *console) line(text []byte) error {
	enc := json.NewEncoder(c.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(json.RawMessage(text))
}

// bar draws how far something is and returns how to move it and how to end it. Where
// nobody looks it does nothing.
func (c *console) bar(total int, what string) (add func(int), done func()) {
	if !c.TTY {
		return func(int) {}, func() {}
	}
	b := progressbar.NewOptions(total,
		progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(c.Err),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	return func(n int) { _ = b.Add(n) }, func() { _ = b.Finish() }
}
