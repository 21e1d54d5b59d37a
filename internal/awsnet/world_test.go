package awsnet_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/awsnet"
	simaws "github.com/netdiag/netdiag/internal/sim/aws"
	"github.com/netdiag/netdiag/internal/world"
	"github.com/netdiag/netdiag/internal/world/worldtest"
)

const worlds = "../../testdata/worlds/public"

// load loads a public world.
func load(t *testing.T, name string) *world.World {
	t.Helper()
	return worldtest.Load(t, worlds+"/"+name)
}

// serve starts the simulated account of a world and a client of it.
func serve(t *testing.T, w *world.World) (*simaws.Server, *awsnet.Client) {
	t.Helper()
	s := simaws.New(w, simaws.Options{})
	return s, client(t, s, w.Meta.Region)
}

func client(t *testing.T, s *simaws.Server, region string) *awsnet.Client {
	t.Helper()
	hs := httptest.NewServer(s)
	t.Cleanup(hs.Close)
	c, err := awsnet.New(context.Background(), awsnet.Options{
		Region: region, BaseEndpoint: hs.URL, Credentials: awsnet.Static("AKIATEST", "secret"), Poll: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
