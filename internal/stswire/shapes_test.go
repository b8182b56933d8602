package stswire_test

import (
	"testing"

	"slipway/internal/ec2query"
	"slipway/internal/stswire"
)

// TestTheOrderOfAnIdentity is that of the answers before shapes were generated.
func TestTheOrderOfAnIdentity(t *testing.T) {
	w, of := &ec2query.Writer{}, func(s string) *string { return &s }
	(&stswire.GetCallerIdentityResponse{UserId: of("u"), Account: of("a"), Arn: of("r")}).EncodeXML(w)
	if got := string(w.Bytes()); got != "<Arn>r</Arn><UserId>u</UserId><Account>a</Account>" {
		t.Error(got)
	}
	if !stswire.KnownActions["AssumeRole"] || !stswire.KnownActions["AssumeRoleWithSAML"] {
		t.Errorf("%v", stswire.KnownActions)
	}
}
