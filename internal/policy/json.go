package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// object is a JSON object in its order. The standard decoder takes members in any case and the last of two; a policy
// must not mean to one reader what it does not mean to another.
type object []member

type member struct {
	name  string
	value any // string, json.Number, bool, nil, []any, object
}

// maxDepth is how deep a document's structures may stand in each other.
const maxDepth = 16

// readJSON reads one object and nothing behind it.
func readJSON(text string) (object, error) {
	switch {
	case len(text) > maxDocument:
		return nil, errors.New("the document is too large")
	case strings.TrimSpace(text) == "":
		return nil, errors.New("it is empty")
	case !utf8.ValidString(text):
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, fmt.Errorf("it is no JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("something stands behind the document")
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("it is no object")
	}
	return o, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("its structures are too deep")
	}
	t, err := d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	delim, ok := t.(json.Delim)
	if err != nil || !ok {
		return t, err
	}
	var list []any
	var o object
	for d.More() {
		name := ""
		if delim == '{' {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			if name = t.(string); o.has(name) { // within an object the decoder yields no other token here
				return nil, fmt.Errorf("%q stands twice in an object", name)
			}
		}
		v, err := value(d, depth+1)
		if err != nil {
			return nil, err
		}
		if delim == '{' {
			o = append(o, member{name, v})
		} else {
			list = append(list, v)
		}
	}
	if _, err := d.Token(); err != nil { // the end of it
		return nil, err
	}
	if delim == '{' {
		return o, nil
	}
	return list, nil
}

func (o object) has(name string) bool {
	return slices.ContainsFunc(o, func(m member) bool { return m.name == name })
}

// each hands every member to what reads it; a member that nothing reads is refused by name.
func (o object) each(read map[string]func(any) error) error {
	for _, m := range o {
		f := read[m.name]
		if f == nil {
			return fmt.Errorf("unknown field %q", m.name)
		}
		if err := f(m.value); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func textOf(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", errors.New("it is no text")
	}
	return s, nil
}

// texts is a text or several.
func texts(v any) ([]string, error) {
	items, several := v.([]any)
	if !several {
		items = []any{v}
	}
	out := make([]string, len(items))
	for i, item := range items {
		var err error
		if out[i], err = textOf(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// values are texts, numbers and booleans, one or several. A number stays as it is written.
func values(v any) ([]string, error) {
	items, several := v.([]any)
	if !several {
		items = []any{v}
	}
	out := make([]string, len(items))
	for i, item := range items {
		switch item := item.(type) {
		case string:
			out[i] = item
		case bool, json.Number:
			out[i] = fmt.Sprint(item)
		default:
			return nil, errors.New("a value is no text, number or boolean")
		}
	}
	return out, nil
}
