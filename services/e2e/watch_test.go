package e2e_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// subscriptions waits until there are so many.
func subscriptions(t *testing.T, r *rig, want int) {
	t.Helper()
	var all *reportingv1.ListSubscriptionsResponse
	for range 500 {
		var err error
		all, err = r.events.ListSubscriptions(t.Context(), &reportingv1.ListSubscriptionsRequest{})
		must(t, err)
		if len(all.GetSubscriptions()) == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("want %d subscriptions: %v", want, all.GetSubscriptions())
}

// TestWatchLeavesNothing: however it ends, its subscription ends with it.
func TestWatchLeavesNothing(t *testing.T) {
	calls := freePort(t)
	p := launch(t, "cotmoc", upArgs(t, calls)...)
	serving(t, p, calls)
	r := clients(t, calls, calls)
	told(t, r)
	// What this process ignores, as under nohup, its children would ignore, too.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(heard)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	watch := func() (*exec.Cmd, io.ReadCloser) {
		cmd := exec.CommandContext(ctx, binary(t, "cotmoc"), "watch", "--registry", calls, "--reporting", calls, "--subject", "cotmoc.p.submission.>", "--from-sequence", "0")
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		_, err = out.Read(make([]byte, 1))
		must(t, err)
		subscriptions(t, r, 1)
		return cmd, out
	}
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT} {
		cmd, _ := watch()
		must(t, cmd.Process.Signal(s))
		_ = cmd.Wait()
		subscriptions(t, r, 0)
	}
	cmd, out := watch()
	must(t, out.Close()) // as head does when it has seen enough
	r.submit(t, "one-more", count("26737", "cards", "2022-M01", 5))
	subscriptions(t, r, 0)
	if err := cmd.Wait(); err == nil {
		t.Error("it ended as if all had been printed")
	}
}

// TestOnlySubscriptionsAreListed: nobody is behind who only looked at the stream.
func TestOnlySubscriptionsAreListed(t *testing.T) {
	r := reported(t, 2)
	_, err := r.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: "board"})
	must(t, err)
	js, err := jetstream.New(r.nats(t))
	must(t, err)
	_, err = js.OrderedConsumer(t.Context(), stream.FactsName(1), jetstream.OrderedConsumerConfig{})
	must(t, err)
	subscriptions(t, r, 1)
	verify(t, r)
	s, err := js.Stream(t.Context(), stream.FactsName(1))
	must(t, err)
	if n := s.CachedInfo().State.Consumers; n != 2 {
		t.Errorf("after a check there are %d consumers, want the subscription and the one made here", n)
	}
}
