package kube

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// Kubeconfig is a kubeconfig file for a server at address, as the user of that name. JSON is YAML. A client sends no
// token from a kubeconfig to an address without TLS; there the user stands in the address.
func Kubeconfig(address, user string) []byte {
	if strings.HasPrefix(address, "http://") {
		address = strings.TrimSuffix(address, "/") + as + url.PathEscape(user)
	}
	type named map[string]any
	b, err := json.MarshalIndent(named{
		"apiVersion": "v1", "kind": "Config", "current-context": "simulated",
		"clusters": []named{{"name": "simulated", "cluster": named{"server": address}}},
		"users":    []named{{"name": user, "user": named{"token": Token(user)}}},
		"contexts": []named{{"name": "simulated", "context": named{"cluster": "simulated", "user": user}}},
	}, "", "  ")
	if err != nil {
		panic(err) // strings always encode
	}
	return append(b, '\n')
}

// Token is the bearer token by which the server knows a user.
func Token(user string) string { return "sim:" + user }

// as starts the path of a request that names its user there.
const as = "/as/"

// unprefixed takes a user that stands in the path out of it, and puts its token in the place where tokens stand.
func unprefixed(r *http.Request) *http.Request {
	rest, ok := strings.CutPrefix(r.URL.Path, as)
	if !ok {
		return r
	}
	user, path, _ := strings.Cut(rest, "/")
	out := r.Clone(r.Context())
	out.URL.Path, out.URL.RawPath = "/"+path, ""
	out.Header.Set("Authorization", "Bearer "+Token(user))
	return out
}
