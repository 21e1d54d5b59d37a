// Package access gives the ways into a simulated world.
package access

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"k8s.io/client-go/rest"

	"github.com/netdiag/netdiag/internal/awsnet"
)

// Keys that the simulated AWS takes, like any others.
const (
	AccessKeyID     = "AKIASIMULATED"
	SecretAccessKey = "simulated"
)

// AWS says where the simulated AWS at url is.
func AWS(region, url string) awsnet.Options {
	return awsnet.Options{Region: region, BaseEndpoint: url, Credentials: awsnet.Static(AccessKeyID, SecretAccessKey)}
}

// NatureKeyID is the key of what plays a part of the world: what the world denies or throttles doesn't concern it.
const NatureKeyID = "AKIANATURE"

// SDK is the SDK's own configuration, for what plays a part of the world.
func SDK(region, url string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: &url, Credentials: awsnet.Static(NatureKeyID, SecretAccessKey)}
}

// Kubernetes says where the simulated API server at url is, as user.
func Kubernetes(url, user string) *rest.Config {
	return &rest.Config{Host: url, BearerToken: "sim:" + user}
}
