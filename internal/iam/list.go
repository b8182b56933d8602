package iam

import (
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/shape"
)

// listing is what a caller wants to see of a list: what lies under a path, and one page of it.
type listing struct {
	prefix     string
	from, most int
}

// listing reads which part of a list is wanted. A marker is how many were seen.
func (c *checks) listing(marker, maxItems *string) listing {
	return listing{from: c.count("Marker", marker, 0, 0), most: c.count("MaxItems", maxItems, 100, 1000)}
}

// count is a parameter that counts, from 1 to most; most 0 is no bound.
func (c *checks) count(parameter string, v *string, standard, most int) int {
	if shape.Get(v) == "" {
		return standard
	}
	n, err := strconv.Atoi(*v)
	if err != nil || n < 1 || most > 0 && n > most {
		c.refuse(slipway.Errorf(slipway.ValidationError,
			"The value '%s' at '%s' is not one that a list gave or can have.", *v, ec2query.LowerCamel(parameter)))
	}
	return n
}

// under is the listing of what lies under a path.
func (l listing) under(prefix *string) listing {
	l.prefix = shape.Get(prefix)
	return l
}

// has says whether what lies under the path is wanted.
func (l listing) has(path string) bool { return strings.HasPrefix(path, l.prefix) }

// page is the wanted part of a list, whether there is more, and the marker of the rest.
func page[T any](l listing, items []T) (wanted []T, truncated *bool, marker *string) {
	end := min(l.from+l.most, len(items))
	more := end < len(items)
	if more {
		marker = new(strconv.Itoa(end))
	}
	return append([]T{}, items[min(l.from, end):end]...), &more, marker
}
