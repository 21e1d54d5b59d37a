package casebook

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// InvestigationName derives the name of an Investigation from the key of what caused it: the event id of a mention, or
// team, channel, user and trigger id of a slash command joined by |. The same cause always gives the same name, so that
// a redelivery meets ErrExists.
func InvestigationName(key string) string { return "inv-" + digest(key) }

// RemediationName derives the name of a Remediation from its Investigation's name and the hash of its plan.
func RemediationName(investigation, planHash string) string {
	return "rem-" + digest(investigation+"|"+planHash)
}

// digest keeps 130 bits of a SHA-256, spelled so that it fits the name of a Kubernetes object.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:26])
}
