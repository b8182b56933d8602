package slipway

import (
	"strconv"
	"strings"
	"time"
)

// LaunchTemplate is a name under which launch parameters are kept, in versions.
type LaunchTemplate struct {
	ID              LaunchTemplateID
	Account, Region string
	Name            string
	Created         time.Time
	CreatedBy       string // ARN
	Default, Latest int64
	Issued          int64 // the highest number ever given: that of a deleted version is not given again
	Tags            Tags  `json:",omitempty"`
}

// LaunchTemplateVersion is what a launch may take from a template. It never changes.
type LaunchTemplateVersion struct {
	Template        LaunchTemplateID
	Account, Region string
	Number          int64
	Description     string `json:",omitempty"`
	Created         time.Time
	CreatedBy       string
	Data            Parameters
}

// Parameters are launch parameters as EC2's Query protocol names them: "BlockDeviceMapping.1.DeviceName". They are kept as
// they were sent (docs/decisions/0010).
type Parameters map[string]string

// Given leaves out what was sent empty, which means not given, except where being there says something: a device that shall
// not be, a tag without a value, an entry of a list.
func (p Parameters) Given() Parameters {
	out := Parameters{}
	for name, value := range p {
		last := name[strings.LastIndexByte(name, '.')+1:]
		_, entry := strconv.Atoi(last)
		if value != "" || last == "NoDevice" || last == "Value" || entry == nil {
			out[name] = value
		}
	}
	return out
}

// Over lays the parameters over those of an earlier version: a member that is given replaces the earlier one whole.
func (p Parameters) Over(earlier Parameters) Parameters {
	member := func(name string) string { m, _, _ := strings.Cut(name, "."); return m }
	given, out := map[string]bool{}, Parameters{}
	for name, value := range p {
		given[member(name)], out[name] = true, value
	}
	for name, value := range earlier {
		if !given[member(name)] {
			out[name] = value
		}
	}
	return out
}

// Size is what the parameters weigh in a record.
func (p Parameters) Size() int {
	n := 0
	for name, value := range p {
		n += len(name) + len(value)
	}
	return n
}

// CheckTemplateName refuses what is no launch template's name.
func CheckTemplateName(name string) error {
	ok := len(name) >= 3 && len(name) <= 128
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./()", r))
	}
	if !ok {
		return Errorf(InvalidLaunchTemplateNameMalformedException,
			"The launch template name '%s' is not valid. It must have 3 to 128 characters: letters, digits and -_./().", name)
	}
	return nil
}
