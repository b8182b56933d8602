package iam

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/state"
	"slipway/internal/store"
)

// target finds what an action of IAM concerns: its ARN and its tags. What is not there yet will have the path that the
// form gives it.
type target func(r store.Reader, call slipway.Call, form url.Values) (arn string, tags slipway.Tags)

// on is what each of IAM's actions concerns.
var on = map[string]target{
	"AttachUserPolicy": ofUser, "CreateAccessKey": ofUser, "CreateUser": ofUser, "DeleteAccessKey": ofUser,
	"DeleteLoginProfile": ofUser, "DeleteUser": ofUser, "DeleteUserPolicy": ofUser, "DetachUserPolicy": ofUser,
	"GetLoginProfile": ofUser, "GetUser": ofUser, "GetUserPolicy": ofUser, "ListAccessKeys": ofUser,
	"ListAttachedUserPolicies": ofUser, "ListGroupsForUser": ofUser, "ListMFADevices": ofUser,
	"ListSSHPublicKeys": ofUser, "ListServiceSpecificCredentials": ofUser, "ListSigningCertificates": ofUser,
	"ListUserPolicies": ofUser, "ListUserTags": ofUser, "PutUserPolicy": ofUser, "TagUser": ofUser,
	"UntagUser": ofUser, "UpdateAccessKey": ofUser, "UpdateUser": ofUser,
	"AttachRolePolicy": ofRole, "CreateRole": ofRole, "DeleteRole": ofRole, "DeleteRolePolicy": ofRole,
	"DetachRolePolicy": ofRole, "GetRole": ofRole, "GetRolePolicy": ofRole, "ListAttachedRolePolicies": ofRole,
	"ListInstanceProfilesForRole": ofRole, "ListRolePolicies": ofRole, "ListRoleTags": ofRole,
	"PutRolePolicy": ofRole, "TagRole": ofRole, "UntagRole": ofRole, "UpdateAssumeRolePolicy": ofRole,
	"UpdateRole": ofRole, "UpdateRoleDescription": ofRole,
	"CreatePolicy": ofPolicy, "CreatePolicyVersion": ofPolicy, "DeletePolicy": ofPolicy,
	"DeletePolicyVersion": ofPolicy, "GetPolicy": ofPolicy, "GetPolicyVersion": ofPolicy,
	"ListEntitiesForPolicy": ofPolicy, "ListPolicyTags": ofPolicy, "ListPolicyVersions": ofPolicy,
	"SetDefaultPolicyVersion": ofPolicy, "TagPolicy": ofPolicy, "UntagPolicy": ofPolicy,
	"AddRoleToInstanceProfile": ofProfile, "CreateInstanceProfile": ofProfile, "DeleteInstanceProfile": ofProfile,
	"GetInstanceProfile": ofProfile, "ListInstanceProfileTags": ofProfile,
	"RemoveRoleFromInstanceProfile": ofProfile, "TagInstanceProfile": ofProfile, "UntagInstanceProfile": ofProfile,
	"ListAccountAliases": nothing, "ListInstanceProfiles": nothing, "ListPolicies": nothing, "ListRoles": nothing,
	"ListUsers": nothing, "ListVirtualMFADevices": nothing,
}

// Actions are IAM's. The error names those that do not say what they concern, and those that are said to concern
// something and are not there.
func (s *Service) Actions() (map[string]action.Handler, error) {
	m := map[string]action.Handler{}
	s.users(m)
	s.roles(m)
	s.managed(m)
	s.profiles(m)
	s.tags(m)
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if on[name] == nil {
			faults = append(faults, fmt.Errorf("action %s of IAM: it does not say what it is on", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(on)) {
		if m[name] == nil {
			faults = append(faults, fmt.Errorf("action %s of IAM: nothing answers it", name))
		}
	}
	return m, errors.Join(faults...)
}

// nothing is for lists.
func nothing(store.Reader, slipway.Call, url.Values) (string, slipway.Tags) { return "*", nil }

// ofUser is the user whom the form names, or else the caller.
func ofUser(r store.Reader, call slipway.Call, form url.Values) (string, slipway.Tags) {
	name := form.Get("UserName")
	if own := state.AccessKeys.See(r, state.Global, call.AccessKey); name == "" && own != nil {
		name = own.User
	}
	if u := state.Users.See(r, state.IAM(call.Account), name); u != nil {
		return u.ARN(), u.Tags
	}
	return slipway.IAMARN(call.Account, "user", cmp.Or(form.Get("Path"), "/"), name), nil
}

func ofRole(r store.Reader, call slipway.Call, form url.Values) (string, slipway.Tags) {
	if role := state.Roles.See(r, state.IAM(call.Account), form.Get("RoleName")); role != nil {
		return role.ARN(), role.Tags
	}
	return slipway.IAMARN(call.Account, "role", cmp.Or(form.Get("Path"), "/"), form.Get("RoleName")), nil
}

func ofProfile(r store.Reader, call slipway.Call, form url.Values) (string, slipway.Tags) {
	if p := state.InstanceProfiles.See(r, state.IAM(call.Account), form.Get("InstanceProfileName")); p != nil {
		return p.ARN(), p.Tags
	}
	return slipway.IAMARN(call.Account, "instance-profile", cmp.Or(form.Get("Path"), "/"), form.Get("InstanceProfileName")), nil
}

// ofPolicy is the policy that the form names by its ARN, or that it makes.
func ofPolicy(r store.Reader, call slipway.Call, form url.Values) (string, slipway.Tags) {
	arn := cmp.Or(form.Get("PolicyArn"),
		slipway.IAMARN(call.Account, "policy", cmp.Or(form.Get("Path"), "/"), form.Get("PolicyName")))
	if p := state.ManagedPolicies.See(r, state.IAM(call.Account), arn); p != nil {
		return arn, p.Tags
	}
	return arn, nil
}
