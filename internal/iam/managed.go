package iam

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"slipway"
	"slipway/internal/action"
	"slipway/internal/policy"
	"slipway/internal/state"
	"slipway/internal/store"
)

// holder is who has a managed policy attached.
type holder struct{ kind, name, id, path string }

// holders are all who have a managed policy of the account's, or of AWS's.
func holders(r store.Reader, account, arn string) []holder {
	var out []holder
	for u := range state.Users.All(r, state.IAM(account)) {
		if slices.Contains(u.Policies.Attached, arn) {
			out = append(out, holder{"User", u.Name, u.ID, u.Path})
		}
	}
	for role := range state.Roles.All(r, state.IAM(account)) {
		if slices.Contains(role.Policies.Attached, arn) {
			out = append(out, holder{"Role", role.Name, role.ID, role.Path})
		}
	}
	return out
}

func policyXML(p *slipway.ManagedPolicy, attached int) xml {
	version := ""
	for _, v := range p.Versions {
		if v.Default {
			version = v.ID
		}
	}
	return all(text("PolicyName", p.Name), text("PolicyId", p.ID), text("Arn", p.ARN()), text("Path", p.Path),
		text("DefaultVersionId", version), text("IsAttachable", "true"),
		text("AttachmentCount", strconv.Itoa(attached)), text("PermissionsBoundaryUsageCount", "0"),
		text("Description", p.Description), moment("CreateDate", p.Created), moment("UpdateDate", p.Updated), tagList(p.Tags))
}

