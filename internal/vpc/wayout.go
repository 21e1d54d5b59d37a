package vpc

import "slices"

// WayOut reports whether a subnet has a default route, and by which table; the table is empty where none is known.
func WayOut(tables []RouteTable, subnet string) (table string, out bool) {
	for pass := range 2 {
		for _, t := range tables {
			if pass == 0 && !slices.Contains(t.Subnets, subnet) || pass == 1 && !t.Main {
				continue
			}
			for _, r := range t.Routes {
				if r.Destination.IsValid() && r.Destination.Bits() == 0 && r.State != "blackhole" {
					return t.ID, true
				}
			}
			return t.ID, false
		}
	}
	return "", false
}
