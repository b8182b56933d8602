package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// outcome is what a caller knows of a call.
type outcome int

const (
	done    outcome = iota // it has happened
	refused                // it has not
	lost                   // nobody said
)

// callLimit is how long one call may take. Nothing here takes long: a call that does hangs.
const callLimit = 90 * time.Second

// outcomeOf reads an answer. An error of the server's own may come before or after the commit; any other says that
// nothing was done.
func outcomeOf(err error) outcome {
	if err == nil {
		return done
	}
	if r, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && r.HTTPStatusCode() >= 400 && r.HTTPStatusCode() < 500 {
		return refused
	}
	return lost
}

func codeOf(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

// caller asks one thing at a time of things that it alone has. What all callers share is named "shared", and no model knows it.
type caller struct {
	t     testing.TB
	site  *site
	model *model
	name  string
	rand  *rand.Rand
	image string
	real  bool // machines cost something
	ec2   *ec2.Client
	iam   *iam.Client
	sts   *sts.Client
	calls *tally
	made  int // things named so far

	session *ststypes.Credentials // nil: none has begun

	instances, volumes, snapshots, addresses, users, reservations []string
}

// tally counts answers.
type tally struct {
	done, refused, lost atomic.Int64
	ended               atomic.Int64 // sessions whose time was over
	wrong               chan string  // what a caller found wrong by itself
}

func clients(s *site) (*ec2.Client, *iam.Client, *sts.Client) {
	cfg := s.config(aws.Credentials{AccessKeyID: s.keys.AccessKeyID, SecretAccessKey: s.keys.SecretAccessKey})
	signer := &signer{s, v4.NewSigner()}
	return ec2.NewFromConfig(cfg, func(o *ec2.Options) { o.HTTPSignerV4 = signer }),
		iam.NewFromConfig(cfg, func(o *iam.Options) { o.HTTPSignerV4 = signer }),
		sts.NewFromConfig(cfg, func(o *sts.Options) { o.HTTPSignerV4 = signer })
}

func (s *site) config(who aws.Credentials) aws.Config {
	return aws.Config{
		Region: "us-east-1", BaseEndpoint: &s.endpoint, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(who.AccessKeyID, who.SecretAccessKey, who.SessionToken),
	}
}

// signer signs by the server's clock, as one does whose clock is set by the same time server.
type signer struct {
	site *site
	*v4.Signer
}

func (s *signer) SignHTTP(
	ctx context.Context, who aws.Credentials, r *http.Request, hash, service, region string, _ time.Time,
	options ...func(*v4.SignerOptions),
) error {
	now, _ := s.site.now()
	return s.Signer.SignHTTP(ctx, who, r, hash, service, region, now, options...)
}

func (c *caller) fault(format string, args ...any) {
	select {
	case c.calls.wrong <- c.name + ": " + fmt.Sprintf(format, args...):
	default:
	}
}

// ask makes one call when the server is there.
func (c *caller) ask(ctx context.Context, call func(context.Context) error) outcome {
	select {
	case <-c.site.server.readiness():
	case <-ctx.Done():
		return refused // it was not made
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callLimit)
	defer cancel()
	err := call(ctx)
	o := outcomeOf(err)
	switch o {
	case done:
		c.calls.done.Add(1)
	case refused:
		c.calls.refused.Add(1)
	case lost:
		c.calls.lost.Add(1)
		if ctx.Err() != nil {
			c.fault("a call was not answered in %v", callLimit)
		}
	}
	return o
}

// untilSure repeats a call that may be repeated until somebody says what became of it.
func (c *caller) untilSure(ctx context.Context, call func(context.Context) error) outcome {
	for {
		_, before := c.site.now()
		o := c.ask(ctx, call)
		_, after := c.site.now()
		if o == done || o == refused && before == after ||
			ctx.Err() != nil { // a clock that is set makes a signature one of another time
			return o
		}
	}
}

func (c *caller) next(kind string) string {
	c.made++
	return fmt.Sprintf("%s-%s-%d", c.name, kind, c.made)
}

func (c *caller) pick(list []string) (string, bool) {
	if len(list) == 0 {
		return "", false
	}
	return list[c.rand.IntN(len(list))], true
}

func named(kind types.ResourceType, name string) []types.TagSpecification {
	return []types.TagSpecification{{ResourceType: kind, Tags: []types.Tag{{Key: aws.String("Name"), Value: aws.String(name)}}}}
}

func byName(name string) []types.Filter {
	return []types.Filter{{Name: aws.String("tag:Name"), Values: []string{name}}}
}

// step does one thing, or nothing if what it chose is not to be had.
func (c *caller) step(ctx context.Context) {
	most := 12
	if c.real {
		most = 2
	}
	switch n := c.rand.IntN(100); {
	case n < 18 && len(c.instances) < most:
		c.launch(ctx)
	case n < 30:
		c.switchState(ctx)
	case n < 40:
		c.tag(ctx)
	case n < 48:
		c.createVolume(ctx)
	case n < 58:
		c.attach(ctx)
	case n < 66:
		c.snapshot(ctx)
	case n < 71:
		c.deleteStorage(ctx)
	case n < 78:
		c.address(ctx)
	case n < 88:
		c.identity(ctx)
	case n < 91:
		c.shared(ctx)
	case n < 93:
		c.temporary(ctx)
	case n < 95:
		c.reserve(ctx)
	default:
		c.terminate(ctx)
	}
}

func (c *caller) launch(ctx context.Context) {
	token, n := c.next("launch"), int32(1)
	if !c.real {
		n += c.rand.Int32N(3)
		if c.rand.IntN(40) == 0 {
			n = 40 + c.rand.Int32N(160) // more keys than a cluster's default lets one transaction have
		}
	}
	in := &ec2.RunInstancesInput{
		ImageId: &c.image, InstanceType: types.InstanceTypeT3Nano, MinCount: &n, MaxCount: &n, ClientToken: &token,
		TagSpecifications: named(types.ResourceTypeInstance, token),
	}
	var first []string
	again := c.rand.IntN(4) == 0 // asks a second time though it was answered
	for range 2 {
		var ids []string
		switch c.untilSure(ctx, func(ctx context.Context) error {
			out, err := c.ec2.RunInstances(ctx, in)
			if err == nil {
				for _, i := range out.Instances {
					ids = append(ids, *i.InstanceId)
				}
			}
			return err
		}) {
		case done:
			slices.Sort(ids)
			if len(ids) != int(n) || first != nil && !slices.Equal(ids, first) {
				c.fault("token %s: asked for %d, got %v, and before %v", token, n, ids, first)
			}
		case refused:
			if first != nil {
				c.fault("token %s made %v, and its repetition was refused", token, first)
			}
			return
		case lost:
			c.model.perhaps(fact{"launch", token, "ids"}, "") // the test ends here
			return
		}
		if first == nil {
			first = ids
			c.model.sure(fact{"launch", token, "ids"}, strings.Join(ids, " "))
			for _, id := range ids {
				c.model.sure(fact{"instance", id, "state"}, "running")
				c.model.sure(fact{"instance", id, "tag"}, "")
				c.instances = append(c.instances, id)
			}
		}
		if !again {
			break
		}
	}
	if len(first) > 3 {
		c.end(ctx, first)
	}
}

func (c *caller) switchState(ctx context.Context) {
	id, ok := c.pick(c.instances)
	if !ok {
		return
	}
	state := fact{"instance", id, "state"}
	to, call := "stopped", func(ctx context.Context) error {
		_, err := c.ec2.StopInstances(ctx,
			&ec2.StopInstancesInput{InstanceIds: []string{id}, Force: aws.Bool(c.rand.IntN(2) == 0)})
		return err
	}
	if c.model.is(state, "stopped") {
		to, call = "running", func(ctx context.Context) error {
			_, err := c.ec2.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}})
			return err
		}
	}
	c.settle(state, to, c.ask(ctx, call))
}

