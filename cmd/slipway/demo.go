package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// demo is `slipway dev --demo`: a client of the public API, like any other, that launches one instance and waits for its ssh.
type demo struct {
	endpoint string
	client   *http.Client
	root     string // file of the authority that clients are to trust; "" for what they trust anyway
	keys     credentials
	keyFile  string
	who      person // who is to log in
	image    string
	user     string
}

const demoRegion = "us-east-1"

// call sends one signed request.
func (d *demo) call(ctx context.Context, params url.Values, answer any) error {
	params.Set("Version", "2016-11-15")
	body := params.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.endpoint+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	who := aws.Credentials{AccessKeyID: d.keys.AccessKeyID, SecretAccessKey: d.keys.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(ctx, who, r, hex.EncodeToString(sum[:]), "ec2", demoRegion, time.Now()); err != nil {
		return err
	}
	resp, err := d.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		var refusal struct {
			Code    string `xml:"Errors>Error>Code"`
			Message string `xml:"Errors>Error>Message"`
		}
		xml.Unmarshal(b, &refusal)
		return fmt.Errorf("%s: %s: %s", params.Get("Action"), refusal.Code, refusal.Message)
	}
	if answer == nil {
		return nil
	}
	return xml.Unmarshal(b, answer)
}

type demoInstance struct {
	ID     string `xml:"instanceId"`
	State  string `xml:"instanceState>name"`
	Reason string `xml:"stateReason>message"`
	Public string `xml:"ipAddress"`
}

// run launches the instance, or starts the one of last time, and waits until ssh answers.
func (d *demo) run(ctx context.Context) error {
	began := time.Now()
	d.explain()
	if err := d.letIn(ctx); err != nil {
		return err
	}
	in, err := d.find(ctx)
	if err != nil {
		return err
	}
	switch {
	case in == nil:
		fmt.Println("demo: launching an instance …")
		var made struct {
			Instances []demoInstance `xml:"instancesSet>item"`
		}
		err = d.call(ctx, url.Values{
			"Action": {"RunInstances"}, "ImageId": {d.image}, "InstanceType": {"t3.nano"}, "MinCount": {"1"},
			"MaxCount": {"1"}, "KeyName": {"demo"},
			"TagSpecification.1.ResourceType": {"instance"}, "TagSpecification.1.Tag.1.Key": {"Name"},
			"TagSpecification.1.Tag.1.Value": {"demo"},
		}, &made)
		if err == nil {
			in = &made.Instances[0]
		}
	case in.State == "stopped":
		fmt.Println("demo: starting " + in.ID + " again …")
		err = d.call(ctx, url.Values{"Action": {"StartInstances"}, "InstanceId.1": {in.ID}}, nil)
	}
	if err != nil {
		return err
	}
	ip, err := d.waitSSH(ctx, in.ID)
	if err != nil {
		return err
	}
	fmt.Printf("demo: ssh answers after %.1f s\n\n", time.Since(began).Seconds())
	fmt.Printf("instance %s, image %s\n", in.ID, d.image)
	fmt.Printf("ssh -i %s -o StrictHostKeyChecking=accept-new %s@%s\n\n", d.keyFile, d.user, ip)
	fmt.Println("serving; Ctrl-C stops")
	return nil
}

// explain prints what clients need. Those of Debian 12 know no AWS_ENDPOINT_URL and would go to the real Amazon.
func (d *demo) explain() {
	trust, bundle := "", ""
	if d.root != "" {
		trust, bundle = "\nexport AWS_CA_BUNDLE="+d.root+"\nexport NODE_EXTRA_CA_CERTS="+d.root, "\nca_bundle = "+d.root
	}
	fmt.Printf(`
export AWS_ENDPOINT_URL=%[1]s%[5]s
export AWS_ACCESS_KEY_ID=%[2]s
export AWS_SECRET_ACCESS_KEY=%[3]s
export AWS_DEFAULT_REGION=%[4]s
alias aws='aws --endpoint-url=%[1]s'

AWS_ENDPOINT_URL counts from AWS CLI 2.13 (1.29) and boto3 1.28 on. Older ones, Debian 12's among them, need the alias, or
boto3.client("ec2", endpoint_url="%[1]s"), lest they call Amazon's own endpoint. As a profile, for the newer ones:

[profile slipway]
endpoint_url = %[1]s
region = %[4]s
aws_access_key_id = %[2]s
aws_secret_access_key = %[3]s%[6]s

`, d.endpoint, d.keys.AccessKeyID, d.keys.SecretAccessKey, demoRegion, trust, bundle)
}

