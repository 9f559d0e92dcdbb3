package reporting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/cotmoc/cotmoc/pkg/apierr"
	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/auth"
	"github.com/cotmoc/cotmoc/services/internal/privacy"
	"github.com/cotmoc/cotmoc/services/internal/rpc"
	"github.com/cotmoc/cotmoc/services/internal/stream"
	"github.com/cotmoc/cotmoc/services/reporting/book"
)

// natsWithin is how long a caller waits for NATS, which may be away.
const natsWithin = 5 * time.Second

// maxSequence is the last number that an event can have in SQL and in a stream.
const maxSequence = math.MaxInt64 - 1

// What a subscription may hold, and when NATS forgets one that nobody asks.
const (
	ackWithin      = 30 * time.Second
	mostUnacked    = 4096
	forgetFacts    = 30 * 24 * time.Hour
	forgetProgress = time.Minute // a reader of last values begins anew anyway
)

// mostSubscriptions is how many one unit may have, and all that belong to none
// together: NATS keeps each on several servers.
const mostSubscriptions = 100

// EnsureSubscription makes or finds a subscriber's consumer. One on last values is
// always made anew, so that it begins with the whole board.
func (s *Service) EnsureSubscription(ctx context.Context, req *reportingv1.EnsureSubscriptionRequest) (*reportingv1.EnsureSubscriptionResponse, error) {
	progress, err := checkSubscription(req)
	if err != nil {
		return nil, err
	}
	if err := privacy.Check(req); err != nil {
		return nil, err
	}
	if s.js == nil {
		return nil, errNoNATS()
	}
	epoch := s.engine.Head().Epoch
	resp := &reportingv1.EnsureSubscriptionResponse{Stream: stream.FactsName(epoch), Consumer: req.GetSubscription(),
		ProgressStream: stream.ProgressName(epoch), NatsUrls: s.natsURLs, Epoch: epoch}
	ctx, cancel := context.WithTimeout(ctx, natsWithin)
	defer cancel()
	if progress {
		resp.Stream = resp.ProgressStream
		err = s.ensureProgress(ctx, resp.Stream, req)
	} else {
		err = s.ensureFacts(ctx, resp.Stream, req)
	}
	if err != nil {
		return nil, ofConsumer(err)
	}
	return resp, nil
}

// checkSubscription refuses what no consumer can be made of, and reports whether it
// is about last values instead of facts.
func checkSubscription(req *reportingv1.EnsureSubscriptionRequest) (progress bool, _ error) {
	if err := checkSubjects(req.GetSubjects()); err != nil {
		return false, err
	}
	if req.GetAfterSequence() > maxSequence {
		return false, refuse(errorv1.Reason_REASON_INVALID_FIELD, "after_sequence", "no event ever has such a number")
	}
	for i, filter := range req.GetSubjects() {
		of := ofProgress(filter)
		if i > 0 && of != progress {
			return false, refuse(errorv1.Reason_REASON_INVALID_FIELD, fmt.Sprintf("subjects[%d]", i),
				"facts and the progress of totals come by subscriptions of their own")
		}
		progress = of
	}
	return progress, nil
}

// ofProgress reports whether a filter is about last values: it says so in its third
// token, where facts have their entity.
func ofProgress(filter string) bool {
	const entity = 2
	tokens := strings.SplitN(filter, ".", entity+2)
	return len(tokens) > entity && tokens[entity] == "progress"
}

// ensureFacts makes or finds a durable consumer on the stream of facts. The start of
// one that is there is where it was first made; only its filter follows the request.
func (s *Service) ensureFacts(ctx context.Context, facts string, req *reportingv1.EnsureSubscriptionRequest) error {
	c, err := s.js.Consumer(ctx, facts, req.GetSubscription())
	if err == nil {
		return s.refilter(ctx, facts, c.CachedInfo().Config, req)
	}
	if !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	if err := s.roomFor(ctx, facts, req.GetSubscription()); err != nil {
		return err
	}
	_, err = s.js.CreateConsumer(ctx, facts, jetstream.ConsumerConfig{
		Durable: req.GetSubscription(), Description: "cotmoc subscription", FilterSubjects: req.GetSubjects(),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWithin, MaxAckPending: mostUnacked,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: req.GetAfterSequence() + 1,
		InactiveThreshold: forgetFacts,
	})
	if errors.Is(err, jetstream.ErrConsumerExists) {
		return natsAway("subscription", err) // made by another call meanwhile
	}
	return err
}

