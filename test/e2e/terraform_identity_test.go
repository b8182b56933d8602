package e2e

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	trustEC2  = `{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"}}],"Version":"2012-10-17"}`
	trustAll  = `{"Statement":[{"Action":"sts:AssumeRole","Effect":"Allow","Principal":{"AWS":"*"}}],"Version":"2012-10-17"}`
	mayLook   = `{"Statement":[{"Action":"ec2:Describe*","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}`
	mayAll    = `{"Statement":[{"Action":"*","Effect":"Allow","Resource":"*"}],"Version":"2012-10-17"}`
	awsPolicy = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"
)

func iamTags(tags map[string]string) []iamtypes.Tag {
	var out []iamtypes.Tag
	for k, v := range tags {
		out = append(out, iamtypes.Tag{Key: &k, Value: &v})
	}
	return out
}

func tagsOfIAM(tags []iamtypes.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[*t.Key] = *t.Value
	}
	return out
}

// normalized is a policy document as the provider stores it: the answer has it as a query's value.
func normalized(document *string) string {
	var v any
	if err := json.Unmarshal([]byte(ok(url.QueryUnescape(*document))), &v); err != nil {
		panic(refusal{err})
	}
	return string(ok(json.Marshal(v)))
}

func (tf *terraform) iamARN(kind, path, name string) string {
	return "arn:aws:iam::" + tf.r.keys.AccountID + ":" + kind + path + name
}

// TestTerraformsIdentity are the aws_iam_… that instances need.
func TestTerraformsIdentity(t *testing.T) {
	tf := newTerraform(t)
	tf.step("provider", func(t *testing.T) { // before everything else
		who := ok(tf.sts.GetCallerIdentity(tf.ctx, &sts.GetCallerIdentityInput{}))
		compare(t, "the caller", attributes{"account": who.Account, "arn": who.Arn, "id": who.UserId},
			attributes{"account": tf.r.keys.AccountID, "arn": tf.iamARN("", "", "root"), "id": tf.r.keys.AccountID})
		if aliases := ok(tf.iam.ListAccountAliases(tf.ctx, &iam.ListAccountAliasesInput{})); len(aliases.AccountAliases) != 0 {
			t.Errorf("aliases %v", aliases.AccountAliases)
		}
	})
	role := tf.apply(tf.role())
	policy := tf.apply(tf.policy())
	tf.apply(tf.rolePolicy(role))
	tf.apply(tf.attachment(role, policy))
	tf.apply(tf.attachment(role, awsPolicy))
	profile := tf.apply(tf.profile(role))
	user := tf.apply(tf.user())
	tf.apply(tf.accessKey(user))
	tf.apply(tf.userPolicy(user))
	tf.apply(tf.userAttachment(user, policy))

	tf.step("data", func(t *testing.T) {
		users := ok(tf.iam.ListEntitiesForPolicy(tf.ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: &policy}))
		if len(users.PolicyRoles) != 1 || len(users.PolicyUsers) != 1 || *users.PolicyRoles[0].RoleName != role ||
			*users.PolicyUsers[0].UserName != user {
			t.Errorf("%s is attached to %+v %+v", policy, users.PolicyRoles, users.PolicyUsers)
		}
		if p := ok(tf.iam.GetPolicy(tf.ctx, &iam.GetPolicyInput{PolicyArn: &policy})).Policy; *p.AttachmentCount != 2 {
			t.Errorf("%s has %d attachments, want 2", policy, *p.AttachmentCount)
		}
		if got := ok(tf.iam.GetInstanceProfile(tf.ctx,
			&iam.GetInstanceProfileInput{InstanceProfileName: &profile})).InstanceProfile; *got.Roles[0].RoleName != role {
			t.Errorf("%s has the role %s", profile, *got.Roles[0].RoleName)
		}
		under := ok(tf.iam.ListRoles(tf.ctx, &iam.ListRolesInput{PathPrefix: aws.String("/tf/"), MaxItems: aws.Int32(1)}))
		if len(under.Roles) != 1 || *under.Roles[0].RoleName != role || under.IsTruncated {
			t.Errorf("roles under /tf/: %+v", under)
		}
		if out := ok(tf.iam.ListRoles(tf.ctx,
			&iam.ListRolesInput{PathPrefix: aws.String("/elsewhere/")})); len(out.Roles) != 0 {
			t.Errorf("roles under another path: %+v", out.Roles)
		}
		page := ok(tf.iam.ListPolicies(tf.ctx, &iam.ListPoliciesInput{MaxItems: aws.Int32(1)}))
		next := ok(tf.iam.ListPolicies(tf.ctx, &iam.ListPoliciesInput{MaxItems: aws.Int32(1), Marker: page.Marker}))
		if len(page.Policies) != 1 || !page.IsTruncated || len(next.Policies) != 1 ||
			*next.Policies[0].Arn == *page.Policies[0].Arn {
			t.Errorf("pages of policies: %+v, then %+v", page, next)
		}
	})
	tf.destroy()
}

