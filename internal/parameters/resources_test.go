package parameters_test

import (
	"net/http"
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// TestParametersAreResources: a right may be over some parameters; the public ones are of no account.
func TestParametersAreResources(t *testing.T) {
	w := apitest.New(t)
	who := w.User("reader",
		apitest.Document(`{"Effect":"Allow","Action":"ssm:*","Resource":"arn:aws:ssm:us-east-1::parameter/aws/service/slipway/*"}`))
	const tiny, debian = "/aws/service/slipway/tiny/latest", "/aws/service/debian/release/12/latest/amd64"
	for _, tt := range []struct {
		action, body string
		allowed      bool
	}{
		{"GetParameter", `{"Name":"` + tiny + `"}`, true},
		{"GetParameter", `{"Name":"` + debian + `"}`, false},
		{"GetParameter", `{"Name":"/mine"}`, false},
		{"GetParameters", `{"Names":["` + tiny + `"]}`, true},
		{"GetParameters", `{"Names":["` + tiny + `","` + debian + `"]}`, false},
		{"GetParametersByPath", `{"Path":"/aws/service/slipway/tiny"}`, true},
		{"GetParametersByPath", `{"Path":"/aws/service","Name":"` + tiny + `"}`, false},
		{"GetParametersByPath", `{"Recursive":true}`, false},
	} {
		a := w.Signed(who, "ssm", tt.body,
			http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonSSM." + tt.action}})
		if refused := strings.Contains(a.Body, `"__type":"AccessDeniedException"`); refused == tt.allowed ||
			tt.allowed && a.Status != http.StatusOK {
			t.Errorf("%s %s: %d %s", tt.action, tt.body, a.Status, a.Body)
		}
	}
}
