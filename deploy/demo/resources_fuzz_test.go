package demo

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	"github.com/cotmoc/cotmoc/deploy/calendars"
	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// FuzzResources: a file of resources is refused, or says the same when it is written
// again, and is refused as soon as any key in it is one that nobody knows.
func FuzzResources(f *testing.F) {
	f.Add(calendars.VietNam(), uint16(3))
	for _, text := range []string{"", "resources: []", "resources: [null]", "resources: [{}]", "resources: [{unit: {}}]",
		"resources: [{unit: {name: units/79}, task: {}}]", "resource: []", "resources: {unit: {}}", "resources: [{unit: null}]",
		"resources:\n- target: {name: programmes/p/targets/x, value_kind: VALUE_KIND_COUNT, goal: {value: 3}, applicability: {kinds: [1]}}",
		"resources: [{regime: &a {name: x}}, {regime: *a}]", "resources: [{unit: {name: \"\\ud800\"}}]", "resources: [{programme: {displayName: x, display_name: y}}]"} {
		f.Add([]byte(text), uint16(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, place uint16) {
		writes, err := Resources(text)
		if err != nil {
			return
		}
		again, err := Resources(written(t, writes))
		if err != nil || len(again) != len(writes) {
			t.Fatalf("%d resources are %d when written again: %v", len(writes), len(again), err)
		}
		for i, w := range writes {
			if !proto.Equal(w, again[i]) {
				t.Errorf("resource %d\n%v\nis, written again,\n%v", i+1, w, again[i])
			}
		}
		var tree any
		if err := yaml.Unmarshal(text, &tree); err != nil {
			t.Fatalf("what is no YAML is taken: %v", err)
		}
		maps := mapsIn(tree)
		if len(maps) == 0 {
			return // an empty file
		}
		maps[int(place)%len(maps)]["unheard_of"] = 1
		spoilt, err := yaml.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Resources(spoilt); err == nil {
			t.Errorf("a key that nobody knows is taken:\n%s", spoilt)
		}
	})
}

// written is a file of resources.
func written(t *testing.T, writes []*registryv1.Write) []byte {
	t.Helper()
	doc := struct {
		Resources []json.RawMessage `json:"resources"`
	}{}
	for _, w := range writes {
		text, err := protojson.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		doc.Resources = append(doc.Resources, text)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// mapsIn are the maps of a tree, itself and those below.
func mapsIn(tree any) (all []map[string]any) {
	switch v := tree.(type) {
	case map[string]any:
		all = append(all, v)
		for _, below := range v {
			all = append(all, mapsIn(below)...)
		}
	case []any:
		for _, below := range v {
			all = append(all, mapsIn(below)...)
		}
	}
	return all
}
