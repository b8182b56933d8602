// Command karpenter is Karpenter's AWS provider without a cluster to grow: its operator, its node class's and node
// claims' controllers and its cloud provider run as in Karpenter's own command, against the AWS of the environment and
// an API server in memory. It says what it has launched as JSON, waits for a line, and takes all down again. What is
// not as Karpenter expects ends it with an error.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/awslabs/operatorpkg/status"
	"github.com/go-logr/zapr"
	"github.com/samber/lo"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	corecloudprovider "sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/controllers/node/termination"
	"sigs.k8s.io/karpenter/pkg/controllers/node/termination/terminator"
	"sigs.k8s.io/karpenter/pkg/controllers/nodeclaim/lifecycle"
	"sigs.k8s.io/karpenter/pkg/controllers/nodeoverlay"
	coreoperator "sigs.k8s.io/karpenter/pkg/operator"
	"sigs.k8s.io/karpenter/pkg/operator/injection"
	"sigs.k8s.io/karpenter/pkg/operator/logging"
	coreoptions "sigs.k8s.io/karpenter/pkg/operator/options"
	"sigs.k8s.io/karpenter/pkg/state/nodepoolhealth"

	v1 "github.com/aws/karpenter-provider-aws/pkg/apis/v1"
	"github.com/aws/karpenter-provider-aws/pkg/cloudprovider"
	"github.com/aws/karpenter-provider-aws/pkg/cloudprovider/registrationhooks"
	claimgarbage "github.com/aws/karpenter-provider-aws/pkg/controllers/nodeclaim/garbagecollection"
	"github.com/aws/karpenter-provider-aws/pkg/controllers/nodeclaim/tagging"
	"github.com/aws/karpenter-provider-aws/pkg/controllers/nodeclass"
	profilegarbage "github.com/aws/karpenter-provider-aws/pkg/controllers/nodeclass/garbagecollection"
	"github.com/aws/karpenter-provider-aws/pkg/controllers/nodeclass/hash"
	"github.com/aws/karpenter-provider-aws/pkg/operator"
	"github.com/aws/karpenter-provider-aws/pkg/operator/options"
	"github.com/aws/karpenter-provider-aws/pkg/providers/instanceprofile"
	"github.com/aws/karpenter-provider-aws/pkg/utils"
)

func main() {
	ctx := injection.WithOptionsOrDie(context.Background(), coreoptions.Injectables...)
	log.SetLogger(zapr.NewLogger(logging.NewLogger(ctx, "karpenter")))
	v1.CapacityReservationsEnabled = coreoptions.FromContext(ctx).FeatureGates.ReservedCapacity
	k := newKarpenter(ctx)
	general, dense := k.nodeClass(), k.denseClass()
	pool := k.nodePool(general)

	nodes := []node{
		k.launch(pool, "demand", requires(corev1.LabelInstanceTypeStable, "t3.nano", "t3.micro"),
			requires(corev1.LabelTopologyZone, "us-east-1b"),
			requires(karpv1.CapacityTypeLabelKey, karpv1.CapacityTypeOnDemand)),
		k.launch(pool, "any", requires(v1.LabelInstanceCategory, "t", "m", "c"),
			requires(karpv1.CapacityTypeLabelKey, karpv1.CapacityTypeOnDemand, karpv1.CapacityTypeSpot)),
	}
	denser := k.nodePool(dense)
	nodes = append(nodes, k.crowd(denser, "crowd", 2)...)
	nodes = append(nodes,
		k.launch(denser, "placed", requires(corev1.LabelInstanceTypeStable, "t3.nano"),
			requires(v1.LabelPlacementGroupPartition, "2")),
		k.launch(pool, "reserved", requires(karpv1.CapacityTypeLabelKey, karpv1.CapacityTypeReserved)))
	k.refused(pool, "r6i.4xlarge")
	k.inspect(nodes)
	if err := json.NewEncoder(os.Stdout).Encode(nodes); err != nil {
		die("say", err)
	}
	bufio.NewScanner(os.Stdin).Scan()

	k.terminate(nodes)
	k.end(general, dense)
}

