package reporting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/cotmoc/cotmoc/pkg/event"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// What the stream of dead letters may take on disk: some 200,000 of them. Beyond it
// the oldest go. Only the notes can be lost so: the events are in the log.
const deadBytes = 256 << 20

// followWithin is how long this replica may take to see what another appended.
const followWithin = time.Second

// deadName names the stream of dead letters of an epoch.
func deadName(epoch uint32) string { return fmt.Sprintf("COTMOC-DEAD-%d", epoch) }

// deadSubject is where the note about an event stands. Its third token keeps it
// apart from facts and last values, its second from other epochs.
func deadSubject(epoch uint32, subscription, sequence string) string {
	return fmt.Sprintf("cotmoc.epoch-%d.deadletter.%s.%s", epoch, subscription, sequence)
}

// deadStream makes or finds the stream, with as many copies as the facts have.
func (s *Service) deadStream(ctx context.Context, epoch uint32) (jetstream.Stream, error) {
	st, err := s.js.Stream(ctx, deadName(epoch))
	if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return st, err
	}
	facts, err := s.js.Stream(ctx, stream.FactsName(epoch))
	if err != nil {
		return nil, err
	}
	return s.js.CreateStream(ctx, jetstream.StreamConfig{
		Name: deadName(epoch), Description: "What subscribers set aside", Subjects: []string{deadSubject(epoch, "*", "*")},
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, MaxMsgsPerSubject: 1, MaxBytes: deadBytes,
		Replicas: facts.CachedInfo().Config.Replicas,
	})
}

// PutDeadLetter notes that a subscriber set an event aside. The first note stays.
func (s *Service) PutDeadLetter(ctx context.Context, req *reportingv1.PutDeadLetterRequest) (*reportingv1.PutDeadLetterResponse, error) {
	if s.js == nil {
		return nil, errNoNATS()
	}
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, natsWithin)
	defer cancel()
	if err := s.inLog(ctx, req.GetSequence()); err != nil {
		return nil, err
	}
	epoch := s.engine.Head().Epoch
	if _, err := s.deadStream(ctx, epoch); err != nil {
		return nil, natsAway("", err)
	}
	body, err := proto.Marshal(&reportingv1.DeadLetter{Event: &reportingv1.StoredEvent{Sequence: req.GetSequence()},
		Error: req.GetError(), Attempts: req.GetAttempts(), Time: timestamppb.New(s.now())})
	if err != nil {
		return nil, fmt.Errorf("encode dead letter: %w", err)
	}
	subject := deadSubject(epoch, req.GetSubscription(), strconv.FormatUint(req.GetSequence(), 10))
	_, err = s.js.Publish(ctx, subject, body, jetstream.WithExpectLastSequencePerSubject(0))
	var api *jetstream.APIError
	if errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		err = nil // it is noted already
	}
	if err != nil {
		return nil, natsAway("", err)
	}
	return &reportingv1.PutDeadLetterResponse{}, nil
}

// inLog refuses a number that no event has, after waiting for what another replica
// may have appended just now.
func (s *Service) inLog(ctx context.Context, sequence uint64) error {
	if sequence <= s.engine.Head().Sequence {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	if err := s.engine.View(ctx, sequence, func(*book.Book) error { return nil }); err != nil {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "sequence", "the log ends with event %d", s.engine.Head().Sequence)
	}
	return nil
}

// ListDeadLetters lists what a subscription set aside, with the events from the log.
func (s *Service) ListDeadLetters(ctx context.Context, req *reportingv1.ListDeadLettersRequest) (*reportingv1.ListDeadLettersResponse, error) {
	if s.js == nil {
		return nil, errNoNATS()
	}
	ctx, cancel := context.WithTimeout(ctx, natsWithin)
	defer cancel()
	epoch := s.engine.Head().Epoch
	all, err := s.deadLetters(ctx, epoch, req.GetSubscription())
	if err != nil {
		return nil, natsAway("", err)
	}
	resp := &reportingv1.ListDeadLettersResponse{}
	size := 0
	for _, sequence := range all[req.GetSubscription()] {
		if sequence <= req.GetAfterSequence() {
			continue
		}
		letter, err := s.deadLetter(ctx, epoch, req.GetSubscription(), sequence)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // just pushed out by newer ones
		}
		if err != nil {
			return nil, err
		}
		if size += proto.Size(letter); size > maxListBytes && len(resp.DeadLetters) > 0 {
			break
		}
		if resp.DeadLetters = append(resp.DeadLetters, letter); len(resp.DeadLetters) == pageSize(req.GetPageSize()) {
			break
		}
	}
	return resp, nil
}

// deadLetter reads a note and the event that it is about.
func (s *Service) deadLetter(ctx context.Context, epoch uint32, subscription string, sequence uint64) (*reportingv1.DeadLetter, error) {
	st, err := s.js.Stream(ctx, deadName(epoch))
	if err != nil {
		return nil, natsAway("", err)
	}
	msg, err := st.GetLastMsgForSubject(ctx, deadSubject(epoch, subscription, strconv.FormatUint(sequence, 10)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, err
	}
	if err != nil {
		return nil, natsAway("", err)
	}
	letter := &reportingv1.DeadLetter{}
	if err := proto.Unmarshal(msg.Data, letter); err != nil {
		return nil, fmt.Errorf("decode dead letter %d of %s: %w", sequence, subscription, err)
	}
	entry, _, err := s.engine.Entry(ctx, sequence)
	if err != nil {
		return nil, fmt.Errorf("event of dead letter %d of %s: %w", sequence, subscription, err)
	}
	letter.Event = &reportingv1.StoredEvent{Sequence: sequence, Event: entry.Event}
	if e, err := event.Decode(entry.Event); err == nil {
		letter.Event.Subject, _ = event.Subject(e) // what nobody can read has no subject
	}
	return letter, nil
}

// deadLetters returns the numbers of the events that were set aside, ascending, by
// subscription; "*" stands for all of them.
func (s *Service) deadLetters(ctx context.Context, epoch uint32, subscription string) (map[string][]uint64, error) {
	st, err := s.js.Stream(ctx, deadName(epoch))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := st.Info(ctx, jetstream.WithSubjectFilter(deadSubject(epoch, subscription, "*")))
	if err != nil {
		return nil, err
	}
	all := map[string][]uint64{}
	for subject := range info.State.Subjects {
		rest, number := cutLast(subject)
		_, name := cutLast(rest)
		if n, err := strconv.ParseUint(number, 10, 64); err == nil {
			all[name] = append(all[name], n)
		}
	}
	for _, numbers := range all {
		slices.Sort(numbers)
	}
	return all, nil
}

// cutLast splits a subject before its last token.
func cutLast(subject string) (rest, last string) {
	i := strings.LastIndexByte(subject, '.')
	return subject[:max(i, 0)], subject[i+1:]
}

// forgetDeadLetters removes the notes of a subscription.
func (s *Service) forgetDeadLetters(ctx context.Context, epoch uint32, subscription string) error {
	st, err := s.js.Stream(ctx, deadName(epoch))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return st.Purge(ctx, jetstream.WithPurgeSubject(deadSubject(epoch, subscription, "*")))
}