func (tf *terraform) role() resource {
	return resource{
		kind: "aws_iam_role",
		create: func() string {
			return *ok(tf.iam.CreateRole(tf.ctx, &iam.CreateRoleInput{
				AssumeRolePolicyDocument: aws.String(trustEC2), Path: aws.String("/tf/"), RoleName: aws.String("app"),
				Description: aws.String("of the app"), MaxSessionDuration: aws.Int32(3600),
				Tags: iamTags(tagged),
			})).Role.RoleName
		},
		read: func(id string) attributes {
			r := ok(tf.iam.GetRole(tf.ctx, &iam.GetRoleInput{RoleName: &id})).Role
			inline := ok(tf.iam.ListRolePolicies(tf.ctx, &iam.ListRolePoliciesInput{RoleName: &id}))
			attached := ok(tf.iam.ListAttachedRolePolicies(tf.ctx, &iam.ListAttachedRolePoliciesInput{RoleName: &id}))
			return attributes{
				"arn": r.Arn, "assume_role_policy": normalized(r.AssumeRolePolicyDocument), "create_date": r.CreateDate,
				"description":          r.Description,
				"max_session_duration": r.MaxSessionDuration, "name": r.RoleName, "path": r.Path,
				"permissions_boundary": r.PermissionsBoundary, "unique_id": r.RoleId,
				"inline_policy": inline.PolicyNames, "managed_policy_arns": attached.AttachedPolicies,
				"tags": tagsOfIAM(r.Tags),
			}
		},
		want: attributes{
			"arn": tf.iamARN("role", "/tf/", "app"), "assume_role_policy": trustEC2, "create_date": known,
			"description": "of the app", "max_session_duration": 3600, "name": "app",
			"path": "/tf/", "permissions_boundary": nil, "unique_id": known, "inline_policy": nil,
			"managed_policy_arns": nil, "tags": tagged,
		},
		changes: []change{
			{func(id string) {
				ok(tf.iam.UpdateAssumeRolePolicy(tf.ctx,
					&iam.UpdateAssumeRolePolicyInput{RoleName: &id, PolicyDocument: aws.String(trustAll)}))
			}, attributes{"assume_role_policy": trustAll}},
			{func(id string) {
				ok(tf.iam.UpdateRoleDescription(tf.ctx,
					&iam.UpdateRoleDescriptionInput{RoleName: &id, Description: aws.String("")}))
			}, attributes{"description": ""}},
			{func(id string) {
				ok(tf.iam.UpdateRole(tf.ctx, &iam.UpdateRoleInput{RoleName: &id, MaxSessionDuration: aws.Int32(7200)}))
			}, attributes{"max_session_duration": 7200}},
		},
		retag: func(id string, gone []string, next map[string]string) {
			ok(tf.iam.UntagRole(tf.ctx, &iam.UntagRoleInput{RoleName: &id, TagKeys: gone}))
			ok(tf.iam.TagRole(tf.ctx, &iam.TagRoleInput{RoleName: &id, Tags: iamTags(next)}))
			if got := tagsOfIAM(ok(tf.iam.ListRoleTags(tf.ctx,
				&iam.ListRoleTagsInput{RoleName: &id})).Tags); text(got) != text(next) {
				refuse("its tags are %s", text(got))
			}
		},
		destroy: func(id string) {
			for _, p := range ok(tf.iam.ListInstanceProfilesForRole(tf.ctx,
				&iam.ListInstanceProfilesForRoleInput{RoleName: &id})).InstanceProfiles {
				ok(tf.iam.RemoveRoleFromInstanceProfile(tf.ctx,
					&iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: p.InstanceProfileName, RoleName: &id}))
			}
			ok(tf.iam.DeleteRole(tf.ctx, &iam.DeleteRoleInput{RoleName: &id}))
		},
		gone: "NoSuchEntity",
	}
}

