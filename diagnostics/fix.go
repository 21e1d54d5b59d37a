package diagnostics

import "github.com/netdiag/netdiag/internal/remedy"

// Fix is a change that would really help where the trouble is, with the numbers that prove it.
type Fix struct {
	ID    string `json:"id"`
	Title string `json:"title"` // a verb phrase
	// Frees and Needs count addresses (or targets): what the fix gains where the trouble is, and what is missing there.
	Frees int `json:"frees,omitempty"`
	Needs int `json:"needs,omitempty"`
	// Proof says in one sentence with numbers why it helps; where that differs by place, in a line for each.
	Proof     string   `json:"proof,omitempty"`
	Changes   []string `json:"changes"`
	Owner     string   `json:"owner"` // eks-addon, helm, argocd, flux, terraform, cloudformation, load-balancer-controller, none …
	Blast     string   `json:"blast,omitempty"`
	Risk      string   `json:"risk"` // low, medium or high for executable fixes, as the catalogue says
	Undo      string   `json:"undo"`
	SettlesIn string   `json:"settlesIn"` // a Go duration, such as 2m
	Commands  []string `json:"commands"`
	// Executable: the catalogue marks the fix so, and the snapshot proves its preconditions.
	Executable bool `json:"executable"`
	// Action is what the executor does; nil where it can't be carried out by the bot.
	Action *remedy.Action `json:"action,omitempty"`
	// Resolves lists the findings (Finding.Key) that must be gone for the fix to have worked.
	Resolves []string `json:"resolves,omitempty"`
}

// Refused is a tempting fix that would not help, with the number that refuses it.
type Refused struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}
