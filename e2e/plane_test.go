package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	authn "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// plane is a running control plane.
type plane struct {
	admin *rest.Config // of system:masters
	chart string       // the manifests of deploy/helm, as they were applied

	folder, etcd, key string // etcd is its URL, key the file that signs the tokens of service accounts
	running           []*process
}

// the is the control plane of this run; nil where the tests are not asked for.
var the *plane

func TestMain(m *testing.M) {
	if os.Getenv("NETDIAG_E2E") == "" {
		os.Exit(m.Run())
	}
	os.Exit(func() int {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		folder, err := os.MkdirTemp("", "netdiag-e2e-")
		if err == nil {
			defer func() { _ = os.RemoveAll(folder) }()
			the, err = start(ctx, folder)
			defer the.stop()
		}
		if err == nil {
			err = the.install(ctx, values)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// need gives the control plane, or skips the test.
func need(t *testing.T) *plane {
	t.Helper()
	if the == nil {
		t.Skip("needs a real control plane: make e2e builds and starts one")
	}
	return the
}

// start starts etcd and the API server in a folder, with further flags of the API server, and waits until it is ready. The
// plane is never nil; stop ends what has started.
func start(ctx context.Context, folder string, flags ...string) (p *plane, err error) {
	p = &plane{folder: folder, key: filepath.Join(folder, "sa.key")}
	ports, err := freePorts(3)
	if err != nil {
		return p, err
	}
	p.etcd = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	if _, err := p.run(ctx, "etcd", "--data-dir", filepath.Join(folder, "etcd"), "--listen-client-urls", p.etcd, "--advertise-client-urls", p.etcd,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer); err != nil {
		return p, err
	}
	tokens := filepath.Join(folder, "tokens.csv")
	if err := writeKey(p.key); err != nil {
		return p, err
	}
	admin := rand.Text()
	if err := os.WriteFile(tokens, []byte(admin+`,admin,admin,"system:masters"`+"\n"), 0o600); err != nil {
		return p, err
	}
	server, err := p.run(ctx, "kube-apiserver", append([]string{
		"--etcd-servers=" + p.etcd, "--cert-dir=" + filepath.Join(folder, "certs"),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", fmt.Sprintf("--secure-port=%d", ports[2]),
		"--authorization-mode=RBAC", "--token-auth-file=" + tokens, "--service-account-issuer=https://netdiag.test",
		"--service-account-key-file=" + p.key, "--service-account-signing-key-file=" + p.key, "--service-cluster-ip-range=172.20.0.0/16",
		"--allow-privileged", "--disable-admission-plugins=ServiceAccount", // not every plane has who makes the default service accounts
	}, flags...)...)
	if err != nil {
		return p, err
	}
	p.admin = &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", ports[2]), BearerToken: admin, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(folder, "certs", "apiserver.crt")},
	}
	return p, p.ready(ctx, server)
}

// run starts a program of the control plane; stop ends it.
func (p *plane) run(ctx context.Context, name string, args ...string) (*process, error) {
	path, err := tool(ctx, name)
	if err != nil {
		return nil, err
	}
	q, err := begin(exec.Command(path, args...), filepath.Join(p.folder, name+".log"))
	if err == nil {
		p.running = append(p.running, q)
	}
	return q, err
}

// stop ends everything of the plane, the last first.
func (p *plane) stop() {
	for _, r := range slices.Backward(p.running) {
		r.stop()
	}
}

// ready waits until the API server says that it is, or has ended.
func (p *plane) ready(ctx context.Context, server *process) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		// The certificate is written by the server: a client can be made only then.
		if client, err := kubernetes.NewForConfig(p.admin); err != nil {
			last = err
		} else if last = client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); last == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-server.ended:
			return fmt.Errorf("kube-apiserver ended:\n%s", server.tail())
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver isn't ready: %w\n%s", last, server.tail())
		}
	}
}

// as gives the credentials of a service account of namespace netdiag, a real token.
func (p *plane) as(t *testing.T, account string) *rest.Config {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.CoreV1().ServiceAccounts("netdiag").CreateToken(t.Context(), account, &authn.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := rest.AnonymousClientConfig(p.admin)
	cfg.BearerToken, cfg.QPS = r.Status.Token, -1
	return cfg
}

// namespace makes a namespace of its own for a test.
func (p *plane) namespace(t *testing.T) string {
	t.Helper()
	client, err := kubernetes.NewForConfig(p.admin)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := client.CoreV1().Namespaces().Create(t.Context(), &core.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// process is a program that was started here.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// begin starts a program that writes into a log, at its end where there is one.
func begin(cmd *exec.Cmd, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, log: log, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // a test that is killed leaves nothing behind
	if err := p.cmd.Start(); err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() { // ends with the process; stop waits for it
		defer close(p.ended)
		_ = p.cmd.Wait()
		_ = out.Close()
	}()
	return p, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill() // nothing of it is kept
	<-p.ended
}

// tail is the end of what the process wrote.
func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	lines := strings.Split(string(bytes.TrimSpace(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// freePorts finds ports that nobody listens on; held together, so that they differ.
func freePorts(n int) (out []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out, nil
}

// writeKey writes the key that signs the tokens of service accounts.
func writeKey(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
}
