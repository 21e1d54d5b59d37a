package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/diagtest"
	"github.com/netdiag/netdiag/internal/sim/access"
	"github.com/netdiag/netdiag/internal/sim/slack"
	"github.com/netdiag/netdiag/internal/store/crd"
	early "github.com/netdiag/netdiag/internal/watch"
)

const (
	watchMemory = 256         // MiB that a bot serve may take that watches, and is said in the table
	lookEvery   = time.Minute // between two looks, as often as the settings allow
	warned      = "C0IDLE002" // the channel that is warned
)

// vigil is what a bot serve took that looked for early warnings.
type vigil struct {
	nodes, looks, threads int
	memory                int           // MiB, the most that was ever resident, rounded up
	busy, over            time.Duration // processor time, and how long it ran
}

// measureWatch has bot serve watch a cluster until it has looked so many times. Somebody asks about all subnets as it begins,
// and it opens threads of its own.
func measureWatch(ctx context.Context, bot string, nodes, looks int) (v vigil, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(looks)*lookEvery+8*time.Minute) // for looks and answers that a busy machine cuts off
	defer cancel()
	settings := fmt.Sprintf("watch: {channel: %s, ingresses: [all], interval: %s}\nlimits: {diagnosis: 2m}\n", warned, lookEvery) // the simulators may be slow
	err = serving(ctx, bot, nodes, settings, func(ctx context.Context, s scene) (err error) {
		v, err = watching(ctx, s, looks)
		v.nodes = nodes
		return err
	})
	return v, err
}

func watching(ctx context.Context, s scene, looks int) (v vigil, err error) {
	began := time.Now()
	if err := s.workspace.Wait(ctx, func(s *slack.State) bool { return s.Sockets() > 0 }); err != nil {
		return v, err
	}
	store, err := crd.New(access.Kubernetes(s.served.KubeURL, "lab"), crd.Options{Namespace: "netdiag"})
	if err != nil {
		return v, err
	}
	var last time.Time
	for answered := false; v.looks < looks || !answered; {
		if answered, err = insist(ctx, s.workspace, store); err != nil {
			return v, err
		}
		seen, err := looked(ctx, store.Memos, s.served.World.Meta.Cluster)
		if err != nil {
			return v, err
		}
		if seen.After(last) {
			v.looks, last = v.looks+1, seen
		}
		if err := pause(ctx, time.Second); err != nil {
			return v, err
		}
	}
	if err := s.workspace.Wait(ctx, func(s *slack.State) bool { v.threads = len(s.Messages(warned)); return true }); err != nil {
		return v, err
	}
	v.memory, v.over = diagtest.Memory(s.pid, "VmHWM"), time.Since(began)
	v.busy, err = processorTime(s.pid)
	return v, err
}

// insist has somebody ask about all subnets, again where there was no answer because the machine was too busy, and reports
// whether there is one.
func insist(ctx context.Context, workspace *slack.Server, store casebook.Store) (answered bool, err error) {
	all, err := store.Investigations.List(ctx)
	if err != nil {
		return false, err
	}
	for _, i := range all {
		if i.Question.User == asker && i.Status.Phase != casebook.Faulted {
			return i.Status.Phase == casebook.Reported, nil
		}
	}
	_, err = workspace.Slash(ctx, asker, asked, "/netdiag ip")
	return false, err
}

// looked is when the last look was; zero while none has seen the subnets.
func looked(ctx context.Context, memos casebook.Memos, cluster string) (time.Time, error) {
	m, err := memos.Get(ctx, early.Memo)
	if err != nil {
		return time.Time{}, err
	}
	s, err := early.Parse(m.Text, cluster)
	if len(s.Past) == 0 {
		return time.Time{}, err
	}
	return s.Looked, err
}

// tellWatch writes what watching took.
func tellWatch(w io.Writer, v vigil) {
	fmt.Fprintf(w, "\nThe same while it looks for early warnings once every %v, five times as often as by default: at subnets, nodes, and the one ingress. Somebody asks `ip` during\n"+
		"the first look. Memory is the most that was ever resident (VmHWM). The aim is %d MiB for 5,000 nodes, which is what the chart allows.\n\n"+
		"| watching | looks | threads opened | memory | CPU |\n| --- | --- | --- | --- | --- |\n| %d nodes | %d | %d | %d MiB | %.0f m |\n",
		lookEvery, watchMemory, v.nodes, v.looks, v.threads, v.memory, 1000*v.busy.Seconds()/max(v.over.Seconds(), 1))
}
