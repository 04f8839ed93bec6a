package scenario

import (
	"fmt"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/testutil/ports"
)

// freePorts finds n port offsets at which every port of a hospital is free.
func freePorts(n int) ([]int, error) {
	first, err := ports.Offset(n, home.PortComet, home.PortLibp2p, home.PortGateway, home.PortRPC, home.PortGRPC, home.PortREST)
	if err != nil {
		return nil, fmt.Errorf("ports for %d hospitals: %w", n, err)
	}
	offsets := make([]int, n)
	for i := range offsets {
		offsets[i] = first + i*ports.Step
	}
	return offsets, nil
}
