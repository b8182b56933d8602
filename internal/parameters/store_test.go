package parameters_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slipway"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"slipway/internal/apitest"
)

// caller is somebody who calls SSM.
type caller struct {
	*apitest.Wire
	who aws.Credentials
}

func newCaller(t *testing.T) caller {
	w := apitest.New(t)
	return caller{w, w.Root()}
}

func (c caller) ask(action string, request map[string]any) (status int, answer map[string]any) {
	c.T.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		c.T.Fatal(err)
	}
	a := c.Signed(c.who, "ssm", string(body),
		http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonSSM." + action}})
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		c.T.Fatalf("%s: %v: %s", action, err, a.Body)
	}
	return a.Status, answer
}

// well is ask that has to succeed.
func (c caller) well(action string, request map[string]any) map[string]any {
	c.T.Helper()
	status, answer := c.ask(action, request)
	if status != http.StatusOK {
		c.T.Fatalf("%s %v: %d %v", action, request, status, answer)
	}
	return answer
}

type fields = map[string]any

// value is what a parameter is, with decryption.
func (c caller) value(name string) string {
	c.T.Helper()
	p := c.well("GetParameter", fields{"Name": name, "WithDecryption": true})["Parameter"].(map[string]any)
	return fmt.Sprintf("%v v%v %v %v", p["Type"], p["Version"], p["DataType"], p["Value"])
}

// TestParametersKeepTheirVersions: a value is what was put last, or under the number that is asked for.
func TestParametersKeepTheirVersions(t *testing.T) {
	c := newCaller(t)
	if v := c.well("PutParameter", fields{"Name": "/app/db", "Value": "one", "Type": "String"})["Version"]; v != 1.0 {
		t.Errorf("the first version is %v", v)
	}
	if v := c.well("PutParameter", fields{"Name": "/app/db", "Value": "two", "Overwrite": true})["Version"]; v != 2.0 {
		t.Errorf("the second version is %v", v)
	}
	for reference, want := range map[string]string{
		"/app/db": "String v2 text two", "/app/db:1": "String v1 text one", "/app/db:2": "String v2 text two",
	} {
		if got := c.value(reference); got != want {
			t.Errorf("%s is %s, want %s", reference, got, want)
		}
	}
	arn := c.well("GetParameter", fields{"Name": "/app/db"})["Parameter"].(map[string]any)["ARN"].(string)
	if got := c.value(arn); got != "String v2 text two" {
		t.Errorf("%s is %s", arn, got)
	}
	for _, name := range []string{"flat", "/one"} { // an ARN shows both with a slash
		c.well("PutParameter", fields{"Name": name, "Value": name, "Type": "String"})
		arn := c.well("GetParameter", fields{"Name": name})["Parameter"].(map[string]any)["ARN"].(string)
		if got := c.value(arn); got != "String v1 text "+name {
			t.Errorf("%s is %s", arn, got)
		}
	}
	for n := range 120 {
		c.well("PutParameter", fields{"Name": "/app/db", "Value": fmt.Sprint(n), "Overwrite": true})
	}
	first := c.well("GetParameterHistory", fields{"Name": "/app/db"})
	if n := len(first["Parameters"].([]any)); n != 50 || first["NextToken"] == "" {
		t.Errorf("the first page of the history has %d", n)
	}
	if oldest := first["Parameters"].([]any)[0].(map[string]any)["Version"]; oldest != 23.0 {
		t.Errorf("the oldest of 122 versions is %v, want 23: a hundred are kept", oldest)
	}
	if status, a := c.ask("GetParameter", fields{"Name": "/app/db:1"}); status != 400 ||
		a["__type"] != "ParameterVersionNotFound" {
		t.Errorf("a version that is gone: %d %v", status, a)
	}
}

// TestSecretParametersAreSecret: without decryption a value is nothing that could be read.
func TestSecretParametersAreSecret(t *testing.T) {
	c := newCaller(t)
	c.well("PutParameter", fields{"Name": "pw", "Value": "hunter2", "Type": "SecureString"})
	closed := c.well("GetParameter", fields{"Name": "pw"})["Parameter"].(map[string]any)["Value"].(string)
	if strings.Contains(closed, "hunter2") || closed == "" {
		t.Errorf("closed it is %q", closed)
	}
	if got := c.value("pw"); got != "SecureString v1 text hunter2" {
		t.Errorf("open it is %s", got)
	}
	list := c.well("DescribeParameters", fields{})["Parameters"].([]any)
	if b, _ := json.Marshal(list); strings.Contains(string(b), "hunter2") || !strings.Contains(string(b), "alias/aws/ssm") {
		t.Errorf("described: %s", b)
	}
}

