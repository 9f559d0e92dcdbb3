package rpc

import (
	"context"
	"reflect"

	"google.golang.org/grpc"
)

// streamID is the HTTP/2 number of the stream that a call came on; 0 where it has none.
// gRPC does not tell it, so it is read out of gRPC's stream, and a test fails when it is
// not there any more: without it, answers cannot be told from one another on the wire.
func streamID(ctx context.Context) uint32 {
	stream := reflect.ValueOf(grpc.ServerTransportStreamFromContext(ctx))
	for _, name := range []string{"Stream", "id"} {
		if stream.Kind() == reflect.Pointer {
			stream = stream.Elem()
		}
		if stream.Kind() != reflect.Struct {
			return 0
		}
		stream = stream.FieldByName(name)
	}
	if stream.Kind() != reflect.Uint32 {
		return 0
	}
	return uint32(stream.Uint())
}
