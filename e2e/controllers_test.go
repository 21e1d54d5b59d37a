package e2e

import (
	"context"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// controllers starts what makes a cluster of an API server: kube-controller-manager, kube-scheduler, and kwok for the nodes.
func (p *plane) controllers(ctx context.Context) error {
	file := filepath.Join(p.folder, "admin.kubeconfig")
	if err := writeKubeconfig(file, p.admin); err != nil {
		return err
	}
	stages, err := filepath.Abs("testdata/kwok.yaml")
	if err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	for _, program := range [][]string{
		{"kube-controller-manager", "--kubeconfig=" + file, "--leader-elect=false", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[0]),
			"--cert-dir=" + filepath.Join(p.folder, "controllers"), "--service-account-private-key-file=" + p.key},
		{"kube-scheduler", "--kubeconfig=" + file, "--leader-elect=false", "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[1]),
			"--cert-dir=" + filepath.Join(p.folder, "scheduler")},
		{"kwok", "--kubeconfig=" + file, "--config=" + stages, "--manage-all-nodes=true", "--node-lease-duration-seconds=40"},
	} {
		if _, err := p.run(ctx, program[0], program[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// writeKubeconfig writes who one is and where the API server is, as a file for programs.
func writeKubeconfig(file string, cfg *rest.Config) error {
	c := api.NewConfig()
	c.Clusters["e2e"] = &api.Cluster{Server: cfg.Host, CertificateAuthority: cfg.CAFile}
	c.AuthInfos["e2e"] = &api.AuthInfo{Token: cfg.BearerToken}
	c.Contexts["e2e"] = &api.Context{Cluster: "e2e", AuthInfo: "e2e"}
	c.CurrentContext = "e2e"
	return clientcmd.WriteToFile(*c, file)
}
