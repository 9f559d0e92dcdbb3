package reporting

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// sourceOf is source, made once for many events of one origin.
type sourceOf struct {
	made atomic.Pointer[struct {
		origin ledger.Origin
		text   string
	}]
}

func (s *sourceOf) source(o ledger.Origin) string {
	if made := s.made.Load(); made != nil && made.origin == o {
		return made.text
	}
	made := &struct {
		origin ledger.Origin
		text   string
	}{o, source(o)}
	s.made.Store(made)
	return made.text
}

// source is the CloudEvents source of the streams of an epoch:
// `cotmoc://<installation>/reporting/epochs/<number>`, from the second epoch on with a
// hyphen and a mark. The installation is the mark of the log's first event. The mark of
// an epoch comes from the event that declares it, so two installations that were
// restored from one backup differ as soon as each has declared an epoch.
func source(o ledger.Origin) string {
	s := fmt.Sprintf("cotmoc://%s/reporting/epochs/%d", o.Log, o.Epoch)
	if o.Epoch > ledger.FirstEpoch {
		s += fmt.Sprintf("-%x", o.Since[:8])
	}
	return s
}

// eventID is the CloudEvents id of a fact, which no other fact of any installation has.
func eventID(sequence uint64, m ledger.Mark) string {
	return strconv.FormatUint(sequence, 10) + "-" + m.String()
}

// progressID is the CloudEvents id of a total. What the total was at an event follows
// from the log up to it, so the id follows from the chain there and the subject.
func progressID(at ledger.Head, subject string) string {
	sum := sha256.Sum256(append(at.Hash[:], subject...))
	return fmt.Sprintf("%d-%x", at.Sequence, sum[:16])
}

// NewDescribe returns what tells the subject and headers with which an event is published.
// It is for stream.RelayConfig.
func NewDescribe() func(stream.Event) (string, nats.Header, error) {
	of := &sourceOf{}
	return func(e stream.Event) (string, nats.Header, error) {
		fact := new(eventv1.Event)
		if err := proto.Unmarshal(e.Data, fact); err != nil {
			return "", nil, err
		}
		subject, err := event.Subject(fact)
		if err != nil {
			return "", nil, err
		}
		id := event.Identity{Source: of.source(e.Origin), Epoch: e.Origin.Epoch, ID: eventID(e.Sequence, e.Mark)}
		return subject, event.Header(fact, id), nil
	}
}
