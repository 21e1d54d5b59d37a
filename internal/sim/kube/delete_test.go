package kube_test

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	bound = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: a, uid: u}\n" +
		"spec: {nodeName: n1, terminationGracePeriodSeconds: 60, containers: [{name: c, image: i}]}\nstatus: {phase: Pending}\n"
	node = "apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n"
)

// A bound pod stays until its kubelet ends it, however it was asked to go; only the very pod that was meant goes.
func TestAPodIsDeletedWithItsGrace(t *testing.T) {
	_, cfg := serve(t, small(t, bound))
	pods := typed(t, cfg).CoreV1().Pods("a")
	get := func() *corev1.Pod {
		t.Helper()
		p, err := pods.Get(t.Context(), "p", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	read := get()
	for name, c := range map[string]metav1.Preconditions{
		"another pod of that name": {UID: new(types.UID("other"))},
		"another version":          {UID: &read.UID, ResourceVersion: new("1000000")},
	} {
		if err := pods.Delete(t.Context(), "p", metav1.DeleteOptions{Preconditions: &c}); !apierrors.IsConflict(err) {
			t.Errorf("%s: %v, want a conflict", name, err)
		}
	}
	only := &metav1.Preconditions{UID: &read.UID, ResourceVersion: &read.ResourceVersion}
	if err := pods.Delete(t.Context(), "p", metav1.DeleteOptions{Preconditions: only, DryRun: []string{metav1.DryRunAll}}); err != nil || get().DeletionTimestamp != nil {
		t.Errorf("dry run: %v, %v", err, get().DeletionTimestamp)
	}
	if err := pods.Delete(t.Context(), "p", metav1.DeleteOptions{Preconditions: only}); err != nil {
		t.Fatal(err)
	}
	going := get()
	if going.DeletionTimestamp == nil || *going.DeletionGracePeriodSeconds != 60 {
		t.Fatalf("after the deletion: %v, %v", going.DeletionTimestamp, going.DeletionGracePeriodSeconds)
	}
	for _, c := range []struct{ asked, want int64 }{{90, 60}, {10, 10}} {
		if err := pods.Delete(t.Context(), "p", *metav1.NewDeleteOptions(c.asked)); err != nil {
			t.Fatal(err)
		}
		if p := get(); *p.DeletionGracePeriodSeconds != c.want || going.DeletionTimestamp.Sub(p.DeletionTimestamp.Time) != time.Duration(60-c.want)*time.Second {
			t.Errorf("asked again with %d s: grace %d s until %s", c.asked, *p.DeletionGracePeriodSeconds, p.DeletionTimestamp)
		}
	}
	if err := pods.Delete(t.Context(), "p", *metav1.NewDeleteOptions(0)); err != nil { // what its kubelet does
		t.Fatal(err)
	}
	if _, err := pods.Get(t.Context(), "p", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after its kubelet ended it: %v", err)
	}
}

func TestKubectlCordons(t *testing.T) {
	k := kubectl(t, small(t, node, bound))
	k.run("cordon", "n1")
	if out := k.run("get", "node", "n1", "--no-headers"); !strings.Contains(out, "SchedulingDisabled") {
		t.Errorf("cordoned: %s", out)
	}
	k.run("uncordon", "n1")
	if out := k.run("get", "node", "n1", "-o", "jsonpath={.spec}"); strings.Contains(out, "unschedulable") {
		t.Errorf("uncordoned: %s", out)
	}
	k.run("delete", "pod", "p", "-n", "a", "--wait=false")
	if out := k.run("get", "pod", "p", "-n", "a", "--no-headers"); !strings.Contains(out, "Terminating") {
		t.Errorf("deleted: %s", out)
	}
}
