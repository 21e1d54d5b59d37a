package pending

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/netdiag/netdiag/diagnostics"
	"github.com/netdiag/netdiag/diagnostics/awsnode"
)

// Whoever declares the settings of aws-node is found by the marks that its tool leaves, and gets the change in the tool's words.
func TestOwnerOfTheSettings(t *testing.T) {
	label := func(key, value string) func(*Snapshot) {
		return func(s *Snapshot) { s.Addon, s.Driver.Labels = nil, map[string]string{key: value} }
	}
	annotation := func(pairs ...string) func(*Snapshot) {
		return func(s *Snapshot) {
			s.Addon, s.Driver.Annotations = nil, map[string]string{}
			for n := 0; n < len(pairs); n += 2 {
				s.Driver.Annotations[pairs[n]] = pairs[n+1]
			}
		}
	}
	managers := func(names ...string) func(*Snapshot) {
		return func(s *Snapshot) {
			s.Addon = nil
			for _, name := range names {
				s.Driver.Managers = append(s.Driver.Managers, awsnode.Manager{Name: name, Operation: "Update"})
			}
		}
	}
	tag := func(key, value string) func(*Snapshot) {
		return func(s *Snapshot) { s.Addon.Tags = map[string]string{key: value} }
	}
	for _, c := range []struct {
		name, owner string
		edit        func(*Snapshot)
		executable  bool
		commands    []string // parts of them
	}{
		{"EKS add-on", "eks-addon", func(*Snapshot) {}, true,
			[]string{"aws eks update-addon --cluster-name prod --addon-name vpc-cni --addon-version v1.20.4-eksbuild.1 --service-account-role-arn arn:aws:iam::111122223333:role/cni", "--resolve-conflicts OVERWRITE", "aws eks wait addon-active"}},
		{"EKS add-on with the label of Helm, which its manifest has too", "eks-addon", func(s *Snapshot) { s.Driver.Labels = map[string]string{"app.kubernetes.io/managed-by": "Helm"} }, true, []string{"update-addon"}},
		{"EKS add-on that may not be read, by its field manager", "eks-addon", func(s *Snapshot) {
			s.Addon, s.Unread = nil, denied("eks:DescribeAddon")
			s.Driver.Managers = []awsnode.Manager{{Name: "eks", Operation: "Apply"}}
		}, false, []string{"aws eks describe-addon", "<present role>"}},
		{"not known", "unknown", func(s *Snapshot) { s.Addon, s.Unread = nil, denied("eks:DescribeAddon") }, false, []string{"wherever aws-node is declared"}},
		{"CloudFormation", "cloudformation", tag("aws:cloudformation:stack-name", "prod-addons"), false, []string{"stack prod-addons", `ConfigurationValues: '{"env":{"MINIMUM_IP_TARGET":"10","WARM_IP_TARGET":"2"}}'`}},
		{"eksctl", "eksctl", tag("alpha.eksctl.io/cluster-name", "prod"), false, []string{"- name: vpc-cni", "eksctl update addon"}},
		{"Terraform, by the value of a tag", "terraform", tag("ManagedBy", "terraform"), false, []string{`jsonencode({"env":`, "terraform apply"}},
		{"Terraform, by the key of a tag", "terraform", tag("Terraform", "true"), false, []string{"jsonencode"}},
		{"Terraform keeps what the add-on has", "terraform", func(s *Snapshot) {
			s.Addon.Tags = map[string]string{"ManagedBy": "terraform"}
			s.Addon.Configuration = `{"env":{"AWS_VPC_K8S_CNI_LOGLEVEL":"INFO"}}`
		}, false, []string{`"AWS_VPC_K8S_CNI_LOGLEVEL":"INFO"`}},
		{"Pulumi", "pulumi", tag("ManagedBy", "pulumi"), false, []string{"pulumi up"}},
		{"Argo CD, by its tracking id", "argocd", annotation("argocd.argoproj.io/tracking-id", "network:apps/DaemonSet:kube-system/aws-node"), false, []string{"application network applies", "argocd app sync network"}},
		{"Argo CD, by its label", "argocd", label("argocd.argoproj.io/instance", "network"), false, []string{"argocd app sync network", `WARM_IP_TARGET: "2"`}},
		{"Argo CD, by its field manager", "argocd", managers("argocd-controller"), false, []string{"in Git"}},
		{"Flux, of a chart: Helm's marks are there too", "flux", annotation("helm.toolkit.fluxcd.io/name", "aws-vpc-cni", "helm.toolkit.fluxcd.io/namespace", "infra", "meta.helm.sh/release-name", "aws-vpc-cni"), false,
			[]string{"HelmRelease infra/aws-vpc-cni declares: spec.values", "flux reconcile helmrelease aws-vpc-cni -n infra"}},
		{"Flux, of manifests", "flux", label("kustomize.toolkit.fluxcd.io/name", "network"), false, []string{"flux reconcile kustomization network"}},
		{"Flux, by its field manager", "flux", managers("helm-controller"), false, []string{"in Git"}},
		{"Helm, by its annotations", "helm", annotation("meta.helm.sh/release-name", "cni", "meta.helm.sh/release-namespace", "kube-system"), false,
			[]string{"helm upgrade cni eks/aws-vpc-cni -n kube-system --reuse-values --set-string env.MINIMUM_IP_TARGET=10 --set-string env.WARM_IP_TARGET=2"}},
		{"Helm, by its field manager", "helm", managers("helm"), false, []string{"helm upgrade"}},
		{"Terraform that runs Helm", "terraform", managers("terraform-provider-helm_v2.12.1_x5"), false, []string{"yamlencode"}},
		{"Terraform, by its field manager", "terraform", managers("Terraform"), false, []string{"helm_release"}},
		{"eksctl, without an add-on", "eksctl", managers("eksctl"), false, []string{"kubectl set env"}},
		{"kubectl, by its field manager", "kubectl", managers("kubectl-client-side-apply", "kubectl-set"), true, []string{"kubectl set env daemonset/aws-node"}},
		{"kubectl, by its annotation", "kubectl", annotation("kubectl.kubernetes.io/last-applied-configuration", "{}"), true, []string{"kubectl set env"}},
		{"nobody", "none", managers("kube-controller-manager"), true, []string{"kubectl set env"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			scene := warmScene()
			c.edit(&scene.s)
			r := scene.judged(t)
			fix := r.Fixes[0]
			if fix.ID != "pending/tune-warm-pool" || fix.Owner != c.owner || fix.Executable != c.executable || (fix.Action != nil) != c.executable {
				t.Errorf("%s of %s, executable %v, action %v", fix.ID, fix.Owner, fix.Executable, fix.Action != nil)
			}
			all := strings.Join(fix.Commands, "\n")
			for _, part := range c.commands {
				if !strings.Contains(all, part) {
					t.Errorf("commands %q lack %q", fix.Commands, part)
				}
			}
		})
	}
}

