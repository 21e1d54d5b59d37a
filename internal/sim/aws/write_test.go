package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/smithy-go"

	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/world"
)

type account struct {
	t   *testing.T
	sim *simaws.Server
	ec2 *ec2.Client
	elb *elb.Client
}

func open(t *testing.T, w *world.World, o simaws.Options) account {
	t.Helper()
	s := simaws.New(w, o)
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	cfg := sdk.Config{
		Region: w.Meta.Region, BaseEndpoint: &hs.URL, Credentials: credentials.NewStaticCredentialsProvider("AKIATEST", "secret", ""),
		Retryer: func() sdk.Retryer { return sdk.NopRetryer{} },
	}
	return account{t, s, ec2.NewFromConfig(cfg), elb.NewFromConfig(cfg)}
}

func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func (a account) available(subnet string) int {
	a.t.Helper()
	out, err := a.ec2.DescribeSubnets(context.Background(), &ec2.DescribeSubnetsInput{SubnetIds: []string{subnet}})
	if err != nil {
		a.t.Fatal(err)
	}
	return int(*out.Subnets[0].AvailableIpAddressCount)
}

func (a account) wantAvailable(subnet string, n int) {
	a.t.Helper()
	if got := a.available(subnet); got != n {
		a.t.Errorf("subnet %s has %d addresses available, want %d", subnet, got, n)
	}
}

func (a account) eni(id string) types.NetworkInterface {
	a.t.Helper()
	out, err := a.ec2.DescribeNetworkInterfaces(context.Background(), &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{id}})
	if err != nil {
		a.t.Fatal(err)
	}
	return out.NetworkInterfaces[0]
}

// setAvailable writes the count of a subnet into a world.
func setAvailable(t *testing.T, w *world.World, subnet string, n int) {
	t.Helper()
	subnets := list(t, w, "ec2", "Subnets")
	for _, s := range subnets {
		if s["SubnetId"] == subnet {
			s["AvailableIpAddressCount"] = n
		}
	}
	raw, err := json.Marshal(subnets)
	if err != nil {
		t.Fatal(err)
	}
	w.AWS["ec2"]["Subnets"] = raw
}

// TestLag: addresses that come back can be taken at once, and are counted later.
func TestLag(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-c01-health-path-404")
	subnet := list(t, w, "ec2", "Instances")[0]["SubnetId"].(string)
	setAvailable(t, w, subnet, 2)
	now := w.Meta.Now
	a := open(t, w, simaws.Options{Lag: time.Minute, Now: func() time.Time { return now }})
	create := &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet, SecondaryPrivateIpAddressCount: sdk.Int32(1)}
	made, err := a.ec2.CreateNetworkInterface(ctx, create)
	if err != nil {
		t.Fatal(err)
	}
	a.wantAvailable(subnet, 0)
	if _, err := a.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: made.NetworkInterface.NetworkInterfaceId}); err != nil {
		t.Fatal(err)
	}
	a.wantAvailable(subnet, 0)
	now = now.Add(time.Minute)
	a.wantAvailable(subnet, 2)
	if made, err = a.ec2.CreateNetworkInterface(ctx, create); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: made.NetworkInterface.NetworkInterfaceId}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.ec2.CreateNetworkInterface(ctx, create); err != nil {
		t.Errorf("addresses that aren't shown yet can't be taken: %v", err)
	}
	a.wantAvailable(subnet, 0)
}

