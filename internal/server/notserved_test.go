package server_test

import (
	"net/http"
	"strings"
	"testing"

	"slipway/internal/apitest"
)

// TestServicesThatAreNotHere answer in their own protocols that they are not, and what is; whatever the keys.
func TestServicesThatAreNotHere(t *testing.T) {
	w := apitest.New(t)
	const says = "is not served by slipway, which serves ec2, iam, ssm and sts."
	form := "application/x-www-form-urlencoded; charset=utf-8"
	for _, tt := range []struct {
		service string
		header  http.Header
		kind    string // of the answer
		begins  string
	}{
		{"autoscaling", http.Header{"Content-Type": {form}}, "text/xml",
			"<ErrorResponse><Error><Type>Sender</Type><Code>UnsupportedOperation</Code><Message>The service autoscaling "},
		{"elasticloadbalancing", http.Header{"Content-Type": {form}}, "text/xml", "<ErrorResponse>"},
		{"monitoring", http.Header{"Content-Type": {"application/cbor"}, "Smithy-Protocol": {"rpc-v2-cbor"}},
			"application/cbor", "\xa2\x79\x00\x06__type\x79\x00\x1dUnsupportedOperationException\x79\x00\x07message\x79\x00"},
		{"kms", http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"TrentService.ListKeys"}},
			"application/x-amz-json-1.1", `{"__type":"UnsupportedOperationException","message":"The service kms `},
		{"dynamodb",
			http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amz-Target": {"DynamoDB_20120810.ListTables"}},
			"application/x-amz-json-1.0", `{"__type":`},
		{"lambda", http.Header{"Content-Type": {"application/json"}}, "application/json",
			`{"code":"UnsupportedOperationException"`},
		{"eks", http.Header{"Content-Type": {""}}, "application/json", `{"code":"UnsupportedOperationException"`},
		// a GET has none
		{"s3", http.Header{"Content-Type": {"application/octet-stream"}}, "application/xml",
			"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>"},
		{"route53", http.Header{"Content-Type": {"application/xml"}}, "application/xml", "<?xml"},
	} {
		stranger := w.Root()
		stranger.SecretAccessKey = "another"
		a := w.Signed(stranger, tt.service, "", tt.header)
		if a.Status != http.StatusBadRequest || !strings.HasPrefix(a.Header.Get("Content-Type"), tt.kind) ||
			!strings.HasPrefix(a.Body, tt.begins) || !strings.Contains(a.Body, says) ||
			a.Header.Get("X-Amzn-Errortype") != "UnsupportedOperationException" {
			t.Errorf("%s: %d %v %q", tt.service, a.Status, a.Header, a.Body)
		}
	}
	if a := w.Signed(w.Root(), "no service", "", http.Header{}); a.Code != "SignatureDoesNotMatch" {
		t.Errorf("what is no service: %d %s", a.Status, a.Code)
	}
}
