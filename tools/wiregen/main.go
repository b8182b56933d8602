// Command wiregen writes internal/ec2wire, iamwire, stswire and ssmwire: a Go type for every shape of the actions that
// slipway serves, with the code that reads it from a Query form and writes it as XML, or the names that encoding/json
// needs. With -check it writes nothing and fails when what is there is stale.
package main

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed *.json.gz
var packed embed.FS

// service is one whose shapes are generated.
type service struct {
	schema, pkg, title string
	item               string // of lists whose items have no name of their own
	second             bool   // times are written without fractions of a second
	json               bool   // it speaks JSON, no forms
	split              bool   // into a file for each letter
}

var services = []service{
	{schema: "schema.json.gz", pkg: "ec2wire", title: "EC2", item: "item", split: true},
	{schema: "iam.json.gz", pkg: "iamwire", title: "IAM", item: "member", second: true},
	{schema: "sts.json.gz", pkg: "stswire", title: "STS", item: "member", second: true},
	{schema: "ssm.json.gz", pkg: "ssmwire", title: "SSM", json: true},
}

// untaken are the parameters that a service does not take: they have no member, and are refused as unknown.
var untaken = map[string][]string{
	"iamwire.CreateUserRequest":                     {"PermissionsBoundary"},
	"iamwire.ListServiceSpecificCredentialsRequest": {"AllUsers"},
	"stswire.AssumeRoleRequest": {"PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "TokenCode", "SourceIdentity",
		"ProvidedContexts", "MinimumSessionTokenSize"},
	"stswire.GetSessionTokenRequest": {"SerialNumber", "TokenCode", "MinimumSessionTokenSize"},
}

// words are parameters that are read as text, because their service has words of its own for a wrong one.
var words = []string{"MaxItems", "DurationSeconds", "SetAsDefault"}

// order is how the members of a shape follow each other in answers, where that is not the model's order. Clients do not
// mind; who compares answers does.
var order = map[string][]string{
	"iamwire.Policy": {"PolicyName", "PolicyId", "Arn", "Path", "DefaultVersionId", "IsAttachable", "AttachmentCount",
		"PermissionsBoundaryUsageCount", "Description", "CreateDate", "UpdateDate", "Tags"},
	"iamwire.PolicyVersion":             {"VersionId", "IsDefaultVersion", "CreateDate", "Document"},
	"stswire.GetCallerIdentityResponse": {"Arn", "UserId", "Account"},
	"ssmwire.GetParametersResult":       {"InvalidParameters", "Parameters"},
}

type schema struct {
	service
	Actions    map[string]struct{ Input, Output string }
	Known      []string
	Structures map[string][]member
}

type member struct {
	Name  string
	XML   string  // name in answers
	Query string  // name in requests, where it is not XML's with a capital
	Kind  string  // string, number, boolean, time, blob, list, structure
	Ref   string  // of a structure
	Of    *member // of a list
}

// The schema does not tell one kind of number from another. What is not here is an integer of 32 bits.
var (
	floats = []string{"BaselineBandwidthInGbps", "GpuPartitionSize", "BaselineThroughputInMBps", "FulfilledCapacity", "FulfilledOnDemandCapacity", "MaximumThroughputInMBps", "UploadSize",
		"PeakBandwidthInGbps", "Priority", "SustainedClockSpeedInGhz", "WeightedCapacity", "Amount"}
	longs = []string{"SizeInMiB", "SizeInGB", "TotalSizeInGB", "VersionNumber", "DefaultVersionNumber", "LatestVersionNumber", "FullSnapshotSizeInBytes",
		"DiskImageSize", "BytesConverted", "Size64", "Version", "CurrentVersion", "TargetVersion", "AmazonSideAsn", "Duration"}
	// fractional are the structures whose numbers all are floats, under names that elsewhere are integers.
	fractional = []string{"MemoryGiBPerVCpu", "MemoryGiBPerVCpuRequest", "NetworkBandwidthGbps", "NetworkBandwidthGbpsRequest", "TotalLocalStorageGB", "TotalLocalStorageGBRequest"}
)

// kept are the structures whose parameters are also kept as they came, in a member Sent: what they say is stored, and a record
// holds parameters, not shapes.
var kept = []string{"RequestLaunchTemplateData"}

func main() {
	check := flag.Bool("check", false, "fail if the output is stale")
	out := flag.String("out", "../internal", "folder of the packages to write")
	flag.Parse()
	for _, of := range services {
		files, err := generate(of)
		if err == nil {
			err = settle(files, filepath.Join(*out, of.pkg), *check)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "wiregen: %s: %v\n", of.pkg, err)
			os.Exit(1)
		}
	}
}