// node is a claim that has become an instance.
type node struct {
	Claim, ID, Name, Type, Zone, CapacityType, Partition string

	claim *karpv1.NodeClaim
}

// karpenter is the operator with the controllers that matter here, made as its command and its NewControllers make them.
type karpenter struct {
	*operator.Operator
	ctx       context.Context
	objects   client.Client
	provider  *cloudprovider.CloudProvider
	classes   *nodeclass.Controller
	lifecycle *lifecycle.Controller
	tagging   *tagging.Controller
	drain     *termination.Controller
	region    string
}

// newKarpenter starts: NewOperator tries EC2, fills the instance types and their offerings and reads the launch
// templates there are.
func newKarpenter(ctx context.Context) *karpenter {
	c := newCluster()
	ctx, op := operator.NewOperator(ctx, &coreoperator.Operator{
		Manager: c, KubernetesInterface: kubernetesInterface(), EventRecorder: recorder{}, Clock: clock.RealClock{},
		InstanceTypeStore: nodeoverlay.NewInstanceTypeStore(),
	})
	if err := op.PricingProvider.UpdateSpotPricing(ctx); err != nil {
		die("spot prices", err)
	}
	// There is no price list of on-demand instances: Karpenter logs that and keeps the prices that it was built with.
	if err := op.PricingProvider.UpdateOnDemandPricing(ctx); err == nil {
		die("on-demand prices", errors.New("there are some: look at them"))
	}
	k := &karpenter{Operator: op, ctx: ctx, objects: c.GetClient(), region: op.Config.Region}
	k.provider = cloudprovider.New(op.InstanceTypesProvider, op.InstanceProvider, op.EventRecorder, k.objects,
		op.AMIProvider, op.SecurityGroupProvider,
		op.CapacityReservationProvider, op.PlacementGroupProvider, op.InstanceTypeStore, op.CABundle)
	k.classes = nodeclass.NewController(op.Clock, k.objects, k.provider, op.EventRecorder, k.region, op.SubnetProvider,
		op.SecurityGroupProvider, op.AMIProvider,
		op.InstanceProfileProvider, op.InstanceTypesProvider, op.LaunchTemplateProvider, op.CapacityReservationProvider,
		op.PlacementGroupProvider, op.EC2API,
		op.ValidationCache, op.RecreationCache, op.AMIResolver, options.FromContext(ctx).DisableDryRun)
	k.lifecycle = lifecycle.NewController(op.Clock, k.objects, k.provider, op.EventRecorder, nodepoolhealth.NewState(),
		[]corecloudprovider.NodeLifecycleHook{registrationhooks.NewPlacementGroupRegistrationHook(op.InstanceProvider)})
	k.tagging = tagging.NewController(k.objects, k.provider, op.InstanceProvider)
	k.drain = termination.NewController(op.Clock, k.objects, k.provider,
		terminator.NewTerminator(op.Clock, k.objects, terminator.NewQueue(k.objects, op.EventRecorder),
			op.EventRecorder), op.EventRecorder)
	return k
}