// refilter makes a consumer that there is receive the subjects of a request.
func (s *Service) refilter(ctx context.Context, facts string, config jetstream.ConsumerConfig, req *reportingv1.EnsureSubscriptionRequest) error {
	if slices.Equal(filtersOf(config), req.GetSubjects()) {
		return nil
	}
	config.FilterSubject, config.FilterSubjects = "", req.GetSubjects()
	_, err := s.js.UpdateConsumer(ctx, facts, config)
	return err
}

// filtersOf are the subjects that a consumer receives; NATS keeps one alone elsewhere.
func filtersOf(config jetstream.ConsumerConfig) []string {
	if config.FilterSubject != "" {
		return []string{config.FilterSubject}
	}
	return config.FilterSubjects
}

// roomFor refuses a new subscription of a unit that has as many as it may.
func (s *Service) roomFor(ctx context.Context, name, subscription string) error {
	st, err := s.js.Stream(ctx, name)
	if err != nil {
		return err
	}
	names := st.ConsumerNames(ctx)
	var others []string
	for name := range names.Name() {
		others = append(others, name)
	}
	if err := names.Err(); err != nil {
		return err
	}
	return s.view(ctx, 0, func(b *book.Book) error {
		owner, count := ownerOf(b, subscription), 0
		for _, other := range others {
			if ownerOf(b, other) == owner {
				count++
			}
		}
		if count < mostSubscriptions {
			return nil
		}
		return refuse(errorv1.Reason_REASON_TOO_MANY, "subscription", "unit %q has %d subscriptions, and may have no more: end one first", owner, count)
	})
}

// ensureProgress makes a consumer that begins with each subject's last value. It
// lives in memory: where it is lost, its reader asks for another and gets the whole
// board again.
func (s *Service) ensureProgress(ctx context.Context, progress string, req *reportingv1.EnsureSubscriptionRequest) error {
	err := s.js.DeleteConsumer(ctx, progress, req.GetSubscription())
	if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return err
	}
	if err := s.roomFor(ctx, progress, req.GetSubscription()); err != nil {
		return err
	}
	_, err = s.js.CreateConsumer(ctx, progress, jetstream.ConsumerConfig{
		Name: req.GetSubscription(), Description: "cotmoc subscription", FilterSubjects: req.GetSubjects(),
		AckPolicy: jetstream.AckNonePolicy, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		InactiveThreshold: forgetProgress, MemoryStorage: true, Replicas: 1,
	})
	return err
}

// ofConsumer is what a caller sees of a consumer that could not be made.
func ofConsumer(err error) error {
	if _, ours := apierr.Parse(err); ours {
		return err
	}
	if errors.Is(err, jetstream.ErrOverlappingFilterSubjects) {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "subjects", "two of the subjects cover the same events")
	}
	var api *jetstream.APIError
	if errors.As(err, &api) && api.Code == http.StatusBadRequest {
		return refuse(errorv1.Reason_REASON_INVALID_FIELD, "subjects", "NATS refuses these subjects: %s", api.Description)
	}
	return natsAway("subscription", err)
}

// natsAway is what a caller sees of NATS's failures.
func natsAway(field string, err error) error {
	return refuse(errorv1.Reason_REASON_UNAVAILABLE, field, "NATS: %v; try again", err)
}

// errNoNATS is the answer of a service that runs without NATS.
func errNoNATS() error {
	return refuse(errorv1.Reason_REASON_UNAVAILABLE, "", "this service has no NATS; read events by ListEvents")
}

// ListSubscriptions lists the consumers that subscribers have: of the caller's own unit,
// so that no page, nor the token of the next, tells of another's.
func (s *Service) ListSubscriptions(ctx context.Context, req *reportingv1.ListSubscriptionsRequest) (*reportingv1.ListSubscriptionsResponse, error) {
	after, err := rpc.DecodePageToken(req, req.GetPageToken())
	if err != nil {
		return nil, err
	}
	if s.js == nil {
		return nil, errNoNATS()
	}
	ctx, cancel := context.WithTimeout(ctx, natsWithin)
	defer cancel()
	all, err := s.subscriptions(ctx)
	if err != nil {
		return nil, natsAway("", err)
	}
	auth.Charge(ctx, len(all)/unitSubscriptions)
	rest, _ := paged(all, (*subscription).key, after, len(all))
	limit := pageSize(req.GetPageSize())
	page, keys, more := make([]*reportingv1.SubscriptionStatus, 0, min(limit, len(rest))), map[*reportingv1.SubscriptionStatus]string{}, false
	for i := range rest {
		err := auth.OwnSubscription(ctx, rest[i].status.GetSubscription())
		switch {
		case apierr.Is(err, errorv1.Reason_REASON_PERMISSION_DENIED):
			continue
		case err != nil:
			return nil, err
		}
		if more = len(page) == limit; more {
			break
		}
		page, keys[rest[i].status] = append(page, rest[i].status), rest[i].key()
	}
	resp := &reportingv1.ListSubscriptionsResponse{}
	resp.Subscriptions, resp.NextPageToken = fitted(req, page, more, 0,
		func(one *reportingv1.SubscriptionStatus) string { return keys[one] })
	return resp, nil
}

