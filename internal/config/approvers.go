package config

import (
	"errors"
	"os"

	"github.com/netdiag/netdiag/internal/policy"
)

// Executor is the settings of bot execute. They are its own: what bot serve reads, whoever holds bot serve could change.
type Executor struct {
	// Approvers says whose approvals count, by user id; empty: nobody's.
	Approvers policy.Approvers `yaml:"approvers"`
	Operation `yaml:",inline"`
}

// DefaultExecutor is what counts without a file; but then the approvers are whom bot serve let approve.
func DefaultExecutor() Executor { return Executor{Operation: DefaultOperation()} }

// ReadExecutor reads a file of settings of bot execute. Its error is an *Error where the content is wrong.
func ReadExecutor(file string) (Executor, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Executor{}, err
	}
	c := DefaultExecutor()
	s, err := parse(file, text, &c)
	if err != nil {
		return Executor{}, err
	}
	var wrong *policy.Invalid
	if err := c.Approvers.Validate(); errors.As(err, &wrong) {
		return Executor{}, s.at(wrong.Path, "%s", wrong.Reason)
	}
	if setting, err := c.Check(); err != nil {
		return Executor{}, s.at(setting, "%v", err)
	}
	return c, nil
}
