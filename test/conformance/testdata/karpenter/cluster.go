package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/awslabs/operatorpkg/object"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes"
	clientset "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	memory "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	karpv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/events"

	v1 "github.com/aws/karpenter-provider-aws/pkg/apis/v1"
)

// cluster is what Karpenter needs of Kubernetes, in memory: the manager's part of it, with an API server that keeps
// objects and does no more. Whatever else is asked of the manager ends the program.
type cluster struct {
	manager.Manager
	builder *memory.ClientBuilder
	objects client.Client
}

func newCluster() *cluster {
	c := &cluster{
		builder: memory.NewClientBuilder().WithScheme(scheme.Scheme).WithStatusSubresource(&v1.EC2NodeClass{},
			&karpv1.NodeClaim{}, &karpv1.NodePool{}, &corev1.Node{}),
	}
	index := func(o client.Object, field string, value func(client.Object) string) {
		c.builder = c.builder.WithIndex(o, field, func(o client.Object) []string { return []string{value(o)} })
	}
	// Those of karpenter's own operator, which does not export them.
	index(&corev1.Pod{}, "spec.nodeName", func(o client.Object) string { return o.(*corev1.Pod).Spec.NodeName })
	index(&corev1.Node{}, "spec.providerID", func(o client.Object) string { return o.(*corev1.Node).Spec.ProviderID })
	index(&storagev1.VolumeAttachment{}, "spec.nodeName", func(o client.Object) string {
		return o.(*storagev1.VolumeAttachment).Spec.NodeName
	})
	index(&karpv1.NodeClaim{}, "status.providerID", func(o client.Object) string {
		return o.(*karpv1.NodeClaim).Status.ProviderID
	})
	claims := func(o client.Object) *karpv1.NodeClassReference { return o.(*karpv1.NodeClaim).Spec.NodeClassRef }
	pools := func(o client.Object) *karpv1.NodeClassReference {
		return o.(*karpv1.NodePool).Spec.Template.Spec.NodeClassRef
	}
	for _, of := range []struct {
		object client.Object
		path   string
		ref    func(client.Object) *karpv1.NodeClassReference
	}{{&karpv1.NodeClaim{}, "spec.nodeClassRef.", claims}, {&karpv1.NodePool{}, "spec.template.spec.nodeClassRef.", pools}} {
		index(of.object, of.path+"group", func(o client.Object) string { return of.ref(o).Group })
		index(of.object, of.path+"kind", func(o client.Object) string { return of.ref(o).Kind })
		index(of.object, of.path+"name", func(o client.Object) string { return of.ref(o).Name })
	}
	return c
}

// GetClient answers the objects; no index can come after.
func (c *cluster) GetClient() client.Client {
	if c.objects == nil {
		c.objects = c.builder.Build()
	}
	return c.objects
}

func (c *cluster) GetFieldIndexer() client.FieldIndexer { return c }

func (c *cluster) IndexField(_ context.Context, o client.Object, field string, value client.IndexerFunc) error {
	c.builder = c.builder.WithIndex(o, field, value)
	return nil
}

func (c *cluster) GetConfig() *rest.Config { return &rest.Config{} }

// Elected says that this is the leader.
func (c *cluster) Elected() <-chan struct{} {
	elected := make(chan struct{})
	close(elected)
	return elected
}

// kubernetesInterface knows its version and where its DNS is.
func kubernetesInterface() kubernetes.Interface {
	k := clientset.NewClientset(&corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "kube-dns"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.100.0.10"},
	})
	k.Discovery().(*fake.FakeDiscovery).FakedServerVersion = &version.Info{Major: "1", Minor: "34"}
	return k
}

// recorder has Kubernetes' events in the log.
type recorder struct{}

func (recorder) Publish(all ...events.Event) {
	for _, e := range all {
		log.Log.Info("event", "reason", e.Reason, "message", e.Message)
	}
}

// settle reconciles an object until it is as wanted, or it has gone if nothing is wanted.
func settle[T interface {
	client.Object
	comparable
}](ctx context.Context, k client.Client, o T, done func(T) error, by ...reconcile.TypedReconciler[T]) {
	what := fmt.Sprintf("%s %s", object.GVK(o).Kind, o.GetName())
	var why error
	for until := time.Now().Add(90 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		for _, r := range by {
			if err := k.Get(ctx, client.ObjectKeyFromObject(o), o); client.IgnoreNotFound(err) != nil {
				die(what, err)
			} else if err != nil && done == nil {
				return
			} else if err != nil {
				die(what, err)
			}
			if _, err := r.Reconcile(ctx, o); err != nil {
				die(what, err)
			}
		}
		if done == nil {
			why = errors.New("it is still there")
		} else if why = done(o); why == nil {
			return
		}
	}
	die(what, why)
}
