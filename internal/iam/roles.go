package iam

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"slipway"
	"slipway/internal/ec2query"
	"slipway/internal/policy"
	"slipway/internal/server"
	"slipway/internal/state"
	"slipway/internal/store"
)

func roleXML(r *slipway.Role) xml {
	return all(text("Path", r.Path), text("RoleName", r.Name), text("RoleId", r.ID), text("Arn", r.ARN()), moment("CreateDate", r.Created),
		text("AssumeRolePolicyDocument", url.QueryEscape(r.Trust)), text("Description", r.Description), text("MaxSessionDuration", strconv.Itoa(int(r.MaxSession))), tagList(r.Tags))
}

func (s *Service) roles(m map[string]server.Handler) {
	m["CreateRole"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		role := &slipway.Role{
			Account: r.account, Name: r.name("RoleName"), ID: newID("AROA"), Path: r.path(), Description: r.get("Description"), Trust: r.document("AssumeRolePolicyDocument"),
			MaxSession: 3600, Created: s.now(), Tags: r.tags(),
		}
		if v := r.get("MaxSessionDuration"); v != "" {
			n, err := strconv.Atoi(v)
			if (err != nil || n < 3600 || n > 43200) && r.err == nil {
				r.err = slipway.Errorf(slipway.ValidationError, "MaxSessionDuration must be 3600 to 43200 seconds.")
			}
			role.MaxSession = int32(n)
		}
		if b := r.get("PermissionsBoundary"); b != "" && r.err == nil {
			r.err = slipway.Errorf(slipway.UnsupportedOperation, "The parameter PermissionsBoundary is not supported.")
		}
		return func(tx store.Tx) (xml, error) {
			if state.Roles.See(tx, state.IAM(r.account), role.Name) != nil {
				return nil, exists("Role", role.Name)
			}
			return roleXML(role).in("Role"), state.Roles.Put(tx, role)
		}
	})
	m["GetRole"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			role, err := state.Roles.Must(tx, state.IAM(r.account), name)
			if err != nil {
				return nil, err
			}
			return roleXML(role).in("Role"), nil
		}
	})
	m["ListRoles"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		return func(tx store.Tx) (xml, error) {
			var items []xml
			for role := range state.Roles.All(tx, state.IAM(r.account)) {
				items = append(items, roleXML(role))
			}
			return members("Roles", items), nil
		}
	})
	m["UpdateAssumeRolePolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, document := r.name("RoleName"), r.document("PolicyDocument")
		return func(tx store.Tx) (xml, error) {
			return nil, state.Roles.Edit(tx, state.IAM(r.account), name, func(role *slipway.Role) error { role.Trust = document; return nil })
		}
	})
	m["DeleteRole"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			role, err := state.Roles.Must(tx, state.IAM(r.account), name)
			switch {
			case err != nil:
				return nil, err
			case len(role.Policies.Inline)+len(role.Policies.Attached) > 0:
				return nil, conflict("Cannot delete entity, must detach all policies first.")
			}
			for p := range state.InstanceProfiles.All(tx, state.IAM(r.account)) {
				if p.Role == name {
					return nil, conflict("Cannot delete entity, must remove roles from instance profile first.")
				}
			}
			state.Roles.Delete(tx, state.IAM(r.account), name)
			return nil, nil
		}
	})
	s.policiesOf(m, "Role", func(tx store.Tx, account, name string, change func(*slipway.Policies) error) (*slipway.Policies, error) {
		role, err := state.Roles.Get(tx, state.IAM(account), name)
		if err != nil {
			return nil, err
		}
		if change == nil {
			return &role.Policies, nil
		}
		if err := change(&role.Policies); err != nil {
			return nil, err
		}
		return &role.Policies, state.Roles.Put(tx, role)
	})
}

