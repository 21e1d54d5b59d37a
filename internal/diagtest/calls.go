package diagtest

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/netdiag/netdiag/internal/sim/access"
	simkube "github.com/netdiag/netdiag/internal/sim/kube"
)

// Calls counts what a served world was asked. A further page of an answer is no call of its own.
type Calls struct {
	Kubernetes, KubernetesPages int
	AWS, AWSPages               int
}

// Since is what came after earlier.
func (c Calls) Since(earlier Calls) Calls {
	return Calls{c.Kubernetes - earlier.Kubernetes, c.KubernetesPages - earlier.KubernetesPages, c.AWS - earlier.AWS, c.AWSPages - earlier.AWSPages}
}

// Environment is the environment in which a program finds the served world and nothing else; its files go into dir.
func (s *Served) Environment(dir string) ([]string, error) {
	config := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(config, simkube.Kubeconfig(s.KubeURL, "netdiag"), 0o600); err != nil {
		return nil, err
	}
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "KUBECONFIG=" + config,
		"AWS_ENDPOINT_URL=" + s.AWSURL, "AWS_REGION=" + s.World.Meta.Region, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ACCESS_KEY_ID=" + access.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + access.SecretAccessKey,
	}, nil
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
