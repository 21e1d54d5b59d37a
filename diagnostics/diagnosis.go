// Package diagnostics is the vocabulary of netdiag: a Diagnosis collects a Snapshot and judges it; the judgement is a
// Result of findings, passed checks and gaps; Run turns it into a Report. Below it lies one folder per diagnosis,
// and awsnode, which is what several of them know of the VPC CNI.
//
// Nothing in here or below touches the network, the file system or a clock: what a diagnosis reads comes through Inputs.
package diagnostics

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Diagnosis is a question that netdiag can answer. Make one with Define.
type Diagnosis struct {
	// Name is what people type after /netdiag, and the folder below diagnostics.
	Name string
	// Doc explains the diagnosis in Markdown; its first line is the title.
	Doc string
	// Usage is the argument part of the command line, such as "<namespace>".
	Usage string
	// Reads lists the permissions that the diagnosis uses, spelled as gaps spell them ("ec2:DescribeSubnets", "list pods").
	Reads []string
	// Causes lists the ids of the catalogue that it can report, without its name and slash.
	Causes []string
	// Outlook marks one that says what will cause trouble, and doesn't look whether there is any.
	Outlook bool

	collect func(context.Context, Inputs, Target) (any, error)
	analyze func(any) Result
	decode  func([]byte) (any, error)
}

// Spec describes a diagnosis with a snapshot of type S, which must survive JSON.
type Spec[S any] struct {
	Name, Doc, Usage string
	Reads, Causes    []string
	Outlook          bool
	// Collect reads what Analyze needs. Reads that could not be made belong into the snapshot (Unread), not into the
	// error; an error is a *Refusal (unknown namespace, say) or means that nothing at all could be read.
	Collect func(context.Context, Inputs, Target) (S, error)
	// Analyze judges a snapshot. It is pure: the same snapshot always gives the same result.
	Analyze func(S) Result
}

// Define makes a Diagnosis of its Spec. It panics on a Spec without name, documentation, Collect or Analyze.
func Define[S any](s Spec[S]) Diagnosis {
	if s.Name == "" || s.Doc == "" || s.Collect == nil || s.Analyze == nil {
		panic(fmt.Sprintf("diagnostics.Define(%q): name, doc, Collect and Analyze are required", s.Name))
	}
	return Diagnosis{
		Name: s.Name, Doc: s.Doc, Usage: s.Usage, Reads: s.Reads, Causes: s.Causes, Outlook: s.Outlook,
		collect: func(ctx context.Context, in Inputs, t Target) (any, error) { return s.Collect(ctx, in, t) },
		analyze: func(v any) Result { return s.Analyze(v.(S)) },
		decode: func(b []byte) (any, error) {
			var v S
			err := json.Unmarshal(b, &v)
			return v, err
		},
	}
}

// Target is what a question is about.
type Target struct {
	Cluster   string `json:"cluster"` // EKS cluster name
	Region    string `json:"region"`
	Account   string `json:"account,omitempty"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"` // of the ingress, target group binding or pod; empty where the namespace is the subject
}

// Result is what Analyze found.
type Result struct {
	// Namespace is where the subject was found, for a question that left it open; empty otherwise.
	Namespace string
	// Findings in any order; Run sorts them, and splits root causes from symptoms by Because.
	Findings []Finding
	// Passed lists what was looked at and is in order.
	Passed []Passed
	// Gaps lists the reads that were not possible and the causes that stay open for want of them.
	Gaps []Gap
	// Fixes in the order in which to take them.
	Fixes   []Fix
	Refused []Refused
	// Timeline is sorted by Run.
	Timeline []Moment
	Steps    []Step
	Tables   []Table

	Severity   Severity
	Layer      Layer
	Summary    string // one sentence, without full stop
	Impact     string
	Resolution string // for the summary line: what resolves it now
	Prevention []string
	// Contradictions says what in the evidence doesn't fit together.
	Contradictions []string
}

// Severity is P1 (outage), P2 (high), P3 (degraded or latent) or P4 (advice); empty where there is no trouble.
type Severity string

// Layer is where the trouble sits: L3 IP, L4, L7, control plane or workload.
type Layer string

// The layers.
const (
	L3           Layer = "L3 IP"
	L4           Layer = "L4"
	L7           Layer = "L7"
	ControlPlane Layer = "control plane"
	Workload     Layer = "workload"
)

// Outcome is a finished run: the Report for people, and the snapshot that it was made of.
type Outcome struct {
	Report   Report
	Snapshot json.RawMessage
	// Read and Judged are how long reading and judging took; 0 of a replay.
	Read, Judged time.Duration
}

// Run collects and analyzes. now is the clock of the report, took measures the run and may be nil.
func (d Diagnosis) Run(ctx context.Context, in Inputs, t Target) (Outcome, error) {
	start := in.clock()
	s, err := d.collect(ctx, in, t)
	if err != nil {
		return Outcome{}, err
	}
	read := in.clock()
	raw, err := json.Marshal(s)
	if err != nil {
		return Outcome{}, fmt.Errorf("encode snapshot of %s: %w", d.Name, err)
	}
	// What is judged is what is stored: the snapshot goes through JSON first, so that a replay says the same.
	out, err := d.Replay(raw, t, in.Now)
	judged := in.clock()
	out.Read, out.Judged = read.Sub(start), judged.Sub(read)
	out.Report.TookSeconds = judged.Sub(start).Seconds()
	return out, err
}

// Replay analyzes a stored snapshot again, without any cluster.
func (d Diagnosis) Replay(snapshot []byte, t Target, at time.Time) (Outcome, error) {
	s, err := d.decode(snapshot)
	if err != nil {
		return Outcome{}, fmt.Errorf("decode snapshot of %s: %w", d.Name, err)
	}
	return Outcome{Report: assemble(d, d.analyze(s), t, at), Snapshot: snapshot}, nil
}
