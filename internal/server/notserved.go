package server

import (
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"slipway"
)

// restXML are AWS's services that speak XML without forms.
var restXML = []string{"s3", "s3express", "s3-object-lambda", "s3-outposts", "route53", "cloudfront"}

// notServed refuses a service of AWS that is not here, in the protocol that its clients read: one that looked like wrong
// keys would send their user looking for them. Nothing of the request is read but its headers.
func (s *Server) notServed(w http.ResponseWriter, r *http.Request, service, id string) (status int, body []byte) {
	served := slices.Sorted(maps.Keys(s.Services))
	served = append([]string{"ec2"}, served...)
	err := slipway.Errorf(slipway.UnsupportedOperation, "The service %s is not served by slipway, which serves %s and %s.",
		service, strings.Join(served[:len(served)-1], ", "), served[len(served)-1])
	kind, body := refusalOf(r, service, err, id)
	status = err.Code.Status()
	h := w.Header()
	h.Set("Content-Type", kind)
	h.Set("X-Amzn-Errortype", string(err.Code)+"Exception")
	if kind == cborContent {
		h.Set("Smithy-Protocol", "rpc-v2-cbor")
	}
	w.WriteHeader(status)
	w.Write(body)
	return status, body
}

var serviceForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,63}$`)

// foreign says whether a service is one that is not here.
func (s *Server) foreign(service string) bool {
	return service != "ec2" && s.Services[service] == nil && serviceForm.MatchString(service)
}

const cborContent = "application/cbor"

// refusalOf is a refusal as the clients of a service read it, and its content type. How a request is made says how its
// answer is read, but for the services that speak XML without forms.
func refusalOf(r *http.Request, service string, err *slipway.Error, id string) (kind string, body []byte) {
	asked, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	told := map[string]string{"__type": string(err.Code) + "Exception", "message": err.Message}
	switch {
	case strings.HasPrefix(r.Header.Get("Smithy-Protocol"), "rpc-v2-cbor"):
		return cborContent, cbor(told)
	case r.Header.Get("X-Amz-Target") != "":
		b, _ := json.Marshal(told)
		return asked, b
	case slices.Contains(restXML, service):
		return "application/xml", fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"+
			"<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>", err.Code, escaped(err.Message), id)
	case asked == formContent || r.URL.Query().Has("Action"):
		return "text/xml", fmt.Appendf(nil, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message>"+
			"</Error><RequestId>%s</RequestId></ErrorResponse>", err.Code, escaped(err.Message), id)
	}
	b, _ := json.Marshal(map[string]string{"code": told["__type"], "message": err.Message})
	return "application/json", b
}

func escaped(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a Builder takes all
	return b.String()
}

// cbor writes texts by their names as RFC 8949 does.
func cbor(texts map[string]string) []byte {
	out := []byte{0xa0 | byte(len(texts))} // a map of fewer than 24
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		for _, text := range []string{name, texts[name]} {
			out = binary.BigEndian.AppendUint16(append(out, 0x79), uint16(len(text))) // a text of 16 bits of length
			out = append(out, text...)
		}
	}
	return out
}
