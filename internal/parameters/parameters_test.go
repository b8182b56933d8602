package parameters_test

import (
	"net/http"
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// TestParametersNameImages: what Terraform and the CLI look images up by.
func TestParametersNameImages(t *testing.T) {
	w := apitest.New(t)
	ask := func(action, body string) apitest.Answer {
		return w.Signed(w.Root(), "ssm", body,
			http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonSSM." + action}})
	}
	im, name := w.Image(), ""
	a := ask("GetParametersByPath", `{"Path":"/aws/service","Recursive":true}`)
	if _, after, ok := strings.Cut(a.Body, `"Name":"`); ok {
		name, _, _ = strings.Cut(after, `"`)
	}
	if a.Status != 200 || name == "" || !strings.Contains(a.Body, im) {
		t.Fatalf("the parameters are %s", a.Body)
	}
	if a := ask("GetParameter", `{"Name":"`+name+`"}`); a.Status != 200 ||
		!strings.Contains(a.Body, `"DataType":"aws:ec2:image"`) {
		t.Errorf("%s is %s", name, a.Body)
	}
	if got := w.Must("imageId", "RunInstances", "ImageId", "resolve:ssm:"+name, "InstanceType", "t3.micro", "MinCount",
		"1", "MaxCount", "1"); !strings.Contains(a.Body, got) {
		t.Errorf("a launch by the parameter took %s", got)
	}
	if a := ask("GetParameter", `{"Name":"/none"}`); a.Status != 400 ||
		!strings.Contains(a.Body, `"__type":"ParameterNotFound"`) {
		t.Errorf("a parameter that is not there: %d %s", a.Status, a.Body)
	}
	if a := ask("GetParameters",
		`{"Names":["/none","`+name+`"]}`); !strings.Contains(a.Body, `"InvalidParameters":["/none"]`) ||
		!strings.Contains(a.Body, im) {
		t.Errorf("one of two: %s", a.Body)
	}
	if a := ask("SendCommand", `{"Name":"/mine"}`); a.Status != 400 || !strings.Contains(a.Body, "SendCommand") {
		t.Errorf("an action that is not here: %s", a.Body)
	}
}
