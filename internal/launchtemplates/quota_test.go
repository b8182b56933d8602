package launchtemplates

import (
	"context"
	"fmt"
	"testing"
	"time"

	"slipway"
	"slipway/internal/ec2wire"
	"slipway/internal/shape"
	"slipway/internal/state"
	"slipway/internal/store"
	"slipway/internal/store/memory"
)

// service is the room over an empty store, for an account with the quotas.
func service(t *testing.T, quotas map[string]int) (*Service, context.Context) {
	t.Helper()
	db := state.DB{Store: memory.New(state.Schema())}
	t.Cleanup(func() { db.Close() })
	err := db.Update(t.Context(), func(tx store.Tx) error {
		return state.Accounts.Put(tx, &slipway.Account{ID: "123456789012", Quotas: quotas})
	})
	if err != nil {
		t.Fatal(err)
	}
	s := New(db,
		Launches{
			Check: func(slipway.Parameters) error { return nil },
			Image: func(store.Reader, state.Scope, string) (slipway.ImageID, error) { return "", nil },
		},
		func() time.Time { return time.Unix(1e9, 0) })
	return s, slipway.WithCall(t.Context(), slipway.Call{Region: "us-east-1", Caller: slipway.Caller{Account: "123456789012"}})
}

func TestQuotas(t *testing.T) {
	s, ctx := service(t, map[string]int{"launch-templates": 2, "launch-template-versions": 3})
	data := &ec2wire.RequestLaunchTemplateData{Sent: map[string]string{"KeyName": "k"}}
	create := func(name string) error {
		_, err := s.Create(ctx, &ec2wire.CreateLaunchTemplateRequest{LaunchTemplateName: &name, LaunchTemplateData: data})
		return err
	}
	add := func() error {
		_, err := s.CreateVersion(ctx,
			&ec2wire.CreateLaunchTemplateVersionRequest{LaunchTemplateName: shape.Of("one"), LaunchTemplateData: data})
		return err
	}
	for i, step := range []struct {
		do   func() error
		want slipway.Code
	}{
		{func() error { return create("one") }, ""}, {func() error { return create("two") }, ""},
		{func() error { return create("three") }, slipway.MaxTemplateLimitExceeded},
		{add, ""}, {add, ""}, {add, slipway.MaxTemplateVersionLimitExceeded},
	} {
		if err := step.do(); (err == nil) != (step.want == "") || err != nil && slipway.CodeOf(err) != step.want {
			t.Errorf("step %d: %v, want %s", i, err, step.want)
		}
	}
	if _, err := s.DeleteVersions(ctx,
		&ec2wire.DeleteLaunchTemplateVersionsRequest{
			LaunchTemplateName: shape.Of("one"), Versions: []string{"2"},
		}); err != nil {
		t.Fatal(err)
	}
	if err := add(); err != nil {
		t.Errorf("after one version was deleted: %v", err)
	}
}

func TestARetriedModifyDoesNotUndoALaterOne(t *testing.T) {
	s, ctx := service(t, nil)
	data := &ec2wire.RequestLaunchTemplateData{Sent: map[string]string{"KeyName": "k"}}
	name := shape.Of("web")
	if _, err := s.Create(ctx,
		&ec2wire.CreateLaunchTemplateRequest{LaunchTemplateName: name, LaunchTemplateData: data}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateVersion(ctx,
		&ec2wire.CreateLaunchTemplateVersionRequest{LaunchTemplateName: name, LaunchTemplateData: data}); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		version, token string
		want           int64
	}{{"2", "a", 2}, {"1", "b", 1}, {"2", "a", 1}, {"2", "c", 2}} {
		out, err := s.Modify(ctx,
			&ec2wire.ModifyLaunchTemplateRequest{
				LaunchTemplateName: name, DefaultVersion: &step.version, ClientToken: &step.token,
			})
		if err != nil {
			t.Fatal(err)
		}
		if got := *out.LaunchTemplate.DefaultVersionNumber; got != step.want {
			t.Errorf("step %d: the default is %d, want %d", i, got, step.want)
		}
	}
}

func BenchmarkVersions1000(b *testing.B) {
	db := state.DB{Store: memory.New(state.Schema())}
	defer db.Close()
	s := New(db, Launches{}, time.Now)
	ctx := slipway.WithCall(b.Context(), slipway.Call{Region: "us-east-1", Caller: slipway.Caller{Account: "123456789012"}})
	scope := state.Of(ctx)
	err := db.Update(ctx, func(tx store.Tx) error {
		t := &slipway.LaunchTemplate{
			ID: "lt-00000001", Account: scope.Account, Region: scope.Region, Name: "web", Default: 1, Latest: 1000,
			Issued: 1000,
		}
		for n := range int64(1000) {
			data := slipway.Parameters{}
			for i := range 30 {
				data[fmt.Sprintf("TagSpecification.1.Tag.%d.Key", i+1)] = "key"
			}
			if err := state.LaunchTemplateVersions.Put(tx,
				&slipway.LaunchTemplateVersion{
					Template: t.ID, Account: t.Account, Region: t.Region, Number: n + 1, Data: data,
				}); err != nil {
				return err
			}
		}
		return state.LaunchTemplates.Put(tx, t)
	})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Versions(ctx,
			&ec2wire.DescribeLaunchTemplateVersionsRequest{LaunchTemplateName: shape.Of("web")}); err != nil {
			b.Fatal(err)
		}
	}
}
