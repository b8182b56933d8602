package launchtemplates

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"slipway/internal/ec2wire"
)

// fill sets every member, so that one that gets lost is missed.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	}
}

// given leaves out what is not set: the answer's shapes have some members more.
func given(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			if v[k] = given(v[k]); v[k] == nil {
				delete(v, k)
			}
		}
	case []any:
		for i := range v {
			v[i] = given(v[i])
		}
	}
	return v
}

func TestEveryMemberOfATemplateIsShown(t *testing.T) {
	var in ec2wire.RequestLaunchTemplateData
	fill(reflect.ValueOf(&in).Elem())
	in.Sent = nil
	out, err := shown(in)
	if err != nil {
		t.Fatal(err)
	}
	tree := func(v any) (m map[string]any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		delete(m, "Sent")
		return given(m).(map[string]any)
	}
	want, got := tree(in), tree(out)
	for name := range want {
		if !reflect.DeepEqual(want[name], got[name]) {
			t.Errorf("%s is shown as %v, was given as %v", name, got[name], want[name])
		}
	}
}