// TestAddresses follows an interface from its creation to its end: the subnet's count is true at every step.
func TestAddresses(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-c01-health-path-404")
	instance := list(t, w, "ec2", "Instances")[0]
	subnet, id := instance["SubnetId"].(string), instance["InstanceId"].(string)
	setAvailable(t, w, subnet, 40)
	a := open(t, w, simaws.Options{})
	group := instance["SecurityGroups"].([]any)[0].(item)["GroupId"].(string)

	made, err := a.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{
		SubnetId: &subnet, Groups: []string{group}, Description: sdk.String("aws-K8S-" + id), SecondaryPrivateIpAddressCount: sdk.Int32(2),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeNetworkInterface, Tags: []types.Tag{{Key: sdk.String("node"), Value: &id}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	eni := *made.NetworkInterface.NetworkInterfaceId
	if n := a.eni(eni); len(n.PrivateIpAddresses) != 3 || n.Status != "available" || len(n.TagSet) != 1 || *n.Groups[0].GroupId != group {
		t.Errorf("new interface %+v", n)
	}
	a.wantAvailable(subnet, 37)

	attached, err := a.ec2.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: &eni, InstanceId: &id, DeviceIndex: sdk.Int32(2)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.ec2.AttachNetworkInterface(ctx, &ec2.AttachNetworkInterfaceInput{NetworkInterfaceId: &eni, InstanceId: &id, DeviceIndex: sdk.Int32(3)})
	if code(err) != "InvalidNetworkInterface.InUse" {
		t.Errorf("attached twice: %v", err)
	}
	got, err := a.ec2.AssignPrivateIpAddresses(ctx, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &eni, SecondaryPrivateIpAddressCount: sdk.Int32(4)})
	if err != nil || len(got.AssignedPrivateIpAddresses) != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	a.wantAvailable(subnet, 33)
	_, err = a.ec2.AssignPrivateIpAddresses(ctx, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &eni, SecondaryPrivateIpAddressCount: sdk.Int32(9)})
	if code(err) != "PrivateIpAddressLimitExceeded" {
		t.Errorf("more than the instance type takes: %v", err)
	}
	one := *got.AssignedPrivateIpAddresses[0].PrivateIpAddress
	_, err = a.ec2.AssignPrivateIpAddresses(ctx, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &eni, PrivateIpAddresses: []string{one}})
	if code(err) != "PrivateIpAddressInUse" {
		t.Errorf("an address in use: %v", err)
	}
	if _, err := a.ec2.UnassignPrivateIpAddresses(ctx, &ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &eni, PrivateIpAddresses: []string{one}}); err != nil {
		t.Error(err)
	}
	a.wantAvailable(subnet, 34)
	prefix, err := a.ec2.AssignPrivateIpAddresses(ctx, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &eni, Ipv4PrefixCount: sdk.Int32(1)})
	if err != nil || len(prefix.AssignedIpv4Prefixes) != 1 || !strings.HasSuffix(*prefix.AssignedIpv4Prefixes[0].Ipv4Prefix, "/28") {
		t.Fatalf("%+v, %v", prefix, err)
	}
	a.wantAvailable(subnet, 18)
	_, err = a.ec2.UnassignPrivateIpAddresses(ctx, &ec2.UnassignPrivateIpAddressesInput{NetworkInterfaceId: &eni, PrivateIpAddresses: []string{*a.eni(eni).PrivateIpAddress}})
	if code(err) != "InvalidParameterValue" {
		t.Errorf("the primary address taken away: %v", err)
	}
	if _, err = a.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni}); code(err) != "InvalidParameterValue" {
		t.Errorf("deleted while attached: %v", err)
	}
	if _, err := a.ec2.DetachNetworkInterface(ctx, &ec2.DetachNetworkInterfaceInput{AttachmentId: attached.AttachmentId}); err != nil {
		t.Fatal(err)
	}
	_, err = a.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni, DryRun: sdk.Bool(true)})
	if code(err) != "DryRunOperation" {
		t.Errorf("dry run: %v", err)
	}
	if _, err := a.ec2.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &eni}); err != nil {
		t.Fatal(err)
	}
	a.wantAvailable(subnet, 40)
	_, err = a.ec2.DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{NetworkInterfaceIds: []string{eni}})
	if code(err) != "InvalidNetworkInterfaceID.NotFound" {
		t.Errorf("after the end: %v", err)
	}
	primary := list(t, w, "ec2", "NetworkInterfaces")
	i := slices.IndexFunc(primary, func(e item) bool {
		at, _ := e["Attachment"].(item)
		return at["InstanceId"] == id && at["DeviceIndex"] == 0.0
	})
	_, err = a.ec2.DetachNetworkInterface(ctx, &ec2.DetachNetworkInterfaceInput{AttachmentId: sdk.String(primary[i]["Attachment"].(item)["AttachmentId"].(string))})
	if code(err) != "OperationNotPermitted" {
		t.Errorf("the first interface detached: %v", err)
	}
}