// settle notes what became of a change.
func (c *caller) settle(f fact, value string, o outcome) {
	switch o {
	case done:
		c.model.sure(f, value)
	case lost:
		c.model.perhaps(f, value)
	}
}

func (c *caller) tag(ctx context.Context) {
	id, ok := c.pick(c.instances)
	if !ok {
		return
	}
	value := c.next("tag")
	c.settle(fact{"instance", id, "tag"}, value, c.ask(ctx, func(ctx context.Context) error {
		_, err := c.ec2.CreateTags(ctx,
			&ec2.CreateTagsInput{Resources: []string{id}, Tags: []types.Tag{{Key: aws.String("torture"), Value: &value}}})
		return err
	}))
}

// found takes over what a call made whose answer was lost: it is found by its name, once or not at all.
func (c *caller) found(ctx context.Context, name string, find func(context.Context) ([]string, error)) (string, bool) {
	var ids []string
	if c.untilSure(ctx, func(ctx context.Context) (err error) { ids, err = find(ctx); return err }) != done || len(ids) == 0 {
		return "", false
	}
	if len(ids) > 1 {
		c.fault("%s was made once, and there are %v", name, ids)
	}
	return ids[0], true
}

func (c *caller) createVolume(ctx context.Context) {
	if len(c.volumes) >= 6 {
		return
	}
	name, id := c.next("volume"), ""
	in := &ec2.CreateVolumeInput{
		AvailabilityZone: aws.String("us-east-1a"), Size: aws.Int32(1),
		TagSpecifications: named(types.ResourceTypeVolume, name),
	}
	if s, ok := c.pick(c.snapshots); ok && c.real && c.rand.IntN(2) == 0 {
		in.SnapshotId = &s
	}
	o := c.ask(ctx, func(ctx context.Context) error {
		out, err := c.ec2.CreateVolume(ctx, in)
		if err == nil {
			id = *out.VolumeId
		}
		return err
	})
	if o == lost {
		id, _ = c.found(ctx, name, func(ctx context.Context) (ids []string, err error) {
			out, err := c.ec2.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{Filters: byName(name)})
			if err == nil {
				for _, v := range out.Volumes {
					ids = append(ids, *v.VolumeId)
				}
			}
			return ids, err
		})
	}
	if id != "" {
		c.model.sure(fact{"volume", id, "exists"}, "yes")
		c.model.sure(fact{"volume", id, "instance"}, "")
		c.volumes = append(c.volumes, id)
	}
}

