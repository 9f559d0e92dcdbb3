package run

import (
	"testing"

	"google.golang.org/grpc/encoding"
)

// TestCompressionIsLinkedIn: a test that compresses itself would not find out.
func TestCompressionIsLinkedIn(t *testing.T) {
	if encoding.GetCompressor("gzip") == nil {
		t.Error("compressed calls are not understood")
	}
}
