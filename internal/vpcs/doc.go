// Package vpcs is the room of virtual private clouds and what routes inside them: subnets, route tables, gateways, network
// ACLs, DHCP options. It must not touch the host: the agent's data plane follows the records.
package vpcs
