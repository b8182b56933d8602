package instances_test

import (
	"slipway/internal/apitest"
	"strings"
	"testing"
)

// instanceFilters are all that DescribeInstances takes.
var instanceFilters = []string{
	"affinity", "architecture", "availability-zone", "availability-zone-id", "block-device-mapping.attach-time",
	"block-device-mapping.delete-on-termination", "block-device-mapping.device-name", "block-device-mapping.status",
	"block-device-mapping.volume-id",
	"boot-mode", "capacity-reservation-id", "capacity-reservation-specification.capacity-reservation-preference",
	"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-id",
	"capacity-reservation-specification.capacity-reservation-target.capacity-reservation-resource-group-arn", "client-token",
	"current-instance-boot-mode", "dns-name", "ebs-optimized", "ena-support", "enclave-options.enabled",
	"hibernation-options.configured", "host-id",
	"hypervisor", "iam-instance-profile.arn", "iam-instance-profile.id", "iam-instance-profile.name", "image-id",
	"instance-id", "instance-lifecycle",
	"instance-state-code", "instance-state-name", "instance-type", "instance.group-id", "instance.group-name",
	"ip-address", "ipv6-address",
	"kernel-id", "key-name", "launch-index", "launch-time", "maintenance-options.auto-recovery",
	"metadata-options.http-endpoint",
	"metadata-options.http-protocol-ipv4", "metadata-options.http-protocol-ipv6",
	"metadata-options.http-put-response-hop-limit",
	"metadata-options.http-tokens", "metadata-options.instance-metadata-tags", "metadata-options.state", "monitoring-state",
	"network-interface.addresses.association.allocation-id", "network-interface.addresses.association.association-id",
	"network-interface.addresses.association.carrier-ip", "network-interface.addresses.association.customer-owned-ip",
	"network-interface.addresses.association.ip-owner-id", "network-interface.addresses.association.public-dns-name",
	"network-interface.addresses.association.public-ip", "network-interface.addresses.primary",
	"network-interface.addresses.private-dns-name",
	"network-interface.addresses.private-ip-address", "network-interface.association.allocation-id",
	"network-interface.association.association-id",
	"network-interface.association.carrier-ip", "network-interface.association.customer-owned-ip",
	"network-interface.association.ip-owner-id",
	"network-interface.association.public-dns-name", "network-interface.association.public-ip",
	"network-interface.attachment.attach-time",
	"network-interface.attachment.attachment-id", "network-interface.attachment.delete-on-termination",
	"network-interface.attachment.device-index",
	"network-interface.attachment.instance-id", "network-interface.attachment.instance-owner-id",
	"network-interface.attachment.network-card-index",
	"network-interface.attachment.status", "network-interface.availability-zone", "network-interface.deny-all-igw-traffic",
	"network-interface.description", "network-interface.group-id", "network-interface.group-name",
	"network-interface.ipv4-prefixes.ipv4-prefix",
	"network-interface.ipv6-address", "network-interface.ipv6-addresses.ipv6-address",
	"network-interface.ipv6-addresses.is-primary-ipv6",
	"network-interface.ipv6-native", "network-interface.ipv6-prefixes.ipv6-prefix", "network-interface.mac-address",
	"network-interface.network-interface-id", "network-interface.operator.managed", "network-interface.operator.principal",
	"network-interface.outpost-arn", "network-interface.owner-id", "network-interface.private-dns-name",
	"network-interface.private-ip-address",
	"network-interface.public-dns-name", "network-interface.requester-id", "network-interface.requester-managed",
	"network-interface.status",
	"network-interface.source-dest-check", "network-interface.subnet-id", "network-interface.tag-key",
	"network-interface.tag-value",
	"network-interface.vpc-id", "network-performance-options.bandwidth-weighting", "operator.managed",
	"operator.principal", "outpost-arn", "owner-id",
	"placement-group-name", "placement-partition-number", "platform", "platform-details", "private-dns-name",
	"private-dns-name-options.enable-resource-name-dns-a-record",
	"private-dns-name-options.enable-resource-name-dns-aaaa-record",
	"private-dns-name-options.hostname-type", "private-ip-address", "product-code", "product-code.type", "ramdisk-id",
	"reason", "requester-id",
	"reservation-id", "root-device-name", "root-device-type", "source-dest-check", "spot-instance-request-id",
	"state-reason-code",
	"state-reason-message", "subnet-id", "tag:Name", "tag-key", "tenancy", "tpm-support", "usage-operation",
	"usage-operation-update-time",
	"virtualization-type", "vpc-id",
}

func TestDescribeInstancesTakesEveryFilter(t *testing.T) {
	w := apitest.New(t)
	apitest.NewWorld(w)
	for _, name := range append(instanceFilters, "group-id", "group-name") {
		if a := w.Call("DescribeInstances", "Filter.1.Name", name, "Filter.1.Value.1", "no such thing"); a.Status != 200 {
			t.Errorf("%s: %s %s", name, a.Code, a.Message)
		} else if id := apitest.First(a.Body, "instanceId"); id != "" {
			t.Errorf("%s matches %s by a value that nothing has", name, id)
		}
	}
}

