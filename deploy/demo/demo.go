// Package demo holds the files by which Project 06 is played: who there is, what
// is owed, what was reported and which figures must come out. README.md beside it
// says what in them is official.
package demo

import (
	"embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/cotmoc/cotmoc/deploy/calendars"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
	reportingv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/reporting/v1"
	typev1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/type/v1"
)

//go:embed *.csv *.yaml
var files embed.FS

// Files returns the files as they lie in this folder.
func Files() fs.FS { return files }

// daysOff is how files here call the days off of Viet Nam.
const daysOff = "../calendars/viet-nam.yaml"

// Text returns a file of resources that a step applies.
func Text(name string) ([]byte, error) {
	if name == daysOff {
		return calendars.VietNam(), nil
	}
	return files.ReadFile(name)
}

// Resources reads a file of registry resources, in the form of programme.yaml. An
// error names the entry, from 1, that it is about.
func Resources(text []byte) ([]*registryv1.Write, error) {
	var doc struct {
		Resources []json.RawMessage `json:"resources"`
	}
	if err := yaml.UnmarshalStrict(text, &doc); err != nil {
		return nil, fmt.Errorf("read resources: %w", err)
	}
	writes := make([]*registryv1.Write, len(doc.Resources))
	for i, entry := range doc.Resources {
		writes[i] = new(registryv1.Write)
		if err := protojson.Unmarshal(entry, writes[i]); err != nil {
			return nil, fmt.Errorf("read resources: entry %d: %w", i+1, err)
		}
		if writes[i].GetResource() == nil {
			return nil, fmt.Errorf("read resources: entry %d holds no resource", i+1)
		}
	}
	return writes, nil
}

// Play is reports.yaml.
type Play struct {
	Setup struct {
		Time      time.Time `json:"time"`       // the manual clock before the first step
		UnitsFrom string    `json:"units_from"` // first day of every imported unit
		Units     []string  `json:"units"`      // CSV files, in order
		Apply     []string  `json:"apply"`      // resource files, in order
		Daily     Daily     `json:"daily"`
	} `json:"setup"`
	Steps  []Step `json:"steps"`
	Review Review `json:"review"`
}

// Review is what is read and closed after the last step.
type Review struct {
	Year    int // whose deadlines are counted
	Ranking *reportingv1.RankRequest
	Closing *reportingv1.PublishClosingRequest
}

