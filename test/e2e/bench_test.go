package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestBench measures what docs/promises.md promises; `make bench` runs it. It judges nothing: machines are shared and noisy.
func TestBench(t *testing.T) {
	if os.Getenv("SLIPWAY_BENCH") == "" {
		t.Skip("`make bench` runs this")
	}
	began := time.Now()
	r := simulated(t)
	c := r.client()
	image := r.image()
	t.Logf("start of an empty state to the first answered request: %v", time.Since(began))
	r.stop()
	began = time.Now()
	r.begin()
	c = r.client()
	if _, err := c.DescribeRegions(t.Context(), &ec2.DescribeRegionsInput{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("the same, started again: %v", time.Since(began))
	run := func(n int32) time.Duration {
		began := time.Now()
		_, err := c.RunInstances(t.Context(), &ec2.RunInstancesInput{ImageId: aws.String(image), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(n), MaxCount: aws.Int32(n)})
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	run(1)
	for range 3 {
		one, thousand := run(1), run(1000)
		t.Logf("RunInstances of 1: %v, of 1000: %v (ratio %.0f)", one, thousand, float64(thousand)/float64(one))
	}
	needReal(t)
	q := start(t, "--accel", "tcg")
	qc := q.client()
	key := q.key(qc)
	q.openSSH(qc)
	qimage := q.image()
	for range 3 {
		began := time.Now()
		out, err := qc.RunInstances(t.Context(), &ec2.RunInstancesInput{ImageId: aws.String(qimage), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), KeyName: aws.String("test")})
		if err != nil {
			t.Fatal(err)
		}
		answered := time.Since(began)
		in := q.waitState(qc, *out.Instances[0].InstanceId, types.InstanceStateNameRunning)
		ran := time.Since(began)
		dial(t, *in.PublicIpAddress, key).Close()
		t.Logf("a real launch: answered after %v, running after %v, logged in after %v", answered, ran, time.Since(began))
		if _, err := qc.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{*in.InstanceId}}); err != nil {
			t.Fatal(err)
		}
		q.waitState(qc, *in.InstanceId, types.InstanceStateNameTerminated)
	}
}
