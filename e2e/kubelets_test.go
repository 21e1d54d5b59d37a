package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/netdiag/netdiag/internal/world"
)

// kubelets answers what the API server asks of nodes and pods: the recorded metrics of aws-node, and logs. The API server
// reaches them through an HTTP CONNECT proxy, as it does where a cluster's network is another than its own; so every
// address of the recorded world can be asked, and the network of the machine needn't be touched.
type kubelets struct {
	world   *world.World
	there   func(ctx context.Context, namespace, pod string) bool // whether the recorded pod still is
	certs   tls.Certificate
	front   net.Listener
	serving sync.WaitGroup
}

const (
	metricsPort = "61678" // of aws-node
	kubeletPort = "10250"
)

// listen serves the proxy on a socket of a folder until stop, and gives the file that tells the API server to use it.
func (k *kubelets) listen(folder string) (config string, err error) {
	socket := filepath.Join(folder, "nodes.sock")
	if k.front, err = net.Listen("unix", socket); err != nil {
		return "", err
	}
	if k.certs, err = selfSigned(); err != nil {
		return "", err
	}
	k.serving.Go(func() {
		for {
			c, err := k.front.Accept()
			if err != nil {
				return // stop has closed it
			}
			k.serving.Go(func() { k.serve(c) })
		}
	})
	config = filepath.Join(folder, "egress.yaml")
	return config, os.WriteFile(config, []byte(fmt.Sprintf(`apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport: {uds: {udsName: %s}}
`, socket)), 0o600)
}

// stop ends the proxy. The API server has ended by then, and with it the connections.
func (k *kubelets) stop() {
	if k.front != nil {
		_ = k.front.Close()
		k.serving.Wait()
	}
}

// serve answers one connection to whatever address it asks for.
func (k *kubelets) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	connect, err := http.ReadRequest(in)
	if err != nil || connect.Method != http.MethodConnect {
		return
	}
	host, port, err := net.SplitHostPort(connect.Host)
	if err != nil {
		return
	}
	switch port {
	case metricsPort:
		text, ok := k.metrics(connect.Context(), host)
		if !ok {
			_, _ = io.WriteString(c, "HTTP/1.1 503 connection refused\r\n\r\n")
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		answer(in, c, func(r *http.Request) (string, bool) { return text, r.URL.Path == "/metrics" })
	case kubeletPort:
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		secure := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{k.certs}, NextProtos: []string{"http/1.1"}})
		answer(bufio.NewReader(secure), secure, func(r *http.Request) (string, bool) {
			key, ok := strings.CutPrefix(r.URL.Path, "/containerLogs/")
			return k.world.Logs[key], ok // a container that nothing was recorded of has an empty log
		})
	default:
		_, _ = io.WriteString(c, "HTTP/1.1 503 connection refused\r\n\r\n")
	}
}

// metrics is what the aws-node with an address says, while it is the recorded one: of a pod that came after it nothing is known.
func (k *kubelets) metrics(ctx context.Context, address string) (string, bool) {
	for _, o := range k.world.Objects {
		text, ok := k.world.Metrics[o.GetNamespace()+"/"+o.GetName()]
		if status, _ := o.Object["status"].(map[string]any); ok && o.GetKind() == "Pod" && status["podIP"] == address {
			return text, k.there(ctx, o.GetNamespace(), o.GetName())
		}
	}
	return "", false
}

// answer serves the one request of a connection.
func answer(in *bufio.Reader, out io.Writer, text func(*http.Request) (string, bool)) {
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	body, ok := text(r)
	resp := http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Request: r, Close: true, Header: http.Header{"Content-Type": {"text/plain"}}}
	if !ok {
		resp.StatusCode, body = http.StatusNotFound, "404 page not found\n"
	}
	resp.ContentLength, resp.Body = int64(len(body)), io.NopCloser(strings.NewReader(body))
	_ = resp.Write(out) // who has gone away needs no answer
}

// selfSigned makes the certificate of all kubelets: the API server is told of no authority for them, so it takes any.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour * 24)}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
