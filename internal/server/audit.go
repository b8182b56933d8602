package server

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"slipway"
	"slipway/internal/audit"
)

// Bounds of what a record repeats, in bytes, and in ids of one name.
const (
	maxAgent    = 512
	maxMessage  = 1024
	maxNamed    = 256
	maxListed   = 100
	maxRead     = 256 << 10 // of an answer, for the ids in it
	shortSecret = 4         // texts below this are not looked for in messages
)

var (
	// telling are the parameters that name something, by the last word of their names that is no number.
	telling = regexp.MustCompile(`(Id|ID|Ids|Name|Names|Arn|ARN|Arns|Path)$`)
	// hidden are some of those that are not for everybody's eyes.
	hidden     = map[string]bool{"ExternalId": true}
	actionForm = regexp.MustCompile(`^[A-Za-z0-9]{1,128}$`)
	keyForm    = regexp.MustCompile(`^[A-Z0-9]{16,128}$`)
	madeID     = regexp.MustCompile(`<(\w*(?:Id|ID))>([A-Za-z][A-Za-z0-9-]{7,63})</`)
	resourceID = regexp.MustCompile(`^[a-z]+(-[a-z]+)*-[0-9a-f-]{8,36}$`)
	errorCode  = regexp.MustCompile(`<Code>([^<]*)</Code>(?s:\s*)<Message>([^<]*)</Message>`)
)

// responseRecorder sees what goes back to a client, for the record.
type responseRecorder struct {
	http.ResponseWriter
	status int
	body   []byte
}

func (w *responseRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *responseRecorder) Write(b []byte) (int, error) {
	w.body = append(w.body, b[:min(len(b), maxRead-len(w.body))]...)
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *responseRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// asked is what a request says, however its service writes it: the action, and the texts by name.
func asked(r *http.Request, body []byte) (action string, params map[string][]string) {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		params = map[string][]string{}
		var in map[string]any
		if json.Unmarshal(body, &in) == nil {
			for k, v := range in {
				switch v := v.(type) {
				case string:
					params[k] = []string{v}
				case []any:
					for _, e := range v {
						if s, ok := e.(string); ok {
							params[k] = append(params[k], s)
						}
					}
				}
			}
		}
		return target[strings.LastIndexByte(target, '.')+1:], params
	}
	form, err := Form(r, body)
	if err != nil {
		form = url.Values{}
	}
	return form.Get("Action"), form
}

// lastWord is a parameter's name without what it lies in and without its place in a list.
func lastWord(name string) string {
	parts := strings.Split(name, ".")
	for i, p := range slices.Backward(parts) {
		if p != "" && strings.Trim(p, "0123456789") != "" && (p != "member" || i == 0) {
			return p
		}
	}
	return name
}

// record tells the audit of a call that has been answered. What was asked repeats ids and names alone; no other value
// of the request stands anywhere in it, not in the error's words either.
func (s *Server) record(
	call slipway.Call, service string, r *http.Request, body []byte, status int, answer []byte, began time.Time,
) {
	if s.Audit == nil {
		return
	}
	known := call.Account != ""
	key := call.AccessKey
	if !known {
		body = nil // a stranger's words are not repeated
		if claimed, _, _ := strings.Cut(scope(r), "/"); keyForm.MatchString(claimed) {
			key = claimed
		}
	}
	action, params := asked(r, body)
	if !actionForm.MatchString(action) {
		action = ""
	}
	rec := audit.Record{
		EventVersion: "1.10", UserIdentity: audit.IdentityOf(call.Account, call.ARN, call.UserID, key),
		EventTime:   began.UTC().Format(time.RFC3339),
		EventSource: service + ".amazonaws.com", EventName: action, Region: call.Region,
		SourceIP: call.Origin.IP.String(), UserAgent: cut(call.Origin.UserAgent, maxAgent),
		RequestID: call.RequestID, EventID: NewRequestID(), EventType: "AwsApiCall", ManagementEvent: true,
		RecipientAccountID: call.Account, EventCategory: "Management",
	}
	if declared := s.Actions[action]; service == "ec2" && declared != nil {
		rec.ReadOnly = declared.Rules().Reads
	} else {
		rec.ReadOnly = strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List") ||
			strings.HasPrefix(action, "Describe") || strings.HasPrefix(action, "Simulate")
	}
	var secrets []string
	if known {
		rec.RequestParameters = map[string]string{}
		for name, values := range params {
			word := lastWord(name)
			for _, v := range values {
				switch {
				case name == "Action" || name == "Version":
				case telling.MatchString(word) && !hidden[word] && !strings.HasPrefix(name, "X-Amz-") && len(v) <= maxNamed:
					rec.RequestParameters[name] = strings.TrimPrefix(rec.RequestParameters[name]+","+v, ",")
					if kind := slipway.ResourceTypes[slipway.Prefix(v)]; kind != "" && resourceID.MatchString(v) &&
						len(rec.Resources) < maxListed {
						rec.Resources = append(rec.Resources,
							audit.Resource{
								ARN: slipway.EC2ARN(call.Region, call.Account, kind, v), AccountID: call.Account,
								Type: "AWS::EC2::" + pascal(kind),
							})
					}
				default:
					secrets = append(secrets, v)
				}
			}
		}
		slices.SortFunc(rec.Resources, func(a, b audit.Resource) int { return strings.Compare(a.ARN, b.ARN) })
	}
	if status >= http.StatusBadRequest {
		rec.ErrorCode, rec.ErrorMessage = refused(answer)
		rec.ErrorMessage = cut(without(rec.ErrorMessage, secrets), maxMessage)
	} else if !rec.ReadOnly {
		rec.ResponseElements = made(answer[:min(len(answer), maxRead)])
	}
	s.Audit(rec)
}

// scope is the credential that a request claims, with its scope.
func scope(r *http.Request) string {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential, _, _ = strings.Cut(after, ",")
	}
	return credential
}

// refused is the code and the words of a refusal, in XML or in JSON.
func refused(answer []byte) (code, message string) {
	if m := errorCode.FindSubmatch(answer); m != nil {
		return html.UnescapeString(string(m[1])), html.UnescapeString(string(m[2]))
	}
	var told struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &told) != nil {
		return "InternalFailure", ""
	}
	return told.Type, told.Message
}

// without is a message that repeats none of the values; of long ones messages repeat the beginning.
func without(message string, values []string) string {
	slices.SortFunc(values, func(a, b string) int { return len(b) - len(a) })
	for _, v := range values {
		for _, part := range []string{v, v[:min(len(v), 32)]} {
			if len(part) >= shortSecret {
				message = strings.ReplaceAll(message, part, "HIDDEN")
			}
		}
	}
	return message
}

// made are the ids in an answer, by the names of their elements.
func made(answer []byte) map[string]string {
	out, count := map[string]string{}, map[string]int{}
	for _, m := range madeID.FindAllSubmatch(answer, -1) {
		name, id := string(m[1]), string(m[2])
		if strings.EqualFold(name, "requestId") || count[name] >= maxListed ||
			slices.Contains(strings.Split(out[name], ","), id) {
			continue
		}
		count[name]++
		out[name] = strings.TrimPrefix(out[name]+","+id, ",")
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func cut(s string, most int) string { return strings.ToValidUTF8(s[:min(len(s), most)], "") }

// pascal is how CloudTrail writes a kind of resource: "network-interface" is NetworkInterface.
func pascal(kind string) string {
	var out strings.Builder
	for part := range strings.SplitSeq(kind, "-") {
		out.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return out.String()
}
