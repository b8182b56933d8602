package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// The TestTerraforms… make the calls that Terraform's AWS provider (5 and 6) makes for each kind of resource, with its
// parameters and in its order, and compare all that it stores of the answers with what was asked for: what differs
// would show as a change in every later plan.

// terraform is a provider with a state.
type terraform struct {
	t    *testing.T
	r    *run
	ctx  context.Context
	ec2  *ec2.Client
	iam  *iam.Client
	ssm  *ssm.Client
	sts  *sts.Client
	made []func() // what destroys each resource, in the order of creation
}

func newTerraform(t *testing.T) *terraform {
	t.Helper()
	r := simulated(t)
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: &r.endpoint, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(r.keys.AccessKeyID, r.keys.SecretAccessKey, ""),
	}
	return &terraform{
		t: t, r: r, ctx: t.Context(), ec2: ec2.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg),
		ssm: ssm.NewFromConfig(cfg), sts: sts.NewFromConfig(cfg),
	}
}

// attributes are what the provider stores of a resource.
type attributes map[string]any

// known stands for what only slipway can say: it has to be there, and to stay as it is.
const known = "(known after apply)"

// resource is one kind of Terraform's resources, by the calls that the provider makes for it.
type resource struct {
	kind   string
	create func() string // answers the id
	// read answers all that the provider stores; nil if the answer is empty. It ends with a refusal where the provider would.
	read    func(id string) attributes
	want    attributes
	changes []change // in place, one after the other
	destroy func(id string)
	gone    string // the refusal by which the provider knows that it is gone; "" where that is an empty answer
	// tagsOn is the attribute that holds the id to tag, if that is not the resource's.
	tagsOn string
	retag  func(id string, gone []string, next map[string]string)
}

// change is one in place: only what it wants may differ afterwards.
type change struct {
	do   func(id string)
	want attributes
}

// refusal ends a step of a test.
type refusal struct{ error }

// refuse ends a step by what the test itself finds wrong.
func refuse(format string, args ...any) { panic(refusal{fmt.Errorf(format, args...)}) }

// ok is an answer that has to be a success: a step ends with the refusal.
func ok[T any](answer T, err error) T {
	if err != nil {
		panic(refusal{err})
	}
	return answer
}

// until waits for what the provider polls for.
func until(what string, reached func() bool) {
	for end := time.Now().Add(30 * time.Second); !reached(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			refuse("waited in vain until %s", what)
		}
	}
}

// step is a subtest, without which the rest makes no sense.
func (tf *terraform) step(name string, do func(t *testing.T)) {
	tf.t.Helper()
	if !tf.t.Run(name, func(t *testing.T) {
		if err := caught(func() { do(t) }); err != nil {
			t.Fatal(err)
		}
	}) {
		tf.t.FailNow()
	}
}

// caught is the refusal that something ends with.
func caught(do func()) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case refusal:
			err = p.error
		default:
			panic(p)
		}
	}()
	do()
	return nil
}

// apply creates a resource, refreshes it, changes it in place and refreshes it again; each plan after that has to be empty.
func (tf *terraform) apply(r resource) (id string) {
	tf.t.Helper()
	tf.step(r.kind, func(t *testing.T) {
		id = r.create()
		state := r.read(id)
		compare(t, "after it was created", state, r.want)
		compare(t, "in the second plan", r.read(id), state)
		changes := r.changes
		if r.want["tags"] != nil {
			changes = append(slices.Clip(changes), tf.tagChange(r, state))
		}
		for i, c := range changes {
			c.do(id)
			want := maps.Clone(state)
			maps.Copy(want, c.want)
			state = r.read(id)
			compare(t, fmt.Sprintf("after change %d", i+1), state, want)
			compare(t, fmt.Sprintf("in the plan after change %d", i+1), r.read(id), state)
		}
	})
	tf.made = append(tf.made, func() {
		tf.step("destroy "+r.kind, func(t *testing.T) {
			r.destroy(id)
			var last error
			err := caught(func() {
				until(r.kind+" is gone", func() bool {
					var state attributes
					last = caught(func() { state = r.read(id) })
					return last == nil && state == nil && r.gone == "" || last != nil && codeOf(last) == r.gone
				})
			})
			if err != nil {
				t.Errorf("%v; its last answer: %v, want %q", err, last, r.gone)
			}
		})
	})
	return id
}

// tagChange takes a tag off and puts another on, as the provider does for a changed block of tags.
func (tf *terraform) tagChange(r resource, state attributes) change {
	next := map[string]string{"Owner": "terraform", "Name": ""}
	return change{do: func(id string) {
		if r.retag != nil {
			r.retag(id, []string{"Name"}, next)
			return
		}
		if r.tagsOn != "" {
			id = state[r.tagsOn].(string)
		}
		ok(tf.ec2.DeleteTags(tf.ctx,
			&ec2.DeleteTagsInput{
				Resources: []string{id}, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String("tf")}},
			}))
		ok(tf.ec2.CreateTags(tf.ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: ec2Tags(next)}))
	}, want: attributes{"tags": next}}
}

// destroy destroys all that was applied, the newest first.
func (tf *terraform) destroy() {
	for _, d := range slices.Backward(tf.made) {
		d()
	}
	tf.made = nil
}

// compare says what differs from what is wanted.
func compare(t *testing.T, when string, got, want attributes) {
	t.Helper()
	if got == nil {
		t.Fatalf("%s nothing is there", when)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, wanted := text(got[name]), text(want[name])
		switch _, there := got[name]; {
		case !there:
			t.Errorf("%s: the provider does not store %s", when, name)
		case want[name] == known:
			if have == "null" {
				t.Errorf("%s: %s is empty", when, name)
			}
		case have != wanted:
			t.Errorf("%s: %s = %s, want %s", when, name, have, wanted)
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			t.Errorf("%s: %s = %s, of which the test says nothing", when, name, text(got[name]))
		}
	}
}

// text is a value in one form: Terraform does not tell an empty text or list from none.
func text(v any) string {
	b, err := json.Marshal(v)
	if s := string(b); err == nil && s != `""` && s != "[]" && s != "{}" {
		return s
	}
	return "null"
}

// tagged are the tags of every resource's block.
var tagged = map[string]string{"Name": "tf"}

func ec2Tags(tags map[string]string) []types.Tag {
	var out []types.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return out
}

// named puts the tags on what is created.
func named(kind types.ResourceType) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: ec2Tags(tagged)}}
}

// tagsOf are a resource's tags without the system's, which the provider leaves out.
func tagsOf(tags []types.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		if !strings.HasPrefix(*t.Key, "aws:") {
			out[*t.Key] = *t.Value
		}
	}
	return out
}

// by is a filter.
func by(name string, values ...string) types.Filter {
	return types.Filter{Name: &name, Values: values}
}

// token is a new client token.
func token() *string { return aws.String(fmt.Sprint("terraform-", time.Now().UnixNano())) }

// arn is what the provider computes of what it knows.
func (tf *terraform) arn(kind, id string) string {
	return "arn:aws:ec2:us-east-1:" + tf.r.keys.AccountID + ":" + kind + "/" + id
}
