package iam

import (
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/ec2query"
)

// listing is what a caller wants to see of a list: what lies under a path, and one page of it.
type listing struct {
	prefix     string
	from, most int
}

// listing reads which part of a list is wanted. A marker is how many were seen.
func (r *request) listing() listing {
	l := listing{most: 100}
	for name, to := range map[string]*int{"Marker": &l.from, "MaxItems": &l.most} {
		v := r.get(name)
		if v == "" {
			continue
		}
		n, err := strconv.Atoi(v)
		if (err != nil || n < 1 || name == "MaxItems" && n > 1000) && r.err == nil {
			r.err = slipway.Errorf(slipway.ValidationError,
				"The value '%s' at '%s' is not one that a list gave or can have.", v, ec2query.LowerCamel(name))
		}
		*to = n
	}
	return l
}

// pathListing is listing for what lies under paths.
func (r *request) pathListing() listing {
	l := r.listing()
	l.prefix = r.get("PathPrefix")
	return l
}

// has says whether what lies under the path is wanted.
func (l listing) has(path string) bool { return strings.HasPrefix(path, l.prefix) }

// page is the wanted part of a list, and what IAM says of the rest.
func page[T any](l listing, items []T) ([]T, xml) {
	end := min(l.from+l.most, len(items))
	more := end < len(items)
	return items[min(l.from, end):end], func(w *ec2query.Writer) {
		w.Text("IsTruncated", strconv.FormatBool(more))
		if more {
			w.Text("Marker", strconv.Itoa(end))
		}
	}
}

// of writes the wanted page of a list.
func (l listing) of(name string, items []xml) xml {
	items, rest := page(l, items)
	return all(list(name, items), rest)
}

// list writes a whole list.
func list(name string, items []xml) xml {
	return func(w *ec2query.Writer) {
		w.Open(name)
		for _, i := range items {
			i.in("member")(w)
		}
		w.Close(name)
	}
}
