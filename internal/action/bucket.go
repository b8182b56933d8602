package action

// Bucket holds the calls that an account may make at once in a region, each action by itself, and how fast it fills again.
type Bucket struct {
	Size   int     // calls
	Refill float64 // calls per second
}

// EC2's buckets.
var (
	NonMutating = Bucket{100, 20} // Describe, Get, List
	Unpaged     = Bucket{50, 10}  // the seven large lists without a filter and without MaxResults
	References  = Bucket{20, 5}   // which groups refer to which
	Mutating    = Bucket{50, 5}   // what changes something, if nothing else is said
	Frequent    = Bucket{100, 5}  // what clients call often
	Tagged      = Bucket{100, 10} // CreateTags, DeleteTags
	Copies      = Bucket{100, 1}  // CopyImage
	Launches    = Bucket{5, 2}    // RunInstances and StartInstances, in calls
	Defaults    = Bucket{1, 1}    // CreateDefaultVpc, CreateDefaultSubnet
	Settings    = Bucket{2, 2}    // ModifyInstanceMetadataDefaults

	// In instances, not in calls.
	Launched = Bucket{1000, 2}
	Ended    = Bucket{1000, 20}
)

// Services are the buckets of the services beside EC2, each for all of its actions together. AWS says a figure for STS and one
// for SSM's parameters; IAM's is its silence, and ours is what no client that behaves comes near to.
var Services = map[string]Bucket{
	"sts": {600, 600},
	"ssm": {40, 40},
	"iam": {100, 20},
}

// Calls says whether the bucket holds calls, and not instances.
func (b Bucket) Calls() bool { return b != Launched && b != Ended }

// Pages is what a large list draws from besides: nothing when it is filtered or comes in pages.
func Pages(filters, most bool) (Bucket, int) {
	if filters || most {
		return Unpaged, 0
	}
	return Unpaged, 1
}