// class is a node class that finds its images, subnets and groups by every kind of selector.
func (k *karpenter) class(name string, uid types.UID, more func(*v1.EC2NodeClassSpec)) *v1.EC2NodeClass {
	byTag := map[string]string{"karpenter.sh/discovery": options.FromContext(k.ctx).ClusterName}
	class := &v1.EC2NodeClass{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: uid},
		Spec: v1.EC2NodeClassSpec{
			AMIFamily: lo.ToPtr(v1.AMIFamilyCustom),
			AMISelectorTerms: []v1.AMISelectorTerm{
				{SSMParameter: os.Getenv("IMAGE_PARAMETER")}, {ID: os.Getenv("IMAGE")}, {Name: os.Getenv("IMAGE_NAME")},
			},
			SubnetSelectorTerms:        []v1.SubnetSelectorTerm{{Tags: byTag}, {ID: os.Getenv("SUBNET")}},
			SecurityGroupSelectorTerms: []v1.SecurityGroupSelectorTerm{{Tags: byTag}, {Name: os.Getenv("GROUP_NAME")}},
			Role:                       os.Getenv("ROLE"),
			UserData:                   lo.ToPtr(os.Getenv("USER_DATA")),
			Tags:                       map[string]string{"team": "blue"},
			BlockDeviceMappings: []*v1.BlockDeviceMapping{
				{DeviceName: lo.ToPtr(os.Getenv("ROOT_DEVICE")), RootVolume: true, EBS: &v1.BlockDevice{
					VolumeSize: lo.ToPtr(resource.MustParse("2Gi")), VolumeType: lo.ToPtr("gp3"),
					Encrypted: lo.ToPtr(true), DeleteOnTermination: lo.ToPtr(true), IOPS: lo.ToPtr(int64(3000)),
					Throughput: lo.ToPtr(int64(125)),
				}},
			},
			// What the API server would have filled in.
			MetadataOptions: &v1.MetadataOptions{
				HTTPEndpoint: lo.ToPtr("enabled"), HTTPProtocolIPv6: lo.ToPtr("disabled"),
				HTTPPutResponseHopLimit: lo.ToPtr(int64(1)), HTTPTokens: lo.ToPtr("required"),
			},
		},
	}
	more(&class.Spec)
	k.create(class)
	settle(k.ctx, k.objects, class, func(c *v1.EC2NodeClass) error { return ready(c.StatusConditions().Root()) },
		k.classes, hash.NewController(k.objects, k.CABundle))
	if s := class.Status; len(s.Subnets) != 3 || len(s.SecurityGroups) != 2 || len(s.AMIs) != 1 ||
		s.AMIs[0].ID != os.Getenv("IMAGE") || s.InstanceProfile == "" {
		die("node class", fmt.Errorf("want 3 subnets, 2 security groups, the image and a profile: %+v", s))
	}
	for _, s := range class.Status.Subnets {
		if s.ZoneID == "" {
			die("node class", fmt.Errorf("subnet %s has no zone id", s.ID))
		}
	}
	return class
}

// nodeClass becomes ready: its selectors found what they name, its instance profile is made, and the dry runs of a
// launch went well.
func (k *karpenter) nodeClass() *v1.EC2NodeClass {
	class := k.class("default", "5d9b4f6e-2a1c-4a58-9f0e-6d2f8c1b7a30", func(s *v1.EC2NodeClassSpec) {
		s.CapacityReservationSelectorTerms = []v1.CapacityReservationSelectorTerm{{Tags: s.SubnetSelectorTerms[0].Tags}}
		s.AssociatePublicIPAddress, s.DetailedMonitoring = lo.ToPtr(true), lo.ToPtr(true)
	})
	if len(class.Status.CapacityReservations) != 1 {
		die("node class", fmt.Errorf("%d capacity reservations, want 1", len(class.Status.CapacityReservations)))
	}
	// A role that is not there must be told from a profile that is not: Karpenter then stops asking.
	tags := class.InstanceProfileTags(options.FromContext(k.ctx).ClusterName, k.region)
	err := k.InstanceProfileProvider.Create(k.ctx, "none", class.Spec.Role+"-none", tags,
		instanceprofile.FormatPath("karpenter", k.region, "none"))
	if !instanceprofile.IsRoleNotFoundError(err) {
		die("a profile of a role that is not there", fmt.Errorf("%v", err))
	}
	if err := k.InstanceProfileProvider.Delete(k.ctx, "none"); err != nil {
		die("a profile without role", err)
	}
	return class
}