func (c *caller) attach(ctx context.Context) {
	v, ok := c.pick(c.volumes)
	if !ok || len(c.model.may(fact{"volume", v, "instance"})) > 1 {
		return
	}
	f := fact{"volume", v, "instance"}
	if !c.model.is(f, "") {
		c.settle(f, "", c.ask(ctx, func(ctx context.Context) error {
			_, err := c.ec2.DetachVolume(ctx, &ec2.DetachVolumeInput{VolumeId: &v})
			return err
		}))
		return
	}
	i, ok := c.pick(c.instances)
	if !ok {
		return
	}
	c.settle(f, i, c.ask(ctx, func(ctx context.Context) error {
		_, err := c.ec2.AttachVolume(ctx,
			&ec2.AttachVolumeInput{
				VolumeId: &v, InstanceId: &i, Device: aws.String("/dev/sd" + string(rune('f'+c.rand.IntN(8)))),
			})
		return err
	}))
}

func (c *caller) snapshot(ctx context.Context) {
	v, ok := c.pick(c.volumes)
	if !ok || len(c.snapshots) >= 6 {
		return
	}
	name, id := c.next("snapshot"), ""
	o := c.ask(ctx, func(ctx context.Context) error {
		out, err := c.ec2.CreateSnapshot(ctx,
			&ec2.CreateSnapshotInput{VolumeId: &v, TagSpecifications: named(types.ResourceTypeSnapshot, name)})
		if err == nil {
			id = *out.SnapshotId
		}
		return err
	})
	if o == lost {
		id, _ = c.found(ctx, name, func(ctx context.Context) (ids []string, err error) {
			out, err := c.ec2.DescribeSnapshots(ctx,
				&ec2.DescribeSnapshotsInput{OwnerIds: []string{"self"}, Filters: byName(name)})
			if err == nil {
				for _, s := range out.Snapshots {
					ids = append(ids, *s.SnapshotId)
				}
			}
			return ids, err
		})
	}
	if id != "" {
		c.model.sure(fact{"snapshot", id, "exists"}, "yes")
		c.snapshots = append(c.snapshots, id)
	}
}

