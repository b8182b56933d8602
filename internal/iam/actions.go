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

// table is each action's method.
func (s *Service) table() map[string]action.Handler {
	return map[string]action.Handler{
		"AddRoleToInstanceProfile":       action.HandleVoid(s.AddRoleToInstanceProfile),
		"AttachRolePolicy":               action.HandleVoid(s.AttachRolePolicy),
		"AttachUserPolicy":               action.HandleVoid(s.AttachUserPolicy),
		"CreateAccessKey":                action.Handle(s.CreateAccessKey),
		"CreateInstanceProfile":          action.Handle(s.CreateInstanceProfile),
		"CreatePolicy":                   action.Handle(s.CreatePolicy),
		"CreatePolicyVersion":            action.Handle(s.CreatePolicyVersion),
		"CreateRole":                     action.Handle(s.CreateRole),
		"CreateUser":                     action.Handle(s.CreateUser),
		"DeleteAccessKey":                action.HandleVoid(s.DeleteAccessKey),
		"DeleteInstanceProfile":          action.HandleVoid(s.DeleteInstanceProfile),
		"DeleteLoginProfile":             action.HandleVoid(s.DeleteLoginProfile),
		"DeletePolicy":                   action.HandleVoid(s.DeletePolicy),
		"DeletePolicyVersion":            action.HandleVoid(s.DeletePolicyVersion),
		"DeleteRole":                     action.HandleVoid(s.DeleteRole),
		"DeleteRolePolicy":               action.HandleVoid(s.DeleteRolePolicy),
		"DeleteUser":                     action.HandleVoid(s.DeleteUser),
		"DeleteUserPolicy":               action.HandleVoid(s.DeleteUserPolicy),
		"DetachRolePolicy":               action.HandleVoid(s.DetachRolePolicy),
		"DetachUserPolicy":               action.HandleVoid(s.DetachUserPolicy),
		"GetInstanceProfile":             action.Handle(s.GetInstanceProfile),
		"GetLoginProfile":                action.Handle(s.GetLoginProfile),
		"GetPolicy":                      action.Handle(s.GetPolicy),
		"GetPolicyVersion":               action.Handle(s.GetPolicyVersion),
		"GetRole":                        action.Handle(s.GetRole),
		"GetRolePolicy":                  action.Handle(s.GetRolePolicy),
		"GetUser":                        action.Handle(s.GetUser),
		"GetUserPolicy":                  action.Handle(s.GetUserPolicy),
		"ListAccessKeys":                 action.Handle(s.ListAccessKeys),
		"ListAccountAliases":             action.Handle(s.ListAccountAliases),
		"ListAttachedRolePolicies":       action.Handle(s.ListAttachedRolePolicies),
		"ListAttachedUserPolicies":       action.Handle(s.ListAttachedUserPolicies),
		"ListEntitiesForPolicy":          action.Handle(s.ListEntitiesForPolicy),
		"ListGroupsForUser":              action.Handle(s.ListGroupsForUser),
		"ListInstanceProfileTags":        action.Handle(s.ListInstanceProfileTags),
		"ListInstanceProfiles":           action.Handle(s.ListInstanceProfiles),
		"ListInstanceProfilesForRole":    action.Handle(s.ListInstanceProfilesForRole),
		"ListMFADevices":                 action.Handle(s.ListMFADevices),
		"ListPolicies":                   action.Handle(s.ListPolicies),
		"ListPolicyTags":                 action.Handle(s.ListPolicyTags),
		"ListPolicyVersions":             action.Handle(s.ListPolicyVersions),
		"ListRolePolicies":               action.Handle(s.ListRolePolicies),
		"ListRoleTags":                   action.Handle(s.ListRoleTags),
		"ListRoles":                      action.Handle(s.ListRoles),
		"ListSSHPublicKeys":              action.Handle(s.ListSSHPublicKeys),
		"ListServiceSpecificCredentials": action.Handle(s.ListServiceSpecificCredentials),
		"ListSigningCertificates":        action.Handle(s.ListSigningCertificates),
		"ListUserPolicies":               action.Handle(s.ListUserPolicies),
		"ListUserTags":                   action.Handle(s.ListUserTags),
		"ListUsers":                      action.Handle(s.ListUsers),
		"ListVirtualMFADevices":          action.Handle(s.ListVirtualMFADevices),
		"PutRolePolicy":                  action.HandleVoid(s.PutRolePolicy),
		"PutUserPolicy":                  action.HandleVoid(s.PutUserPolicy),
		"RemoveRoleFromInstanceProfile":  action.HandleVoid(s.RemoveRoleFromInstanceProfile),
		"SetDefaultPolicyVersion":        action.HandleVoid(s.SetDefaultPolicyVersion),
		"TagInstanceProfile":             action.HandleVoid(s.TagInstanceProfile),
		"TagPolicy":                      action.HandleVoid(s.TagPolicy),
		"TagRole":                        action.HandleVoid(s.TagRole),
		"TagUser":                        action.HandleVoid(s.TagUser),
		"UntagInstanceProfile":           action.HandleVoid(s.UntagInstanceProfile),
		"UntagPolicy":                    action.HandleVoid(s.UntagPolicy),
		"UntagRole":                      action.HandleVoid(s.UntagRole),
		"UntagUser":                      action.HandleVoid(s.UntagUser),
		"UpdateAccessKey":                action.HandleVoid(s.UpdateAccessKey),
		"UpdateAssumeRolePolicy":         action.HandleVoid(s.UpdateAssumeRolePolicy),
		"UpdateRole":                     action.Handle(s.UpdateRole),
		"UpdateRoleDescription":          action.Handle(s.UpdateRoleDescription),
		"UpdateUser":                     action.HandleVoid(s.UpdateUser),
	}
}

// Actions are IAM's. The error names those that do not say what they concern, and those that are said to concern
// something and are not there.
func (s *Service) Actions() (map[string]action.Handler, error) {
	m, faults := s.table(), []error{}
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
