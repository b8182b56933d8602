package policy

import (
	"maps"
	"strings"
	"testing"
)

// times is how often each case is decided: an answer that depends on a map's order shows itself.
const times = 50

// known is the context of the cases: what follows a case's own words stands over it.
var known = map[string][]string{
	"aws:username": {"ada"}, "aws:userid": {"AIDA1"}, "aws:principaltype": {"User"}, "aws:sourceip": {"203.0.113.7"},
	"aws:securetransport": {"false"},
	"aws:currenttime":     {"2026-03-04T12:00:00Z"}, "aws:epochtime": {"1772625600"}, "aws:useragent": {"aws-cli/2.9"},
	"ec2:instancetype": {"t3.micro"},
	"ec2:region":       {"us-east-1"}, "ec2:volumesize": {"20"}, "ec2:encrypted": {"true"},
	"aws:requesttag/team": {"red"}, "aws:tagkeys": {"team", "Name"},
	"aws:principalarn": {"arn:aws:iam::000000000001:user/dev/ada"}, "aws:principaltag/team": {"red"},
	"aws:principaltag/wild": {"*"}, "aws:principaltag/loop": {"${aws:PrincipalTag/loop}"},
	"aws:principaltag/empty": {""}, "aws:several": {"a", "b"}, "aws:principaltag/question": {"t?.micro"},
}

// contextOf adds "key=a|b; other=; gone!" to what is known: values of a key, an empty one, and a key that is not there.
func contextOf(words string) map[string][]string {
	c := maps.Clone(known)
	for part := range strings.SplitSeq(words, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		if key, gone := strings.CutSuffix(part, "!"); gone {
			delete(c, strings.ToLower(key))
			continue
		}
		key, list, _ := strings.Cut(part, "=")
		c[strings.ToLower(key)] = strings.Split(list, "|")
	}
	return c
}

// decided is the decision, the same however often.
func decided(t *testing.T, own, session []*Document, r Request) Decision {
	t.Helper()
	decide := func() Decision {
		if session != nil {
			return Within(own, session, r)
		}
		return Evaluate(own, r)
	}
	first := decide()
	for range times - 1 {
		r.Context = maps.Clone(r.Context)
		if again := decide(); again != first {
			t.Errorf("%v once and %v another time", first, again)
		}
	}
	return first
}

