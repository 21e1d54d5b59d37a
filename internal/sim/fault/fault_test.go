package fault

import "testing"

func TestSwitches(t *testing.T) {
	var s Switches
	meets := func(call string, want ...Kind) {
		t.Helper()
		f, ok := s.Meets(call)
		if ok != (len(want) > 0) || ok && f.Kind != want[0] {
			t.Errorf("%s meets %+v, %t; want %v", call, f, ok, want)
		}
	}
	meets("list pods")
	s.On("*", Fault{Kind: Broken})
	s.On("ec2:*", Fault{Kind: Cut})
	s.On("ec2:DescribeSubnets", Fault{Kind: Throttled, Calls: 2})
	meets("ec2:DescribeSubnets", Throttled)
	meets("ec2:DescribeVpcs", Cut)
	meets("ec2:DescribeSubnets", Throttled)
	meets("ec2:DescribeSubnets", Cut)
	meets("get pods/proxy", Broken)
	s.On("eks:*", Fault{Kind: Throttled, Every: 3})
	for range 2 {
		meets("eks:DescribeAddon")
		meets("eks:UpdateAddon")
		meets("eks:DescribeAddon", Throttled)
	}
	s.Off()
	meets("get pods/proxy")
}
