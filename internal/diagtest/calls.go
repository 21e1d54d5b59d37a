package diagtest

import "strings"

// Calls counts what a served world was asked. A further page of an answer is no call of its own.
type Calls struct {
	Kubernetes, KubernetesPages int
	AWS, AWSPages               int
}

// Calls counts the calls so far.
func (s *Served) Calls() Calls {
	var c Calls
	for _, r := range s.Kube.Requests() {
		if strings.Contains(r.Query, "continue=") {
			c.KubernetesPages++
		} else {
			c.Kubernetes++
		}
	}
	for _, r := range s.AWS.Requests() {
		if r.Further {
			c.AWSPages++
		} else {
			c.AWS++
		}
	}
	return c
}