// denseClass has its nodes in a partition placement group, each with two interfaces and a prefix of addresses for its pods.
func (k *karpenter) denseClass() *v1.EC2NodeClass {
	return k.class("dense", "c1fb12b6-8f36-4b3c-b6f2-5b7d64a4b0c9", func(s *v1.EC2NodeClassSpec) {
		s.PlacementGroupSelector = &v1.PlacementGroupSelector{Name: lo.ToPtr(os.Getenv("PLACEMENT_GROUP"))}
		s.NetworkInterfaces = []*v1.NetworkInterface{
			{InterfaceType: v1.InterfaceTypeInterface}, {DeviceIndex: 1, InterfaceType: v1.InterfaceTypeInterface},
		}
		s.IPPrefixCount = lo.ToPtr(int32(1))
	})
}

func (k *karpenter) nodePool(class *v1.EC2NodeClass) *karpv1.NodePool {
	pool := &karpv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: class.Name, UID: types.UID(class.Name)}}
	pool.Spec.Template.Spec.NodeClassRef = &karpv1.NodeClassReference{
		Group: "karpenter.k8s.aws", Kind: "EC2NodeClass", Name: class.Name,
	}
	k.create(pool)
	found, err := k.provider.GetInstanceTypes(k.ctx, pool)
	if err != nil {
		die("instance types", err)
	}
	kinds := map[string]int{}
	for _, it := range found {
		for _, o := range it.Offerings.Available() {
			kinds[o.CapacityType()]++
		}
	}
	if kinds[karpv1.CapacityTypeOnDemand] == 0 || kinds[karpv1.CapacityTypeSpot] == 0 ||
		kinds[karpv1.CapacityTypeReserved] != len(class.Status.CapacityReservations) {
		die("instance types", fmt.Errorf("offerings %v", kinds))
	}
	log.Log.Info("instance types", "types", len(found), "offerings", kinds)
	return pool
}

func requires(key string, values ...string) karpv1.NodeSelectorRequirementWithMinValues {
	return karpv1.NodeSelectorRequirementWithMinValues{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
}

func (k *karpenter) claim(
	pool *karpv1.NodePool, name string, requirements ...karpv1.NodeSelectorRequirementWithMinValues,
) *karpv1.NodeClaim {
	ref := pool.Spec.Template.Spec.NodeClassRef
	claim := &karpv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, UID: types.UID(name),
			Labels: map[string]string{karpv1.NodePoolLabelKey: pool.Name, karpv1.NodeClassLabelKey(ref.GroupKind()): ref.Name},
		},
		Spec: karpv1.NodeClaimSpec{
			NodeClassRef: ref, Requirements: append(requirements, requires(corev1.LabelArchStable, karpv1.ArchitectureAmd64)),
			Resources: karpv1.ResourceRequirements{
				Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourcePods: resource.MustParse("1"),
				},
			},
		},
	}
	k.create(claim)
	return claim
}

// launch has a claim become a node.
func (k *karpenter) launch(
	pool *karpv1.NodePool, name string, requirements ...karpv1.NodeSelectorRequirementWithMinValues,
) node {
	claim := k.claim(pool, name, requirements...)
	k.launched(claim)
	return k.join(claim)
}

// crowd has claims become nodes at the same time: Karpenter makes one fleet of them.
func (k *karpenter) crowd(pool *karpv1.NodePool, name string, n int) []node {
	var claims []*karpv1.NodeClaim
	var all sync.WaitGroup
	for i := range n {
		claims = append(claims,
			k.claim(pool, fmt.Sprintf("%s-%d", name, i), requires(corev1.LabelInstanceTypeStable, "t3.nano"),
				requires(karpv1.CapacityTypeLabelKey, karpv1.CapacityTypeOnDemand)))
	}
	for _, c := range claims {
		all.Go(func() { k.launched(c) })
	}
	all.Wait()
	var nodes []node
	for _, c := range claims {
		nodes = append(nodes, k.join(c))
	}
	return nodes
}

func (k *karpenter) launched(claim *karpv1.NodeClaim) {
	settle(k.ctx, k.objects, claim,
		func(c *karpv1.NodeClaim) error { return ready(c.StatusConditions().Get(karpv1.ConditionTypeLaunched)) }, k.lifecycle)
}

