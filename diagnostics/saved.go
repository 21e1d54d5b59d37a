package diagnostics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// SavedVersion is the version of the file format of Saved that this program writes and reads.
const SavedVersion = 1

// savedKind tells the file from other JSON of the same apiVersion: a report is none.
const savedKind = "Snapshot"

// Saved is a finished run as a file: all that a replay needs to say the same again, without any cluster.
type Saved struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Version    int    `json:"version"` // of this format
	Netdiag    string `json:"netdiag"` // version of the program that wrote it
	Diagnosis  string `json:"diagnosis"`
	Target     Target `json:"target"`
	// At is the clock that ages are counted from, TookSeconds how long the run took; both as in the report.
	At          time.Time       `json:"at"`
	TookSeconds float64         `json:"tookSeconds"`
	Snapshot    json.RawMessage `json:"snapshot"`
}

// Save makes a file of the run; netdiag is the version of the program.
func (o Outcome) Save(netdiag string) ([]byte, error) {
	r := o.Report
	b, err := json.MarshalIndent(Saved{
		APIVersion: APIVersion, Kind: savedKind, Version: SavedVersion, Netdiag: netdiag,
		Diagnosis: r.Diagnosis, Target: r.Target, At: r.At, TookSeconds: r.TookSeconds, Snapshot: o.Snapshot,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the snapshot of %s: %w", r.Diagnosis, err)
	}
	return append(b, '\n'), nil
}

// ReadSaved reads a file that Save made. Its error is a Refusal that says what the file is instead.
func ReadSaved(text []byte) (Saved, error) {
	var s Saved
	err := json.Unmarshal(text, &s)
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return s, Refusal(fmt.Sprintf("line %d is no JSON: %v; is the file whole?", 1+bytes.Count(text[:min(int(syntax.Offset), len(text))], []byte("\n")), err))
	case err != nil:
		return s, Refusal(fmt.Sprintf("it is no snapshot of netdiag: %v", err))
	case s.APIVersion == APIVersion && s.Kind == "" && s.Diagnosis != "":
		return s, Refusal("it is a report, which can't be judged again; a snapshot is written by bot diagnose --snapshot FILE")
	case s.APIVersion != APIVersion || s.Kind != savedKind:
		return s, Refusal("it is no snapshot of netdiag; one is written by bot diagnose --snapshot FILE")
	case s.Version != SavedVersion:
		return s, Refusal(fmt.Sprintf("it is a snapshot of version %d, written by netdiag %s; this netdiag reads version %d", s.Version, s.Netdiag, SavedVersion))
	case s.Diagnosis == "" || s.At.IsZero() || len(s.Snapshot) < len(`{"a":0}`):
		return s, Refusal("it is an incomplete snapshot: diagnosis, at and snapshot must be there")
	}
	return s, nil
}

// ReplaySaved judges a saved run again.
func (d Diagnosis) ReplaySaved(s Saved) (Outcome, error) {
	out, err := d.Replay(s.Snapshot, s.Target, s.At)
	out.Report.TookSeconds = s.TookSeconds
	return out, err
}