func versionXML(v slipway.PolicyVersion, document bool) xml {
	parts := []xml{
		text("VersionId", v.ID), text("IsDefaultVersion", strconv.FormatBool(v.Default)), moment("CreateDate", v.Created),
	}
	if document {
		parts = append(parts, text("Document", escaped(v.Document)))
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

// documents are all that a user's or role's policies say.
func (s *Service) documents(r store.Reader, account string, p slipway.Policies) ([]*policy.Document, error) {
	var out []*policy.Document
	add := func(name, text string) error {
		d, err := s.read.policy(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, d)
		return nil
	}
	for _, name := range slipway.Tags(p.Inline).Keys() {
		if err := add(name, p.Inline[name]); err != nil {
			return nil, err
		}
	}
	for _, arn := range p.Attached {
		if err := add(arn, documentOf(r, account, arn)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// readings keep policies as they are evaluated. Documents are not changed once they are read.
type readings struct {
	mu    sync.Mutex
	by    map[string]*policy.Document
	bytes int
}

// maxRead is how much text the readings hold, in bytes, before they begin anew.
const maxRead = 8 << 20

func (r *readings) policy(text string) (*policy.Document, error) {
	r.mu.Lock()
	d := r.by[text]
	r.mu.Unlock()
	if d != nil {
		return d, nil
	}
	d, err := policy.Parse(text, policy.Identity)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil || r.bytes > maxRead {
		r.by, r.bytes = map[string]*policy.Document{}, 0
	}
	if r.by[text] == nil {
		r.by[text], r.bytes = d, r.bytes+len(text)
	}
	return d, nil
}

func noVersion(arn, id string) error {
	return slipway.Errorf(slipway.NoSuchEntity, "Policy %s version %s does not exist or is not attachable.", arn, id)
}

func (s *Service) managed(m map[string]action.Handler) {
	one := func(tx store.Tx, r *request, arn string) (*slipway.ManagedPolicy, error) {
		if name, ok := strings.CutPrefix(arn, awsPolicies); ok && builtin[name] != "" {
			return &slipway.ManagedPolicy{
				Account: "aws", Name: name, Path: "/",
				Versions: []slipway.PolicyVersion{{ID: "v1", Document: builtin[name], Default: true}},
			}, nil
		}
		return state.ManagedPolicies.Get(tx, state.IAM(r.account), arn)
	}
	m["CreatePolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		p := &slipway.ManagedPolicy{
			Account: r.account, Name: r.name("PolicyName"), ID: newID("ANPA"), Path: r.newPath(),
			Description: r.get("Description"), Next: 2, Created: s.now(), Updated: s.now(), Tags: r.tags(),
			Versions: []slipway.PolicyVersion{
				{ID: "v1", Document: r.document("PolicyDocument"), Default: true, Created: s.now()},
			},
		}
		return func(tx store.Tx) (xml, error) {
			if state.ManagedPolicies.See(tx, state.IAM(r.account), p.ARN()) != nil {
				return nil, slipway.Errorf(slipway.EntityAlreadyExists,
					"A policy called %s already exists. Duplicate names are not allowed.", p.Name)
			}
			return policyXML(p, 0).in("Policy"), state.ManagedPolicies.Put(tx, p)
		}
	})
	m["GetPolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn := r.need("PolicyArn")
		return func(tx store.Tx) (xml, error) {
			p, err := one(tx, r, arn)
			if err != nil {
				return nil, err
			}
			return policyXML(p, len(holders(tx, r.account, arn))).in("Policy"), nil
		}
	})
	m["ListPolicies"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		scope, attached, l := r.get("Scope"), r.form.Bool("OnlyAttached"), r.pathListing()
		if usage := r.get("PolicyUsageFilter"); usage == "PermissionsBoundary" && r.err == nil {
			r.err = slipway.Errorf(slipway.UnsupportedOperation,
				"The value PermissionsBoundary of the parameter PolicyUsageFilter is not supported.")
		}
		return func(tx store.Tx) (xml, error) {
			var items []xml
			add := func(p *slipway.ManagedPolicy) {
				if n := len(holders(tx, r.account, p.ARN())); l.has(p.Path) && (n > 0 || attached == nil || !*attached) {
					items = append(items, policyXML(p, n))
				}
			}
			if scope != "AWS" {
				for p := range state.ManagedPolicies.All(tx, state.IAM(r.account)) {
					add(p)
				}
			}
			if scope != "Local" {
				for _, name := range slipway.Tags(builtin).Keys() {
					if p, err := one(tx, r, awsPolicies+name); err == nil {
						add(p)
					}
				}
			}
			return l.of("Policies", items), nil
		}
	})
	m["ListEntitiesForPolicy"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, kind, l := r.need("PolicyArn"), r.get("EntityFilter"), r.pathListing()
		if usage := r.get("PolicyUsageFilter"); usage == "PermissionsBoundary" && r.err == nil {
			r.err = slipway.Errorf(slipway.UnsupportedOperation,
				"The value PermissionsBoundary of the parameter PolicyUsageFilter is not supported.")
		}
		return func(tx store.Tx) (xml, error) {
			if _, err := one(tx, r, arn); err != nil {
				return nil, err
			}
			wanted := slices.DeleteFunc(holders(tx, r.account, arn), func(h holder) bool {
				return !l.has(h.path) || kind != "" && kind != h.kind
			})
			wanted, rest := page(l, wanted)
			by := map[string][]xml{}
			for _, h := range wanted {
				by[h.kind] = append(by[h.kind], all(text(h.kind+"Name", h.name), text(h.kind+"Id", h.id)))
			}
			return all(list("PolicyGroups", nil), list("PolicyUsers", by["User"]), list("PolicyRoles", by["Role"]), rest), nil
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
				return nil,
					conflict("This policy has more than one version. Before you delete a policy, you must delete " +
						"the policy's versions.")
			}
			if len(holders(tx, r.account, arn)) > 0 {
				return nil, conflict("Cannot delete a policy attached to entities.")
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
			return nil, noVersion(arn, id)
		}
	})
	m["ListPolicyVersions"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, l := r.need("PolicyArn"), r.listing()
		return func(tx store.Tx) (xml, error) {
			p, err := one(tx, r, arn)
			if err != nil {
				return nil, err
			}
			var items []xml
			for _, v := range slices.Backward(p.Versions) {
				items = append(items, versionXML(v, false))
			}
			return l.of("Versions", items), nil
		}
	})
	m["CreatePolicyVersion"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, document, def := r.need("PolicyArn"), r.document("PolicyDocument"),
			strings.EqualFold(r.get("SetAsDefault"), "true")
		return func(tx store.Tx) (xml, error) {
			v := slipway.PolicyVersion{Document: document, Default: def, Created: s.now()}
			err := state.ManagedPolicies.Edit(tx, state.IAM(r.account), arn, func(p *slipway.ManagedPolicy) error {
				if len(p.Versions) >= 5 {
					return slipway.Errorf(slipway.LimitExceeded,
						"A managed policy can have up to 5 versions. Before you create a new version, you must "+
							"delete an existing version.")
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
	m["SetDefaultPolicyVersion"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, id := r.need("PolicyArn"), r.need("VersionId")
		return func(tx store.Tx) (xml, error) {
			return nil, state.ManagedPolicies.Edit(tx, state.IAM(r.account), arn, func(p *slipway.ManagedPolicy) error {
				if !slices.ContainsFunc(p.Versions, func(v slipway.PolicyVersion) bool { return v.ID == id }) {
					return noVersion(arn, id)
				}
				for i := range p.Versions {
					p.Versions[i].Default = p.Versions[i].ID == id
				}
				p.Updated = s.now()
				return nil
			})
		}
	})
	m["DeletePolicyVersion"] = s.act(func(r *request) func(store.Tx) (xml, error) {
		arn, id := r.need("PolicyArn"), r.need("VersionId")
		return func(tx store.Tx) (xml, error) {
			return nil, state.ManagedPolicies.Edit(tx, state.IAM(r.account), arn, func(p *slipway.ManagedPolicy) error {
				i := slices.IndexFunc(p.Versions, func(v slipway.PolicyVersion) bool { return v.ID == id })
				switch {
				case i < 0:
					return noVersion(arn, id)
				case p.Versions[i].Default:
					return conflict("Cannot delete the default version of a policy.")
				}
				p.Versions = slices.Delete(p.Versions, i, i+1)
				return nil
			})
		}
	})
}
