package rpc

import (
	"bytes"
	"io"
	"sync"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/gzip" // the compressor that this one is made of
)

// registerGzip makes all servers of the process unpack carefully: gRPC knows compressors by
// their names alone. It is called before the first server is made.
var registerGzip = sync.OnceFunc(func() {
	encoding.RegisterCompressor(&carefulGzip{encoding.GetCompressor("gzip"), make(chan struct{}, 1)})
})

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
