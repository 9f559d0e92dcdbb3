package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
)

// Load says how much work a method can be beyond one plain read or write.
type Load int

// The loads.
const (
	Plain Load = iota // a place in the book, or a page of it
	Heavy             // much of the book, or of the log
	Past              // the book as it was known at an earlier time, replayed
)

// Place waits for a place for the call that a request makes, where calls like it are
// expensive. What it returns gives the place back, and is to be called in any case.
func (g *Guard) Place(ctx context.Context, method string, req proto.Message) (leave func(), err error) {
	c, load := callerOf(ctx), loadOf(g.table[method], req)
	if c == nil || load == Plain {
		return func() {}, nil
	}
	if leave, err = g.places.take(ctx, load, c.Key()); err != nil {
		return func() {}, err
	}
	return leave, nil
}

// loadOf is how expensive a call is.
func loadOf(row Row, req proto.Message) Load {
	m := req.ProtoReflect()
	fields := m.Descriptor().Fields()
	if f := fields.ByName("known_at"); f != nil && m.Has(f) {
		return Past
	}
	if f := fields.ByName("key"); f != nil && f.Message() != nil && m.Has(f) {
		if at := f.Message().Fields().ByName("known_at"); at != nil && m.Get(f).Message().Has(at) {
			return Past
		}
	}
	if row.LoadWhere != "" && !m.Has(fields.ByName(protoreflect.Name(row.LoadWhere))) {
		return Plain
	}
	return row.Load
}

// Places of calls that are expensive: how many are worked on at a time, by load, and how
// many of them may be those of all systems of one unit in one role, so that there is always
// one for somebody else.
var (
	placesOfAll = map[Load]int{Heavy: 4, Past: 2}
	placesOfOne = map[Load]int{Heavy: 2, Past: 1}
)

// maxQueued is how many calls of one identity may wait for a place, and queueRetry is when
// one that found the queue full may try again.
const (
	maxQueued  = 32
	queueRetry = time.Second
)

// places hands out the places of expensive calls, in turn by identity.
type places struct {
	mu    sync.Mutex
	rooms map[Load]*room
}

// room has the places of one load.
type room struct {
	free   int
	most   int            // of one identity
	taken  map[string]int // by identity
	queues map[string][]*ticket
	turn   []string // identities with a queue, in the order in which they are served
}

// ticket is one call that waits.
type ticket struct {
	ready chan struct{} // closed when the place is taken for it
	given bool
}

func newPlaces() *places {
	p := &places{rooms: make(map[Load]*room)}
	for load, n := range placesOfAll {
		p.rooms[load] = &room{free: n, most: placesOfOne[load], taken: make(map[string]int), queues: make(map[string][]*ticket)}
	}
	return p
}

// take waits for a place for who. It returns what gives the place back.
func (p *places) take(ctx context.Context, load Load, who string) (leave func(), err error) {
	r := p.rooms[load]
	if r == nil {
		return func() {}, nil
	}
	p.mu.Lock()
	if len(r.queues[who]) >= maxQueued {
		p.mu.Unlock()
		return nil, apierr.WithRetry(apierr.New(codes.ResourceExhausted, errorv1.Reason_REASON_BUSY, "",
			fmt.Sprintf("%d expensive calls of this caller wait already; send the same request again", maxQueued)), queueRetry)
	}
	t := &ticket{ready: make(chan struct{})}
	if len(r.queues[who]) == 0 {
		r.turn = append(r.turn, who)
	}
	r.queues[who] = append(r.queues[who], t)
	r.serve()
	p.mu.Unlock()
	leave = sync.OnceFunc(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.leave(who)
	})
	select {
	case <-t.ready:
		return leave, nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.given {
		r.leave(who)
	} else {
		r.forget(who, t)
	}
	return nil, context.Cause(ctx)
}

// serve gives free places to those whose turn it is.
func (r *room) serve() {
	for i := 0; i < len(r.turn) && r.free > 0; {
		who := r.turn[i]
		if r.taken[who] >= r.most {
			i++
			continue
		}
		t := r.queues[who][0]
		r.free--
		r.taken[who]++
		t.given = true
		close(t.ready)
		r.turn = slices.Delete(r.turn, i, i+1)
		if r.queues[who] = r.queues[who][1:]; len(r.queues[who]) > 0 {
			r.turn = append(r.turn, who) // behind the others
		} else {
			delete(r.queues, who)
		}
	}
}

func (r *room) leave(who string) {
	r.free++
	if r.taken[who]--; r.taken[who] == 0 {
		delete(r.taken, who)
	}
	r.serve()
}

// forget takes one that gave up out of its queue.
func (r *room) forget(who string, t *ticket) {
	q := slices.DeleteFunc(r.queues[who], func(o *ticket) bool { return o == t })
	if r.queues[who] = q; len(q) == 0 {
		delete(r.queues, who)
		r.turn = slices.DeleteFunc(r.turn, func(o string) bool { return o == who })
	}
}