func profileXML(r store.Reader, p *slipway.InstanceProfile) xml {
	roles := []xml{}
	if role := state.Roles.See(r, state.IAM(p.Account), p.Role); role != nil {
		roles = append(roles, roleXML(role))
	}
	list := xml(func(w *ec2query.Writer) {
		w.Open("Roles")
		for _, x := range roles {
			x.in("member")(w)
		}
		w.Close("Roles")
	})
	return all(text("Path", p.Path), text("InstanceProfileName", p.Name), text("InstanceProfileId", p.ID), text("Arn", p.ARN()), moment("CreateDate", p.Created), list, tagList(p.Tags))
}

func (s *Service) profiles(m map[string]server.Handler) {
	m["CreateInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		p := &slipway.InstanceProfile{Account: r.account, Name: r.name("InstanceProfileName"), ID: newID("AIPA"), Path: r.path(), Created: s.now(), Tags: r.tags()}
		return func(tx store.Tx) (xml, error) {
			if state.InstanceProfiles.See(tx, state.IAM(r.account), p.Name) != nil {
				return nil, slipway.Errorf(slipway.EntityAlreadyExists, "Instance Profile %s already exists.", p.Name)
			}
			return profileXML(tx, p).in("InstanceProfile"), state.InstanceProfiles.Put(tx, p)
		}
	})
	m["GetInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("InstanceProfileName")
		return func(tx store.Tx) (xml, error) {
			p, err := state.InstanceProfiles.Must(tx, state.IAM(r.account), name)
			if err != nil {
				return nil, err
			}
			return profileXML(tx, p).in("InstanceProfile"), nil
		}
	})
	list := func(role bool) server.Handler {
		return s.act(func(r *request) func(store.Tx) (xml, error) {
			name := ""
			if role {
				name = r.name("RoleName")
			}
			return func(tx store.Tx) (xml, error) {
				if role {
					if _, err := state.Roles.Must(tx, state.IAM(r.account), name); err != nil {
						return nil, err
					}
				}
				var items []xml
				for p := range state.InstanceProfiles.All(tx, state.IAM(r.account)) {
					if !role || p.Role == name {
						items = append(items, profileXML(tx, p))
					}
				}
				return members("InstanceProfiles", items), nil
			}
		})
	}
	m["ListInstanceProfiles"], m["ListInstanceProfilesForRole"] = list(false), list(true)
	m["AddRoleToInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, role := r.name("InstanceProfileName"), r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			if _, err := state.Roles.Must(tx, state.IAM(r.account), role); err != nil {
				return nil, err
			}
			return nil, state.InstanceProfiles.Edit(tx, state.IAM(r.account), name, func(p *slipway.InstanceProfile) error {
				if p.Role != "" {
					return slipway.Errorf(slipway.LimitExceeded, "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
				}
				p.Role = role
				return nil
			})
		}
	})
	m["RemoveRoleFromInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name, role := r.name("InstanceProfileName"), r.name("RoleName")
		return func(tx store.Tx) (xml, error) {
			return nil, state.InstanceProfiles.Edit(tx, state.IAM(r.account), name, func(p *slipway.InstanceProfile) error {
				if p.Role != role {
					return state.Roles.Absent(role)
				}
				p.Role = ""
				return nil
			})
		}
	})
	m["DeleteInstanceProfile"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		name := r.name("InstanceProfileName")
		return func(tx store.Tx) (xml, error) {
			p, err := state.InstanceProfiles.Must(tx, state.IAM(r.account), name)
			switch {
			case err != nil:
				return nil, err
			case p.Role != "":
				return nil, conflict("Cannot delete entity, must remove roles from instance profile first.")
			}
			state.InstanceProfiles.Delete(tx, state.IAM(r.account), name)
			return nil, nil
		}
	})
}

func policyXML(p *slipway.ManagedPolicy) xml {
	version := ""
	for _, v := range p.Versions {
		if v.Default {
			version = v.ID
		}
	}
	return all(text("PolicyName", p.Name), text("PolicyId", p.ID), text("Arn", p.ARN()), text("Path", p.Path), text("DefaultVersionId", version), text("IsAttachable", "true"),
		text("Description", p.Description), moment("CreateDate", p.Created), moment("UpdateDate", p.Updated), tagList(p.Tags))
}

