package action

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Texts are the names and descriptions that actions take, by the members that hold them, "." between them and lists
// walked through. They are checked before the method is asked. An empty entry: the room checks by itself, because what
// may be depends on the state.
var Texts = map[string]map[string]Text{
	"CreateSecurityGroup":         {},
	"CreateSubnetCidrReservation": {"Description": ReservationDescription},
	"ReportInstanceStatus":        {"Description": ReportDescription},
	"CreateImage":                 {"Description": ImageDescription},
	"RegisterImage":               {"Description": ImageDescription},
	"CopyImage":                   {"Description": ImageDescription},
	"ModifyImageAttribute": {
		"Description.Value": ImageDescription, "Value": ImageDescription,
	},
	"CreateSnapshot":  {"Description": SnapshotDescription},
	"CreateSnapshots": {"Description": SnapshotDescription},
	"CopySnapshot":    {"Description": SnapshotDescription},
	"ImportImage": {
		"Description": ImportDescription, "DiskContainers.Description": ImportDescription,
	},
	"ImportSnapshot": {
		"Description": ImportDescription, "DiskContainer.Description": ImportDescription,
	},
	"CreateNetworkInterface":          {"Description": InterfaceDescription},
	"ModifyNetworkInterfaceAttribute": {"Description.Value": InterfaceDescription},
	"RunInstances":                    {"NetworkInterfaces.Description": InterfaceDescription},
	"RequestSpotInstances":            {"LaunchSpecification.NetworkInterfaces.Description": InterfaceDescription},
	"CreateLaunchTemplate":            templateTexts,
	"CreateLaunchTemplateVersion":     templateTexts,
	"CreateKeyPair":                   {"KeyName": KeyName},
	"ImportKeyPair":                   {"KeyName": KeyName},
	"CreatePlacementGroup":            {"GroupName": PlacementGroupName},
	"CreateManagedPrefixList": {
		"PrefixListName": PrefixListName, "Entries.Description": EntryDescription,
	},
	"ModifyManagedPrefixList": {
		"PrefixListName": PrefixListName, "AddEntries.Description": EntryDescription,
	},
}

var templateTexts = map[string]Text{
	"VersionDescription": VersionDescription,
	"LaunchTemplateData.NetworkInterfaces.Description": InterfaceDescription,
}

// checkTexts refuses what the texts of a request may not hold.
func checkTexts(request reflect.Value, texts map[string]Text) error {
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		if err := checkText(request, strings.Split(path, "."), texts[path]); err != nil {
			return err
		}
	}
	return nil
}

func checkText(v reflect.Value, path []string, text Text) error {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return checkText(v.Elem(), path, text)
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkText(v.Index(i), path, text); err != nil {
				return err
			}
		}
		return nil
	}
	if len(path) > 0 {
		return checkText(v.FieldByName(path[0]), path[1:], text)
	}
	return text.Check(v.String())
}

// lacksText is what the table of texts leaves open for the request of an action that changes something.
func lacksText(name string, request reflect.Type) error {
	for path := range Texts[name] {
		t := request
		for _, member := range strings.Split(path, ".") {
			for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
				t = t.Elem()
			}
			f, ok := t.FieldByName(member)
			if !ok {
				return fmt.Errorf("the text %s is none of its members", path)
			}
			t = f.Type
		}
	}
	for _, member := range []string{"Description", "VersionDescription"} {
		if _, has := request.FieldByName(member); has && Texts[name] == nil {
			return fmt.Errorf("nothing says what its %s may hold", member)
		}
	}
	return nil
}
