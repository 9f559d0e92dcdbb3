package ledgertest

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/cotmoc/cotmoc/services/internal/layer"
	"github.com/cotmoc/cotmoc/services/internal/ledger"
)

// Counters is a small state for tests of the engine: named counters, and alarms
// that ring when their time has come.
type Counters struct {
	stamp  ledger.Stamp
	parent *Counters
	values *layer.Table[string, int64]
	alarms *layer.Table[int64, bool] // by second since 1970; false when it rang
	drafts []ledger.Entry
	// Version is the fold; a test sets it to play another release.
	Version string
	// BadTick makes Tick fail after it drafted.
	BadTick bool
}

// event is how a change of Counters is logged: it carries its result.
type event struct {
	Sequence uint64 `json:"n"`
	Name     string `json:"name,omitempty"`
	Delta    int64  `json:"delta,omitempty"`
	Value    int64  `json:"value,omitempty"`
	Alarm    int64  `json:"alarm,omitempty"`
	Rang     int64  `json:"rang,omitempty"`
	Time     int64  `json:"t"`
}

// NewCounters returns the state of an empty log.
func NewCounters() *Counters {
	return &Counters{values: layer.New[string, int64](), alarms: layer.New[int64, bool](), Version: "counters/1"}
}

// Value returns a counter's value.
func (c *Counters) Value(name string) int64 { return c.values.Get(name) }

// Values returns all counters.
func (c *Counters) Values() map[string]int64 { return maps.Collect(c.values.All()) }

// Rang returns how many alarms rang.
func (c *Counters) Rang() int {
	n := 0
	for _, waiting := range c.alarms.All() {
		if !waiting {
			n++
		}
	}
	return n
}

// Time returns the layer's time.
func (c *Counters) Time() time.Time { return c.stamp.Time }

// Add decides that a counter changes by delta, and returns its new value.
func (c *Counters) Add(name string, delta int64) int64 {
	return c.AddNoted(name, delta, nil)
}

// AddNoted is Add with an annex.
func (c *Counters) AddNoted(name string, delta int64, annex []byte) int64 {
	v := c.values.Get(name) + delta
	c.draft(event{Name: name, Delta: delta, Value: v}, annex)
	return v
}

// SetAlarm decides that an alarm is to ring.
func (c *Counters) SetAlarm(at time.Time) { c.draft(event{Alarm: at.Unix()}, nil) }

func (c *Counters) draft(ev event, annex []byte) {
	ev.Sequence = c.stamp.Next + uint64(len(c.drafts))
	ev.Time = c.stamp.Time.UnixMicro()
	b, err := json.Marshal(ev)
	if err != nil {
		panic(err)
	}
	c.drafts = append(c.drafts, ledger.Entry{Event: b, Annex: annex})
	c.set(ev)
}

func (c *Counters) set(ev event) {
	switch {
	case ev.Name != "":
		c.values.Set(ev.Name, ev.Value)
	case ev.Alarm != 0:
		c.alarms.Set(ev.Alarm, true)
	case ev.Rang != 0:
		c.alarms.Set(ev.Rang, false)
	}
}

// Fork implements ledger.State.
func (c *Counters) Fork(s ledger.Stamp) *Counters {
	return &Counters{stamp: s, parent: c, values: c.values.Fork(), alarms: c.alarms.Fork(), Version: c.Version, BadTick: c.BadTick}
}

// Merge implements ledger.State.
func (c *Counters) Merge() {
	c.values.Merge()
	c.alarms.Merge()
	if c.parent.parent != nil {
		c.parent.drafts = append(c.parent.drafts, c.drafts...)
	}
}

// Drafts implements ledger.State.
func (c *Counters) Drafts() []ledger.Entry { return c.drafts }

// Due implements ledger.State.
func (c *Counters) Due(now time.Time) bool {
	for at, waiting := range c.alarms.All() {
		if waiting && at <= now.Unix() {
			return true
		}
	}
	return false
}

// Tick implements ledger.State.
func (c *Counters) Tick() error {
	var due []int64
	for at, waiting := range c.alarms.All() {
		if waiting && at <= c.stamp.Time.Unix() {
			due = append(due, at)
		}
	}
	for _, at := range due {
		c.draft(event{Rang: at}, nil)
	}
	if c.BadTick {
		return errors.New("counters: bad tick")
	}
	return nil
}

// Apply implements ledger.State. It refuses an event whose result does not follow
// from the value before, so a lost update cannot go unnoticed.
func (c *Counters) Apply(sequence uint64, e ledger.Entry) error {
	var ev event
	if err := json.Unmarshal(e.Event, &ev); err != nil {
		return fmt.Errorf("counters: %w", err)
	}
	if ev.Sequence != sequence {
		return fmt.Errorf("counters: event says %d, log says %d", ev.Sequence, sequence)
	}
	if ev.Name != "" && c.values.Get(ev.Name)+ev.Delta != ev.Value {
		return fmt.Errorf("counters: %s is %d, not %d after %+d", ev.Name, ev.Value, c.values.Get(ev.Name)+ev.Delta, ev.Delta)
	}
	c.set(ev)
	return nil
}

// Freeze implements ledger.State.
func (c *Counters) Freeze() *Counters {
	return &Counters{values: c.values.Clone(), alarms: c.alarms.Clone(), Version: c.Version}
}

// Fold implements ledger.State.
func (c *Counters) Fold() string { return c.Version }

// WriteImage implements ledger.State.
func (c *Counters) WriteImage(w io.Writer) error {
	return json.NewEncoder(w).Encode([]any{maps.Collect(c.values.All()), maps.Collect(c.alarms.All())})
}

// ReadImage implements ledger.State.
func (c *Counters) ReadImage(r io.Reader) error {
	values, alarms := map[string]int64{}, map[int64]bool{}
	if err := json.NewDecoder(bufio.NewReader(r)).Decode(&[]any{&values, &alarms}); err != nil {
		return err
	}
	if len(values) == 0 && len(alarms) == 0 {
		return errors.New("counters: empty image")
	}
	for k, v := range values {
		c.values.Set(k, v)
	}
	for k, v := range alarms {
		c.alarms.Set(k, v)
	}
	return nil
}
