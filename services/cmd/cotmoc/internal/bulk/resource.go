package bulk

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	registryv1 "github.com/cotmoc/cotmoc/proto/gen/cotmoc/registry/v1"
)

// named is any resource of the registry.
type named interface {
	proto.Message
	GetName() string
}

// resource is what a write holds; nil for none.
func resource(w *registryv1.Write) named {
	switch r := w.GetResource().(type) {
	case *registryv1.Write_Programme:
		return r.Programme
	case *registryv1.Write_Unit:
		return r.Unit
	case *registryv1.Write_Task:
		return r.Task
	case *registryv1.Write_Target:
		return r.Target
	case *registryv1.Write_Allocation:
		return r.Allocation
	case *registryv1.Write_Calendar:
		return r.Calendar
	case *registryv1.Write_Regime:
		return r.Regime
	}
	return nil
}

// Kind is the kind of resource that a write holds, such as `target`.
func Kind(w *registryv1.Write) string {
	m := w.ProtoReflect()
	return string(m.WhichOneof(m.Descriptor().Oneofs().ByName("resource")).Name())
}

// Name is the name of the resource that a write holds.
func Name(w *registryv1.Write) string {
	if r := resource(w); r != nil {
		return r.GetName()
	}
	return ""
}

// Kinds lists the kinds of resource in the contract's order.
func Kinds() []string {
	fields := (&registryv1.Write{}).ProtoReflect().Descriptor().Fields()
	kinds := make([]string, fields.Len())
	for i := range kinds {
		kinds[i] = string(fields.Get(i).Name())
	}
	return kinds
}

// clearRevision forgets which revision made a resource, for comparing contents.
func clearRevision(m proto.Message) {
	r := m.ProtoReflect()
	if f := r.Descriptor().Fields().ByName(protoreflect.Name("revision")); f != nil {
		r.Clear(f)
	}
}
