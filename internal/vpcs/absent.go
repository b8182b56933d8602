package vpcs

import (
	"context"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
)

// What is not here and clients ask for all the same: none of it exists, so a list is empty and an id is not found.

func none(ids []string, code slipway.Code, form string) error {
	if len(ids) == 0 {
		return nil
	}
	return slipway.NotFound(code, form, shape.Unseen(ids, nil)...)
}

// Endpoints answers DescribeVpcEndpoints.
func (s *Service) Endpoints(
	_ context.Context, in *ec2wire.DescribeVpcEndpointsRequest,
) (*ec2wire.DescribeVpcEndpointsResult, error) {
	return &ec2wire.DescribeVpcEndpointsResult{VpcEndpoints: []ec2wire.VpcEndpoint{}},
		none(in.VpcEndpointIds, slipway.InvalidVpcEndpointIDNotFound, "The Vpc Endpoint Id '%s' does not exist")
}

// EndpointServices answers DescribeVpcEndpointServices.
func (s *Service) EndpointServices(
	_ context.Context, in *ec2wire.DescribeVpcEndpointServicesRequest,
) (*ec2wire.DescribeVpcEndpointServicesResult, error) {
	return &ec2wire.DescribeVpcEndpointServicesResult{ServiceNames: []string{}, ServiceDetails: []ec2wire.ServiceDetail{}},
		none(in.ServiceNames, slipway.InvalidServiceName, "The Vpc Endpoint Service '%s' does not exist")
}

// CreateEndpoint answers CreateVpcEndpoint.
func (s *Service) CreateEndpoint(context.Context, *ec2wire.CreateVpcEndpointRequest) (*ec2wire.CreateVpcEndpointResult, error) {
	return nil, slipway.Errorf(slipway.UnsupportedOperation,
		"The action CreateVpcEndpoint is not supported: none of the services that an endpoint leads to run here.")
}

// DeleteEndpoints answers DeleteVpcEndpoints, which reports on each id by itself.
func (s *Service) DeleteEndpoints(
	_ context.Context, in *ec2wire.DeleteVpcEndpointsRequest,
) (*ec2wire.DeleteVpcEndpointsResult, error) {
	if len(in.VpcEndpointIds) == 0 {
		return nil, slipway.Missing("VpcEndpointId")
	}
	out := &ec2wire.DeleteVpcEndpointsResult{Unsuccessful: []ec2wire.UnsuccessfulItem{}}
	for i := range in.VpcEndpointIds {
		id := &in.VpcEndpointIds[i]
		out.Unsuccessful = append(out.Unsuccessful,
			ec2wire.UnsuccessfulItem{ResourceId: id, Error: &ec2wire.UnsuccessfulItemError{
				Code:    shape.Of(string(slipway.InvalidVpcEndpointIDNotFound)),
				Message: shape.Of("The Vpc Endpoint Id '" + *id + "' does not exist"),
			}})
	}
	return out, nil
}

// VPNGateways answers DescribeVpnGateways.
func (s *Service) VPNGateways(
	_ context.Context, in *ec2wire.DescribeVpnGatewaysRequest,
) (*ec2wire.DescribeVpnGatewaysResult, error) {
	return &ec2wire.DescribeVpnGatewaysResult{VpnGateways: []ec2wire.VpnGateway{}},
		none(in.VpnGatewayIds, slipway.InvalidVpnGatewayIDNotFound, "The vpnGateway ID '%s' does not exist")
}

// TransitGateways answers DescribeTransitGateways.
func (s *Service) TransitGateways(
	_ context.Context, in *ec2wire.DescribeTransitGatewaysRequest,
) (*ec2wire.DescribeTransitGatewaysResult, error) {
	return &ec2wire.DescribeTransitGatewaysResult{TransitGateways: []ec2wire.TransitGateway{}},
		none(in.TransitGatewayIds, slipway.InvalidTransitGatewayIDNotFound, "Transit Gateway %s was deleted or does not exist.")
}

// CreateFlowLogs answers CreateFlowLogs.
func (s *Service) CreateFlowLogs(context.Context, *ec2wire.CreateFlowLogsRequest) (*ec2wire.CreateFlowLogsResult, error) {
	return nil, slipway.Errorf(slipway.UnsupportedOperation,
		"The action CreateFlowLogs is not supported: none of the services that would keep the logs run here.")
}

// FlowLogs answers DescribeFlowLogs.
func (s *Service) FlowLogs(_ context.Context, in *ec2wire.DescribeFlowLogsRequest) (*ec2wire.DescribeFlowLogsResult, error) {
	return &ec2wire.DescribeFlowLogsResult{FlowLogs: []ec2wire.FlowLog{}},
		none(in.FlowLogIds, slipway.InvalidFlowLogIDNotFound, "The flow log ID '%s' does not exist")
}
