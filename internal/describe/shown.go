package describe

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"slipway/internal/ec2query"
	"slipway/internal/filters"
)

// Shown makes filters that read what is described, so that none can disagree with the answer. Each name leads to the
// members itself ("vcpu-info.valid-cores" to VCpuInfo.ValidCores), or by the path that
// stands behind it after "="; several, with "|" between them, are read all.
// Lists on the way are read at each entry. A name that leads nowhere is a mistake of who wrote it, and panics.
func Shown[T any](names ...string) filters.Fields[*T] {
	out := filters.Fields[*T]{}
	for _, n := range names {
		name, paths, given := strings.Cut(n, "=")
		if !given {
			paths = name
		}
		var all [][]int
		for path := range strings.SplitSeq(paths, "|") {
			steps, err := resolve(reflect.TypeFor[T](), strings.Split(path, "."))
			if err != nil {
				panic(fmt.Sprintf("filter %s of %v: %v", name, reflect.TypeFor[T](), err))
			}
			all = append(all, steps)
		}
		out[name] = func(v *T) (found []string) {
			for _, steps := range all {
				found = read(found, reflect.ValueOf(v).Elem(), steps)
			}
			return found
		}
	}
	return out
}

// resolve finds the fields that a path of names leads through.
func resolve(t reflect.Type, path []string) ([]int, error) {
	var steps []int
	for _, segment := range path {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return nil, fmt.Errorf("%s lies below a %v", segment, t)
		}
		f, ok := member(t, segment)
		if !ok {
			return nil, fmt.Errorf("%v has no %s", t, segment)
		}
		steps, t = append(steps, f.Index[0]), f.Type
	}
	return steps, nil
}

// member is the field of a struct that a filter's name stands for, which is in the singular where the member is a list.
func member(t reflect.Type, name string) (reflect.StructField, bool) {
	name = strings.ReplaceAll(name, "-", "")
	for _, form := range []string{name, name + "s", name + "es"} {
		f, ok := t.FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, form) })
		if ok && len(f.Index) == 1 {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func read(out []string, v reflect.Value, steps []int) []string {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		return out
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			out = read(out, v.Index(i), steps)
		}
		return out
	case v.Kind() == reflect.Pointer:
		return read(out, v.Elem(), steps)
	case len(steps) > 0:
		return read(out, v.Field(steps[0]), steps[1:])
	}
	if at, ok := v.Interface().(time.Time); ok {
		return append(out, at.UTC().Format(ec2query.TimeForm))
	}
	switch v.Kind() {
	case reflect.String:
		return append(out, v.String())
	case reflect.Bool:
		return append(out, strconv.FormatBool(v.Bool()))
	case reflect.Float64, reflect.Float32:
		return append(out, strconv.FormatFloat(v.Float(), 'f', -1, 64))
	}
	return append(out, fmt.Sprint(v.Interface()))
}
