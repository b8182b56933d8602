package iam

import (
	"context"

	"slipway"
	"slipway/internal/iamwire"
	"slipway/internal/state"
	"slipway/internal/store"
)

// The lists of what no user can have here. Clients ask for them before they delete a user.

// none is a page of a list of what whoever is named, or asks, cannot have.
func (s *Service) none(ctx context.Context, named, marker, maxItems *string) (truncated *bool, err error) {
	var c checks
	c.listing(marker, maxItems)
	return new(false), s.change(ctx, c, func(tx store.Tx) error {
		if user := userOf(ctx, tx, named); user != "" {
			_, err := state.Users.Require(tx, state.IAM(accountOf(ctx)), user)
			return err
		}
		return nil
	})
}

// ListGroupsForUser answers none.
func (s *Service) ListGroupsForUser(
	ctx context.Context, in *iamwire.ListGroupsForUserRequest,
) (*iamwire.ListGroupsForUserResponse, error) {
	truncated, err := s.none(ctx, in.UserName, in.Marker, in.MaxItems)
	return &iamwire.ListGroupsForUserResponse{Groups: []iamwire.Group{}, IsTruncated: truncated}, err
}

// ListSSHPublicKeys answers none.
func (s *Service) ListSSHPublicKeys(
	ctx context.Context, in *iamwire.ListSSHPublicKeysRequest,
) (*iamwire.ListSSHPublicKeysResponse, error) {
	truncated, err := s.none(ctx, in.UserName, in.Marker, in.MaxItems)
	return &iamwire.ListSSHPublicKeysResponse{
		SSHPublicKeys: []iamwire.SSHPublicKeyMetadata{}, IsTruncated: truncated,
	}, err
}

// ListMFADevices answers none.
func (s *Service) ListMFADevices(
	ctx context.Context, in *iamwire.ListMFADevicesRequest,
) (*iamwire.ListMFADevicesResponse, error) {
	truncated, err := s.none(ctx, in.UserName, in.Marker, in.MaxItems)
	return &iamwire.ListMFADevicesResponse{MFADevices: []iamwire.MFADevice{}, IsTruncated: truncated}, err
}

// ListSigningCertificates answers none.
func (s *Service) ListSigningCertificates(
	ctx context.Context, in *iamwire.ListSigningCertificatesRequest,
) (*iamwire.ListSigningCertificatesResponse, error) {
	truncated, err := s.none(ctx, in.UserName, in.Marker, in.MaxItems)
	return &iamwire.ListSigningCertificatesResponse{
		Certificates: []iamwire.SigningCertificate{}, IsTruncated: truncated,
	}, err
}

// ListServiceSpecificCredentials answers none.
func (s *Service) ListServiceSpecificCredentials(
	ctx context.Context, in *iamwire.ListServiceSpecificCredentialsRequest,
) (*iamwire.ListServiceSpecificCredentialsResponse, error) {
	truncated, err := s.none(ctx, in.UserName, in.Marker, in.MaxItems)
	return &iamwire.ListServiceSpecificCredentialsResponse{
		ServiceSpecificCredentials: []iamwire.ServiceSpecificCredentialMetadata{}, IsTruncated: truncated,
	}, err
}

// ListVirtualMFADevices answers none.
func (s *Service) ListVirtualMFADevices(
	_ context.Context, in *iamwire.ListVirtualMFADevicesRequest,
) (*iamwire.ListVirtualMFADevicesResponse, error) {
	var c checks
	c.listing(in.Marker, in.MaxItems)
	return &iamwire.ListVirtualMFADevicesResponse{
		VirtualMFADevices: []iamwire.VirtualMFADevice{}, IsTruncated: new(false),
	}, c.err
}

// ListAccountAliases answers none.
func (s *Service) ListAccountAliases(
	_ context.Context, in *iamwire.ListAccountAliasesRequest,
) (*iamwire.ListAccountAliasesResponse, error) {
	var c checks
	c.listing(in.Marker, in.MaxItems)
	return &iamwire.ListAccountAliasesResponse{AccountAliases: []string{}, IsTruncated: new(false)}, c.err
}

func noLoginProfile(user *string) error {
	var c checks
	name := c.name("UserName", user)
	c.refuse(slipway.Errorf(slipway.NoSuchEntity, "Login Profile for User %s cannot be found.", name))
	return c.err
}

// GetLoginProfile finds none: nobody logs in here.
func (s *Service) GetLoginProfile(
	_ context.Context, in *iamwire.GetLoginProfileRequest,
) (*iamwire.GetLoginProfileResponse, error) {
	return nil, noLoginProfile(in.UserName)
}

// DeleteLoginProfile finds none.
func (s *Service) DeleteLoginProfile(_ context.Context, in *iamwire.DeleteLoginProfileRequest) error {
	return noLoginProfile(in.UserName)
}