// TestLastAddresses: many ask for the last addresses of a subnet at once; each is given out once.
func TestLastAddresses(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-c01-health-path-404")
	subnet := list(t, w, "ec2", "Subnets")[0]["SubnetId"].(string)
	setAvailable(t, w, subnet, 5)
	a := open(t, w, simaws.Options{})
	var mu sync.Mutex
	given, refused := map[string]bool{}, 0
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			<-start
			out, err := a.ec2.CreateNetworkInterface(ctx, &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case code(err) == "InsufficientFreeAddressesInSubnet":
				refused++
			case err != nil:
				t.Error(err)
			default:
				given[*out.NetworkInterface.PrivateIpAddress] = true
			}
		})
	}
	close(start)
	wg.Wait()
	if len(given) != 5 || refused != 11 {
		t.Errorf("%d addresses given and %d refused, want 5 and 11: %v", len(given), refused, given)
	}
	a.wantAvailable(subnet, 0)
}

// TestBlocks: a subnet with free addresses but no free block gives no prefix.
func TestBlocks(t *testing.T) {
	ctx := context.Background()
	w := load(t, "pending-s05-fragmented")
	a := open(t, w, simaws.Options{})
	refused := 0
	for _, e := range list(t, w, "ec2", "NetworkInterfaces") {
		if at, _ := e["Attachment"].(item); at["InstanceId"] == nil {
			continue
		}
		subnet := e["SubnetId"].(string)
		before := a.available(subnet)
		if before < 16 {
			continue
		}
		id := e["NetworkInterfaceId"].(string)
		_, err := a.ec2.AssignPrivateIpAddresses(ctx, &ec2.AssignPrivateIpAddressesInput{NetworkInterfaceId: &id, Ipv4PrefixCount: sdk.Int32(1)})
		switch code(err) {
		case "InsufficientCidrBlocks":
			refused++
			a.wantAvailable(subnet, before)
		case "", "PrivateIpAddressLimitExceeded":
		default:
			t.Errorf("%s: %v", id, err)
		}
	}
	if refused == 0 {
		t.Error("no interface was refused a prefix")
	}
}

// TestEnds: what isn't simulated, isn't known or isn't signed is refused as AWS refuses it, and recorded.
func TestEnds(t *testing.T) {
	ctx := context.Background()
	w := load(t, "alb-c01-health-path-404")
	w.Meta.Denied.AWS = []string{"ec2:DescribeVpcs"}
	a := open(t, w, simaws.Options{})
	for want, call := range map[string]func() error{
		"InvalidAction": func() error { _, err := a.ec2.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{}); return err },
		"InvalidSubnetID.NotFound": func() error {
			_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-0none"}})
			return err
		},
		"InvalidParameterValue": func() error {
			_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: sdk.String("color"), Values: []string{"red"}}}})
			return err
		},
		"FilterLimitExceeded": func() error {
			_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []types.Filter{{Name: sdk.String("subnet-id"), Values: slices.Repeat([]string{"subnet-1"}, 201)}}})
			return err
		},
		"UnauthorizedOperation": func() error { _, err := a.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{}); return err },
		"UnsupportedOperation":  func() error { _, err := a.ec2.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{}); return err },
		"LoadBalancerNotFound": func() error {
			_, err := a.elb.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Names: []string{"none"}})
			return err
		},
	} {
		err := call()
		if code(err) != want {
			t.Errorf("error %v, want %s", err, want)
		}
		seen := a.sim.Requests()
		if last := seen[len(seen)-1]; last.Code != want || last.AccessKey != "AKIATEST" {
			t.Errorf("recorded %+v, want %s", last, want)
		}
	}
	trusted := open(t, w, simaws.Options{Trusted: []string{"AKIATEST"}})
	if _, err := trusted.ec2.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{}); err != nil {
		t.Errorf("a trusted key was denied: %v", err)
	}
}

// TestWorld: what the server has become can be saved and served again.
func TestWorld(t *testing.T) {
	w := load(t, "alb-c01-health-path-404")
	before, err := json.Marshal(w.AWS)
	if err != nil {
		t.Fatal(err)
	}
	subnet := list(t, w, "ec2", "Subnets")[0]["SubnetId"].(string)
	a := open(t, w, simaws.Options{})
	n := a.available(subnet)
	if _, err := a.ec2.CreateNetworkInterface(context.Background(), &ec2.CreateNetworkInterfaceInput{SubnetId: &subnet}); err != nil {
		t.Fatal(err)
	}
	open(t, a.sim.World(), simaws.Options{}).wantAvailable(subnet, n-1)
	after, err := json.Marshal(w.AWS)
	if err != nil || string(before) != string(after) {
		t.Errorf("the loaded world was changed: %v", err)
	}
}