func versionXML(v slipway.PolicyVersion, document bool) xml {
	parts := []xml{text("VersionId", v.ID), text("IsDefaultVersion", strconv.FormatBool(v.Default)), moment("CreateDate", v.Created)}
	if document {
		parts = append(parts, text("Document", url.QueryEscape(v.Document)))
	}
	return all(parts...)
}

// builtin are those of AWS's own policies that people attach for EC2.
var builtin = map[string]string{
	"AdministratorAccess":     `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	"PowerUserAccess":         `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}]}`,
	"ReadOnlyAccess":          `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","ec2:Get*","ec2:List*","ec2:Search*","iam:Get*","iam:List*","ssm:Get*","ssm:Describe*"],"Resource":"*"}]}`,
	"AmazonEC2FullAccess":     `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:*","ssm:GetParameter*"],"Resource":"*"}]}`,
	"AmazonEC2ReadOnlyAccess": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ec2:Describe*","ec2:Get*"],"Resource":"*"}]}`,
}

const awsPolicies = "arn:aws:iam::aws:policy/"

// documentOf is the text of a managed policy, of the account's or AWS's; "" if there is none.
func documentOf(r store.Reader, account, arn string) string {
	if name, ok := strings.CutPrefix(arn, awsPolicies); ok {
		return builtin[name]
	}
	if p := state.ManagedPolicies.See(r, state.IAM(account), arn); p != nil {
		return p.Document()
	}
	return ""
}

// documents are all that a user's or role's policies say. What cannot be read denies nothing and allows nothing: it was refused when it came.
func documents(r store.Reader, account string, p slipway.Policies) []*policy.Document {
	var out []*policy.Document
	add := func(text string) {
		if d, err := policy.Parse(text); err == nil {
			out = append(out, d)
		}
	}
	for _, text := range p.Inline {
		add(text)
	}
	for _, arn := range p.Attached {
		add(documentOf(r, account, arn))
	}
	return out
}

