package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	files "github.com/cotmoc/cotmoc/deploy/demo"
	"github.com/cotmoc/cotmoc/pkg/apierr"
	"github.com/cotmoc/cotmoc/services/cmd/cotmoc/internal/show"
)

// Result is one comparison.
type Result struct {
	Figure, After, What string
	Want, Got           any      // in JSON's terms; Got has only what Want names
	Differences         []string // empty when all is as expected
}

// OK reports whether the figure is as expected.
func (r Result) OK() bool { return len(r.Differences) == 0 }

// compare reads a figure and compares it with what is expected. It fails only when
// the answer is none that could be compared.
func (p *Player) compare(ctx context.Context, e files.Expectation) (Result, error) {
	r := Result{Figure: e.Figure, After: e.After, What: e.What, Want: e.Want}
	if e.Refused != nil {
		r.Want = map[string]any{"code": e.Refused.Code, "reason": e.Refused.Reason, "field": e.Refused.Field}
	}
	got, err := p.read(ctx, e)
	if err != nil {
		refused, known := apierr.Parse(err)
		if !known {
			return r, err
		}
		got = map[string]any{"code": codeName(refused.Code), "reason": show.Reason(refused.Reason), "field": refused.Field}
	}
	r.Got, r.Differences = match("", r.Want, got)
	return r, nil
}

// match compares what is wanted with a part of what was got: maps by the wanted
// names, lists place by place and in length, all else by its text.
func match(at string, want, got any) (part any, differences []string) {
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok {
			return got, []string{differ(at, want, got)}
		}
		some := make(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(want)) {
			value, ok := fields[name]
			if !ok {
				differences = append(differences, differ(at+"."+name, want[name], nil))
				continue
			}
			var more []string
			some[name], more = match(at+"."+name, want[name], value)
			differences = append(differences, more...)
		}
		return some, differences
	case []any:
		members, ok := got.([]any)
		if !ok || len(members) != len(want) {
			return got, []string{differ(at, want, got)}
		}
		some := make([]any, len(want))
		for i := range want {
			var more []string
			some[i], more = match(fmt.Sprintf("%s[%d]", at, i), want[i], members[i])
			differences = append(differences, more...)
		}
		return some, differences
	}
	if text(want) != text(got) {
		differences = []string{differ(at, want, got)}
	}
	return got, differences
}

// text is a value for comparing: 11390 and "11390" are the same.
func text(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case nil:
		return "nothing"
	case map[string]any, []any:
		out, err := json.Marshal(v)
		if err != nil {
			return err.Error()
		}
		return string(out)
	}
	return fmt.Sprint(v)
}

func differ(at string, want, got any) string {
	if at == "" {
		at = "."
	}
	return fmt.Sprintf("%s: expected %s, got %s", at, text(want), text(got))
}

// plain turns an answer into JSON's terms, defaults written out.
func plain(m proto.Message) (any, error) {
	out, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("put the answer into JSON: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(out))
	dec.UseNumber()
	var v any
	return v, dec.Decode(&v)
}

// codeName is a status code as the contract writes it.
func codeName(c codes.Code) string {
	names := map[codes.Code]string{
		codes.InvalidArgument: "INVALID_ARGUMENT", codes.FailedPrecondition: "FAILED_PRECONDITION",
		codes.NotFound: "NOT_FOUND", codes.AlreadyExists: "ALREADY_EXISTS", codes.Aborted: "ABORTED",
		codes.OutOfRange: "OUT_OF_RANGE",
	}
	if name, ok := names[c]; ok {
		return name
	}
	return c.String()
}