func (c *caller) deleteStorage(ctx context.Context) {
	if s, ok := c.pick(c.snapshots); ok && c.rand.IntN(2) == 0 {
		o := c.ask(ctx, func(ctx context.Context) error {
			_, err := c.ec2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: &s})
			return err
		})
		c.settle(fact{"snapshot", s, "exists"}, "", o)
		if o != refused {
			c.snapshots = slices.DeleteFunc(c.snapshots, func(id string) bool { return id == s })
		}
		return
	}
	v, ok := c.pick(c.volumes)
	if !ok || !c.model.is(fact{"volume", v, "instance"}, "") {
		return
	}
	o := c.ask(ctx, func(ctx context.Context) error {
		_, err := c.ec2.DeleteVolume(ctx, &ec2.DeleteVolumeInput{VolumeId: &v})
		return err
	})
	c.settle(fact{"volume", v, "exists"}, "", o)
	if o != refused {
		c.volumes = slices.DeleteFunc(c.volumes, func(id string) bool { return id == v })
	}
}

func (c *caller) address(ctx context.Context) {
	a, ok := c.pick(c.addresses)
	switch n := c.rand.IntN(3); {
	case !ok || n == 0 && len(c.addresses) < 2:
		name, id := c.next("address"), ""
		o := c.ask(ctx, func(ctx context.Context) error {
			out, err := c.ec2.AllocateAddress(ctx,
				&ec2.AllocateAddressInput{TagSpecifications: named(types.ResourceTypeElasticIp, name)})
			if err == nil {
				id = *out.AllocationId
			}
			return err
		})
		if o == lost {
			id, _ = c.found(ctx, name, func(ctx context.Context) (ids []string, err error) {
				out, err := c.ec2.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{Filters: byName(name)})
				if err == nil {
					for _, a := range out.Addresses {
						ids = append(ids, *a.AllocationId)
					}
				}
				return ids, err
			})
		}
		if id != "" {
			c.model.sure(fact{"address", id, "exists"}, "yes")
			c.model.sure(fact{"address", id, "instance"}, "")
			c.addresses = append(c.addresses, id)
		}
	case n == 1:
		i, ok := c.pick(c.instances)
		if !ok {
			return
		}
		o := c.ask(ctx, func(ctx context.Context) error {
			_, err := c.ec2.AssociateAddress(ctx,
				&ec2.AssociateAddressInput{AllocationId: &a, InstanceId: &i, AllowReassociation: aws.Bool(true)})
			return err
		})
		c.settle(fact{"address", a, "instance"}, i, o)
		for _, other := range c.addresses { // an instance's one private address has one elastic address
			if other != a {
				c.model.freed(fact{"address", other, "instance"}, i, o)
			}
		}
	default:
		if !c.model.is(fact{"address", a, "instance"}, "") {
			return
		}
		o := c.ask(ctx, func(ctx context.Context) error {
			_, err := c.ec2.ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: &a})
			return err
		})
		c.settle(fact{"address", a, "exists"}, "", o)
		if o != refused {
			c.addresses = slices.DeleteFunc(c.addresses, func(id string) bool { return id == a })
		}
	}
}