func (tf *terraform) policy() resource {
	return resource{
		kind: "aws_iam_policy",
		create: func() string {
			return *ok(tf.iam.CreatePolicy(tf.ctx, &iam.CreatePolicyInput{
				Description: aws.String(""), Path: aws.String("/tf/"), PolicyDocument: aws.String(mayLook),
				PolicyName: aws.String("look"), Tags: iamTags(tagged),
			})).Policy.Arn
		},
		read: func(id string) attributes {
			p := ok(tf.iam.GetPolicy(tf.ctx, &iam.GetPolicyInput{PolicyArn: &id})).Policy
			v := ok(tf.iam.GetPolicyVersion(tf.ctx,
				&iam.GetPolicyVersionInput{PolicyArn: &id, VersionId: p.DefaultVersionId})).PolicyVersion
			return attributes{
				"arn": p.Arn, "attachment_count": p.AttachmentCount, "description": p.Description, "name": p.PolicyName,
				"path": p.Path, "policy": normalized(v.Document),
				"policy_id": p.PolicyId, "tags": tagsOfIAM(p.Tags),
			}
		},
		want: attributes{
			"arn": tf.iamARN("policy", "/tf/", "look"), "attachment_count": 0, "description": nil, "name": "look",
			"path": "/tf/", "policy": mayLook, "policy_id": known, "tags": tagged,
		},
		changes: []change{{func(id string) {
			if n := len(ok(tf.iam.ListPolicyVersions(tf.ctx, &iam.ListPolicyVersionsInput{PolicyArn: &id})).Versions); n != 1 {
				refuse("%d versions, want 1", n)
			}
			v := ok(tf.iam.CreatePolicyVersion(tf.ctx,
				&iam.CreatePolicyVersionInput{PolicyArn: &id, PolicyDocument: aws.String(mayAll)})).PolicyVersion
			ok(tf.iam.SetDefaultPolicyVersion(tf.ctx,
				&iam.SetDefaultPolicyVersionInput{PolicyArn: &id, VersionId: v.VersionId}))
		}, attributes{"policy": mayAll}}},
		retag: func(id string, gone []string, next map[string]string) {
			ok(tf.iam.UntagPolicy(tf.ctx, &iam.UntagPolicyInput{PolicyArn: &id, TagKeys: gone}))
			ok(tf.iam.TagPolicy(tf.ctx, &iam.TagPolicyInput{PolicyArn: &id, Tags: iamTags(next)}))
		},
		destroy: func(id string) {
			for _, v := range ok(tf.iam.ListPolicyVersions(tf.ctx, &iam.ListPolicyVersionsInput{PolicyArn: &id})).Versions {
				if !v.IsDefaultVersion {
					ok(tf.iam.DeletePolicyVersion(tf.ctx,
						&iam.DeletePolicyVersionInput{PolicyArn: &id, VersionId: v.VersionId}))
				}
			}
			ok(tf.iam.DeletePolicy(tf.ctx, &iam.DeletePolicyInput{PolicyArn: &id}))
		},
		gone: "NoSuchEntity",
	}
}