// UnmarshalJSON reads a review; its requests are in proto field names.
func (r *Review) UnmarshalJSON(text []byte) error {
	var doc struct {
		Year    int                                                                            `json:"year"`
		Ranking message[reportingv1.RankRequest, *reportingv1.RankRequest]                     `json:"ranking"`
		Closing message[reportingv1.PublishClosingRequest, *reportingv1.PublishClosingRequest] `json:"closing"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	*r = Review{Year: doc.Year, Ranking: doc.Ranking.m, Closing: doc.Closing.m}
	return nil
}

// Daily is reports of ratios, one a row of a CSV file, each sent on its day.
type Daily struct {
	Programme string `json:"programme"`
	File      string `json:"file"`
}

// Read returns the submissions by day, `YYYY-MM-DD`, in the order of the rows.
func (d Daily) Read() (map[string][]*reportingv1.Submission, error) {
	f, err := files.Open(d.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", d.File, err)
	}
	days := make(map[string][]*reportingv1.Submission)
	for i, row := range rows[1:] {
		num, err1 := strconv.ParseInt(row[4], 10, 64)
		den, err2 := strconv.ParseInt(row[5], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("read %s: line %d: %w", d.File, i+2, err)
		}
		days[row[0]] = append(days[row[0]], &reportingv1.Submission{Unit: row[1], Period: row[2], Target: row[3],
			Value: &reportingv1.Submission_Ratio{Ratio: &reportingv1.Ratio{Numerator: num, Denominator: den}}})
	}
	return days, nil
}

// Step is what happens at one time.
type Step struct {
	Name    string    `json:"step"`
	Time    time.Time `json:"time"`
	Apply   []string  `json:"apply"`
	Reports []Report  `json:"reports"`
}

// Report is submissions to one programme: listed, or those of a crowd.
type Report struct {
	Programme   string
	Submissions []*reportingv1.Submission
	Crowd       *Crowd
}

// Crowd is one report of many units that say the same: of those listed, or of all
// of some kinds; in the order of their ids without the first Skip, and of the rest
// the first First, or all when First is 0.
type Crowd struct {
	Value *reportingv1.Submission // without its unit
	Units []string
	Kinds []typev1.UnitKind
	Skip  int
	First int
}

// ReadPlay reads reports.yaml.
func ReadPlay() (*Play, error) {
	play := new(Play)
	if err := read("reports.yaml", play); err != nil {
		return nil, err
	}
	return play, nil
}

// Expectation is an entry of expected.yaml, whose head says what each field means.
type Expectation struct {
	Figure string `json:"figure"`
	After  string `json:"after"`
	What   string `json:"what"`
	Read   struct {
		Kind      string          `json:"kind"`
		Request   json.RawMessage `json:"request"`
		Decimals  int             `json:"decimals"`
		Programme string          `json:"programme"`
		Target    string          `json:"target"`
		Path      string          `json:"path"`
	} `json:"read"`
	Want    any      `json:"want"`
	Refused *Refusal `json:"refused"`
}

// Refusal is how a call is refused.
type Refusal struct {
	Code   string `json:"code"`
	Reason string `json:"reason"`
	Field  string `json:"field"`
}

// ReadExpected reads expected.yaml.
func ReadExpected() ([]Expectation, error) {
	var doc struct {
		Figures []Expectation `json:"figures"`
	}
	if err := read("expected.yaml", &doc); err != nil {
		return nil, err
	}
	return doc.Figures, nil
}

// UnmarshalJSON reads a report; the two kinds of it are in proto field names.
func (r *Report) UnmarshalJSON(text []byte) error {
	var doc struct {
		Programme   string                                                     `json:"programme"`
		Submissions []message[reportingv1.Submission, *reportingv1.Submission] `json:"submissions"`
		Crowd       *Crowd                                                     `json:"crowd"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	if (doc.Crowd == nil) == (len(doc.Submissions) == 0) {
		return fmt.Errorf("a report has either submissions or a crowd: %s", text)
	}
	*r = Report{Programme: doc.Programme, Submissions: unwrap(doc.Submissions), Crowd: doc.Crowd}
	return nil
}

// UnmarshalJSON reads a crowd.
func (c *Crowd) UnmarshalJSON(text []byte) error {
	var doc struct {
		Value message[reportingv1.Submission, *reportingv1.Submission] `json:"value"`
		Units []string                                                 `json:"units"`
		Kinds []string                                                 `json:"kinds"`
		Skip  int                                                      `json:"skip"`
		First int                                                      `json:"first"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	*c = Crowd{Value: doc.Value.m, Units: doc.Units, Skip: doc.Skip, First: doc.First}
	for _, k := range doc.Kinds {
		kind, ok := typev1.UnitKind_value[k]
		if !ok {
			return fmt.Errorf("no kind of unit is called %q", k)
		}
		c.Kinds = append(c.Kinds, typev1.UnitKind(kind))
	}
	return nil
}

func read(name string, into any) error {
	text, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	if err := yaml.UnmarshalStrict(text, into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// message lets encoding/json read a proto message.
type message[T any, P interface {
	*T
	proto.Message
}] struct{ m P }

// UnmarshalJSON reads it by the rules of protojson.
func (m *message[T, P]) UnmarshalJSON(text []byte) error {
	m.m = new(T)
	return protojson.Unmarshal(text, m.m)
}

func unwrap[T any, P interface {
	*T
	proto.Message
}](all []message[T, P]) []P {
	var list []P
	for _, m := range all {
		list = append(list, m.m)
	}
	return list
}
