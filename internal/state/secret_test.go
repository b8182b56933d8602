package state

import (
	"reflect"
	"regexp"
	"slices"
	"testing"

	"slipway"
)

// mayTell are names of fields that hold what only their owner may read. Launch parameters hold user data.
var mayTell = regexp.MustCompile(`Secret$|^Token$|Password|Passphrase|UserData|Private(Key)?$|Material`)

// holds are the paths below t of fields that hold what is secret.
func holds(t reflect.Type, path string, above []reflect.Type) (found []string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		if t == reflect.TypeFor[slipway.Parameters]() {
			return []string{path}
		}
		return holds(t.Elem(), path, above)
	case reflect.Struct:
		if slices.Contains(above, t) {
			return nil
		}
		for f := range t.Fields() {
			text := f.Type.Kind() == reflect.String || f.Type == reflect.TypeFor[[]byte]()
			if text && mayTell.MatchString(f.Name) {
				found = append(found, path+"."+f.Name)
				continue
			}
			found = append(found, holds(f.Type, path+"."+f.Name, append(above, t))...)
		}
	}
	return found
}

// TestWhatHoldsSecretsIsSealed: of every kind of record whose fields may tell one, the store is told.
func TestWhatHoldsSecretsIsSealed(t *testing.T) {
	n := 0
	for _, table := range all {
		record := reflect.TypeOf(table).Elem()
		f, ok := record.FieldByName("key")
		if !ok {
			t.Fatal("a table has no key: the test looks at the wrong field")
		}
		found := holds(f.Type.In(0), table.Kind(), nil)
		if len(found) > 0 {
			n++
		}
		if table.isSecret() != (len(found) > 0) {
			t.Errorf("%s: secret = %v, and it holds %v", table.Kind(), table.isSecret(), found)
		}
		key := Global.prefix(table.Kind()) + "x"
		if Schema().Secret(key) != table.isSecret() {
			t.Errorf("the schema says otherwise of %s", key)
		}
	}
	if n < 7 {
		t.Errorf("%d kinds hold secrets: the test looks at the wrong places", n)
	}
	for _, key := range []string{"installation", "s/-/-/none/x", "x"} {
		if Schema().Secret(key) {
			t.Errorf("%s is said to be secret", key)
		}
	}
}