func (tf *terraform) rolePolicy(role string) resource {
	put := func(document string) {
		ok(tf.iam.PutRolePolicy(tf.ctx,
			&iam.PutRolePolicyInput{RoleName: &role, PolicyName: aws.String("inline"), PolicyDocument: &document}))
	}
	return resource{
		kind:   "aws_iam_role_policy",
		create: func() string { put(mayLook); return "inline" },
		read: func(id string) attributes {
			p := ok(tf.iam.GetRolePolicy(tf.ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: &id}))
			return attributes{"name": p.PolicyName, "policy": normalized(p.PolicyDocument), "role": p.RoleName}
		},
		want:    attributes{"name": "inline", "policy": mayLook, "role": role},
		changes: []change{{func(string) { put(mayAll) }, attributes{"policy": mayAll}}},
		destroy: func(id string) {
			ok(tf.iam.DeleteRolePolicy(tf.ctx, &iam.DeleteRolePolicyInput{RoleName: &role, PolicyName: &id}))
		},
		gone: "NoSuchEntity",
	}
}

func (tf *terraform) attachment(role, policy string) resource {
	return resource{
		kind: "aws_iam_role_policy_attachment",
		create: func() string {
			ok(tf.iam.AttachRolePolicy(tf.ctx, &iam.AttachRolePolicyInput{RoleName: &role, PolicyArn: &policy}))
			return policy
		},
		read: func(id string) attributes {
			for _, p := range ok(tf.iam.ListAttachedRolePolicies(tf.ctx,
				&iam.ListAttachedRolePoliciesInput{RoleName: &role})).AttachedPolicies {
				if *p.PolicyArn == id {
					return attributes{"policy_arn": p.PolicyArn, "role": role}
				}
			}
			return nil
		},
		want: attributes{"policy_arn": policy, "role": role},
		destroy: func(id string) {
			ok(tf.iam.DetachRolePolicy(tf.ctx, &iam.DetachRolePolicyInput{RoleName: &role, PolicyArn: &id}))
		},
	}
}

func (tf *terraform) profile(role string) resource {
	return resource{
		kind: "aws_iam_instance_profile",
		create: func() string {
			p := ok(tf.iam.CreateInstanceProfile(tf.ctx,
				&iam.CreateInstanceProfileInput{
					InstanceProfileName: aws.String("app"), Path: aws.String("/"), Tags: iamTags(tagged),
				})).InstanceProfile
			ok(tf.iam.GetInstanceProfile(tf.ctx, &iam.GetInstanceProfileInput{InstanceProfileName: p.InstanceProfileName}))
			ok(tf.iam.AddRoleToInstanceProfile(tf.ctx,
				&iam.AddRoleToInstanceProfileInput{InstanceProfileName: p.InstanceProfileName, RoleName: &role}))
			return *p.InstanceProfileName
		},
		read: func(id string) attributes {
			p := ok(tf.iam.GetInstanceProfile(tf.ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &id})).InstanceProfile
			a := attributes{
				"arn": p.Arn, "create_date": p.CreateDate, "name": p.InstanceProfileName, "path": p.Path, "role": nil,
				"unique_id": p.InstanceProfileId, "tags": tagsOfIAM(p.Tags),
			}
			if len(p.Roles) > 0 {
				a["role"] = ok(tf.iam.GetRole(tf.ctx, &iam.GetRoleInput{RoleName: p.Roles[0].RoleName})).Role.RoleName
			}
			return a
		},
		want: attributes{
			"arn": tf.iamARN("instance-profile", "/", "app"), "create_date": known, "name": "app", "path": "/",
			"role": role, "unique_id": known, "tags": tagged,
		},
		changes: []change{
			{func(id string) {
				ok(tf.iam.RemoveRoleFromInstanceProfile(tf.ctx,
					&iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &id, RoleName: &role}))
			}, attributes{"role": nil}},
			{func(id string) {
				ok(tf.iam.AddRoleToInstanceProfile(tf.ctx,
					&iam.AddRoleToInstanceProfileInput{InstanceProfileName: &id, RoleName: &role}))
			}, attributes{"role": role}},
		},
		retag: func(id string, gone []string, next map[string]string) {
			ok(tf.iam.UntagInstanceProfile(tf.ctx, &iam.UntagInstanceProfileInput{InstanceProfileName: &id, TagKeys: gone}))
			ok(tf.iam.TagInstanceProfile(tf.ctx, &iam.TagInstanceProfileInput{InstanceProfileName: &id, Tags: iamTags(next)}))
		},
		destroy: func(id string) {
			ok(tf.iam.RemoveRoleFromInstanceProfile(tf.ctx,
				&iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &id, RoleName: &role}))
			ok(tf.iam.DeleteInstanceProfile(tf.ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: &id}))
		},
		gone: "NoSuchEntity",
	}
}

