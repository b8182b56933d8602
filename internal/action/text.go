package action

import (
	"strings"
	"unicode/utf8"

	"slipway"
)

// Text is a name or description that a caller gives something, and what EC2 lets it hold (rule texts): 255 characters at
// most, of Set. Names of images and of launch templates have codes of their own.
type Text struct {
	Parameter string
	Set       string // the characters there may be, or AnyASCII, or AnyText
	What      string // "security group names": what the refusal lists the set for; "": it names what is wrong
}

// Sets of characters, besides those that are spelt out.
const (
	AnyASCII = "ASCII"
	AnyText  = "text"
)

const (
	maxText  = 255
	groupSet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789. _-:/()#,@[]+=&;{}!$*"
)

// The texts there are.
var (
	GroupName              = Text{"GroupName", groupSet, "security group name"}
	GroupDescription       = Text{"GroupDescription", groupSet, "security group description"}
	RuleDescription        = Text{"Description", groupSet, "rule description"}
	KeyName                = Text{"KeyName", AnyASCII, ""}
	PlacementGroupName     = Text{"groupName", AnyASCII, ""}
	ImageDescription       = Text{"description", AnyASCII, ""}
	SnapshotDescription    = Text{"description", AnyASCII, ""}
	InterfaceDescription   = Text{"description", AnyText, ""}
	VersionDescription     = Text{"versionDescription", AnyText, ""}
	ImportDescription      = Text{"description", AnyASCII, ""}
	ReportDescription      = Text{"description", AnyText, ""}
	ReservationDescription = Text{"description", AnyText, ""}
	PrefixListName         = Text{"prefixListName", AnyText, ""}
	EntryDescription       = Text{"description", AnyText, ""}
)

// In is the same text with another set.
func (x Text) In(set string) Text { x.Set = set; return x }

// Check refuses what EC2 does not keep, as InvalidParameterValue.
func (x Text) Check(s string) error {
	foreign := false
	for _, r := range s {
		if x.Set != AnyText && r > 127 {
			return slipway.Invalid(s, x.Parameter, "Character sets beyond ASCII are not supported.")
		}
		foreign = foreign || x.Set != AnyText && x.Set != AnyASCII && !strings.ContainsRune(x.Set, r)
	}
	switch long := utf8.RuneCountInString(s) > maxText; {
	case x.What != "" && (foreign || long):
		kind := x.What[strings.LastIndexByte(x.What, ' ')+1:] + "s"
		return slipway.Errorf(slipway.InvalidParameterValue,
			"Invalid %s. Valid %s are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
			x.What, kind)
	case long:
		return slipway.Invalid(s, x.Parameter, "It exceeds 255 characters")
	}
	return nil
}