// TestImageParametersLaunch: an account's own parameter names the image of a launch, by its version too, and only for who
// may read it.
func TestImageParametersLaunch(t *testing.T) {
	c := newCaller(t)
	image := c.Image()
	c.well("PutParameter", fields{"Name": "/golden/web", "Value": image, "Type": "String", "DataType": "aws:ec2:image"})
	c.well("PutParameter", fields{"Name": "/golden/none", "Value": "a word", "Type": "String"})
	run := func(who aws.Credentials, reference string) apitest.Answer {
		return c.By(who, "ec2", "RunInstances", "Version", "2016-11-15", "ImageId", "resolve:ssm:"+reference, "InstanceType",
			"t3.micro", "MinCount", "1", "MaxCount", "1")
	}
	for _, reference := range []string{"/golden/web", "/golden/web:1"} {
		if a := run(c.who, reference); a.Status != 200 || apitest.First(a.Body, "imageId") != image {
			t.Errorf("%s: %d %s", reference, a.Status, a.Body)
		}
	}
	for _, reference := range []string{"/golden/none", "/golden/web:2", "/nowhere"} {
		if a := run(c.who, reference); a.Code != "InvalidParameterValue" || strings.Contains(a.Message, "a word") {
			t.Errorf("%s: %s %s", reference, a.Code, a.Message)
		}
	}
	narrow := c.User("narrow", apitest.Document(`{"Effect":"Allow","Action":"ec2:*","Resource":"*"}`))
	if a := run(narrow, "/golden/web"); a.Code != "UnauthorizedOperation" || !strings.Contains(a.Message, "ssm:GetParameters") {
		t.Errorf("who may not read the parameter: %s %s", a.Code, a.Message)
	}
	template := c.Must("launchTemplateId", "CreateLaunchTemplate", "LaunchTemplateName", "golden", "LaunchTemplateData.ImageId",
		"resolve:ssm:/golden/web", "LaunchTemplateData.InstanceType", "t3.micro")
	if got := c.Must("imageId", "DescribeLaunchTemplateVersions", "LaunchTemplateId", template, "ResolveAlias",
		"true"); got != image {
		t.Errorf("resolved, the template's image is %s", got)
	}
}

// TestParametersAreFound by their path, name, type and tags.
func TestParametersAreFound(t *testing.T) {
	c := newCaller(t)
	for _, name := range []string{"/a/one", "/a/two", "/a/b/three", "four"} {
		c.well("PutParameter", fields{
			"Name": name, "Value": "v", "Type": map[bool]string{true: "StringList", false: "String"}[name == "four"],
			"Tags": []fields{{"Key": "name", "Value": name}},
		})
	}
	names := func(answer fields) string {
		var out []string
		for _, p := range answer["Parameters"].([]any) {
			out = append(out, p.(map[string]any)["Name"].(string))
		}
		return strings.Join(out, " ")
	}
	for want, request := range map[string]fields{
		"/a/one /a/two":            {"Path": "/a"},
		"/a/b/three /a/one /a/two": {"Path": "/a", "Recursive": true},
		"/a/b/three":               {"Path": "/a/b/"},
		"":                         {"Path": "/none"},
	} {
		if got := names(c.well("GetParametersByPath", request)); got != want {
			t.Errorf("by path %v: %q, want %q", request, got, want)
		}
	}
	filter := func(key, option string, values ...string) fields {
		f := fields{"Key": key, "Values": values}
		if option != "" {
			f["Option"] = option
		}
		return fields{"ParameterFilters": []fields{f}}
	}
	for want, request := range map[string]fields{
		"four":                          filter("Name", "", "four"),
		"/a/one /a/two":                 filter("Path", "OneLevel", "/a"),
		"/a/b/three /a/one /a/two":      filter("Name", "BeginsWith", "/a"),
		"/a/two":                        filter("Name", "Contains", "tw"),
		"/a/b/three":                    filter("tag:name", "", "/a/b/three"),
		"/a/b/three /a/one /a/two four": filter("Type", "", "String", "StringList"),
		"":                              filter("KeyId", "", "alias/aws/ssm"),
	} {
		if got := names(c.well("DescribeParameters", request)); got != want {
			t.Errorf("%v: %q, want %q", request, got, want)
		}
	}
	page := c.well("DescribeParameters", fields{"MaxResults": 3})
	rest := c.well("DescribeParameters", fields{"MaxResults": 3, "NextToken": page["NextToken"]})
	if names(page) != "/a/b/three /a/one /a/two" || names(rest) != "four" {
		t.Errorf("in pages: %q, %q", names(page), names(rest))
	}
	c.well("AddTagsToResource",
		fields{"ResourceType": "Parameter", "ResourceId": "four", "Tags": []fields{{"Key": "k", "Value": "v"}}})
	c.well("RemoveTagsFromResource", fields{"ResourceType": "Parameter", "ResourceId": "four", "TagKeys": []string{"name"}})
	tags, _ := json.Marshal(c.well("ListTagsForResource", fields{"ResourceType": "Parameter", "ResourceId": "four"}))
	if string(tags) != `{"TagList":[{"Key":"k","Value":"v"}]}` {
		t.Errorf("the tags are %s", tags)
	}
	gone, _ := json.Marshal(c.well("DeleteParameters", fields{"Names": []string{"four", "five"}}))
	if string(gone) != `{"DeletedParameters":["four"],"InvalidParameters":["five"]}` {
		t.Errorf("deleted: %s", gone)
	}
	c.well("DeleteParameter", fields{"Name": "/a/one"})
	if got := names(c.well("DescribeParameters", fields{})); got != "/a/b/three /a/two" {
		t.Errorf("left is %q", got)
	}
}