func TestDrift(t *testing.T) {
	hand := awsnode.Manager{Name: "kubectl-set", Operation: "Update", At: now.Add(-time.Hour), Env: []string{"MINIMUM_IP_TARGET", "WARM_IP_TARGET"}}
	eks := awsnode.Manager{Name: "eks", Operation: "Apply", Env: []string{"WARM_ENI_TARGET"}}
	for _, c := range []struct {
		name   string
		edit   func(*Snapshot)
		causes []string
		says   string
	}{
		{"set by hand, and the add-on declares none", func(s *Snapshot) { s.Driver.Managers = []awsnode.Manager{eks, hand} },
			[]string{"config-drift confirmed", "warm-target-cap confirmed"}, "MINIMUM_IP_TARGET is 8, set by kubectl-set"},
		{"the add-on declares another value", func(s *Snapshot) { s.Addon.Configuration = `{"env":{"MINIMUM_IP_TARGET":"8","WARM_IP_TARGET":2}}` },
			[]string{"config-drift confirmed", "warm-target-cap confirmed"}, "WARM_IP_TARGET is 0, and the owner (eks-addon) declares 2"},
		{"the add-on declares just that", func(s *Snapshot) {
			s.Addon.Configuration = `{"env":{"MINIMUM_IP_TARGET":"8","WARM_IP_TARGET":"0"}}`
			s.Driver.Managers = []awsnode.Manager{{Name: "eks", Operation: "Apply", Env: []string{"MINIMUM_IP_TARGET", "WARM_IP_TARGET"}}}
		}, []string{"warm-target-cap confirmed"}, ""},
		{"the add-on is being updated", func(s *Snapshot) {
			s.Addon.Status, s.Addon.Configuration = "UPDATING", `{"env":{"MINIMUM_IP_TARGET":"8","WARM_IP_TARGET":"2"}}`
		}, []string{"warm-target-cap confirmed"}, ""},
		{"what drifts has nothing to do with it", func(s *Snapshot) {
			s.Driver.Env["AWS_VPC_K8S_CNI_LOGLEVEL"] = "INFO"
			s.Driver.Managers = []awsnode.Manager{eks, {Name: "kubectl-edit", Env: []string{"AWS_VPC_K8S_CNI_LOGLEVEL"}}}
		}, []string{"warm-target-cap confirmed"}, ""},
		{"Helm declares the rest", func(s *Snapshot) {
			s.Addon = nil
			s.Driver.Annotations = map[string]string{"meta.helm.sh/release-name": "cni"}
			s.Driver.Managers = []awsnode.Manager{{Name: "helm", Env: []string{"WARM_ENI_TARGET"}}, hand}
		}, []string{"config-drift confirmed", "warm-target-cap confirmed"}, "the owner (helm) declares none"},
		{"nobody declares anything", func(s *Snapshot) { s.Addon, s.Driver.Managers = nil, []awsnode.Manager{hand} }, []string{"warm-target-cap confirmed"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sc := newScene(200, 100)
			sc.node("n1", "a", 8, 8)
			sc.s.Driver.Env["MINIMUM_IP_TARGET"], sc.s.Driver.Env["WARM_IP_TARGET"] = "8", "0"
			sc.wait("n1", 2, assignFailed, nil)
			c.edit(&sc.s)
			r := sc.judged(t)
			if got := keys(r.Causes); !slices.Equal(got, c.causes) {
				t.Fatalf("causes %v, want %v", got, c.causes)
			}
			if r.Causes[0].ID != "pending/warm-target-cap" || !strings.Contains(r.Summary, c.says) {
				t.Errorf("first %s; %s", r.Causes[0].ID, r.Summary)
			}
			if r.Fixes[0].ID != "pending/tune-warm-pool" || len(r.Causes) > 1 && r.Causes[1].Confidence != diagnostics.Confirmed {
				t.Errorf("fixes %v", fixIDs(r))
			}
		})
	}
}
