package remedy

import "context"

// Mark ties a change to what caused it; Hands writes it where the changed thing can carry it (rule tags, request tokens).
type Mark struct {
	Remediation string `json:"remediation"`
	Cluster     string `json:"cluster"` // name of the EKS cluster
	Requester   string `json:"requester"`
	Approver    string `json:"approver"` // user ids, comma separated; empty while a change is only tried
}

// Receipt is what a change left behind: what undoes it, and the id of what was made.
type Receipt struct {
	ID   string  `json:"id,omitempty"`   // rule id, update id
	Undo *Action `json:"undo,omitempty"` // nil where there is nothing to undo
	// Did says for people what was done of an action of several parts, one sentence each: "pod shop/web-1 deleted".
	Did []string `json:"did,omitempty"`
	// Owned is false where the change was found already made by somebody else: then nothing is undone.
	Owned bool `json:"owned"`
}

// Hands carries out actions. It is the whole list of what netdiag can write to the world.
type Hands interface {
	// DryRun tries the action without effect, where the service can (EC2 DryRun, server-side dry run, the schema of the add-on).
	DryRun(ctx context.Context, a Action, m Mark) error
	// Look reports whether the action is already in effect, with the receipt that Apply would have given. Not done, with
	// something in Receipt.Did, means that a part of it is in effect.
	Look(ctx context.Context, a Action, m Mark) (done bool, r Receipt, err error)
	// Apply makes the change. An error may mean that the answer was lost: Look decides.
	Apply(ctx context.Context, a Action, m Mark) (Receipt, error)
}

// Follower is Hands that hear only later how a change ended which was no more than accepted when Apply returned.
type Follower interface {
	// Follow says, by the receipt of the change, what has become of it since it was accepted.
	Follow(ctx context.Context, a Action, m Mark, r Receipt) (Fate, error)
}

// Fate is what has become of a change that was accepted; the zero value is that of one that is over or never waits.
type Fate struct {
	// Open is true while whatever carries the change out is still at it: until then it can't be undone or changed again.
	Open bool
	// Failed says how it has failed and how it has left what it is about: sentences for people, empty while neither is known.
	Failed string
}
