// Package shape is what every room needs at its edge: optional members and tags, between ec2wire's shapes and
// the domain. It decides nothing about any one action.
package shape

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
)

// Of is a pointer to a value: a member that is set.
func Of[T any](v T) *T { return &v }

// Text is a member that is left out when empty.
func Text[S ~string](s S) *string {
	if s == "" {
		return nil
	}
	v := string(s)
	return &v
}

// Some is a member that is left out when zero.
func Some[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// Time is a member that is left out when unset.
func Time(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Get is a member's value, or the zero value: an absent text and an empty one mean the same (rule empty-is-absent).
func Get[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// Unseen are those of the asked that were not seen, each once, in the order in which they were asked for.
func Unseen(asked []string, seen map[string]bool) []string {
	var out []string
	for i, a := range asked {
		if !seen[a] && !slices.Contains(asked[:i], a) {
			out = append(out, a)
		}
	}
	return out
}

// Tags writes a tag set in order of keys; never nil, because clients see a difference between an empty set and none.
func Tags(t slipway.Tags) []ec2wire.Tag {
	out := make([]ec2wire.Tag, 0, len(t))
	for _, k := range t.Keys() {
		out = append(out, ec2wire.Tag{Key: Of(k), Value: Of(t[k])})
	}
	return out
}

// ReadTags takes a list of tags and refuses what EC2 refuses, duplicates too.
func ReadTags(in []ec2wire.Tag) (slipway.Tags, error) {
	out := slipway.Tags{}
	for _, t := range in {
		if t.Key == nil {
			return nil, slipway.Missing("Tag.Key")
		}
		if err := slipway.CheckTag(*t.Key, Get(t.Value)); err != nil {
			return nil, err
		}
		if _, twice := out[*t.Key]; twice {
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Duplicate tag key '%s' specified.", *t.Key)
		}
		out[*t.Key] = Get(t.Value)
	}
	return out.With(nil)
}

// TagsAtLaunch takes tag specifications, of which each resource type may have one, and only those that the action creates.
func TagsAtLaunch(in []ec2wire.TagSpecification, types ...string) (map[string]slipway.Tags, error) {
	out := map[string]slipway.Tags{}
	for _, s := range in {
		kind := Get(s.ResourceType)
		switch {
		case kind == "" && len(s.Tags) == 0:
			continue
		case kind == "":
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Tag specification resource type must have a value")
		case !slices.Contains(types, kind):
			return nil, slipway.Errorf(slipway.InvalidParameterValue,
				"'%s' is not a valid taggable resource type for this operation.", kind)
		case len(s.Tags) == 0:
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Tag specification must have at least one tag")
		case out[kind] != nil:
			return nil, slipway.Errorf(slipway.InvalidParameterValue, "Duplicate resource type '%s' specified.", kind)
		}
		tags, err := ReadTags(s.Tags)
		if err != nil {
			return nil, err
		}
		out[kind] = tags
	}
	return out, nil
}

// CheckKey refuses a KMS key for what the request does not say is to be encrypted (rule key-encrypted).
func CheckKey(key *string, encrypted *bool) error {
	if Get(key) != "" && !Get(encrypted) {
		return slipway.Errorf(slipway.InvalidParameterDependency,
			"The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	return nil
}

// Key is the KMS key that encrypts a volume or snapshot: the one that was named, or the alias of its account's own in the
// region; nil for what is not encrypted.
func Key(encrypted bool, named, account, region string) *string {
	switch {
	case !encrypted:
		return nil
	case named != "":
		return &named
	}
	return Of("arn:aws:kms:" + region + ":" + account + ":alias/aws/ebs")
}

// CheckUsers refuses, as InvalidUserID.Malformed, what is neither an account's number nor one of the aliases (rule
// user-form).
func CheckUsers(users []string, aliases ...string) error {
	for _, u := range users {
		if !slices.Contains(aliases, u) && (len(u) != 12 || strings.Trim(u, "0123456789") != "") {
			return slipway.Errorf(slipway.InvalidUserIDMalformed, "Invalid user id: %q", u)
		}
	}
	return nil
}

// TagsOf is TagsAtLaunch for an action that creates one kind of thing.
func TagsOf(in []ec2wire.TagSpecification, kind string) (slipway.Tags, error) {
	all, err := TagsAtLaunch(in, kind)
	return all[kind], err
}

// Yes is how filters spell a boolean.
func Yes(b bool) []string { return []string{strconv.FormatBool(b)} }

// One is a filter's single value, or none when it is empty.
func One[S ~string](s S) []string {
	if s == "" {
		return nil
	}
	return []string{string(s)}
}

// ID reads an id that the request must hold.
func ID[ID ~string](p *string, parameter string, parse func(string) (ID, error)) (ID, error) {
	if Get(p) == "" {
		return "", slipway.Missing(parameter)
	}
	return parse(*p)
}

// Need reads a text that the request must hold.
func Need(p *string, parameter string) (string, error) {
	if Get(p) == "" {
		return "", slipway.Missing(parameter)
	}
	return *p, nil
}

// Devices writes a block device mapping.
func Devices(in []slipway.Mapping) []ec2wire.BlockDeviceMapping {
	out := []ec2wire.BlockDeviceMapping{}
	for _, m := range in {
		w := ec2wire.BlockDeviceMapping{DeviceName: Of(m.Device), VirtualName: Text(m.Virtual)}
		if m.Virtual == "" {
			w.Ebs = &ec2wire.EbsBlockDevice{
				SnapshotId: Text(m.Snapshot), VolumeSize: Some(m.SizeGiB), VolumeType: Text(m.Type),
				Iops: Some(m.IOPS), Throughput: Some(m.Throughput),
				Encrypted:           Of(m.Encrypted != nil && *m.Encrypted),
				DeleteOnTermination: Of(m.DeleteOnTermination == nil || *m.DeleteOnTermination),
				KmsKeyId:            Text(m.Key),
			}
		}
		out = append(out, w)
	}
	return out
}