// join does what the kubelet of a launched instance would: it registers the node, which is then tagged.
func (k *karpenter) join(claim *karpv1.NodeClaim) node {
	name := claim.Name
	id, err := utils.ParseInstanceID(claim.Status.ProviderID)
	if err != nil {
		die(name, err)
	}
	out, err := k.EC2API.DescribeInstances(k.ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		die(name, err)
	}
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: *out.Reservations[0].Instances[0].PrivateDnsName, Labels: map[string]string{}},
		Spec: corev1.NodeSpec{
			ProviderID: claim.Status.ProviderID, Taints: []corev1.Taint{karpv1.UnregisteredNoExecuteTaint},
		},
		Status: corev1.NodeStatus{
			Capacity: claim.Status.Capacity, Allocatable: claim.Status.Allocatable,
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
		},
	}
	k.create(n)
	settle(k.ctx, k.objects, claim, func(c *karpv1.NodeClaim) error {
		if c.Annotations[v1.AnnotationInstanceTagged] != "true" {
			return errors.New("it is not tagged")
		}
		return ready(c.StatusConditions().Root())
	}, k.lifecycle, k.tagging)
	label := func(key string) string { return claim.Labels[key] }
	return node{
		name, id, n.Name, label(corev1.LabelInstanceTypeStable), label(corev1.LabelTopologyZone),
		label(karpv1.CapacityTypeLabelKey), label(v1.LabelPlacementGroupPartition), claim,
	}
}

// refused asks for more memory than a developer's machine has: Karpenter must understand that it is capacity that
// lacks, and gives the claim up.
func (k *karpenter) refused(pool *karpv1.NodePool, instanceType string) {
	claim := k.claim(pool, "huge", requires(corev1.LabelInstanceTypeStable, instanceType),
		requires(karpv1.CapacityTypeLabelKey, karpv1.CapacityTypeOnDemand))
	if _, err := k.provider.Create(k.ctx, claim); !corecloudprovider.IsInsufficientCapacityError(err) {
		die("huge", fmt.Errorf("want an insufficient capacity error: %v", err))
	}
	for _, zone := range []string{"us-east-1a", "us-east-1b", "us-east-1c"} {
		if !k.UnavailableOfferingsCache.IsUnavailable(ec2types.InstanceType(instanceType), zone, nil,
			karpv1.CapacityTypeOnDemand) {
			die("huge", fmt.Errorf("%s in %s is not noted as unavailable", instanceType, zone))
		}
	}
	settle(k.ctx, k.objects, claim, nil, k.lifecycle)
}

// inspect compares what the cloud shows with what the claims have.
func (k *karpenter) inspect(nodes []node) {
	listed, err := k.provider.List(k.ctx)
	if err != nil || len(listed) != len(nodes) {
		die("list", fmt.Errorf("%d instances, want %d (%v)", len(listed), len(nodes), err))
	}
	for _, n := range nodes {
		got, err := k.provider.Get(k.ctx, n.claim.Status.ProviderID)
		if err != nil {
			die(n.Claim, err)
		}
		inList := slices.ContainsFunc(listed, func(c *karpv1.NodeClaim) bool {
			return c.Status.ProviderID == got.Status.ProviderID
		})
		for key, value := range got.Labels {
			if value != "" && n.claim.Labels[key] != value { // a partition is empty here
				die(n.Claim, fmt.Errorf("the instance has %s %q, its claim %q", key, value, n.claim.Labels[key]))
			}
		}
		if got.Status.ImageID != n.claim.Status.ImageID || !inList {
			die(n.Claim,
				fmt.Errorf("the instance is of %s, want %s, and listed %v", got.Status.ImageID, n.claim.Status.ImageID, inList))
		}
		if drift, err := k.provider.IsDrifted(k.ctx, n.claim); err != nil || drift != "" {
			die(n.Claim, fmt.Errorf("it has drifted: %q (%v)", drift, err))
		}
	}
	if ill, err := k.InstanceStatusProvider.List(k.ctx); err != nil || len(ill) != 0 {
		die("status", fmt.Errorf("%d instances are ill (%v)", len(ill), err))
	}
	if err := k.InstanceTypesProvider.UpdateInstanceTypeCapacityFromNode(k.ctx, k.node(nodes[0]), nodes[0].claim,
		lo.Must(k.get("default", &v1.EC2NodeClass{})).(*v1.EC2NodeClass)); err != nil {
		die("capacity", err)
	}
}