func settle(files map[string][]byte, out string, check bool) error {
	for name, want := range files {
		path := filepath.Join(out, name)
		if check {
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
				return fmt.Errorf("%s is stale: run `make generate`", name)
			}
			continue
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// read is a service's schema without what is not taken, and in the order of answers.
func read(of service) (schema, error) {
	s := schema{service: of}
	packed, err := packed.Open(of.schema)
	if err != nil {
		return s, err
	}
	r, err := gzip.NewReader(packed)
	if err != nil {
		return s, err
	}
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return s, err
	}
	for name, members := range s.Structures {
		without := untaken[of.pkg+"."+name]
		members = slices.DeleteFunc(members, func(m member) bool { return slices.Contains(without, m.Name) })
		if want := order[of.pkg+"."+name]; want != nil {
			slices.SortStableFunc(members, func(a, b member) int {
				return slices.Index(want, a.Name) - slices.Index(want, b.Name)
			})
		}
		for i := range members {
			switch {
			case of.item == "member" && slices.Contains(words, members[i].Name):
				members[i].Kind = "string"
			case of.json && members[i].Kind == "time":
				members[i].Kind = "fraction" // seconds since 1970
			}
		}
		s.Structures[name] = members
	}
	return s, nil
}

func generate(of service) (map[string][]byte, error) {
	s, err := read(of)
	if err != nil {
		return nil, err
	}
	in, out := map[string]bool{}, map[string]bool{}
	for _, a := range s.Actions {
		s.reach(a.Input, in)
		s.reach(a.Output, out)
	}
	bodies := map[string]*bytes.Buffer{}
	file := func(name string) *bytes.Buffer {
		key := "shapes.go"
		if of.split {
			key = "shapes_" + strings.ToLower(name[:1]) + ".go"
		}
		if bodies[key] == nil {
			bodies[key] = &bytes.Buffer{}
		}
		return bodies[key]
	}
	names := make([]string, 0, len(s.Structures))
	for n := range s.Structures {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range fractional {
		for i := range s.Structures[n] {
			s.Structures[n][i].Kind = "fraction"
		}
	}
	for _, n := range names {
		if in[n] || out[n] { // what is not taken may have been alone in having it
			s.structure(file(n), n, in[n], out[n])
		}
	}
	actions := &bytes.Buffer{}
	bodies["actions.go"] = actions
	fmt.Fprintf(actions, "// KnownActions are all actions that %s has, served or not.\nvar KnownActions = map[string]bool{\n", of.title)
	for _, n := range s.Known {
		fmt.Fprintf(actions, "%q: true,\n", n)
	}
	fmt.Fprintf(actions, "}\n")
	files := map[string][]byte{}
	for name, body := range bodies {
		head := "// Code generated by tools/wiregen. DO NOT EDIT.\n\npackage " + of.pkg + "\n\n"
		switch {
		case bytes.Contains(body.Bytes(), []byte("time.")) && of.json:
			head += "import \"time\"\n\n"
		case bytes.Contains(body.Bytes(), []byte("time.")):
			head += "import (\n\"time\"\n\n\"slipway/internal/ec2query\"\n)\n\n"
		case bytes.Contains(body.Bytes(), []byte("ec2query.")):
			head += "import \"slipway/internal/ec2query\"\n\n"
		}
		src, err := format.Source(append([]byte(head), body.Bytes()...))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		files[name] = src
	}
	return files, nil
}

func (s *schema) reach(name string, seen map[string]bool) {
	if name == "" || seen[name] {
		return
	}
	seen[name] = true
	for _, m := range s.Structures[name] {
		for t := &m; t != nil; t = t.Of {
			s.reach(t.Ref, seen)
		}
	}
}

func (s *schema) structure(b *bytes.Buffer, name string, in, out bool) {
	fmt.Fprintf(b, "type %s struct {\n", name)
	for _, m := range s.Structures[name] {
		fmt.Fprintf(b, "%s %s%s\n", strings.ToUpper(m.Name[:1])+m.Name[1:], goType(m, m.Name), s.tag(m))
	}
	if slices.Contains(kept, name) {
		fmt.Fprintf(b, "\n// Sent are the parameters as they came, by their names below this structure.\nSent map[string]string\n")
	}
	fmt.Fprintf(b, "}\n\n")
	if s.json {
		return
	}
	if in {
		fmt.Fprintf(b, "// DecodeQuery reads the members from a form.\nfunc (x *%s) DecodeQuery(r *ec2query.Reader) {\n", name)
		for _, m := range s.Structures[name] {
			decode(b, m)
		}
		if slices.Contains(kept, name) {
			fmt.Fprintf(b, "x.Sent = r.Sent()\n")
		}
		fmt.Fprintf(b, "}\n\n")
	}
	if out {
		fmt.Fprintf(b, "// EncodeXML writes the members that are set.\nfunc (x *%s) EncodeXML(w *ec2query.Writer) {\n", name)
		for _, m := range s.Structures[name] {
			s.encode(b, m)
		}
		fmt.Fprintf(b, "}\n\n")
	}
}

func scalar(m member, name string) (goName, method string) {
	switch m.Kind {
	case "string":
		return "string", "String"
	case "boolean":
		return "bool", "Bool"
	case "time":
		return "time.Time", "Time"
	case "blob":
		return "[]byte", "Blob"
	case "fraction":
		return "float64", "Float"
	case "number":
		switch {
		case slices.Contains(floats, name):
			return "float64", "Float"
		case slices.Contains(longs, name):
			return "int64", "Int64"
		}
		return "int32", "Int32"
	}
	panic("no scalar: " + m.Kind)
}

func goType(m member, name string) string {
	switch m.Kind {
	case "structure":
		return "*" + m.Ref
	case "list":
		switch m.Of.Kind {
		case "structure":
			return "[]" + m.Of.Ref
		case "list":
			panic("a list of lists: " + name)
		}
		t, _ := scalar(*m.Of, name)
		return "[]" + t
	case "blob":
		return "[]byte"
	}
	t, _ := scalar(m, name)
	return "*" + t
}

func queryName(m member) string {
	switch {
	case m.Query != "":
		return m.Query
	case m.XML != "":
		return strings.ToUpper(m.XML[:1]) + m.XML[1:]
	}
	return strings.ToUpper(m.Name[:1]) + m.Name[1:]
}

func decode(b *bytes.Buffer, m member) {
	q := queryName(m)
	switch m.Kind {
	case "structure":
		fmt.Fprintf(b, "if in := r.Struct(%q); in != nil {\nx.%s = new(%s)\nx.%s.DecodeQuery(in)\n}\n", q, m.Name, m.Ref, m.Name)
	case "list":
		if m.Of.Kind == "structure" {
			fmt.Fprintf(b, "if in := r.List(%q); in != nil {\nx.%s = make([]%s, len(in))\nfor i := range in {\nx.%s[i].DecodeQuery(in[i])\n}\n}\n", q, m.Name, m.Of.Ref, m.Name)
			return
		}
		_, method := scalar(*m.Of, m.Name)
		fmt.Fprintf(b, "x.%s = r.%ss(%q)\n", m.Name, method, q)
	default:
		_, method := scalar(m, m.Name)
		fmt.Fprintf(b, "x.%s = r.%s(%q)\n", m.Name, method, q)
	}
}

// tag is what encoding/json has to know of a member.
func (s *schema) tag(m member) string {
	switch {
	case !s.json:
		return ""
	case m.Kind == "list":
		return " `json:\"" + m.Name + "\"`"
	}
	return " `json:\"" + m.Name + ",omitempty\"`"
}

func (s *schema) encode(b *bytes.Buffer, m member) {
	name := m.XML
	if name == "" {
		name = m.Name
	}
	switch m.Kind {
	case "structure":
		fmt.Fprintf(b, "if x.%s != nil {\nw.Open(%q)\nx.%s.EncodeXML(w)\nw.Close(%q)\n}\n", m.Name, name, m.Name, name)
	case "list":
		item := m.Of.XML
		if item == "" {
			item = s.item
		}
		fmt.Fprintf(b, "if x.%s != nil {\nw.Open(%q)\nfor i := range x.%s {\n", m.Name, name, m.Name)
		if m.Of.Kind == "structure" {
			fmt.Fprintf(b, "w.Open(%q)\nx.%s[i].EncodeXML(w)\nw.Close(%q)\n", item, m.Name, item)
		} else {
			_, method := scalar(*m.Of, m.Name)
			fmt.Fprintf(b, "w.%s(%q, &x.%s[i])\n", method, item, m.Name)
		}
		fmt.Fprintf(b, "}\nw.Close(%q)\n}\n", name)
	default:
		_, method := scalar(m, m.Name)
		if method == "Time" && s.second {
			method = "Second"
		}
		fmt.Fprintf(b, "w.%s(%q, x.%s)\n", method, name, m.Name)
	}
}
