package alb

import (
	"regexp"
	"strings"
)

// kind is a usual complaint of the controller and how it is worded.
type kind struct {
	reason string
	text   *regexp.Regexp
}

// kinds tells the controller's complaints about an ingress or binding apart by what they say.
var kinds = []kind{
	{"subnets", regexp.MustCompile(`(?i)subnet|free IP addresses`)},
	{"certificate", regexp.MustCompile(`(?i)certificate`)},
	{"port", regexp.MustCompile(`unable to find port`)},
	{"service-type", regexp.MustCompile(`service type must be either`)},
	{"service-missing", regexp.MustCompile(`(?i)services? "[^"]+" not found`)},
	{"quota", regexp.MustCompile(`TooMany[A-Za-z]+|LimitExceeded`)},
	{"throttled", regexp.MustCompile(`Throttling|Rate exceeded`)},
}

// complaint is what a message of the controller is about; other where it is none of the usual things.
func complaint(msg string) string {
	for _, k := range kinds {
		if k.text.MatchString(msg) {
			return k.reason
		}
	}
	return "other"
}

// trimmed is a message of the controller without its standard opening, in one line of sensible length.
func trimmed(msg string) string {
	for _, p := range []string{"Failed build model due to ", "Failed deploy model due to ", "Failed reconcile due to "} {
		msg = strings.TrimPrefix(msg, p)
	}
	msg = strings.Join(strings.Fields(msg), " ")
	if r := []rune(msg); len(r) > 240 {
		msg = string(r[:240]) + "…"
	}
	return msg
}