func (tf *terraform) user() resource {
	return resource{
		kind: "aws_iam_user",
		create: func() string {
			return *ok(tf.iam.CreateUser(tf.ctx,
				&iam.CreateUserInput{Path: aws.String("/"), UserName: aws.String("ada"), Tags: iamTags(tagged)})).User.UserName
		},
		read: func(id string) attributes {
			u := ok(tf.iam.GetUser(tf.ctx, &iam.GetUserInput{UserName: &id})).User
			return attributes{
				"arn": u.Arn, "name": u.UserName, "path": u.Path, "permissions_boundary": u.PermissionsBoundary,
				"unique_id": u.UserId, "tags": tagsOfIAM(u.Tags),
			}
		},
		want: attributes{
			"arn": tf.iamARN("user", "/", "ada"), "name": "ada", "path": "/", "permissions_boundary": nil,
			"unique_id": known, "tags": tagged,
		},
		changes: []change{
			{func(id string) {
				ok(tf.iam.UpdateUser(tf.ctx,
					&iam.UpdateUserInput{UserName: &id, NewUserName: &id, NewPath: aws.String("/tf/")}))
			}, attributes{"path": "/tf/", "arn": tf.iamARN("user", "/tf/", "ada")}},
		},
		retag: func(id string, gone []string, next map[string]string) {
			ok(tf.iam.UntagUser(tf.ctx, &iam.UntagUserInput{UserName: &id, TagKeys: gone}))
			ok(tf.iam.TagUser(tf.ctx, &iam.TagUserInput{UserName: &id, Tags: iamTags(next)}))
		},
		destroy: func(id string) { // with force_destroy
			ok(tf.iam.ListGroupsForUser(tf.ctx, &iam.ListGroupsForUserInput{UserName: &id}))
			for _, k := range ok(tf.iam.ListAccessKeys(tf.ctx, &iam.ListAccessKeysInput{UserName: &id})).AccessKeyMetadata {
				ok(tf.iam.DeleteAccessKey(tf.ctx, &iam.DeleteAccessKeyInput{UserName: &id, AccessKeyId: k.AccessKeyId}))
			}
			ok(tf.iam.ListSSHPublicKeys(tf.ctx, &iam.ListSSHPublicKeysInput{UserName: &id}))
			ok(tf.iam.ListVirtualMFADevices(tf.ctx,
				&iam.ListVirtualMFADevicesInput{AssignmentStatus: iamtypes.AssignmentStatusTypeAssigned}))
			ok(tf.iam.ListMFADevices(tf.ctx, &iam.ListMFADevicesInput{UserName: &id}))
			if _, err := tf.iam.DeleteLoginProfile(tf.ctx,
				&iam.DeleteLoginProfileInput{UserName: &id}); codeOf(err) != "NoSuchEntity" {
				panic(refusal{err})
			}
			ok(tf.iam.ListSigningCertificates(tf.ctx, &iam.ListSigningCertificatesInput{UserName: &id}))
			ok(tf.iam.ListServiceSpecificCredentials(tf.ctx, &iam.ListServiceSpecificCredentialsInput{UserName: &id}))
			ok(tf.iam.DeleteUser(tf.ctx, &iam.DeleteUserInput{UserName: &id}))
		},
		gone: "NoSuchEntity",
	}
}

