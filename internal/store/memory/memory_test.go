package memory_test

import (
	"testing"
	"time"

	"github.com/netdiag/netdiag/internal/casebook"
	"github.com/netdiag/netdiag/internal/store/memory"
	"github.com/netdiag/netdiag/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) casebook.Store { return memory.New(time.Now) })
}