// letIn makes the key pair and opens port 22 of the default group, once.
func (d *demo) letIn(ctx context.Context) error {
	if _, err := os.Stat(d.keyFile); err != nil {
		if err := d.call(ctx, url.Values{"Action": {"DeleteKeyPair"}, "KeyName": {"demo"}}, nil); err != nil {
			return err
		}
		var pair struct {
			Material string `xml:"keyMaterial"`
		}
		if err := d.call(ctx, url.Values{"Action": {"CreateKeyPair"}, "KeyName": {"demo"}, "KeyType": {"ed25519"}},
			&pair); err != nil {
			return err
		}
		if err := d.who.write(d.keyFile, []byte(pair.Material)); err != nil {
			return err
		}
	}
	if err := d.who.give(d.keyFile); err != nil {
		return err
	}
	err := d.call(ctx, url.Values{
		"Action": {"AuthorizeSecurityGroupIngress"}, "GroupName": {"default"}, "IpProtocol": {"tcp"},
		"FromPort": {"22"}, "ToPort": {"22"}, "CidrIp": {"0.0.0.0/0"},
	}, nil)
	if err != nil && !strings.Contains(err.Error(), "InvalidPermission.Duplicate") {
		return err
	}
	return nil
}

func (d *demo) describe(ctx context.Context, params url.Values) (*demoInstance, error) {
	var found struct {
		Instances []demoInstance `xml:"reservationSet>item>instancesSet>item"`
	}
	params.Set("Action", "DescribeInstances")
	if err := d.call(ctx, params, &found); err != nil || len(found.Instances) == 0 {
		return nil, err
	}
	return &found.Instances[0], nil
}

func (d *demo) find(ctx context.Context) (*demoInstance, error) {
	return d.describe(ctx, url.Values{
		"Filter.1.Name": {"tag:Name"}, "Filter.1.Value.1": {"demo"}, "Filter.2.Name": {"key-name"},
		"Filter.2.Value.1": {"demo"},
		"Filter.3.Name":    {"instance-state-name"}, "Filter.3.Value.1": {"pending"}, "Filter.3.Value.2": {"running"},
		"Filter.3.Value.3": {"stopped"},
	})
}

// sshPatience covers a slow machine without KVM.
const sshPatience = 3 * time.Minute

func (d *demo) waitSSH(ctx context.Context, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sshPatience)
	defer cancel()
	last := ""
	for {
		in, err := d.describe(ctx, url.Values{"InstanceId.1": {id}})
		if err != nil {
			return "", err
		}
		if in != nil && in.State != last {
			last = in.State
			fmt.Printf("demo: %s is %s\n", id, in.State)
		}
		if in != nil && (in.State == "terminated" || in.State == "stopped") {
			return "", fmt.Errorf("the demo instance is %s: %s", in.State, in.Reason)
		}
		if in != nil && in.Public != "" && greets(ctx, in.Public) {
			return in.Public, nil
		}
		select {
		case <-ctx.Done():
			return "", errors.New("the demo instance's ssh has not answered in time: `slipway explain " + id +
				"` says how far it came")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// greets says whether an ssh server answers.
func greets(ctx context.Context, ip string) bool {
	dialer := net.Dialer{Timeout: time.Second}
	c, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(ip, "22"))
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetReadDeadline(time.Now().Add(3 * time.Second))
	b := make([]byte, 4)
	_, err = io.ReadFull(c, b)
	return err == nil && bytes.Equal(b, []byte("SSH-"))
}
