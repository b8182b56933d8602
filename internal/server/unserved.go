package server

import "regexp"

// absence is why actions of EC2 are not served.
type absence struct {
	actions *regexp.Regexp
	Reason  string
}

func absent(pattern, reason string) absence { return absence{regexp.MustCompile(pattern), reason} }

// absences are the reasons, the first that fits an action being its own. What has no counterpart here comes before
// what could come.
var absences = []absence{
	absent("TransitGateway", "there are no transit gateways here: a peering connection joins two VPCs"),
	absent("ClientVpn|Vpn|CustomerGateway|Vgw",
		"there are no VPN gateways here: the operator's own routing leads to instances' public addresses"),
	absent("Ipam|Byoip|Byoasn|PublicIpv4Pool|Ipv6Pool|InternetRegistry",
		"there is no address management: public addresses come from the range that the operator gives"),
	absent("LocalGateway|Coip|Outpost|ServiceLinkVirtual", "there are no Outposts here"),
	absent("CarrierGateway", "there are no Wavelength zones here"),
	absent("VerifiedAccess", "there is no Verified Access here"),
	absent("VpcEndpoint", "none of the services that an endpoint leads to run here"),
	absent("RouteServer", "there are no route servers here"),
	absent("NetworkInsights|ReachabilityAnalyzer", "there is no Reachability Analyzer here"),
	absent("NetworkPerformance", "there are no measurements between regions and zones: they are one machine's"),
	absent("TrafficMirror", "there is no traffic mirroring here"),
	absent("InstanceConnectEndpoint", "an instance is reached at its public address, or through one that is"),
	absent("Secondary(Network|Subnet|Interface)|TrunkInterface", "there are no secondary networks and no trunks here"),
	absent("EncryptionControl|EncryptionEnforcement|BlockPublicAccess(Exclusion|Options)",
		"a VPC here has security groups, network ACLs and routes, and no other controls"),
	absent("FlowLogs", "there are no flow logs here"),
	absent("Fpga", "there are no FPGAs here"),
	absent("ElasticGpu", "Elastic Graphics ended in January 2024"),
	absent("Enclave", "there are no Nitro enclaves here"),
	absent("Mac(Hosts|Volume|Modification|System)|DelegateMac", "there are no Macs here"),
	absent("SqlHa", "there is no Windows with SQL Server here"),
	absent("InstanceTpm", "no type here has a NitroTPM"),
	absent("ReservedInstances|ScheduledInstance|HostReservation|CapacityBlock|NetworkingFlexCost", "nothing is sold here"),
	absent("CapacityManager|CapacityReservationFleet|CapacityReservationBilling|CapacityReservation.*Quote|InterruptibleCapacity|MoveCapacity|BySplitting|GroupsForCapacity|CapacityReservationTopology",
		"capacity reservations here begin at once, stand alone and are not billed"),
	absent("SpotFleet|SpotDatafeed|SpotPlacement|ModifyFleet|FleetHistory",
		"fleets here are of type instant (CreateFleet): made at once and not kept up"),
	absent("ClassicLink|MoveAddressToVpc|RestoreAddressToClassic|MovingAddresses",
		"EC2-Classic stands by itself here and links to no VPC"),
	absent("Bundle|StoreImage|RestoreImageTask|ExportImage|ExportTask|InstanceExport",
		"images stay where they are: there is no S3 here to write them to"),
	absent("ImportInstance|ImportVolume|ConversionTask", "EC2 itself has replaced it by ImportImage and ImportSnapshot"),
	absent("DeclarativePolicies|ManagedResourceVisibility|OrganizationAdmin", "there is no AWS Organizations here"),
	absent("FastLaunch|FastSnapshotRestore", "nothing is to be warmed: volumes read from their snapshot at once"),
	absent("RecycleBin|LockSnapshot|LockedSnapshots|UnlockSnapshot|SnapshotTier",
		"snapshots and images here are neither archived nor locked nor kept after their end"),
	absent("IdFormat|IdentityIdFormat", "every id has the long form"),
	absent("EventWindow|EventNotification|InstanceEventStartTime", "nothing is scheduled for instances here"),
	absent("ApplicationStatus|MetricCategory|MetricCategories", "there is no CloudWatch here"),
	absent("ConfirmProductInstance|CancelImageLaunchPermission|ImageUsageReport|ImageReferences|ImageWatermark|ImageFindings|ImageAncestry",
		"there is no market of images here"),
	absent("AddressTransfer|AddressAttribute|PublicIpDnsName",
		"addresses here keep their owner and the names that EC2 gives them"),
	absent("PrivateNatGatewayAddress|NatGatewayAddress", "a NAT gateway here has one address"),
	absent("AvailabilityZoneGroup", "there are no zones to opt in to"),
	absent("EnableSerialConsole", "nobody logs in at a console here: GetConsoleOutput shows it"),
	absent("EbsDefaultKmsKey", "encryption here has one key for each account, and there is no KMS"),
	absent("AllowedImages|ReplaceImageCriteria|ReplaceImageInstanceType",
		"slipway does not have it yet: what is shared is said at each image and snapshot"),
	absent("CopyVolumes|ReplaceRootVolume|SecurityGroupVpc|RestoreManagedPrefixListVersion|NetworkInterfacePermission|SecurityGroupQuotas",
		"slipway does not have it yet"),
}

// WhyNot is why an action of EC2 is not served; "" where nothing is known.
func WhyNot(action string) string {
	for _, a := range absences {
		if a.actions.MatchString(action) {
			return a.Reason
		}
	}
	return ""
}