// TestFiltersFindWhatTheyName: each names what the description shows, so a client can find by it what it has read.
func TestFiltersFindWhatTheyName(t *testing.T) {
	w := apitest.New(t)
	o := apitest.NewWorld(w)
	w.Must("return", "CreateTags", "ResourceId.1", o.Running, "Tag.1.Key", "Role", "Tag.1.Value", "db")
	body := w.Call("DescribeInstances", "InstanceId.1", o.Running).Body
	for filter, element := range map[string]string{
		"private-ip-address": "privateIpAddress", "ip-address": "ipAddress", "dns-name": "dnsName",
		"private-dns-name": "privateDnsName", "reservation-id": "reservationId",
		"launch-time": "launchTime", "network-interface.mac-address": "macAddress",
		"network-interface.attachment.attachment-id": "attachmentId", "root-device-name": "rootDeviceName",
		"block-device-mapping.volume-id": "volumeId", "instance-id": "instanceId",
		"network-interface.network-interface-id": "networkInterfaceId",
	} {
		got := w.Must("instanceId", "DescribeInstances", "Filter.1.Name", filter, "Filter.1.Value.1",
			apitest.First(body, element), "Filter.2.Name", "tag:Role", "Filter.2.Value.1", "d?")
		if got != o.Running || apitest.First(body, element) == "" {
			t.Errorf("%s=%s finds %q, want %s", filter, apitest.First(body, element), got, o.Running)
		}
	}
	for name, params := range map[string][]string{
		"a state":          {"Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "stopped"},
		"a state's number": {"Filter.1.Name", "instance-state-code", "Filter.1.Value.1", "80"},
		"a reason":         {"Filter.1.Name", "state-reason-code", "Filter.1.Value.1", "Client.UserInitiatedShutdown"},
		"one of two values": {"Filter.1.Name", "instance-state-name", "Filter.1.Value.1", "stopping",
			"Filter.1.Value.2", "stopped"},
		"ids and filters at once": {"InstanceId.1", o.Running, "InstanceId.2", o.Stopped, "Filter.1.Name",
			"instance-state-name", "Filter.1.Value.1", "stopped"},
	} {
		if got := w.Must("instanceId", "DescribeInstances", params...); got != o.Stopped {
			t.Errorf("%s finds %q, want %s", name, got, o.Stopped)
		}
	}
}

func TestPagesOfInstances(t *testing.T) {
	w := apitest.New(t)
	image := w.Image()
	w.Must("reservationId", "RunInstances", "ImageId", image, "InstanceType", "t3.micro", "MinCount", "12", "MaxCount", "12")
	for name, filter := range map[string][]string{
		"all": nil, "with a filter": {"Filter.1.Name", "instance-type", "Filter.1.Value.1", "t3.micro"},
	} {
		seen, pages, token := map[string]bool{}, 0, ""
		for {
			a := w.Call("DescribeInstances", append([]string{"MaxResults", "5", "NextToken", token}, filter...)...)
			if a.Status != 200 {
				t.Fatal(a.Body)
			}
			for _, part := range strings.Split(a.Body, "<instanceId>")[1:] {
				seen[part[:19]] = true
			}
			pages++
			if token = apitest.First(a.Body, "nextToken"); token == "" || pages > 9 {
				break
			}
		}
		if len(seen) != 12 || pages != 3 {
			t.Errorf("%s: %d instances on %d pages, want 12 on 3", name, len(seen), pages)
		}
	}
	id := w.Must("instanceId", "DescribeInstances")
	for name, tt := range map[string]struct {
		params []string
		code   string
	}{
		"a page of 4":          {[]string{"MaxResults", "4"}, "InvalidParameterValue"},
		"a page with ids":      {[]string{"MaxResults", "5", "InstanceId.1", id}, "InvalidParameterCombination"},
		"a token of one's own": {[]string{"MaxResults", "5", "NextToken", "page2"}, "InvalidNextToken"},
		"an unknown filter":    {[]string{"Filter.1.Name", "colour", "Filter.1.Value.1", "red"}, "InvalidParameterValue"},
		"a malformed id": {[]string{"InstanceId.1", "i-1", "InstanceId.2", "i-0123456789abcdef0"},
			"InvalidInstanceID.Malformed"},
		"an unknown id": {[]string{"InstanceId.1", id, "InstanceId.2", "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"},
	} {
		if a := w.Call("DescribeInstances", tt.params...); a.Code != tt.code {
			t.Errorf("%s: got %s %s, want %s", name, a.Code, a.Message, tt.code)
		}
	}
	none := w.Call("DescribeInstances", "Filter.1.Name", "instance-type").Body
	if all := w.Call("DescribeInstances").Body; strings.Contains(none, "<instanceId>") || !strings.Contains(all, "<instanceId>") {
		t.Errorf("a filter without values is met by %s, and there are %s", none, all)
	}
}
