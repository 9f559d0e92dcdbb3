package rpc

import (
	"bytes"
	"io"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the compressor that this one is made of
)

// gRPC knows compressors by their names alone, and asks them for one to unpack with when a
// message has come.
func init() {
	encoding.RegisterCompressor(&carefulGzip{encoding.GetCompressor("gzip"), make(chan struct{}, 1)})
}

// carefulGzip unpacks one message at a time: a few kilobytes may become megabytes, for
// which nobody has been asked yet.
type carefulGzip struct {
	encoding.Compressor
	place chan struct{}
}

// Decompress implements encoding.Compressor. What is more than any message may have is cut
// off, for gRPC to refuse.
func (g *carefulGzip) Decompress(r io.Reader) (io.Reader, error) {
	g.place <- struct{}{}
	defer func() { <-g.place }()
	plain, err := g.Compressor.Decompress(r)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(plain, maxBatchBytes+1))
	if err != nil {
		return nil, err
	}
	return bytes.NewReader(data), nil
}
