package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// built builds the real program once.
var built = sync.OnceValues(func() (string, error) {
	file := filepath.Join(the.folder, "bot")
	if out, err := exec.Command("go", "build", "-o", file, "../cmd/bot").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the bot: %w\n%s", err, out)
	}
	return file, nil
})

// program is one pod of a Deployment of the chart, run beside the cluster: the same arguments, settings and service account.
type program struct {
	*process
	c       *cluster
	name    string // of the pod
	command []string
	env     []string
}

// pod runs the program of a Deployment until the test ends.
func (c *cluster) pod(deployment, name string) *program {
	c.t.Helper()
	file, err := built()
	if err != nil {
		c.t.Fatal(err)
	}
	args, env, settings := c.environment(deployment, name)
	p := &program{c: c, name: name, command: append([]string{file}, args...), env: env}
	for i := range p.command {
		p.command[i] = strings.Replace(p.command[i], "/etc/netdiag/netdiag.yaml", settings, 1)
	}
	if deployment != "netdiag" {
		p.command = append(p.command, "--poll=1s", "--health=none") // its pods here share one host
	}
	if err := p.start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		p.kill()
		if c.t.Failed() {
			c.t.Logf("%s:\n%s", name, p.tail())
		}
	})
	return p
}

// environment is the arguments and the environment of a pod of a Deployment, and the file that its settings are in here; empty
// where it has none.
func (c *cluster) environment(deployment, name string) (args, env []string, settings string) {
	c.t.Helper()
	client, err := kubernetes.NewForConfig(c.admin)
	if err != nil {
		c.t.Fatal(err)
	}
	d, err := client.AppsV1().Deployments("netdiag").Get(c.t.Context(), deployment, metav1.GetOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	kubeconfig := filepath.Join(c.folder, name+".kubeconfig")
	if err := writeKubeconfig(kubeconfig, c.as(c.t, d.Spec.Template.Spec.ServiceAccountName)); err != nil {
		c.t.Fatal(err)
	}
	env = append(os.Environ(), "POD_NAME="+name, "KUBECONFIG="+kubeconfig, "AWS_ENDPOINT_URL="+c.awsURL, "AWS_REGION="+c.world.Meta.Region,
		"AWS_ACCESS_KEY_ID=AKIA"+strings.ToUpper(strings.ReplaceAll(name, "-", "")), "AWS_SECRET_ACCESS_KEY=simulated",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	container := d.Spec.Template.Spec.Containers[0]
	for _, v := range container.Env {
		if v.ValueFrom == nil || v.ValueFrom.SecretKeyRef == nil {
			continue
		}
		s, err := client.CoreV1().Secrets("netdiag").Get(c.t.Context(), v.ValueFrom.SecretKeyRef.Name, metav1.GetOptions{})
		if err != nil {
			c.t.Fatal(err)
		}
		env = append(env, v.Name+"="+string(s.Data[v.ValueFrom.SecretKeyRef.Key]))
	}
	for _, v := range d.Spec.Template.Spec.Volumes {
		settings = c.settings(client, v.ConfigMap.Name)
	}
	return container.Args, env, settings
}

// settings writes the settings of a ConfigMap of the chart to a file.
func (c *cluster) settings(client kubernetes.Interface, name string) string {
	c.t.Helper()
	file := filepath.Join(c.folder, name+".yaml")
	m, err := client.CoreV1().ConfigMaps("netdiag").Get(c.t.Context(), name, metav1.GetOptions{})
	if err == nil {
		err = os.WriteFile(file, []byte(m.Data["netdiag.yaml"]), 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return file
}

// start starts the program, anew where it was killed.
func (p *program) start() error {
	cmd := exec.Command(p.command[0], p.command[1:]...)
	cmd.Env = p.env
	q, err := begin(cmd, filepath.Join(p.c.folder, p.name+".log"))
	if err == nil {
		p.process = q
	}
	return err
}

// kill ends the program by SIGKILL. One that has ended by itself has a fault.
func (p *program) kill() {
	select {
	case <-p.ended:
		p.c.t.Errorf("%s has ended by itself", p.name)
	default:
	}
	p.stop()
}
