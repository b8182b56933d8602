package state

import (
	"maps"
	"slices"
	"strings"

	"slipway"
	"slipway/internal/store"
)

// imageAliases are the public parameters that name images here, and the beginning of the images' names.
var imageAliases = map[string]string{
	"/aws/service/slipway/tiny/latest":                  "tiny",
	"/aws/service/slipway/debian-12/latest":             "debian-12",
	"/aws/service/debian/release/12/latest/amd64":       "debian-12",
	"/aws/service/debian/release/bookworm/latest/amd64": "debian-12",
}

// ImageAliases are the names in order.
func ImageAliases() []string { return slices.Sorted(maps.Keys(imageAliases)) }

// AliasedImage is the image that a public parameter of the SSM service names: the newest system image of that family.
// nil: there is none.
func AliasedImage(r store.Reader, region, name string) *slipway.Image {
	family, ok := imageAliases[name]
	if !ok {
		return nil
	}
	var newest *slipway.Image
	for im := range Images.All(r, Global) {
		if strings.HasPrefix(im.Name, family+"-") && (newest == nil || im.Created.After(newest.Created)) {
			newest = im
		}
	}
	return newest
}
