package iam

import (
	"cmp"
	"reflect"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/iamwire"
	"slipway/internal/shape"
	"slipway/internal/state"
)

// Actions are IAM's: each one's method, and which user, role, policy or profile it concerns.
func (s *Service) Actions() action.Table {
	return action.Table{
		"AddRoleToInstanceProfile":       action.Void(s.AddRoleToInstanceProfile).On(ofProfile, ofPassed),
		"AttachRolePolicy":               action.Void(s.AttachRolePolicy).On(ofRole),
		"AttachUserPolicy":               action.Void(s.AttachUserPolicy).On(ofUser),
		"CreateAccessKey":                action.Do(s.CreateAccessKey).On(ofUser),
		"CreateInstanceProfile":          action.Do(s.CreateInstanceProfile).On(ofProfile),
		"CreatePolicy":                   action.Do(s.CreatePolicy).On(ofPolicy),
		"CreatePolicyVersion":            action.Do(s.CreatePolicyVersion).On(ofPolicy),
		"CreateRole":                     action.Do(s.CreateRole).On(ofRole),
		"CreateUser":                     action.Do(s.CreateUser).On(ofUser),
		"DeleteAccessKey":                action.Void(s.DeleteAccessKey).On(ofUser),
		"DeleteInstanceProfile":          action.Void(s.DeleteInstanceProfile).On(ofProfile),
		"DeleteLoginProfile":             action.Void(s.DeleteLoginProfile).On(ofUser),
		"DeletePolicy":                   action.Void(s.DeletePolicy).On(ofPolicy),
		"DeletePolicyVersion":            action.Void(s.DeletePolicyVersion).On(ofPolicy),
		"DeleteRole":                     action.Void(s.DeleteRole).On(ofRole),
		"DeleteRolePolicy":               action.Void(s.DeleteRolePolicy).On(ofRole),
		"DeleteUser":                     action.Void(s.DeleteUser).On(ofUser),
		"DeleteUserPolicy":               action.Void(s.DeleteUserPolicy).On(ofUser),
		"DetachRolePolicy":               action.Void(s.DetachRolePolicy).On(ofRole),
		"DetachUserPolicy":               action.Void(s.DetachUserPolicy).On(ofUser),
		"GetInstanceProfile":             action.Do(s.GetInstanceProfile).On(ofProfile),
		"GetLoginProfile":                action.Do(s.GetLoginProfile).On(ofUser),
		"GetPolicy":                      action.Do(s.GetPolicy).On(ofPolicy),
		"GetPolicyVersion":               action.Do(s.GetPolicyVersion).On(ofPolicy),
		"GetRole":                        action.Do(s.GetRole).On(ofRole),
		"GetRolePolicy":                  action.Do(s.GetRolePolicy).On(ofRole),
		"GetUser":                        action.Do(s.GetUser).On(ofUser),
		"GetUserPolicy":                  action.Do(s.GetUserPolicy).On(ofUser),
		"ListAccessKeys":                 action.Do(s.ListAccessKeys).On(ofUser),
		"ListAccountAliases":             action.Do(s.ListAccountAliases).On(action.Nothing),
		"ListAttachedRolePolicies":       action.Do(s.ListAttachedRolePolicies).On(ofRole),
		"ListAttachedUserPolicies":       action.Do(s.ListAttachedUserPolicies).On(ofUser),
		"ListEntitiesForPolicy":          action.Do(s.ListEntitiesForPolicy).On(ofPolicy),
		"ListGroupsForUser":              action.Do(s.ListGroupsForUser).On(ofUser),
		"ListInstanceProfileTags":        action.Do(s.ListInstanceProfileTags).On(ofProfile),
		"ListInstanceProfiles":           action.Do(s.ListInstanceProfiles).On(action.Nothing),
		"ListInstanceProfilesForRole":    action.Do(s.ListInstanceProfilesForRole).On(ofRole),
		"ListMFADevices":                 action.Do(s.ListMFADevices).On(ofUser),
		"ListPolicies":                   action.Do(s.ListPolicies).On(action.Nothing),
		"ListPolicyTags":                 action.Do(s.ListPolicyTags).On(ofPolicy),
		"ListPolicyVersions":             action.Do(s.ListPolicyVersions).On(ofPolicy),
		"ListRolePolicies":               action.Do(s.ListRolePolicies).On(ofRole),
		"ListRoleTags":                   action.Do(s.ListRoleTags).On(ofRole),
		"ListRoles":                      action.Do(s.ListRoles).On(action.Nothing),
		"ListSSHPublicKeys":              action.Do(s.ListSSHPublicKeys).On(ofUser),
		"ListServiceSpecificCredentials": action.Do(s.ListServiceSpecificCredentials).On(ofUser),
		"ListSigningCertificates":        action.Do(s.ListSigningCertificates).On(ofUser),
		"ListUserPolicies":               action.Do(s.ListUserPolicies).On(ofUser),
		"ListUserTags":                   action.Do(s.ListUserTags).On(ofUser),
		"ListUsers":                      action.Do(s.ListUsers).On(action.Nothing),
		"ListVirtualMFADevices":          action.Do(s.ListVirtualMFADevices).On(action.Nothing),
		"PutRolePolicy":                  action.Void(s.PutRolePolicy).On(ofRole),
		"PutUserPolicy":                  action.Void(s.PutUserPolicy).On(ofUser),
		"RemoveRoleFromInstanceProfile":  action.Void(s.RemoveRoleFromInstanceProfile).On(ofProfile),
		"SetDefaultPolicyVersion":        action.Void(s.SetDefaultPolicyVersion).On(ofPolicy),
		"TagInstanceProfile":             action.Void(s.TagInstanceProfile).On(ofProfile),
		"TagPolicy":                      action.Void(s.TagPolicy).On(ofPolicy),
		"TagRole":                        action.Void(s.TagRole).On(ofRole),
		"TagUser":                        action.Void(s.TagUser).On(ofUser),
		"UntagInstanceProfile":           action.Void(s.UntagInstanceProfile).On(ofProfile),
		"UntagPolicy":                    action.Void(s.UntagPolicy).On(ofPolicy),
		"UntagRole":                      action.Void(s.UntagRole).On(ofRole),
		"UntagUser":                      action.Void(s.UntagUser).On(ofUser),
		"UpdateAccessKey":                action.Void(s.UpdateAccessKey).On(ofUser),
		"UpdateAssumeRolePolicy":         action.Void(s.UpdateAssumeRolePolicy).On(ofRole),
		"UpdateRole":                     action.Do(s.UpdateRole).On(ofRole),
		"UpdateRoleDescription":          action.Do(s.UpdateRoleDescription).On(ofRole),
		"UpdateUser":                     action.Void(s.UpdateUser).On(ofUser, ofRenamed),
	}
}

