package e2e_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/cotmoc/cotmoc/pkg/event"
	eventv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/event/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	"github.com/cotmoc/cotmoc/services/internal/run/embedded"
	"github.com/cotmoc/cotmoc/services/internal/stream"
)

// descriptors writes the contracts of the events where readers in other languages find
// them, each file after those that it imports.
func descriptors(t *testing.T) string {
	t.Helper()
	set, seen := &descriptorpb.FileDescriptorSet{}, map[string]bool{}
	var add func(protoreflect.FileDescriptor)
	add = func(f protoreflect.FileDescriptor) {
		if seen[f.Path()] {
			return
		}
		seen[f.Path()] = true
		for i := range f.Imports().Len() {
			add(f.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(f))
	}
	add(eventv1.File_cotmoc_event_v1_event_proto)
	add(eventv1.File_cotmoc_event_v1_progress_proto)
	b, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "events.binpb")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readers are programs that read messages as CloudEvents, with the libraries of their
// language. What they need comes from make interop.
func readers(t *testing.T) map[string][]string {
	t.Helper()
	prepared, err := filepath.Abs("../../bin/interop")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{
		"python": {filepath.Join(prepared, "venv/bin/python"), "interop/read_events.py"},
		"java":   {"java", "-cp", filepath.Join(prepared, "java", "*"), "interop/ReadEvents.java"},
	}
	for _, needed := range []string{filepath.Join(prepared, "venv"), filepath.Join(prepared, "java")} {
		if _, err := os.Stat(needed); err != nil {
			t.Fatalf("run `make interop`, which brings what this test needs: %v", err)
		}
	}
	for _, command := range all {
		if _, err := exec.LookPath(command[0]); err != nil {
			t.Fatalf("run `make interop`, which brings what this test needs: %v", err)
		}
	}
	return all
}

// read has a reader read so many messages of a subscription of its own, and returns what
// it says about them, a line for each.
func read(t *testing.T, r *rig, url, subscription string, subjects []string, count int, command []string) []string {
	t.Helper()
	where, err := r.events.EnsureSubscription(t.Context(), &reportingv1.EnsureSubscriptionRequest{Subscription: subscription, Subjects: subjects})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append(slices.Clone(command[1:]), url, where.GetStream(), where.GetConsumer(), fmt.Sprint(count), descriptors(t))
	c := exec.CommandContext(ctx, command[0], args...)
	var problems strings.Builder
	c.Stderr = &problems
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command, err, problems.String())
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

// lineOf is what a reader must say about a message.
func lineOf(attributes map[string]string, data []byte, programme string, sequence uint64) string {
	var fields []string
	for name, value := range attributes {
		if value != "" {
			fields = append(fields, name+"="+value)
		}
	}
	slices.Sort(fields)
	return strings.Join(append(fields, fmt.Sprintf("sha256=%x", sha256.Sum256(data)), "body.programme="+programme,
		fmt.Sprintf("body.sequence=%d", sequence)), "\t")
}

// numbered is an event's number as an attribute has it, empty for none.
func numbered(n uint64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%020d", n)
}

// toldOfLog is what a reader must say about all events of the log.
func toldOfLog(t *testing.T, page *reportingv1.ListEventsResponse) (all []string) {
	t.Helper()
	for _, stored := range page.GetEvents() {
		e, err := event.Decode(stored.GetEvent())
		if err != nil {
			t.Fatal(err)
		}
		token := strings.SplitN(stored.GetSubject(), ".", 6) // cotmoc.<programme>.<entity>.<event>.<target>.<path>
		path := ""
		if len(token) == 6 {
			path = token[5]
		}
		all = append(all, lineOf(map[string]string{
			"specversion": "1.0", "id": stored.GetId(), "source": page.GetSource(),
			"type": "vn.cotmoc." + token[2] + "." + token[3] + ".v1", "subject": path, "time": fmt.Sprint(e.GetTimeUnixMicros()),
			"datacontenttype": "application/protobuf",
			"dataschema":      "https://github.com/cotmoc/cotmoc/blob/main/proto/cotmoc/event/v1/event.proto#cotmoc.event.v1.Event",
			"sequence":        numbered(e.GetSequence()), "previous": numbered(e.GetPrevious()), "causation": numbered(e.GetCausation()),
			"epoch": fmt.Sprint(page.GetEpoch()),
		}, stored.GetEvent(), e.GetProgramme(), e.GetSequence()))
	}
	return all
}

// TestOtherLanguagesReadCloudEvents has programs in Python and Java, with the CloudEvents
// and NATS libraries of their language, read all facts and a total of a running pair.
func TestOtherLanguagesReadCloudEvents(t *testing.T) {
	programs := readers(t)
	p, err := embedded.Up(t.Context(), embedded.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", NATSListen: "127.0.0.1:0",
		ManualClock: true, Start: start})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	r := clients(t, p.Addr, p.Addr)
	r.nats = func(t *testing.T) *nats.Conn {
		nc, err := p.ConnectNATS() // as the service itself: readers may not look at a stream
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	history(t, r)
	facts(t, r)
	page, err := r.events.ListEvents(t.Context(), &reportingv1.ListEventsRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	const subject = "cotmoc.p.progress.changed.cards.vn"
	total := toldOfTotal(t, r, subject, page.GetSource())
	for language, command := range programs {
		t.Run(language, func(t *testing.T) {
			got := read(t, r, p.NATSURL, "facts-"+language, nil, len(page.GetEvents()), command)
			if diff := cmp.Diff(toldOfLog(t, page), got); diff != "" {
				t.Errorf("facts (-log +read):\n%s", diff)
			}
			got = read(t, r, p.NATSURL, "total-"+language, []string{subject}, 1, command)
			if diff := cmp.Diff([]string{total}, got); diff != "" {
				t.Errorf("a total (-board +read):\n%s", diff)
			}
		})
	}
}

// toldOfTotal waits until the last value of a total of cards is on the board, and returns
// what a reader must say about it.
func toldOfTotal(t *testing.T, r *rig, subject, source string) (line string) {
	t.Helper()
	want := r.figure(t, "cards", "vn", "").GetTally()
	waitFor(t, "the total", r, func(s *reportingv1.GetStatusResponse) bool {
		for _, m := range published(t, r, stream.ProgressName(s.GetEpoch())) {
			p := &eventv1.ProgressChanged{}
			if err := proto.Unmarshal(m.Data, p); err != nil {
				t.Fatal(err)
			}
			if m.Subject != subject || !proto.Equal(p.GetCurrent(), want) {
				continue
			}
			at, err := time.Parse(time.RFC3339, m.Header.Get("ce-time"))
			if err != nil {
				t.Fatal(err)
			}
			line = lineOf(map[string]string{
				"specversion": "1.0", "id": m.Header.Get("ce-id"), "source": source, "type": "vn.cotmoc.progress.changed.v1",
				"subject": "vn", "time": fmt.Sprint(at.UnixMicro()), "datacontenttype": "application/protobuf",
				"dataschema": "https://github.com/cotmoc/cotmoc/blob/main/proto/cotmoc/event/v1/progress.proto#cotmoc.event.v1.ProgressChanged",
				"sequence":   numbered(p.GetSequence()), "epoch": fmt.Sprint(p.GetEpoch()),
			}, m.Data, p.GetProgramme(), p.GetSequence())
		}
		return line != ""
	})
	return line
}
