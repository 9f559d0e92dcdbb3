package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	errorv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/error/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
)

// step is a command of the page and what it shows of the answer.
type step struct {
	line    int // where the command stands
	command string
	kind    string // of the answer: json, text, or empty when none is shown
	answer  string
}

// TestAdminPage runs every command of docs/admin.md with grpcurl, in order, against
// a fresh `cotmoc up`, and compares what the page shows of the answers.
func TestAdminPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/admin.md")
	if err != nil {
		t.Fatal(err)
	}
	calls, admin := freePort(t), freePort(t)
	p := launch(t, "cotmoc", "up", "--dir", t.TempDir(), "--listen", calls, "--metrics-listen", admin, "--nats-listen", freePort(t))
	serving(t, p, calls)
	path := withGrpcurl(t)
	text := strings.NewReplacer("127.0.0.1:7600", calls, "127.0.0.1:7601", admin).Replace(string(page))
	steps, compared := stepsOf(t, text), 0
	for _, s := range steps {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", s.command)
		cmd.Env = append(os.Environ(), "PATH="+path)
		out, err := cmd.CombinedOutput()
		if why := s.differs(string(out), err); why != "" {
			t.Errorf("docs/admin.md:%d: %s\n%s\nanswered\n%s", s.line, why, s.command, out)
		}
		if s.kind != "" {
			compared++
		}
	}
	if compared < 20 || compared < len(steps)-2 {
		t.Errorf("of %d commands only %d show their answer", len(steps), compared)
	}
	t.Logf("%d commands run, %d answers compared, %d addresses read", len(steps), compared, checkAddresses(t, text))
	_, err = clients(t, calls, calls).admin.SetClock(t.Context(), &reportingv1.SetClockRequest{Time: timestamppb.New(time.Now().Add(time.Hour))})
	if d := (refusal{codes.FailedPrecondition, errorv1.Reason_REASON_CLOCK, "time", ""}).differs(err); d != "" {
		t.Errorf("a clock that goes by itself was set:%s", d)
	}
	p.stop(t)
}

// withGrpcurl is a PATH on which grpcurl is found.
func withGrpcurl(t *testing.T) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "grpcurl")); err == nil {
		return bin + string(os.PathListSeparator) + os.Getenv("PATH")
	}
	if _, err := exec.LookPath("grpcurl"); err != nil {
		t.Fatalf("no grpcurl in %s or on PATH: run the tests by `make test`, which builds it", bin)
	}
	return os.Getenv("PATH")
}

// stepsOf reads the commands of a page, each with the block of its answer.
func stepsOf(t *testing.T, page string) (steps []step) {
	t.Helper()
	block := regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$")
	for _, at := range block.FindAllStringSubmatchIndex(page, -1) {
		kind, body := page[at[2]:at[3]], page[at[4]:at[5]]
		line := 1 + strings.Count(page[:at[4]], "\n")
		switch {
		case kind == "sh":
			steps = append(steps, step{line: line, command: body})
		case kind == "console":
		case len(steps) == 0 || steps[len(steps)-1].kind != "":
			t.Fatalf("docs/admin.md:%d: an answer to no command", line)
		default:
			steps[len(steps)-1].kind, steps[len(steps)-1].answer = kind, body
		}
	}
	return steps
}

// differs says how an answer is not as the page shows it; empty when it is.
func (s step) differs(out string, err error) string {
	refused := strings.HasPrefix(s.answer, "ERROR:")
	if refused != (err != nil) {
		return fmt.Sprintf("ended with %v", err)
	}
	switch s.kind {
	case "json":
		var want, got any
		if err := json.Unmarshal([]byte(s.answer), &want); err != nil {
			return fmt.Sprintf("the page's JSON: %v", err)
		}
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&got); err != nil {
			return fmt.Sprintf("the answer's JSON: %v", err)
		}
		return within("", want, got)
	case "text":
		for _, line := range strings.Split(strings.TrimSpace(s.answer), "\n") {
			if !strings.Contains(out, strings.TrimSpace(line)) {
				return fmt.Sprintf("no line has %q", line)
			}
		}
	case "":
	default:
		return "the page shows an answer of the kind " + s.kind
	}
	return ""
}

// within says where a part of JSON is not in the whole: an object's fields must be
// there, a list must be as long.
func within(path string, want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		whole, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, not an object", path, got)
		}
		for k, v := range want {
			if why := within(path+"."+k, v, whole[k]); why != "" {
				return why
			}
		}
		return ""
	case []any:
		whole, _ := got.([]any)
		if len(whole) != len(want) {
			return fmt.Sprintf("%s has %d elements, the page shows %d", path, len(whole), len(want))
		}
		for i, v := range want {
			if why := within(fmt.Sprintf("%s[%d]", path, i), v, whole[i]); why != "" {
				return why
			}
		}
		return ""
	}
	if want != got {
		return fmt.Sprintf("%s is %v, the page shows %v", path, got, want)
	}
	return ""
}

// checkAddresses reads what the page reads by curl, and looks for what it greps.
func checkAddresses(t *testing.T, page string) int {
	t.Helper()
	all := regexp.MustCompile(`(?m)^\$ curl -s (http://\S+)(?: \| grep '\^([^']+)')?$`).FindAllStringSubmatch(page, -1)
	for _, m := range all {
		resp, err := http.Get(m[1])
		if err != nil {
			t.Errorf("%s: %v", m[1], err)
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(append([]byte("\n"), body...), []byte("\n"+m[2])) {
			t.Errorf("%s: %s, %v, want %q in\n%s", m[1], resp.Status, err, m[2], body)
		}
	}
	if want := strings.Count(page, "\n$ "); len(all) != want {
		t.Errorf("the page reads %d addresses, of which %d are understood", want, len(all))
	}
	return len(all)
}