func (s *Service) managed(m map[string]server.Handler) {
	one := func(tx store.Tx, r *request, arn string) (*slipway.ManagedPolicy, error) {
		if name, ok := strings.CutPrefix(arn, awsPolicies); ok && builtin[name] != "" {
			return &slipway.ManagedPolicy{Account: "aws", Name: name, Path: "/", Versions: []slipway.PolicyVersion{{ID: "v1", Document: builtin[name], Default: true}}}, nil
		}
		return state.ManagedPolicies.Get(tx, state.IAM(r.account), arn)
	}
	m["CreatePolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		p := &slipway.ManagedPolicy{
			Account: r.account, Name: r.name("PolicyName"), ID: newID("ANPA"), Path: r.path(), Description: r.get("Description"), Next: 2, Created: s.now(), Updated: s.now(), Tags: r.tags(),
			Versions: []slipway.PolicyVersion{{ID: "v1", Document: r.document("PolicyDocument"), Default: true, Created: s.now()}},
		}
		return func(tx store.Tx) (xml, error) {
			if state.ManagedPolicies.See(tx, state.IAM(r.account), p.ARN()) != nil {
				return nil, slipway.Errorf(slipway.EntityAlreadyExists, "A policy called %s already exists. Duplicate names are not allowed.", p.Name)
			}
			return policyXML(p).in("Policy"), state.ManagedPolicies.Put(tx, p)
		}
	})
	m["GetPolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn := r.need("PolicyArn")
		return func(tx store.Tx) (xml, error) {
			p, err := one(tx, r, arn)
			if err != nil {
				return nil, err
			}
			return policyXML(p).in("Policy"), nil
		}
	})
	m["ListPolicies"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		scope := r.get("Scope")
		r.get("OnlyAttached")
		return func(tx store.Tx) (xml, error) {
			var items []xml
			if scope != "AWS" {
				for p := range state.ManagedPolicies.All(tx, state.IAM(r.account)) {
					items = append(items, policyXML(p))
				}
			}
			if scope != "Local" {
				for _, name := range slipway.Tags(builtin).Keys() {
					p, err := one(tx, r, awsPolicies+name)
					if err == nil {
						items = append(items, policyXML(p))
					}
				}
			}
			return members("Policies", items), nil
		}
	})
	m["DeletePolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn := r.need("PolicyArn")
		return func(tx store.Tx) (xml, error) {
			p, err := state.ManagedPolicies.Get(tx, state.IAM(r.account), arn)
			if err != nil {
				return nil, err
			}
			if len(p.Versions) > 1 {
				return nil, conflict("This policy has more than one version. Before you delete a policy, you must delete the policy's versions.")
			}
			attached := conflict("Cannot delete a policy attached to entities.")
			for u := range state.Users.All(tx, state.IAM(r.account)) {
				if slices.Contains(u.Policies.Attached, arn) {
					return nil, attached
				}
			}
			for role := range state.Roles.All(tx, state.IAM(r.account)) {
				if slices.Contains(role.Policies.Attached, arn) {
					return nil, attached
				}
			}
			state.ManagedPolicies.Delete(tx, state.IAM(r.account), arn)
			return nil, nil
		}
	})
	m["GetPolicyVersion"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, id := r.need("PolicyArn"), r.need("VersionId")
		return func(tx store.Tx) (xml, error) {
			p, err := one(tx, r, arn)
			if err != nil {
				return nil, err
			}
			for _, v := range p.Versions {
				if v.ID == id {
					return versionXML(v, true).in("PolicyVersion"), nil
				}
			}
			return nil, slipway.Errorf(slipway.NoSuchEntity, "Policy %s version %s does not exist or is not attachable.", arn, id)
		}
	})
	m["ListPolicyVersions"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn := r.need("PolicyArn")
		return func(tx store.Tx) (xml, error) {
			p, err := one(tx, r, arn)
			if err != nil {
				return nil, err
			}
			var items []xml
			for _, v := range slices.Backward(p.Versions) {
				items = append(items, versionXML(v, false))
			}
			return members("Versions", items), nil
		}
	})
	m["CreatePolicyVersion"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, document, def := r.need("PolicyArn"), r.document("PolicyDocument"), strings.EqualFold(r.get("SetAsDefault"), "true")
		return func(tx store.Tx) (xml, error) {
			v := slipway.PolicyVersion{Document: document, Default: def, Created: s.now()}
			err := state.ManagedPolicies.Edit(tx, state.IAM(r.account), arn, func(p *slipway.ManagedPolicy) error {
				if len(p.Versions) >= 5 {
					return slipway.Errorf(slipway.LimitExceeded, "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
				}
				v.ID = "v" + strconv.Itoa(p.Next)
				for i := range p.Versions {
					p.Versions[i].Default = p.Versions[i].Default && !def
				}
				p.Versions, p.Next, p.Updated = append(p.Versions, v), p.Next+1, s.now()
				return nil
			})
			return versionXML(v, false).in("PolicyVersion"), err
		}
	})
	m["DeletePolicyVersion"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, id := r.need("PolicyArn"), r.need("VersionId")
		return func(tx store.Tx) (xml, error) {
			return nil, state.ManagedPolicies.Edit(tx, state.IAM(r.account), arn, func(p *slipway.ManagedPolicy) error {
				i := slices.IndexFunc(p.Versions, func(v slipway.PolicyVersion) bool { return v.ID == id })
				switch {
				case i < 0:
					return slipway.Errorf(slipway.NoSuchEntity, "Policy %s version %s does not exist or is not attachable.", arn, id)
				case p.Versions[i].Default:
					return conflict("Cannot delete the default version of a policy.")
				}
				p.Versions = slices.Delete(p.Versions, i, i+1)
				return nil
			})
		}
	})
}