// subscription is a consumer on one of the two streams: on each there may be one of a name.
type subscription struct {
	status   *reportingv1.SubscriptionStatus
	progress bool
}

// key is by what subscriptions are listed.
func (s *subscription) key() string {
	if s.progress {
		return s.status.GetSubscription() + "\x001"
	}
	return s.status.GetSubscription() + "\x000"
}

// subscriptions reads the consumers on both streams, and what was set aside for them.
func (s *Service) subscriptions(ctx context.Context) ([]subscription, error) {
	epoch := s.engine.Head().Epoch
	dead, err := s.deadLetters(ctx, epoch, "*")
	if err != nil {
		return nil, err
	}
	var all []subscription
	for _, name := range []string{stream.FactsName(epoch), stream.ProgressName(epoch)} {
		st, err := s.js.Stream(ctx, name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			continue // not made yet, so nobody reads it
		}
		if err != nil {
			return nil, err
		}
		list := st.ListConsumers(ctx)
		for info := range list.Info() {
			one := subscriptionStatus(info)
			if name == stream.FactsName(epoch) {
				one.DeadLetters = uint64(len(dead[info.Name]))
			}
			all = append(all, subscription{one, name != stream.FactsName(epoch)})
		}
		if err := list.Err(); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b subscription) int { return cmp.Compare(a.key(), b.key()) })
	return all, nil
}

// subscriptionStatus is where a consumer stands.
func subscriptionStatus(info *jetstream.ConsumerInfo) *reportingv1.SubscriptionStatus {
	status := &reportingv1.SubscriptionStatus{Subscription: info.Name, Subjects: filtersOf(info.Config),
		AckedSequence: info.AckFloor.Stream, Pending: info.NumPending, Unacked: uint64(info.NumAckPending)}
	if info.Config.AckPolicy == jetstream.AckNonePolicy {
		status.AckedSequence = info.Delivered.Stream
	}
	return status
}

// Lags returns how many messages wait for each subscription, by its name, for
// metrics. It is nil when NATS does not answer before ctx ends.
func (s *Service) Lags(ctx context.Context) map[string]uint64 {
	if s.js == nil {
		return nil
	}
	all, err := s.subscriptions(ctx)
	if err != nil {
		return nil
	}
	lags := make(map[string]uint64, len(all))
	for _, one := range all {
		lags[one.status.GetSubscription()] += one.status.GetPending()
	}
	return lags
}

// DeleteSubscription ends a subscription and forgets what it set aside.
func (s *Service) DeleteSubscription(ctx context.Context, req *reportingv1.DeleteSubscriptionRequest) (*reportingv1.DeleteSubscriptionResponse, error) {
	if s.js == nil {
		return nil, errNoNATS()
	}
	ctx, cancel := context.WithTimeout(ctx, natsWithin)
	defer cancel()
	epoch := s.engine.Head().Epoch
	found := false
	for _, name := range []string{stream.FactsName(epoch), stream.ProgressName(epoch)} {
		err := s.js.DeleteConsumer(ctx, name, req.GetSubscription())
		if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
			continue
		}
		if err != nil {
			return nil, natsAway("subscription", err)
		}
		found = true
	}
	if !found {
		return nil, refuse(errorv1.Reason_REASON_SUBSCRIPTION_NOT_FOUND, "subscription", "there is no subscription %s", req.GetSubscription())
	}
	if err := s.forgetDeadLetters(ctx, epoch, req.GetSubscription()); err != nil {
		return nil, natsAway("subscription", err)
	}
	return &reportingv1.DeleteSubscriptionResponse{}, nil
}
