package main

import (
	"path/filepath"
	"strings"
)

// choice is a world that the demo offers.
type choice struct {
	dir   string
	title string // as somebody on call would tell it, without the answer
}

// menu is what the demo offers where no world is named, the worlds of the seeds first.
func menu() []choice {
	const worlds = "testdata/worlds/"
	return []choice{
		{worlds + "seeds/seed-ip-exhaustion", "Pods stay in ContainerCreating"},
		{worlds + "seeds/seed-alb-502", "502s since the move to pod IPs"},
		{worlds + "public/pending-s05-fragmented", "120 free addresses, none usable"},
		{worlds + "public/pending-s14-iam-lost", "No addresses in a half-empty subnet"},
		{worlds + "public/pending-s17-leaked-enis", "A full subnet of few pods"},
		{worlds + "public/alb-c01-health-path-404", "All targets unhealthy, all pods Ready"},
		{worlds + "public/alb-s09-traffic-port-closed", "All targets healthy, clients get 504"},
		{worlds + "public/alb-x02-keep-alive", "A few 502s all day"},
		{worlds + "public/alb-h01-all-green", "“Is the API down?”"},
	}
}

// named makes choices of worlds named by their folders.
func named(dirs []string) []choice {
	var out []choice
	for _, dir := range dirs {
		name := strings.TrimPrefix(filepath.Base(filepath.Clean(dir)), "seed-")
		out = append(out, choice{dir, strings.ReplaceAll(name, "-", " ")})
	}
	return out
}

// slug is the world's part of the address: the name of its folder.
func (c choice) slug() string { return filepath.Base(filepath.Clean(c.dir)) }