func tags(n int) (out []fields) {
	for i := range n {
		out = append(out, fields{"Key": fmt.Sprint(i), "Value": ""})
	}
	return out
}

func TestParametersAreRefused(t *testing.T) {
	c := newCaller(t)
	c.well("PutParameter", fields{"Name": "/there", "Value": "v", "Type": "String", "AllowedPattern": "^[a-z]+$"})
	put := func(more fields) fields {
		out := fields{"Name": "/new", "Value": "v", "Type": "String"}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	for name, tt := range map[string]struct {
		action  string
		request fields
		code    string
	}{
		"what is there": {"PutParameter", put(fields{"Name": "/there"}), "ParameterAlreadyExists"},
		"a value against its pattern": {"PutParameter", fields{"Name": "/there", "Value": "7", "Overwrite": true},
			"ParameterPatternMismatchException"},
		"a pattern that is none": {"PutParameter", put(fields{"AllowedPattern": "["}),
			"InvalidAllowedPatternException"},
		"a value of another type": {"PutParameter",
			put(fields{"Name": "/there", "Type": "SecureString", "Overwrite": true}), "HierarchyTypeMismatchException"},
		"no type":                    {"PutParameter", fields{"Name": "/new", "Value": "v"}, "ValidationException"},
		"no value":                   {"PutParameter", fields{"Name": "/new", "Type": "String"}, "ValidationException"},
		"no name":                    {"PutParameter", fields{"Value": "v", "Type": "String"}, "ValidationException"},
		"a type of old":              {"PutParameter", put(fields{"Type": "Number"}), "ValidationException"},
		"a name of AWS's":            {"PutParameter", put(fields{"Name": "/aws/x"}), "ValidationException"},
		"a name of SSM's":            {"PutParameter", put(fields{"Name": "ssm-x"}), "ValidationException"},
		"a name with a blank":        {"PutParameter", put(fields{"Name": "/a b"}), "ValidationException"},
		"a path without a beginning": {"PutParameter", put(fields{"Name": "a/b"}), "ValidationException"},
		"sixteen levels": {"PutParameter", put(fields{"Name": strings.Repeat("/a", 16)}),
			"HierarchyLevelLimitExceededException"},
		"a long value": {"PutParameter", put(fields{"Value": strings.Repeat("v", 4097)}),
			"ValidationException"},
		"a longer value": {"PutParameter",
			put(fields{"Value": strings.Repeat("v", 8193), "Tier": "Advanced"}), "ValidationException"},
		"an image that is a word": {"PutParameter", put(fields{"DataType": "aws:ec2:image"}), "ValidationException"},
		"an image that is nowhere": {"PutParameter",
			put(fields{"DataType": "aws:ec2:image", "Value": "ami-0123456789abcdef0"}), "ValidationException"},
		"a policy": {"PutParameter", put(fields{"Policies": "[]"}), "ValidationException"},
		"tags over what is there": {"PutParameter",
			put(fields{"Overwrite": true, "Tags": []fields{{"Key": "k", "Value": "v"}}}), "ValidationException"},
		"a parameter of nowhere": {"GetParameter", fields{"Name": "/none"}, "ParameterNotFound"},
		"a history of nothing":   {"GetParameterHistory", fields{"Name": "/none"}, "ParameterNotFound"},
		"a deletion of nothing":  {"DeleteParameter", fields{"Name": "/none"}, "ParameterNotFound"},
		"eleven names":           {"GetParameters", fields{"Names": make([]string, 11)}, "ValidationException"},
		"a path that is none":    {"GetParametersByPath", fields{"Path": "a"}, "ValidationException"},
		"too many of a page": {"GetParametersByPath", fields{"Path": "/", "MaxResults": 11},
			"ValidationException"},
		"a token that is none": {"DescribeParameters", fields{"NextToken": "x"}, "InvalidNextToken"},
		"a filter of colour": {"DescribeParameters",
			fields{"ParameterFilters": []fields{{"Key": "Colour"}}}, "InvalidFilterKey"},
		"a filter's option": {"DescribeParameters",
			fields{"ParameterFilters": []fields{{"Key": "Type", "Option": "Contains"}}}, "InvalidFilterOption"},
		"tags of another resource": {"ListTagsForResource",
			fields{"ResourceType": "Document", "ResourceId": "x"}, "InvalidResourceType"},
		"tags of nothing": {"ListTagsForResource",
			fields{"ResourceType": "Parameter", "ResourceId": "x"}, "InvalidResourceId"},
		"51 tags":                          {"PutParameter", put(fields{"Tags": tags(51)}), "TooManyTagsError"},
		"what SSM has not":                 {"Nothing", fields{}, "UnknownOperationException"},
		"what SSM has and is not here":     {"SendCommand", fields{}, "UnsupportedOperation"},
		"a number where there are letters": {"GetParameter", fields{"Name": 7}, "SerializationException"},
	} {
		if status, a := c.ask(tt.action, tt.request); status != 400 || a["__type"] != tt.code {
			t.Errorf("%s: %d %v, want %s", name, status, a, tt.code)
		}
	}
	if status, a := c.ask("PutParameter",
		put(fields{"Tier": "Intelligent-Tiering", "Value": strings.Repeat("v", 5000)})); status != 200 ||
		a["Tier"] != "Advanced" {
		t.Errorf("a long value that may be of any tier: %d %v", status, a)
	}
}

// TestParametersAreAnAccounts and a region's: nobody else sees them.
func TestParametersAreAnAccounts(t *testing.T) {
	c := newCaller(t)
	c.well("PutParameter", fields{"Name": "/mine", "Value": "v", "Type": "String"})
	far := *c.Wire
	far.Region = "eu-west-1"
	other := c.As(slipway.Account{Name: "other"})
	for where, there := range map[string]caller{"another region": {&far, c.who}, "another account": {other, other.Root()}} {
		for _, name := range []string{"/mine", "arn:aws:ssm:us-east-1:" + c.Keys.Account + ":parameter/mine"} {
			if status, a := there.ask("GetParameter", fields{"Name": name}); status != 400 ||
				a["__type"] != "ParameterNotFound" {
				t.Errorf("%s in %s: %v", name, where, a)
			}
		}
		if a := there.well("DescribeParameters", fields{})["Parameters"].([]any); len(a) != 0 {
			t.Errorf("%s shows %v", where, a)
		}
		there.well("PutParameter", fields{"Name": "/mine", "Value": "w", "Type": "String"})
		arn := "arn:aws:ssm:us-east-1:" + c.Keys.Account + ":parameter/mine"
		if status, a := there.ask("GetParameter", fields{"Name": arn}); status != 400 {
			t.Errorf("%s in %s, which has one of the name: %v", arn, where, a)
		}
	}
	if got := c.value("/mine"); got != "String v1 text v" {
		t.Errorf("it is %s now", got)
	}
}
