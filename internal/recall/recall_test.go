package recall

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
)

func TestAQuestionIsAskedOnce(t *testing.T) {
	var m Memory
	var asked atomic.Int32
	gate := make(chan struct{})
	ask := func(context.Context) ([]int, error) {
		asked.Add(1)
		<-gate
		return []int{1, 2}, nil
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := List(context.Background(), &m, "q", ask)
			if err != nil || len(l) != 2 {
				t.Errorf("%v, %v", l, err)
			}
			l[0] = 7 // everybody has a list of their own
		})
	}
	close(gate)
	wg.Wait()
	if l, err := List(context.Background(), &m, "q", ask); err != nil || l[0] != 1 || asked.Load() != 1 {
		t.Errorf("%v, %v, asked %d times", l, err, asked.Load())
	}
}

// An error is an answer like any other, unless the asker gave up: then whoever waits or comes later asks again.
func TestErrors(t *testing.T) {
	var m Memory
	wrong := errors.New("wrong")
	asked := 0
	ask := func(ctx context.Context) (int, error) {
		asked++
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return 0, wrong
	}
	gone, giveUp := context.WithCancel(context.Background())
	giveUp()
	if _, err := Once(gone, &m, "q", ask); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want cancelled", err)
	}
	for range 3 {
		if _, err := Once(context.Background(), &m, "q", ask); !errors.Is(err, wrong) {
			t.Errorf("%v, want the error of the first who stayed", err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2", asked)
	}
}
