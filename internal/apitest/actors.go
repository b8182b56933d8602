package apitest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slipway"
	"slipway/internal/accounts"
	"slipway/internal/state"
	"slipway/internal/store"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Edit changes the account as the operator's commands do.
func (w *Wire) Edit(verb string, words ...string) {
	w.T.Helper()
	change, err := accounts.Change(verb, words)
	if err != nil {
		w.T.Fatal(err)
	}
	err = w.DB.Update(w.T.Context(), func(tx store.Tx) error {
		return state.Accounts.Edit(tx, state.Global, w.Keys.Account, change)
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// As is the same wire for another account.
func (w *Wire) As(a slipway.Account) *Wire {
	w.T.Helper()
	_, key, err := w.API.Accounts.Create(w.T.Context(), a)
	if err != nil {
		w.T.Fatal(err)
	}
	other := *w
	other.Keys = key
	return &other
}

// versions are the services' own.
var versions = map[string]string{"ec2": "2016-11-15", "iam": "2010-05-08", "sts": "2011-06-15"}

// Signed sends a body to a service in somebody's name.
func (w *Wire) Signed(who aws.Credentials, service, body string, header http.Header) Answer {
	w.T.Helper()
	r, err := http.NewRequest(http.MethodPost, w.URL+"/", strings.NewReader(body))
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	for k, v := range header {
		r.Header[k] = v
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(context.Background(), who, r, hex.EncodeToString(sum[:]), service, cmp.Or(w.Region, "us-east-1"),
		time.Now()); err != nil {
		w.T.Fatal(err)
	}
	return w.Do(r)
}

// Root are the account's own keys.
func (w *Wire) Root() aws.Credentials {
	return aws.Credentials{AccessKeyID: w.Keys.ID, SecretAccessKey: w.Keys.Secret}
}

// By sends an action of a service in somebody's name.
func (w *Wire) By(who aws.Credentials, service, action string, params ...string) Answer {
	w.T.Helper()
	form := url.Values{"Action": {action}, "Version": {versions[service]}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Add(params[i], params[i+1])
	}
	return w.Signed(who, service, form.Encode(), nil)
}

// Well is by, which has to succeed.
func (w *Wire) Well(who aws.Credentials, service, action string, params ...string) Answer {
	w.T.Helper()
	a := w.By(who, service, action, params...)
	if a.Status != http.StatusOK {
		w.T.Fatalf("%s %v: %d %s", action, params, a.Status, a.Body)
	}
	return a
}

func KeysIn(body string) aws.Credentials {
	return aws.Credentials{
		AccessKeyID: First(body, "AccessKeyId"), SecretAccessKey: First(body, "SecretAccessKey"),
		SessionToken: First(body, "SessionToken"),
	}
}

// User makes a user with one policy and gives its keys.
func (w *Wire) User(name, policy string) aws.Credentials {
	w.T.Helper()
	w.Well(w.Root(), "iam", "CreateUser", "UserName", name)
	if policy != "" {
		w.Well(w.Root(), "iam", "PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", policy)
	}
	return KeysIn(w.Well(w.Root(), "iam", "CreateAccessKey", "UserName", name).Body)
}

const Ec2Trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// Profiled makes a role with a policy in an instance profile of the same name.
func (w *Wire) Profiled(name, policy string) {
	w.T.Helper()
	w.Well(w.Root(), "iam", "CreateRole", "RoleName", name, "AssumeRolePolicyDocument", Ec2Trust)
	w.Well(w.Root(), "iam", "PutRolePolicy", "RoleName", name, "PolicyName", "p", "PolicyDocument", policy)
	w.Well(w.Root(), "iam", "CreateInstanceProfile", "InstanceProfileName", name)
	w.Well(w.Root(), "iam", "AddRoleToInstanceProfile", "InstanceProfileName", name, "RoleName", name)
}

func Document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

const MaySeeVPCs = `{"Effect":"Allow","Action":"ec2:DescribeVpcs","Resource":"*"}`
