// Command catalogue writes catalogue_gen.go from catalogue.yaml; go generate runs it in the folder diagnostics.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"slices"

	"sigs.k8s.io/yaml"
)

type fix struct {
	Executable bool   `json:"executable"`
	Risk       string `json:"risk"`
}

type catalogue struct {
	Pending struct {
		Causes map[string]struct{ Role, Title string } `json:"causes"`
		Fixes  map[string]fix                          `json:"fixes"`
	} `json:"pending"`
	ALB struct {
		Contributing []string       `json:"contributing"`
		Causes       []string       `json:"causes"`
		Fixes        map[string]fix `json:"fixes"`
	} `json:"alb"`
	IP struct {
		Causes map[string]struct{ Role, Title string } `json:"causes"`
	} `json:"ip"`
}

func main() {
	log.SetFlags(0)
	text, err := os.ReadFile("catalogue.yaml")
	if err != nil {
		log.Fatal(err)
	}
	var c catalogue
	if err := yaml.Unmarshal(text, &c); err != nil {
		log.Fatalf("catalogue.yaml: %v", err)
	}
	var b bytes.Buffer
	fmt.Fprint(&b, "// Code generated from catalogue.yaml by go generate; DO NOT EDIT.\n\npackage diagnostics\n\nvar causes = []Cause{\n")
	for _, id := range sorted(c.Pending.Causes) {
		e := c.Pending.Causes[id]
		fmt.Fprintf(&b, "{ID: %q, Title: %q, Contributing: %t},\n", "pending/"+id, e.Title, e.Role == "contributing")
	}
	for _, id := range sorted(c.IP.Causes) {
		e := c.IP.Causes[id]
		fmt.Fprintf(&b, "{ID: %q, Title: %q, Contributing: %t},\n", "ip/"+id, e.Title, e.Role == "contributing")
	}
	for _, id := range c.ALB.Causes {
		fmt.Fprintf(&b, "{ID: %q, Contributing: %t},\n", "alb/"+id, slices.Contains(c.ALB.Contributing, id))
	}
	fmt.Fprint(&b, "}\n\nvar fixes = []FixKind{\n")
	write(&b, "pending", c.Pending.Fixes)
	write(&b, "alb", c.ALB.Fixes)
	fmt.Fprint(&b, "}\n")
	out, err := format.Source(b.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("catalogue_gen.go", out, 0o644); err != nil {
		log.Fatal(err)
	}
}

func write(b *bytes.Buffer, name string, fixes map[string]fix) {
	for _, id := range sorted(fixes) {
		fmt.Fprintf(b, "{ID: %q, Executable: %t, Risk: %q},\n", name+"/"+id, fixes[id].Executable, fixes[id].Risk)
	}
}

func sorted[T any](m map[string]T) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