func parsed(t *testing.T, text string, kind Kind) *Document {
	t.Helper()
	d, err := Parse(text, kind)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

// in2012 makes a document of statements.
func in2012(statements string) string {
	return `{"Version":"2012-10-17","Statement":` + statements + `}`
}

// TestConditions is IAM's rules of conditions: whether each holds, in a statement that allows and in one that denies.
// Where only one of the two is meant, "both" says so: a condition that cannot be decided must neither open an
// allowance nor close a denial.
func TestConditions(t *testing.T) {
	const (
		holds    = "holds"
		fails    = "fails"
		cautious = "denies only"
	)
	for _, tt := range []struct{ condition, context, want string }{
		// Texts.
		{`"StringEquals":{"ec2:InstanceType":"t3.micro"}`, ``, holds},
		{`"StringEquals":{"ec2:InstanceType":"T3.MICRO"}`, ``, fails},
		{`"StringEquals":{"ec2:InstanceType":["t3.nano","t3.micro"]}`, ``, holds},
		{`"StringEquals":{"ec2:InstanceType":["t3.nano","t3.small"]}`, ``, fails},
		{`"StringEquals":{"ec2:InstanceType":"t3.*"}`, ``, fails},
		{`"StringEquals":{"ec2:InstanceType":"t3.*"}`, `ec2:InstanceType=t3.*`, holds},
		{`"StringEquals":{"EC2:INSTANCETYPE":"t3.micro"}`, ``, holds},
		{`"StringEquals":{"ec2:Absent":"x"}`, ``, fails},
		{`"StringEquals":{"ec2:Absent":""}`, ``, fails},
		{`"StringEquals":{"aws:PrincipalTag/empty":""}`, ``, holds},
		{`"StringEquals":{"ec2:InstanceType":[]}`, ``, fails},
		{`"StringEquals":{"ec2:VolumeSize":20}`, ``, holds},
		{`"StringEquals":{"ec2:Encrypted":true}`, ``, holds},
		{`"StringEquals":{"ec2:VolumeSize":1000000}`, `ec2:VolumeSize=1000000`, holds},
		{`"StringEquals":{"ec2:InstanceType":"t3.micro","ec2:Region":"us-east-1"}`, ``, holds},
		{`"StringEquals":{"ec2:InstanceType":"t3.micro","ec2:Region":"eu-west-1"}`, ``, fails},
		{`"StringEquals":{"ec2:InstanceType":"t3.micro"},"StringLike":{"ec2:Region":"eu-*"}`, ``, fails},
		{`"StringEquals":{"ec2:InstanceType":"t3.micro"},"StringLike":{"ec2:Region":"us-*"}`, ``, holds},
		{`"StringNotEquals":{"ec2:InstanceType":"m5.large"}`, ``, holds},
		{`"StringNotEquals":{"ec2:InstanceType":["m5.large","t3.micro"]}`, ``, fails},
		{`"StringNotEquals":{"ec2:InstanceType":["m5.large","c5.large"]}`, ``, holds},
		{`"StringNotEquals":{"ec2:Absent":"x"}`, ``, holds},
		{`"StringNotEquals":{"ec2:InstanceType":[]}`, ``, holds},
		{`"StringEqualsIgnoreCase":{"ec2:InstanceType":"T3.MICRO"}`, ``, holds},
		{`"StringEqualsIgnoreCase":{"ec2:InstanceType":"T3.NANO"}`, ``, fails},
		{`"StringNotEqualsIgnoreCase":{"ec2:InstanceType":"T3.MICRO"}`, ``, fails},
		{`"StringNotEqualsIgnoreCase":{"ec2:InstanceType":"T3.NANO"}`, ``, holds},
		{`"StringLike":{"ec2:InstanceType":"t3.*"}`, ``, holds},
		{`"StringLike":{"ec2:InstanceType":"t?.micro"}`, ``, holds},
		{`"StringLike":{"ec2:InstanceType":"t?micro"}`, ``, fails},
		{`"StringLike":{"ec2:InstanceType":"T3.*"}`, ``, fails},
		{`"StringLike":{"ec2:InstanceType":"*"}`, ``, holds},
		{`"StringLike":{"ec2:Absent":"*"}`, ``, fails},
		{`"StringLike":{"aws:PrincipalTag/empty":"*"}`, ``, holds},
		{`"StringLike":{"aws:RequestTag/team":"r?d"}`, `aws:RequestTag/team=rød`, holds},
		{`"StringLike":{"aws:RequestTag/team":"r*d*x"}`, `aws:RequestTag/team=rddddx`, holds},
		{`"StringLike":{"aws:RequestTag/team":"**d"}`, ``, holds},
		{`"StringNotLike":{"ec2:InstanceType":"t3.*"}`, ``, fails},
		{`"StringNotLike":{"ec2:InstanceType":"m5.*"}`, ``, holds},
		{`"StringNotLike":{"ec2:InstanceType":["m5.*","t3.*"]}`, ``, fails},
		{`"StringNotLike":{"ec2:Absent":"*"}`, ``, holds},
		// Numbers.
		{`"NumericEquals":{"ec2:VolumeSize":"20"}`, ``, holds},
		{`"NumericEquals":{"ec2:VolumeSize":"20.0"}`, ``, holds},
		{`"NumericEquals":{"ec2:VolumeSize":"21"}`, ``, fails},
		{`"NumericEquals":{"ec2:VolumeSize":9007199254740993}`, `ec2:VolumeSize=9007199254740992`, fails},
		{`"NumericEquals":{"ec2:VolumeSize":"20"}`, `ec2:VolumeSize=0x14`, fails},
		{`"NumericNotEquals":{"ec2:VolumeSize":"21"}`, ``, holds},
		{`"NumericNotEquals":{"ec2:VolumeSize":["21","20"]}`, ``, fails},
		{`"NumericNotEquals":{"ec2:Absent":"21"}`, ``, holds},
		{`"NumericLessThan":{"ec2:VolumeSize":"21"}`, ``, holds},
		{`"NumericLessThan":{"ec2:VolumeSize":"20"}`, ``, fails},
		{`"NumericLessThan":{"ec2:Absent":"20"}`, ``, fails},
		{`"NumericLessThanEquals":{"ec2:VolumeSize":20}`, ``, holds},
		{`"NumericLessThanEquals":{"ec2:VolumeSize":19}`, ``, fails},
		{`"NumericGreaterThan":{"ec2:VolumeSize":19}`, ``, holds},
		{`"NumericGreaterThan":{"ec2:VolumeSize":20}`, ``, fails},
		{`"NumericGreaterThan":{"ec2:VolumeSize":9}`, `ec2:VolumeSize=10`, holds},
		{`"NumericGreaterThanEquals":{"ec2:VolumeSize":20}`, ``, holds},
		{`"NumericGreaterThanEquals":{"ec2:VolumeSize":-5}`, ``, holds},
		{`"NumericGreaterThanEquals":{"ec2:VolumeSize":21}`, ``, fails},
		{`"NumericLessThan":{"ec2:VolumeSize":"30"}`, `ec2:VolumeSize=many`, fails},
		{`"NumericLessThan":{"ec2:VolumeSize":"30"}`, `ec2:VolumeSize=NaN`, fails},
		{`"NumericLessThanIfExists":{"ec2:Absent":"30"}`, ``, holds},
		{`"NumericLessThanIfExists":{"ec2:VolumeSize":"10"}`, ``, fails},
		// Dates.
		{`"DateEquals":{"aws:CurrentTime":"2026-03-04T12:00:00Z"}`, ``, holds},
		{`"DateEquals":{"aws:CurrentTime":"2026-03-04T13:00:00+01:00"}`, ``, holds},
		{`"DateEquals":{"aws:CurrentTime":"1772625600"}`, ``, holds},
		{`"DateEquals":{"aws:EpochTime":"2026-03-04T12:00:00Z"}`, ``, holds},
		{`"DateNotEquals":{"aws:CurrentTime":"2026-03-04T12:00:01Z"}`, ``, holds},
		{`"DateNotEquals":{"aws:CurrentTime":"2026-03-04T12:00:00Z"}`, ``, fails},
		{`"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, ``, holds},
		{`"DateGreaterThan":{"aws:CurrentTime":"2026-12-01"}`, ``, fails},
		{`"DateGreaterThan":{"aws:CurrentTime":"2026-03"}`, ``, holds},
		{`"DateGreaterThan":{"aws:CurrentTime":"2026"}`, ``, holds},
		{`"DateGreaterThanEquals":{"aws:CurrentTime":"2026-03-04T12:00Z"}`, ``, holds},
		{`"DateLessThan":{"aws:CurrentTime":"2026-03-04T12:00:00.5Z"}`, ``, holds},
		{`"DateLessThan":{"aws:CurrentTime":"2026-01-01"}`, ``, fails},
		{`"DateLessThanEquals":{"aws:CurrentTime":"2026-03-04T12:00:00Z"}`, ``, holds},
		{`"DateLessThan":{"aws:CurrentTime":"tomorrow"}`, ``, fails},
		{`"DateLessThan":{"aws:TokenIssueTime":"2026-03-04T12:00:00Z"}`, ``, fails},
		{`"DateLessThanIfExists":{"aws:TokenIssueTime":"2026-03-04T12:00:00Z"}`, ``, holds},
		{`"NumericGreaterThan":{"aws:EpochTime":"1700000000"}`, ``, holds},
		// Booleans and bytes.
		{`"Bool":{"aws:SecureTransport":"false"}`, ``, holds},
		{`"Bool":{"aws:SecureTransport":false}`, ``, holds},
		{`"Bool":{"aws:SecureTransport":"true"}`, ``, fails},
		{`"Bool":{"aws:SecureTransport":"FALSE"}`, ``, holds},
		{`"Bool":{"aws:MultiFactorAuthPresent":"false"}`, ``, fails},
		{`"Bool":{"aws:MultiFactorAuthPresent":"true"}`, ``, fails},
		{`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`, ``, holds},
		{`"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}`, `aws:MultiFactorAuthPresent=true`, fails},
		{`"BinaryEquals":{"x:key":"QmluYXJ5"}`, `x:key=QmluYXJ5`, holds},
		{`"BinaryEquals":{"x:key":"QmluYXJ5"}`, `x:key=qmluYXJ5`, fails},
		// Addresses.
		{`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, ``, holds},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.7"}`, ``, holds},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.8"}`, ``, fails},
		{`"IpAddress":{"aws:SourceIp":["198.51.100.0/24","203.0.113.0/25"]}`, ``, holds},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, `aws:SourceIp=::ffff:203.0.113.7`, holds},
		{`"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`, `aws:SourceIp=2001:db8::1`, holds},
		{`"IpAddress":{"aws:SourceIp":"fe80::/10"}`, `aws:SourceIp=fe80::1%eth0`, holds},
		{`"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, `aws:SourceIp=2001:db8::1`, fails},
		{`"IpAddress":{"aws:SourceIp":"nowhere"}`, ``, fails},
		{`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`, `aws:SourceIp!`, fails},
		{`"IpAddressIfExists":{"aws:SourceIp":"198.51.100.0/24"}`, `aws:SourceIp!`, holds},
		{`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, ``, fails},
		{`"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}`, ``, holds},
		{`"NotIpAddress":{"aws:SourceIp":["198.51.100.0/24","203.0.113.0/24"]}`, ``, fails},
		{`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`, `aws:SourceIp!`, holds},
		// ARNs, part by part.
		{`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000001:user/dev/ada"}`, ``, holds},
		{`"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}`, ``, holds},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/dev/*"}`, ``, holds},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::00000000000?:user/dev/ad?"}`, ``, holds},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}`, ``, fails},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:i*:user/dev/ada"}`, ``, fails},
		{`"ArnLike":{"aws:PrincipalArn":"arn:*:*:*:*:user/dev/ada"}`, ``, holds},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam:*"}`, ``, holds},
		{`"ArnLike":{"aws:PrincipalArn":"*"}`, ``, holds},
		{`"ArnLike":{"aws:PrincipalArn":"*ada"}`, ``, fails},
		{`"ArnLike":{"aws:PrincipalArn":"*"}`, `aws:PrincipalArn=ada`, fails},
		{`"ArnLike":{"aws:PrincipalArn":"ARN:aws:iam::*:user/dev/ada"}`, ``, fails},
		{`"ArnLike":{"x:arn":"arn:aws:sns:us-east-1:1:topic:*"}`, `x:arn=arn:aws:sns:us-east-1:1:topic:a:b`, holds},
		{`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/dev/*"}`, ``, fails},
		{`"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/*"}`, ``, holds},
		{`"ArnNotLike":{"x:absent":"arn:aws:iam::*:role/*"}`, ``, holds},
		{`"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000001:user/dev/ada"}`, ``, fails},
		{`"ArnLikeIfExists":{"x:absent":"arn:aws:iam::*:role/*"}`, ``, holds},
		{`"ArnLike":{"x:absent":"*"}`, ``, fails},
		// Null.
		{`"Null":{"aws:TokenIssueTime":"true"}`, ``, holds},
		{`"Null":{"aws:TokenIssueTime":true}`, ``, holds},
		{`"Null":{"aws:TokenIssueTime":"false"}`, ``, fails},
		{`"Null":{"ec2:InstanceType":"true"}`, ``, fails},
		{`"Null":{"ec2:InstanceType":"false"}`, ``, holds},
		{`"Null":{"aws:PrincipalTag/empty":"false"}`, ``, holds},
		{`"Null":{"ec2:InstanceType":["true","false"]}`, ``, holds},
		{`"Null":{"AWS:requesttag/TEAM":"false"}`, ``, holds},
		{`"Null":{"aws:RequestTag/cost":"true"}`, ``, holds},
		// IfExists.
		{`"StringEqualsIfExists":{"ec2:Absent":"x"}`, ``, holds},
		{`"StringEqualsIfExists":{"ec2:InstanceType":"x"}`, ``, fails},
		{`"StringEqualsIfExists":{"ec2:InstanceType":"t3.micro"}`, ``, holds},
		{`"StringNotEqualsIfExists":{"ec2:Absent":"x"}`, ``, holds},
		{`"StringNotEqualsIfExists":{"ec2:InstanceType":"t3.micro"}`, ``, fails},
		{`"StringLikeIfExists":{"ec2:Absent":"x*"}`, ``, holds},
		{`"StringLikeIfExists":{"ec2:InstanceType":"m*"}`, ``, fails},
		{`"ForAnyValue:StringEqualsIfExists":{"ec2:Absent":"x"}`, ``, holds},
		{`"ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":"x"}`, ``, fails},
		{`"ForAllValues:StringEqualsIfExists":{"aws:TagKeys":"team"}`, ``, fails},
		// Sets.
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team","Name","cost"]}`, ``, holds},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}`, ``, fails},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team","name"]}`, ``, fails},
		{`"ForAllValues:StringEqualsIgnoreCase":{"aws:TagKeys":["team","name"]}`, ``, holds},
		{`"ForAllValues:StringLike":{"aws:TagKeys":["t*","N*"]}`, ``, holds},
		{`"ForAllValues:StringEquals":{"aws:Absent":["x"]}`, ``, holds},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["x"]}`, `aws:TagKeys=`, holds},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":[]}`, ``, fails},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":[]}`, `aws:TagKeys!`, holds},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":["cost"]}`, ``, holds},
		{`"ForAllValues:StringNotEquals":{"aws:TagKeys":["cost","team"]}`, ``, fails},
		{`"ForAllValues:StringNotEquals":{"aws:Absent":["cost"]}`, ``, holds},
		{`"ForAllValues:StringNotLike":{"aws:TagKeys":["c*"]}`, ``, holds},
		{`"ForAllValues:NumericLessThan":{"x:sizes":"30"}`, `x:sizes=10|20`, holds},
		{`"ForAllValues:NumericLessThan":{"x:sizes":"30"}`, `x:sizes=10|40`, fails},
		{`"ForAllValues:ArnLike":{"x:arns":"arn:aws:iam::*:user/*"}`,
			`x:arns=arn:aws:iam::1:user/a|arn:aws:iam::1:role/b`, fails},
		{`"ForAllValues:IpAddress":{"x:ips":"10.0.0.0/8"}`, `x:ips=10.0.0.1|10.9.0.1`, holds},
		{`"ForAllValues:Bool":{"x:flags":"true"}`, `x:flags=true|false`, fails},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}`, ``, holds},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":["cost","Team"]}`, ``, fails},
		{`"ForAnyValue:StringEquals":{"aws:Absent":["x"]}`, ``, fails},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":[""]}`, `aws:TagKeys=`, fails},
		{`"ForAnyValue:StringEquals":{"aws:TagKeys":[]}`, ``, fails},
		{`"ForAnyValue:StringLike":{"aws:TagKeys":["N*"]}`, ``, holds},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team"]}`, ``, holds},
		{`"ForAnyValue:StringNotEquals":{"aws:TagKeys":["team","Name"]}`, ``, fails},
		{`"ForAnyValue:StringNotEquals":{"aws:Absent":["x"]}`, ``, fails},
		{`"ForAnyValue:StringNotLike":{"aws:TagKeys":["*"]}`, ``, fails},
		{`"ForAnyValue:NumericGreaterThan":{"x:sizes":"30"}`, `x:sizes=10|40`, holds},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team","Name"]},"Null":{"aws:TagKeys":"false"}`, `aws:TagKeys!`, fails},
		{`"ForAllValues:StringEquals":{"aws:TagKeys":["team","Name"]},"ForAnyValue:StringEquals":{"aws:TagKeys":"team"}`,
			``, holds},
		// Several values under an operator without a qualifier.
		{`"StringEquals":{"aws:RequestTag/team":"red"}`, `aws:RequestTag/team=blue|red`, cautious},
		{`"StringNotEquals":{"aws:RequestTag/team":"red"}`, `aws:RequestTag/team=blue|red`, cautious},
		{`"StringEquals":{"aws:RequestTag/team":["red","blue"]}`, `aws:RequestTag/team=blue|red`, holds},
		{`"StringNotEquals":{"aws:RequestTag/team":["green"]}`, `aws:RequestTag/team=blue|red`, holds},
		// Variables.
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/team}"}`, ``, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${AWS:principaltag/TEAM}"}`, ``, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/team}"}`, `aws:RequestTag/team=blue`, fails},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/team}"}`, `aws:PrincipalTag/team!`, fails},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/team}"}`,
			`aws:PrincipalTag/team!; aws:RequestTag/team=`, fails},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/none, 'red'}"}`, ``, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/none,'red'}"}`, ``, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/none, red}"}`, ``, fails},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/team, 'blue'}"}`, ``, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/none, ''}"}`, `aws:RequestTag/team=`, holds},
		{`"StringLike":{"aws:RequestTag/team":"${aws:PrincipalTag/none, '*'}"}`, ``, fails},
		{`"StringLike":{"aws:RequestTag/team":"${aws:PrincipalTag/wild}"}`, ``, fails},
		{`"StringLike":{"aws:RequestTag/team":"${aws:PrincipalTag/wild}"}`, `aws:RequestTag/team=*`, holds},
		{`"StringLike":{"ec2:InstanceType":"${aws:PrincipalTag/question}"}`, ``, fails},
		{`"StringLike":{"aws:RequestTag/team":"${aws:username}-*"}`, `aws:RequestTag/team=ada-1`, holds},
		{`"StringLike":{"aws:RequestTag/team":"${*}"}`, ``, fails},
		{`"StringLike":{"aws:RequestTag/team":"${*}"}`, `aws:RequestTag/team=*`, holds},
		{`"StringLike":{"aws:RequestTag/team":"a${?}"}`, `aws:RequestTag/team=ab`, fails},
		{`"StringLike":{"aws:RequestTag/team":"a${?}"}`, `aws:RequestTag/team=a?`, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${$}{aws:username}"}`, `aws:RequestTag/team=${aws:username}`, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:PrincipalTag/loop}"}`,
			`aws:RequestTag/team=${aws:PrincipalTag/loop}`, holds},
		{`"StringLike":{"aws:RequestTag/team":"${aws:PrincipalTag/loop}"}`, ``, fails},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:username"}`, `aws:RequestTag/team=${aws:username`, holds},
		{`"StringEquals":{"aws:RequestTag/team":"${aws:several}"}`, `aws:RequestTag/team=a`, fails},
		{`"StringNotEquals":{"aws:RequestTag/team":"${aws:username}"}`, ``, holds},
		{`"StringNotEquals":{"aws:RequestTag/team":"${aws:username}"}`, `aws:username!`, cautious},
		{`"StringNotLike":{"aws:RequestTag/team":["green","${aws:several}"]}`, ``, cautious},
		{`"StringNotEquals":{"aws:RequestTag/team":["red","${aws:several}"]}`, ``, fails},
		{`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/dev/${aws:username}"}`, ``, holds},
		{`"ArnEquals":{"aws:PrincipalArn":"${x:arn}"}`, `x:arn=arn:aws:iam::000000000001:user/dev/ada`, holds},
		{`"ArnEquals":{"aws:PrincipalArn":"${x:arn}"}`, `x:arn=arn:aws:iam::*:user/*`, fails},
		{`"Bool":{"aws:SecureTransport":"${x:flag}"}`, `x:flag=false`, holds},
		{`"NumericEquals":{"ec2:VolumeSize":"${x:size}"}`, `x:size=20`, fails},
		{`"IpAddress":{"aws:SourceIp":"${x:range}"}`, `x:range=203.0.113.0/24`, fails},
		{`"DateEquals":{"aws:CurrentTime":"${aws:EpochTime}"}`, ``, fails},
	} {
		t.Run(strings.ReplaceAll(tt.condition+" "+tt.context, "/", "∕"), func(t *testing.T) {
			const rest = `"Action":"ec2:RunInstances","Resource":"*","Condition":{`
			allow := parsed(t, in2012(`{"Effect":"Allow",`+rest+tt.condition+`}}`), Identity)
			deny := parsed(t, in2012(`{"Effect":"Deny",`+rest+tt.condition+`}}`), Identity)
			r := Request{Action: "ec2:RunInstances", Resource: "*", Context: contextOf(tt.context)}
			if got := decided(t, []*Document{allow}, nil, r) == Allow; got != (tt.want == holds) {
				t.Errorf("it allows: %v, want that it %s", got, tt.want)
			}
			if got := decided(t, []*Document{deny}, nil, r) == ExplicitDeny; got != (tt.want != fails) {
				t.Errorf("it denies: %v, want that it %s", got, tt.want)
			}
		})
	}
}

// TestStatements is IAM's rules of what a statement applies to.
func TestStatements(t *testing.T) {
	const (
		allowAll = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		user     = "arn:aws:iam::000000000001:user/"
		instance = "arn:aws:ec2:us-east-1:000000000001:instance/i-1"
	)
	with := func(parts string) string { return `{"Effect":"Allow",` + parts + `}` }
	deny := func(parts string) string { return "[" + allowAll + `,{"Effect":"Deny",` + parts + `}]` }
	for _, tt := range []struct {
		name, document, action, resource, context string
		want                                      Decision
	}{
		{"everything", allowAll, "ec2:RunInstances", instance, "", Allow},
		{"another service", with(`"Action":"s3:*","Resource":"*"`), "ec2:RunInstances", instance, "", ImplicitDeny},
		{"an action by name", with(`"Action":"ec2:RunInstances","Resource":"*"`), "ec2:RunInstances", instance, "", Allow},
		{"an action in another case", with(`"Action":"EC2:runinstances","Resource":"*"`), "ec2:RunInstances", instance,
			"", Allow},
		{"one of several actions", with(`"Action":["ec2:StartInstances","ec2:RunInstances"],"Resource":"*"`),
			"ec2:RunInstances", instance, "", Allow},
		{"none of several actions", with(`"Action":["ec2:StartInstances","ec2:StopInstances"],"Resource":"*"`),
			"ec2:RunInstances", instance, "", ImplicitDeny},
		{"a star in an action", with(`"Action":"ec2:Run*","Resource":"*"`), "ec2:RunInstances", instance, "", Allow},
		{"a star within an action", with(`"Action":"ec2:*Instances","Resource":"*"`), "ec2:RunInstances", instance, "", Allow},
		{"a question mark in an action", with(`"Action":"ec2:RunInstance?","Resource":"*"`), "ec2:RunInstances",
			instance, "", Allow},
		{"a question mark is one character", with(`"Action":"ec2:RunInstances?","Resource":"*"`), "ec2:RunInstances",
			instance, "", ImplicitDeny},
		{"no variables in actions", with(`"Action":"ec2:*","Resource":"*"`), "iam:GetUser", user + "ada", "", ImplicitDeny},
		{"all actions but", with(`"NotAction":"ec2:Terminate*","Resource":"*"`), "ec2:RunInstances", instance, "", Allow},
		{"all actions but this", with(`"NotAction":"ec2:Run*","Resource":"*"`), "ec2:RunInstances", instance, "", ImplicitDeny},
		{"all actions but this in another case", with(`"NotAction":"ec2:runinstances","Resource":"*"`),
			"ec2:RunInstances", instance, "", ImplicitDeny},
		{"all actions but two", with(`"NotAction":["iam:*","ec2:RunInstances"],"Resource":"*"`), "ec2:RunInstances",
			instance, "", ImplicitDeny},
		{"NotAction that denies leaves its actions", deny(`"NotAction":"ec2:Run*","Resource":"*"`), "ec2:RunInstances",
			instance, "", Allow},
		{"NotAction that denies takes all others", deny(`"NotAction":"ec2:Run*","Resource":"*"`), "ec2:StopInstances",
			instance, "", ExplicitDeny},
		{"NotAction denies other services", deny(`"NotAction":"ec2:*","Resource":"*"`), "iam:GetUser", user + "ada", "",
			ExplicitDeny},
		{"a resource by name", with(`"Action":"*","Resource":"` + instance + `"`), "ec2:RunInstances", instance, "", Allow},
		{"resources are in one case", with(`"Action":"*","Resource":"arn:aws:ec2:us-east-1:000000000001:INSTANCE/*"`),
			"ec2:RunInstances", instance, "", ImplicitDeny},
		{"a kind of resource", with(`"Action":"*","Resource":"arn:aws:ec2:*:*:instance/*"`), "ec2:RunInstances",
			instance, "", Allow},
		{"another kind", with(`"Action":"*","Resource":"arn:aws:ec2:*:*:volume/*"`), "ec2:RunInstances", instance, "",
			ImplicitDeny},
		{"another region", with(`"Action":"*","Resource":"arn:aws:ec2:eu-west-1:*:instance/*"`), "ec2:RunInstances",
			instance, "", ImplicitDeny},
		{"another account", with(`"Action":"*","Resource":"arn:aws:ec2:*:000000000002:instance/*"`), "ec2:RunInstances",
			instance, "", ImplicitDeny},
		{"a star that ends a part reaches beyond it", with(`"Action":"*","Resource":"arn:aws:ec2:*"`),
			"ec2:RunInstances", instance, "", Allow},
		{"question marks in a resource", with(`"Action":"*","Resource":"arn:aws:ec2:us-east-?:*:instance/i-?"`),
			"ec2:RunInstances", instance, "", Allow},
		{"a resource named does not cover *", with(`"Action":"*","Resource":"arn:aws:ec2:*:*:instance/*"`),
			"ec2:DescribeInstances", "*", "", ImplicitDeny},
		{"* covers *", with(`"Action":"*","Resource":"*"`), "ec2:DescribeInstances", "*", "", Allow},
		{"one of several resources",
			with(`"Action":"*","Resource":["arn:aws:ec2:*:*:volume/*","arn:aws:ec2:*:*:instance/*"]`),
			"ec2:RunInstances", instance, "", Allow},
		{"all resources but", with(`"Action":"*","NotResource":"arn:aws:ec2:*:*:volume/*"`), "ec2:RunInstances",
			instance, "", Allow},
		{"all resources but this", with(`"Action":"*","NotResource":"arn:aws:ec2:*:*:instance/*"`), "ec2:RunInstances",
			instance, "", ImplicitDeny},
		{"all resources but two", with(`"Action":"*","NotResource":["arn:aws:iam::*:*","arn:aws:ec2:*:*:instance/*"]`),
			"ec2:RunInstances", instance, "", ImplicitDeny},
		{"NotResource that denies leaves its resources",
			deny(`"Action":"*","NotResource":"arn:aws:ec2:*:*:instance/*"`), "ec2:RunInstances", instance, "", Allow},
		{"NotResource that denies takes all others", deny(`"Action":"*","NotResource":"arn:aws:ec2:*:*:instance/*"`),
			"ec2:RunInstances", "arn:aws:ec2:us-east-1:000000000001:volume/*", "", ExplicitDeny},
		{"NotAction and NotResource", with(`"NotAction":"iam:*","NotResource":"arn:aws:ec2:*:*:volume/*"`),
			"ec2:RunInstances", instance, "", Allow},
		{"a variable in a resource", with(`"Action":"*","Resource":"` + user + `${aws:username}"`), "iam:GetUser",
			user + "ada", "", Allow},
		{"a variable of another", with(`"Action":"*","Resource":"` + user + `${aws:username}"`), "iam:GetUser",
			user + "bob", "", ImplicitDeny},
		{"two variables", with(`"Action":"*","Resource":"` + user + `${aws:PrincipalTag/team}/${aws:username}"`),
			"iam:GetUser", user + "red/ada", "", Allow},
		{"a variable without a value", with(`"Action":"*","Resource":"` + user + `${aws:username}"`), "iam:GetUser",
			user, "aws:username!", ImplicitDeny},
		{"a variable without a value names no empty resource", with(`"Action":"*","Resource":"arn:${aws:username}"`),
			"iam:GetUser", "", "aws:username!", ImplicitDeny},
		{"a variable's default", with(`"Action":"*","Resource":"` + user + `${aws:username, 'nobody'}"`), "iam:GetUser",
			user + "nobody", "aws:username!", Allow},
		{"a variable before its default", with(`"Action":"*","Resource":"` + user + `${aws:username, 'nobody'}"`),
			"iam:GetUser", user + "nobody", "", ImplicitDeny},
		{"a value's star is a star", with(`"Action":"*","Resource":"` + user + `${aws:PrincipalTag/wild}"`),
			"iam:GetUser", user + "bob", "", ImplicitDeny},
		{"a value's star names itself", with(`"Action":"*","Resource":"` + user + `${aws:PrincipalTag/wild}"`),
			"iam:GetUser", user + "*", "", Allow},
		{"a value that names itself ends", with(`"Action":"*","Resource":"` + user + `${aws:PrincipalTag/loop}"`),
			"iam:GetUser", user + "bob", "", ImplicitDeny},
		{"a star that is meant", with(`"Action":"*","Resource":"` + user + `${*}"`), "iam:GetUser", user + "bob", "",
			ImplicitDeny},
		{"a question mark that is meant", with(`"Action":"*","Resource":"` + user + `${?}"`), "iam:GetUser", user + "?",
			"", Allow},
		{"a dollar that is meant", with(`"Action":"*","Resource":"` + user + `${$}x"`), "iam:GetUser", user + "$x", "", Allow},
		{"a variable that leaves out", with(`"Action":"*","NotResource":"` + user + `${aws:username}"`), "iam:GetUser",
			user + "bob", "", Allow},
		{"a variable that leaves out its own", with(`"Action":"*","NotResource":"` + user + `${aws:username}"`),
			"iam:GetUser", user + "ada", "", ImplicitDeny},
		{"nobody knows what an absent variable leaves out",
			with(`"Action":"*","NotResource":"` + user + `${aws:username}"`), "iam:GetUser", user + "bob",
			"aws:username!", ImplicitDeny},
		{"nor what it spares", deny(`"Action":"*","NotResource":"` + user + `${aws:username}"`), "iam:GetUser",
			user + "bob", "aws:username!", ExplicitDeny},
		{"a denial outweighs", deny(`"Action":"ec2:RunInstances","Resource":"*"`), "ec2:RunInstances", instance, "",
			ExplicitDeny},
		{"a denial before an allowance", `[{"Effect":"Deny","Action":"ec2:Run*","Resource":"*"},` + allowAll + `]`,
			"ec2:RunInstances", instance, "", ExplicitDeny},
		{"a denial of something else", deny(`"Action":"ec2:StopInstances","Resource":"*"`), "ec2:RunInstances",
			instance, "", Allow},
		{"a denial alone", `{"Effect":"Deny","Action":"s3:*","Resource":"*"}`, "ec2:RunInstances", instance, "", ImplicitDeny},
		{"the same statement twice", "[" + allowAll + "," + allowAll + "]", "ec2:RunInstances", instance, "", Allow},
		{"from elsewhere than allowed",
			deny(`"Action":"*","Resource":"*","Condition":{"NotIpAddress":{"aws:SourceIp":"198.51.100.0/24"}}`),
			"ec2:RunInstances", instance, "", ExplicitDeny},
		{"without a second factor, by long-term keys",
			deny(`"Action":"*","Resource":"*","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}`),
			"ec2:RunInstances", instance, "", ExplicitDeny},
		{"before a day",
			deny(`"Action":"*","Resource":"*","Condition":{"DateGreaterThan":{"aws:EpochTime":"1700000000"}}`),
			"ec2:RunInstances", instance, "", ExplicitDeny},
		{"a kind of caller",
			deny(`"Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalType":"User"}}`),
			"ec2:RunInstances", instance, "", ExplicitDeny},
		{"a kind of client",
			deny(`"Action":"*","Resource":"*","Condition":{"StringLike":{"aws:UserAgent":"aws-cli/*"}}`),
			"ec2:RunInstances", instance, "", ExplicitDeny},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := parsed(t, in2012(tt.document), Identity)
			if got := decided(t, []*Document{d}, nil,
				Request{Action: tt.action, Resource: tt.resource, Context: contextOf(tt.context)}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestVersions: documents of the older language, which is also that of documents that name none, have no variables.
func TestVersions(t *testing.T) {
	const statement = `"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}"}}`
	for version, want := range map[string]struct{ value, text Decision }{
		`{"Version":"2012-10-17",`: {Allow, ImplicitDeny},
		`{"Version":"2008-10-17",`: {ImplicitDeny, Allow},
		`{`:                        {ImplicitDeny, Allow},
	} {
		d := []*Document{parsed(t, version+statement, Identity)}
		r := Request{Action: "iam:GetUser", Resource: "arn:aws:iam::1:user/ada", Context: known}
		if got := decided(t, d, nil, r); got != want.value {
			t.Errorf("%s: the value: %v, want %v", version, got, want.value)
		}
		r.Resource = "arn:aws:iam::1:user/${aws:username}"
		if got := decided(t, d, nil, r); got != want.text {
			t.Errorf("%s: the text: %v, want %v", version, got, want.text)
		}
	}
}

// TestSessions: a session has what its role's policies and its own both allow.
func TestSessions(t *testing.T) {
	const all, run, describe = `{"Effect":"Allow","Action":"*","Resource":"*"}`,
		`{"Effect":"Allow","Action":"ec2:Run*","Resource":"*"}`, `{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}`
	const denyRun = `[` + all + `,{"Effect":"Deny","Action":"ec2:Run*","Resource":"*"}]`
	const small = `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"ec2:InstanceType":"t3.micro"}}}`
	for _, tt := range []struct {
		name, own, session string
		want               Decision
	}{
		{"both allow", all, all, Allow},
		{"the session leaves it", all, run, Allow},
		{"the session leaves something else", all, describe, ImplicitDeny},
		{"the session gives nothing", describe, all, ImplicitDeny},
		{"neither", describe, describe, ImplicitDeny},
		{"the session denies", all, denyRun, ExplicitDeny},
		{"the role denies", denyRun, all, ExplicitDeny},
		{"both deny", denyRun, denyRun, ExplicitDeny},
		{"the role denies what the session leaves out", denyRun, describe, ExplicitDeny},
		{"the session's condition holds", all, small, Allow},
		{"both conditions hold", small, small, Allow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			own, session := parsed(t, in2012(tt.own), Identity), parsed(t, in2012(tt.session), Identity)
			if got := decided(t, []*Document{own}, []*Document{session},
				Request{Action: "ec2:RunInstances", Resource: "*", Context: known}); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestPrincipals is whom a trust policy means.
func TestPrincipals(t *testing.T) {
	const account = "arn:aws:iam::000000000001:"
	callers := map[string][]string{
		"user": {account + "user/a"}, "root": {account + "root"},
		"session":  {"arn:aws:sts::000000000001:assumed-role/r/s", account + "role/r"},
		"stranger": {"arn:aws:iam::000000000002:user/a"}, "service": {"ec2.amazonaws.com"},
	}
	for _, tt := range []struct{ trust, all, direct string }{
		{`"Principal":"*"`, "root service session stranger user", "root service session stranger user"},
		{`"Principal":{"AWS":"*"}`, "root service session stranger user", "root service session stranger user"},
		{`"Principal":{"AWS":"` + account + `root"}`, "root session user", "root"},
		{`"Principal":{"AWS":"000000000001"}`, "root session user", "root"},
		{`"Principal":{"AWS":"` + account + `user/a"}`, "user", "user"},
		{`"Principal":{"AWS":"` + account + `user/A"}`, "", ""},
		{`"Principal":{"AWS":["` + account + `user/b","` + account + `user/a"]}`, "user", "user"},
		{`"Principal":{"AWS":"` + account + `role/r"}`, "session", "session"},
		{`"Principal":{"AWS":"` + account + `role/s"}`, "", ""},
		{`"Principal":{"AWS":"arn:aws:sts::000000000001:assumed-role/r/s"}`, "session", "session"},
		{`"Principal":{"AWS":"arn:aws:iam::000000000002:root"}`, "stranger", ""},
		{`"Principal":{"Service":"ec2.amazonaws.com"}`, "service", "service"},
		{`"Principal":{"Service":["ec2.amazonaws.com","ssm.amazonaws.com"],"AWS":"` + account + `user/a"}`,
			"service user", "service user"},
	} {
		d := []*Document{parsed(t, `{"Statement":{"Effect":"Allow",`+tt.trust+`,"Action":"sts:AssumeRole"}}`, Trust)}
		for _, direct := range []bool{false, true} {
			var may []string
			for _, name := range []string{"root", "service", "session", "stranger", "user"} {
				if decided(t, d, nil, Request{Action: "sts:AssumeRole", Principals: callers[name], Direct: direct}) == Allow {
					may = append(may, name)
				}
			}
			want := tt.all
			if direct {
				want = tt.direct
			}
			if got := strings.Join(may, " "); got != want {
				t.Errorf("%s, directly %v: %q may, want %q", tt.trust, direct, got, want)
			}
		}
	}
	for who, want := range map[string]Decision{
		"user": Allow, "session": ExplicitDeny, "root": ExplicitDeny, "stranger": ExplicitDeny,
	} {
		d := []*Document{
			parsed(t,
				`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"},{"Effect":"Deny","NotPrincipal":{"AWS":"`+
					account+`user/a"},"Action":"sts:*"}]}`, Trust),
		}
		if got := decided(t, d, nil, Request{Action: "sts:AssumeRole", Principals: callers[who]}); got != want {
			t.Errorf("NotPrincipal: %s gets %v, want %v", who, got, want)
		}
	}
}