const policyText = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}]}`

func (c *caller) identity(ctx context.Context) {
	u, ok := c.pick(c.users)
	if !ok || len(c.users) < 2 {
		u = c.next("user")
		o := c.ask(ctx, func(ctx context.Context) error {
			_, err := c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &u})
			return err
		})
		if o != refused {
			c.model.sure(fact{"user", u, "policy"}, "")
			c.users = append(c.users, u)
			if o == lost {
				c.model.sure(fact{"user", u, "exists"}, "")
			}
			c.settle(fact{"user", u, "exists"}, "yes", o)
		}
		return
	}
	exists, policy := fact{"user", u, "exists"}, fact{"user", u, "policy"}
	switch {
	case !c.model.is(exists, "yes"):
	case c.model.is(policy, ""):
		c.settle(policy, "yes", c.ask(ctx, func(ctx context.Context) error {
			_, err := c.iam.PutUserPolicy(ctx,
				&iam.PutUserPolicyInput{UserName: &u, PolicyName: aws.String("own"), PolicyDocument: aws.String(policyText)})
			return err
		}))
	case c.model.is(policy, "yes") && c.rand.IntN(2) == 0:
		c.settle(policy, "", c.ask(ctx, func(ctx context.Context) error {
			_, err := c.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &u, PolicyName: aws.String("own")})
			return err
		}))
	}
	if c.model.is(policy, "") && c.rand.IntN(2) == 0 {
		o := c.ask(ctx, func(ctx context.Context) error {
			_, err := c.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &u})
			return err
		})
		c.settle(exists, "", o)
		if o != refused {
			c.users = slices.DeleteFunc(c.users, func(name string) bool { return name == u })
		}
	}
}

// shared changes what every caller changes: no model knows how it ends, and the records must agree all the same.
func (c *caller) shared(ctx context.Context) {
	u, p := "shared-"+fmt.Sprint(c.rand.IntN(2)), "shared-policy"
	group := "shared-group-" + fmt.Sprint(c.rand.IntN(2))
	arn := "arn:aws:iam::" + c.site.keys.AccountID + ":policy/" + p
	calls := []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := c.iam.CreateUser(ctx, &iam.CreateUserInput{UserName: &u})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: &u})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.iam.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &p, PolicyDocument: aws.String(policyText)})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.iam.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &u, PolicyArn: &arn})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &u, PolicyArn: &arn})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.iam.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &arn})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &u})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.CreateSecurityGroup(ctx,
				&ec2.CreateSecurityGroupInput{GroupName: &group, Description: aws.String("torture")})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.AuthorizeSecurityGroupIngress(ctx,
				&ec2.AuthorizeSecurityGroupIngressInput{
					GroupName: aws.String("shared-group-0"), SourceSecurityGroupName: aws.String("shared-group-1"),
				})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.ec2.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupName: &group})
			return err
		},
	}
	c.ask(ctx, calls[c.rand.IntN(len(calls))])
}

// nearly is within how much of a moment nothing is said of what has its time then: the server's clock and the test's
// are read one after the other.
const nearly = time.Minute

// temporary begins a session, or uses the one that there is: it is good until its time is over, by the server's clock,
// and never after.
func (c *caller) temporary(ctx context.Context) {
	if c.session == nil {
		c.ask(ctx, func(ctx context.Context) error {
			out, err := c.sts.GetSessionToken(ctx, &sts.GetSessionTokenInput{DurationSeconds: aws.Int32(3600)})
			if err == nil {
				c.session = out.Credentials
			}
			return err
		})
		return
	}
	of := c.session
	own := c.site.config(aws.Credentials{
		AccessKeyID: *of.AccessKeyId, SecretAccessKey: *of.SecretAccessKey, SessionToken: *of.SessionToken,
	})
	client := sts.NewFromConfig(own, func(o *sts.Options) { o.HTTPSignerV4 = &signer{c.site, v4.NewSigner()} })
	before, jumps := c.site.now()
	code := ""
	o := c.ask(ctx, func(ctx context.Context) error {
		_, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		code = codeOf(err)
		return err
	})
	_, again := c.site.now()
	switch ends := *of.Expiration; {
	case o == lost || jumps != again:
	case o == refused && c.site.latest().Before(ends.Add(-nearly)):
		c.fault("a session that ends at %v was refused at %v: %s", ends, before, code)
	case o == done && before.After(ends.Add(nearly)):
		c.fault("a session that ended at %v was good at %v", ends, before)
	case o == refused:
		c.calls.ended.Add(1)
		c.session = nil
	}
}

// reserve promises capacity until a time, at which the server ends it by itself, or gives it up.
func (c *caller) reserve(ctx context.Context) {
	if id, ok := c.pick(c.reservations); ok && len(c.reservations) > 2 {
		c.settle(fact{"reservation", id, "state"}, "cancelled", c.ask(ctx, func(ctx context.Context) error {
			_, err := c.ec2.CancelCapacityReservation(ctx, &ec2.CancelCapacityReservationInput{CapacityReservationId: &id})
			return err
		}))
		c.reservations = slices.DeleteFunc(c.reservations, func(r string) bool { return r == id })
		return
	}
	token, id := c.next("reservation"), ""
	now, _ := c.site.now()
	ends := now.Add(time.Duration(1+c.rand.IntN(12)) * time.Hour)
	o := c.ask(ctx, func(ctx context.Context) error {
		out, err := c.ec2.CreateCapacityReservation(ctx, &ec2.CreateCapacityReservationInput{
			AvailabilityZone: aws.String("us-east-1b"), InstanceType: aws.String("t3.nano"),
			InstancePlatform: types.CapacityReservationInstancePlatformLinuxUnix,
			InstanceCount:    aws.Int32(1), EndDateType: types.EndDateTypeLimited, EndDate: &ends,
			TagSpecifications: named(types.ResourceTypeCapacityReservation, token),
		})
		if err == nil {
			id = *out.CapacityReservation.CapacityReservationId
		}
		return err
	})
	if o == lost {
		id, _ = c.found(ctx, token, func(ctx context.Context) (ids []string, err error) {
			out, err := c.ec2.DescribeCapacityReservations(ctx, &ec2.DescribeCapacityReservationsInput{Filters: byName(token)})
			if err == nil {
				for _, r := range out.CapacityReservations {
					ids = append(ids, *r.CapacityReservationId)
				}
			}
			return ids, err
		})
	}
	if id != "" {
		c.model.sure(fact{"reservation", id, "state"}, "active")
		c.model.ending(id, ends)
		c.reservations = append(c.reservations, id)
	}
}

func (c *caller) terminate(ctx context.Context) {
	if id, ok := c.pick(c.instances); ok {
		c.end(ctx, []string{id})
	}
}

// end terminates instances: what was attached to them is free then.
func (c *caller) end(ctx context.Context, ids []string) {
	code := ""
	o := c.untilSure(ctx, func(ctx context.Context) error {
		_, err := c.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})
		code = codeOf(err)
		return err
	})
	if o == refused && code == "InvalidInstanceID.NotFound" && c.site.clock != nil {
		o = done // the answer was lost, and an hour went by in a moment
	}
	if o == refused && ctx.Err() == nil {
		c.fault("the termination of %v was refused", ids)
		return
	}
	for _, id := range ids {
		c.settle(fact{"instance", id, "state"}, "terminated", o)
		for _, v := range c.volumes {
			c.model.freed(fact{"volume", v, "instance"}, id, o)
		}
		for _, a := range c.addresses {
			c.model.freed(fact{"address", a, "instance"}, id, o)
		}
	}
	if o == done {
		c.instances = slices.DeleteFunc(c.instances, func(id string) bool { return slices.Contains(ids, id) })
	}
}
