// Package obs lets people see what a service does: its log, its metrics, and the
// HTTP port on which both its health and its metrics are read.
package obs

import (
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Format is how log lines are written.
type Format string

// The formats.
const (
	JSON    Format = "json"    // one object a line, for machines
	Console Format = "console" // columns, for people
)

// NewLog returns a logger that writes lines of at least the given level (`debug`,
// `info`, `warn`, `error`; empty means info) to w. Empty format means JSON. Times
// are RFC 3339 in UTC.
func NewLog(w io.Writer, format Format, level string) (*zap.Logger, error) {
	at := zapcore.InfoLevel
	if level != "" {
		var err error
		if at, err = zapcore.ParseLevel(level); err != nil {
			return nil, fmt.Errorf("log level: %w", err)
		}
	}
	c := zap.NewProductionEncoderConfig()
	c.TimeKey = "time"
	c.EncodeTime = func(t time.Time, e zapcore.PrimitiveArrayEncoder) {
		zapcore.RFC3339NanoTimeEncoder(t.UTC(), e)
	}
	c.EncodeDuration = zapcore.StringDurationEncoder
	var enc zapcore.Encoder
	switch format {
	case JSON, "":
		enc = zapcore.NewJSONEncoder(c)
	case Console:
		c.EncodeLevel = zapcore.CapitalLevelEncoder
		enc = zapcore.NewConsoleEncoder(c)
	default:
		return nil, fmt.Errorf("log format %q: want json or console", format)
	}
	return zap.New(zapcore.NewCore(enc, zapcore.Lock(zapcore.AddSync(w)), at)), nil
}