func (tf *terraform) accessKey(user string) resource {
	return resource{
		kind: "aws_iam_access_key",
		create: func() string {
			k := ok(tf.iam.CreateAccessKey(tf.ctx, &iam.CreateAccessKeyInput{UserName: &user})).AccessKey
			if k.SecretAccessKey == nil {
				refuse("the key has no secret")
			}
			return *k.AccessKeyId
		},
		read: func(id string) attributes {
			keys := ok(tf.iam.ListAccessKeys(tf.ctx, &iam.ListAccessKeysInput{UserName: &user})).AccessKeyMetadata
			i := slices.IndexFunc(keys, func(k iamtypes.AccessKeyMetadata) bool { return *k.AccessKeyId == id })
			if i < 0 {
				return nil
			}
			return attributes{"create_date": keys[i].CreateDate, "status": keys[i].Status, "user": keys[i].UserName}
		},
		want: attributes{"create_date": known, "status": "Active", "user": user},
		changes: []change{{func(id string) {
			ok(tf.iam.UpdateAccessKey(tf.ctx,
				&iam.UpdateAccessKeyInput{UserName: &user, AccessKeyId: &id, Status: iamtypes.StatusTypeInactive}))
		}, attributes{"status": "Inactive"}}},
		destroy: func(id string) {
			ok(tf.iam.DeleteAccessKey(tf.ctx, &iam.DeleteAccessKeyInput{UserName: &user, AccessKeyId: &id}))
		},
	}
}

func (tf *terraform) userPolicy(user string) resource {
	return resource{
		kind: "aws_iam_user_policy",
		create: func() string {
			ok(tf.iam.PutUserPolicy(tf.ctx,
				&iam.PutUserPolicyInput{
					UserName: &user, PolicyName: aws.String("inline"), PolicyDocument: aws.String(mayLook),
				}))
			return "inline"
		},
		read: func(id string) attributes {
			p := ok(tf.iam.GetUserPolicy(tf.ctx, &iam.GetUserPolicyInput{UserName: &user, PolicyName: &id}))
			return attributes{"name": p.PolicyName, "policy": normalized(p.PolicyDocument), "user": p.UserName}
		},
		want: attributes{"name": "inline", "policy": mayLook, "user": user},
		destroy: func(id string) {
			ok(tf.iam.DeleteUserPolicy(tf.ctx, &iam.DeleteUserPolicyInput{UserName: &user, PolicyName: &id}))
		},
		gone: "NoSuchEntity",
	}
}

func (tf *terraform) userAttachment(user, policy string) resource {
	return resource{
		kind: "aws_iam_user_policy_attachment",
		create: func() string {
			ok(tf.iam.AttachUserPolicy(tf.ctx, &iam.AttachUserPolicyInput{UserName: &user, PolicyArn: &policy}))
			return policy
		},
		read: func(id string) attributes {
			for _, p := range ok(tf.iam.ListAttachedUserPolicies(tf.ctx,
				&iam.ListAttachedUserPoliciesInput{UserName: &user})).AttachedPolicies {
				if *p.PolicyArn == id {
					return attributes{"policy_arn": p.PolicyArn, "user": user}
				}
			}
			return nil
		},
		want: attributes{"policy_arn": policy, "user": user},
		destroy: func(id string) {
			ok(tf.iam.DetachUserPolicy(tf.ctx, &iam.DetachUserPolicyInput{UserName: &user, PolicyArn: &id}))
		},
	}
}
