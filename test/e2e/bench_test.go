package e2e

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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
	if _, err := binary(); err != nil { // built before the clock runs
		t.Fatal(err)
	}
	began := time.Now()
	r := simulated(t)
	image := r.image()
	t.Logf("start of an empty state to the first answered request: %v", time.Since(began))
	r.stop()
	began = time.Now()
	r.begin()
	c := r.client()
	if _, err := c.DescribeRegions(t.Context(), &ec2.DescribeRegionsInput{}); err != nil {
		t.Fatal(err)
	}
	t.Logf("the same, started again: %v", time.Since(began))
	run := func(n int32) time.Duration {
		began := time.Now()
		_, err := c.RunInstances(t.Context(),
			&ec2.RunInstancesInput{
				ImageId: aws.String(image), InstanceType: types.InstanceTypeT3Micro, MinCount: aws.Int32(n),
				MaxCount: aws.Int32(n),
			})
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	run(1)
	for range 2 { // a subnet has room for four thousand
		one, thousand := run(1), run(1000)
		began := time.Now()
		raw := r.signed(url.Values{
			"Action": {"RunInstances"}, "ImageId": {image}, "InstanceType": {"t3.micro"}, "MinCount": {"1000"},
			"MaxCount": {"1000"},
		})
		wire := time.Since(began)
		if n := strings.Count(raw, "<instanceId>"); n != 1000 {
			t.Fatalf("%d instances: %.200s", n, raw)
		}
		t.Logf("RunInstances of 1: %v, of 1000: %v (ratio %.0f), without the SDK's decoding %v", one, thousand,
			float64(thousand)/float64(one), wire)
	}
	begun := time.Now()
	out, err := exec.Command(r.cmd.Path, "account", "create", "--state", r.state, "--json").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("`slipway account create`, process and all: %v", time.Since(begun))
}

// TestBenchRealLaunch compares a launch with the same QEMU command run by hand, turn by turn.
func TestBenchRealLaunch(t *testing.T) {
	if os.Getenv("SLIPWAY_BENCH") == "" {
		t.Skip("`make bench` runs this")
	}
	r := real(t)
	c := r.client()
	key := r.key(c)
	r.openSSH(c)
	image := r.image()
	var launches, hands []time.Duration
	for range 5 {
		began := time.Now()
		out, err := c.RunInstances(t.Context(),
			&ec2.RunInstancesInput{
				ImageId: aws.String(image), InstanceType: types.InstanceTypeT3Nano, MinCount: aws.Int32(1),
				MaxCount: aws.Int32(1), KeyName: aws.String("test"),
			})
		if err != nil {
			t.Fatal(err)
		}
		answered := time.Since(began)
		id := *out.Instances[0].InstanceId
		eventually(t, time.Minute, func() error {
			console, err := c.GetConsoleOutput(t.Context(), &ec2.GetConsoleOutputInput{InstanceId: &id})
			if err != nil {
				return err
			}
			if text, _ := base64.StdEncoding.DecodeString(aws.ToString(console.Output)); !strings.Contains(string(text),
				userSpace) {
				return errors.New("not in user space")
			}
			return nil
		})
		launch := time.Since(began)
		in := r.waitState(c, id, types.InstanceStateNameRunning)
		dial(t, *in.PublicIpAddress, key).Close()
		login := time.Since(began)
		if _, err := c.StopInstances(t.Context(),
			&ec2.StopInstancesInput{InstanceIds: []string{id}, Force: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		r.waitState(c, id, types.InstanceStateNameStopped)
		hand := r.byHand(id)
		launches, hands = append(launches, launch), append(hands, hand)
		t.Logf("answered after %v, user space after %v, logged in after %v; by hand user space after %v (ratio %.2f)",
			answered, launch, login, hand, float64(launch)/float64(hand))
		if _, err := c.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}); err != nil {
			t.Fatal(err)
		}
		r.waitState(c, id, types.InstanceStateNameTerminated)
	}
	slices.Sort(launches)
	slices.Sort(hands)
	t.Logf("medians: RunInstances to user space %v, QEMU by hand %v, ratio %.2f", launches[2], hands[2],
		float64(launches[2])/float64(hands[2]))
}

// userSpace is the tiny image's first line.
const userSpace = "slipway-tiny: user space"

// byHand runs a stopped instance's QEMU command, with standard output for its serial port, and tells how long the guest
// takes to user space.
func (r *run) byHand(id string) time.Duration {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.state, "machines", id, "record.json"))
	if err != nil {
		r.t.Fatal(err)
	}
	var rec struct{ Args []string }
	if err := json.Unmarshal(b, &rec); err != nil {
		r.t.Fatal(err)
	}
	for i, a := range rec.Args {
		switch {
		case strings.HasPrefix(a, "socket,id=qmp"):
			rec.Args[i] = "null,id=qmp"
		case strings.HasPrefix(a, "ringbuf,id=console"):
			rec.Args[i] = "stdio,id=console"
		case strings.HasPrefix(a, "tap,id="):
			name, _, _ := strings.Cut(a, ",fd=")
			rec.Args[i] = strings.Replace(name, "tap,", "user,restrict=on,", 1)
		}
	}
	cmd := exec.Command("qemu-system-x86_64", rec.Args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stderr = r.log
	began := time.Now()
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	limit := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer limit.Stop()
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), userSpace) {
			return time.Since(began)
		}
	}
	r.t.Fatal("by hand the guest does not come to user space")
	return 0
}