// terminate drains and terminates the nodes; the last one's claim is lost, so that it is for the garbage collector to
// find its instance.
func (k *karpenter) terminate(nodes []node) {
	last := nodes[len(nodes)-1].claim
	last.Finalizers = nil
	if err := errors.Join(k.objects.Update(k.ctx, last), k.objects.Delete(k.ctx, last)); err != nil {
		die(last.Name, err)
	}
	var all sync.WaitGroup
	for _, n := range nodes[:len(nodes)-1] {
		all.Go(func() { k.drained(n) })
	}
	all.Wait()
	garbage := claimgarbage.NewController(k.objects, k.provider)
	for until := time.Now().Add(4 * time.Minute); ; time.Sleep(time.Second) {
		if _, err := garbage.Reconcile(k.ctx); err != nil {
			die("garbage", err)
		}
		left, err := k.provider.List(k.ctx)
		if err != nil {
			die("list", err)
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(until) {
			die("garbage", fmt.Errorf("%d instances are left", len(left)))
		}
	}
}

// drained deletes a claim: its controller deletes the node, the node's terminates the instance and waits for its end.
func (k *karpenter) drained(n node) {
	if err := k.objects.Delete(k.ctx, n.claim); err != nil {
		die(n.Claim, err)
	}
	if _, err := k.lifecycle.Reconcile(k.ctx, lo.Must(k.get(n.Claim, &karpv1.NodeClaim{})).(*karpv1.NodeClaim)); err != nil {
		die(n.Claim, err)
	}
	settle(k.ctx, k.objects, k.node(n), nil, k.drain)
	settle(k.ctx, k.objects, n.claim, nil, k.lifecycle)
	if err := k.provider.Delete(k.ctx, n.claim); !corecloudprovider.IsNodeClaimNotFoundError(err) {
		die(n.Claim, fmt.Errorf("want its instance not found: %v", err))
	}
}

// end deletes the classes, which take their launch templates and instance profiles with them.
func (k *karpenter) end(classes ...*v1.EC2NodeClass) {
	for _, class := range classes {
		if err := k.objects.Delete(k.ctx, class); err != nil {
			die("node class", err)
		}
		settle(k.ctx, k.objects, class, nil, k.classes)
	}
	if _, err := profilegarbage.NewController(k.objects, k.provider, k.InstanceProfileProvider,
		k.region).Reconcile(k.ctx); err != nil {
		die("profiles", err)
	}
	if left, err := k.InstanceProfileProvider.ListProfiles(k.ctx, "/karpenter/"); err != nil || len(left) != 0 {
		die("profiles", fmt.Errorf("%d are left (%v)", len(left), err))
	}
}

func (k *karpenter) create(o client.Object) {
	o.SetCreationTimestamp(metav1.Now())
	if err := k.objects.Create(k.ctx, o); err != nil {
		die(o.GetName(), err)
	}
}

func (k *karpenter) get(name string, o client.Object) (client.Object, error) {
	return o, k.objects.Get(k.ctx, client.ObjectKey{Name: name}, o)
}

func (k *karpenter) node(n node) *corev1.Node {
	return lo.Must(k.get(n.Name, &corev1.Node{})).(*corev1.Node)
}

// ready says what a condition lacks to be true.
func ready(c *status.Condition) error {
	if c.IsTrue() {
		return nil
	}
	if c == nil {
		return errors.New("it has no condition")
	}
	return fmt.Errorf("%s is %s: %s %s", c.Type, c.Status, c.Reason, c.Message)
}

func die(what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(1)
}
