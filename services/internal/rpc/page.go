package rpc

import "google.golang.org/protobuf/proto"

// MaxAnswer is how large an answer becomes, in bytes: what a client takes that was told
// nothing else, 4 MiB, and room for what stands beside the list in it.
const MaxAnswer = 3 << 20

// Fit returns how many of a list's elements, from the first on, fit into an answer of
// which used bytes are taken. One does always, or nobody would come to the next.
func Fit[M proto.Message](list []M, used int) int {
	const frame = 1 + 4 // of an element: the field's number and its length
	for i, m := range list {
		if used += proto.Size(m) + frame; used > MaxAnswer && i > 0 {
			return i
		}
	}
	return len(list)
}