// said is what a request has for a member of a kind; nothing where it has no such member, or says nothing.
func said[T, In any](in *In, member string) T {
	var none T
	f := reflect.ValueOf(in).Elem().FieldByName(member)
	if !f.IsValid() {
		return none
	}
	v, _ := f.Interface().(T)
	return v
}

// text is what a request says for a member of text.
func text[In any](in *In, member string) string { return shape.Get(said[*string](in, member)) }

// on is one thing that a request concerns, with the tags that it has and those that the request gives or takes away, and
// the policy that is attached to it or detached.
func on[In any](in *In, arn string, has slipway.Tags) []action.Resource {
	x := action.Resource{ARN: arn, Has: has, Given: slipway.Tags{}, Taken: said[[]string](in, "TagKeys"),
		Keys: map[string]string{}}
	for _, t := range said[[]iamwire.Tag](in, "Tags") {
		x.Given[shape.Get(t.Key)] = shape.Get(t.Value)
	}
	if policy := text(in, "PolicyArn"); policy != "" && policy != arn {
		x.Keys["iam:PolicyARN"] = policy
	}
	return []action.Resource{x}
}

// made is the ARN of what is not there yet: it will have the path that the request gives it.
func made[In any](v action.View, in *In, kind, name string) string {
	return slipway.IAMARN(v.Call.Account, kind, cmp.Or(text(in, "Path"), "/"), name)
}

// ofUser is the user whom the request names, or else the caller.
func ofUser[In any](v action.View, in *In) []action.Resource {
	name := text(in, "UserName")
	if own := state.AccessKeys.See(v, state.Global, v.Call.AccessKey); name == "" && own != nil {
		name = own.User
	}
	if u := state.Users.See(v, state.IAM(v.Call.Account), name); u != nil {
		return on(in, u.ARN(), u.Tags)
	}
	return on(in, made(v, in, "user", name), nil)
}

// ofRenamed is the user under the name and path that the request gives it.
func ofRenamed(v action.View, in *iamwire.UpdateUserRequest) []action.Resource {
	name, path := shape.Get(in.UserName), "/"
	if u := state.Users.See(v, state.IAM(v.Call.Account), name); u != nil {
		path = u.Path
	}
	return []action.Resource{{
		ARN: slipway.IAMARN(v.Call.Account, "user", cmp.Or(shape.Get(in.NewPath), path), cmp.Or(shape.Get(in.NewUserName), name)),
	}}
}

// ofRole is the role that the request names.
func ofRole[In any](v action.View, in *In) []action.Resource {
	name := text(in, "RoleName")
	if role := state.Roles.See(v, state.IAM(v.Call.Account), name); role != nil {
		return on(in, role.ARN(), role.Tags)
	}
	return on(in, made(v, in, "role", name), nil)
}

// ofPassed is the role that the request hands on.
func ofPassed[In any](v action.View, in *In) []action.Resource {
	passed := ofRole(v, in)[0]
	return []action.Resource{{Right: "iam:PassRole", ARN: passed.ARN, Keys: passedToEC2}}
}

// ofProfile is the instance profile that the request names.
func ofProfile[In any](v action.View, in *In) []action.Resource {
	name := text(in, "InstanceProfileName")
	if p := state.InstanceProfiles.See(v, state.IAM(v.Call.Account), name); p != nil {
		return on(in, p.ARN(), p.Tags)
	}
	return on(in, made(v, in, "instance-profile", name), nil)
}

// ofPolicy is the policy that the request names by its ARN, or that it makes.
func ofPolicy[In any](v action.View, in *In) []action.Resource {
	arn := text(in, "PolicyArn")
	if arn == "" {
		arn = made(v, in, "policy", text(in, "PolicyName"))
	}
	if p := state.ManagedPolicies.See(v, state.IAM(v.Call.Account), arn); p != nil {
		return on(in, arn, p.Tags)
	}
	return on(in, arn, nil)
}
