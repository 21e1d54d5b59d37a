package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/netdiag/netdiag/internal/sim/slack"
)

// TestDocumented goes from a control plane without netdiag to an answered question, and on to fixes, by the commands of
// docs/install.md and docs/upgrade.md alone. What differs is where Slack is, that the ids and tokens are those of the
// simulated workspace, and that the programs run beside the cluster.
func TestDocumented(t *testing.T) {
	need(t)
	log, flags := audited(t)
	c := raise(t, "../testdata/worlds/seeds/seed-alb-502", flags...)
	d := &documented{cluster: c}
	did := map[string]bool{}
	for _, command := range d.commands("../docs/install.md") {
		said := d.carryOut(command)
		did[strings.Join(command[:min(len(command), 2)], " ")] = true
		if slices.Contains(command, "--check") && !strings.HasSuffix(said, "All is well.\n") {
			t.Fatalf("%s:\n%s", strings.Join(command, " "), said)
		}
	}
	for _, want := range []string{"kubectl create", "kubectl label", "kubectl exec", "helm install", "helm upgrade"} {
		if !did[want] {
			t.Errorf("docs/install.md has no %s", want)
		}
	}
	c.pod("netdiag", "serve-1")
	a := c.ask()
	a.until("the answer", func(*slack.State) bool { return a.reported() != "" })
	if cause := a.reported(); !slices.Contains(c.world.Meta.Want.Causes, cause) {
		t.Errorf("answered: %s", cause)
	}
	for _, command := range d.commands("../docs/upgrade.md") {
		d.carryOut(command)
	}
	d.restricted()
	log.check(t)
}

// reported is the root cause of the question once it is answered.
func (a *tale) reported() string {
	l, err := a.store.Investigations.List(a.t.Context())
	if err != nil || len(l) != 1 || l[0].Status.Report == nil || len(l[0].Status.Report.Causes) == 0 {
		return ""
	}
	return l[0].Status.Report.Causes[0].ID
}

// documented carries out documented commands as kubectl and helm would.
type documented struct {
	*cluster
	sets []string // that helm remembers
}

var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// commands are those of a page, split into words, with the ids and tokens of the simulated workspace.
func (d *documented) commands(page string) (out [][]string) {
	d.t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		d.t.Fatal(err)
	}
	ours := strings.NewReplacer("\\\n", " ", "xapp-…", app, "xoxb-…", botToken, "T0123ABCD", team, "U0123ABCD", asker, "U0456EFGH", approver)
	for _, block := range shell.FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(ours.Replace(block[1])) {
			out = append(out, strings.Fields(strings.ReplaceAll(line, "'", ""))) // no word of theirs has a space in it
		}
	}
	if len(out) == 0 {
		d.t.Fatalf("%s has no commands", page)
	}
	return out
}

// carryOut does what a command does, and gives what it says.
func (d *documented) carryOut(words []string) string {
	d.t.Helper()
	ctx := d.t.Context()
	client, err := kubernetes.NewForConfig(d.admin)
	if err != nil {
		d.t.Fatal(err)
	}
	var said string
	switch line := strings.Join(words, " "); {
	case strings.HasPrefix(line, "kubectl create namespace "):
		_, err = client.CoreV1().Namespaces().Create(ctx, &core.Namespace{ObjectMeta: metav1.ObjectMeta{Name: words[3]}}, metav1.CreateOptions{})
	case strings.HasPrefix(line, "kubectl label namespace "):
		key, value, _ := strings.Cut(words[4], "=")
		patch := fmt.Sprintf(`{"metadata":{"labels":{%q:%q}}}`, key, value)
		_, err = client.CoreV1().Namespaces().Patch(ctx, words[3], types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	case strings.HasPrefix(line, "kubectl create secret generic "):
		s := &core.Secret{ObjectMeta: metav1.ObjectMeta{Name: words[4]}, StringData: map[string]string{}}
		for _, w := range words {
			if literal, ok := strings.CutPrefix(w, "--from-literal="); ok {
				key, value, _ := strings.Cut(literal, "=")
				s.StringData[key] = value
			}
		}
		_, err = client.CoreV1().Secrets(flag(words, "-n")).Create(ctx, s, metav1.CreateOptions{})
	case strings.HasPrefix(line, "helm install netdiag "), strings.HasPrefix(line, "helm upgrade netdiag "):
		if words[1] == "install" {
			d.sets = []string{"settings.slack.apiURL=" + d.slackURL + "/api/", "settings.health=none"}
		}
		for i, w := range words {
			if w == "--set" {
				d.sets = append(d.sets, words[i+1])
			}
		}
		err = d.apply(ctx, "{}", d.sets...)
	case strings.HasPrefix(line, "kubectl apply --server-side --force-conflicts -f deploy/helm/netdiag/crds"):
		err = d.apply(ctx, "{}", d.sets...) // which applies them first, server-side
	case strings.HasPrefix(line, "kubectl exec "):
		said, err = d.exec(ctx, strings.TrimPrefix(words[4], "deploy/"), words[slices.Index(words, "--")+1:])
	default:
		d.t.Fatalf("a documented command that this test can't carry out: %s", line)
	}
	if err != nil {
		d.t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, said)
	}
	return said
}

func flag(words []string, name string) string { return words[slices.Index(words, name)+1] }

// exec runs the program as a pod of a Deployment has it, with its account, its settings and the tokens of its Secret.
func (d *documented) exec(ctx context.Context, deployment string, command []string) (string, error) {
	_, env, settings := d.environment(deployment, deployment+"-exec")
	file, err := built()
	if err != nil {
		return "", err
	}
	args := slices.Clone(command[1:])
	for i := range args {
		args[i] = strings.Replace(args[i], "/etc/netdiag/netdiag.yaml", settings, 1)
	}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}

// restricted makes a pod of each Deployment in the namespace, which enforces the standard, and takes it back.
func (d *documented) restricted() {
	d.t.Helper()
	client, err := kubernetes.NewForConfig(d.admin)
	if err != nil {
		d.t.Fatal(err)
	}
	l, err := client.AppsV1().Deployments("netdiag").List(d.t.Context(), metav1.ListOptions{})
	if err != nil || len(l.Items) != 2 {
		d.t.Fatalf("%d deployments, %v", len(l.Items), err)
	}
	for _, dep := range l.Items {
		pod := &core.Pod{ObjectMeta: metav1.ObjectMeta{Name: dep.Name, Labels: dep.Spec.Template.Labels}, Spec: dep.Spec.Template.Spec}
		if _, err := client.CoreV1().Pods("netdiag").Create(d.t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}); err != nil {
			d.t.Error(err)
		}
		pod.Spec.SecurityContext = nil
		if _, err := client.CoreV1().Pods("netdiag").Create(d.t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}); err == nil || !strings.Contains(err.Error(), "violates PodSecurity") {
			d.t.Errorf("nothing enforces the standard: %v", err)
		}
	}
}
