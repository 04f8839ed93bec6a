package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"

	"github.com/phrd/phrd/app/home"
)

const (
	// portStep lies between the ports of two hospitals.
	portStep = 10
	// maxOffset keeps every port below those that systems give out for outgoing connections, so that none is taken later.
	maxOffset = 32768 - home.PortRPC - 10*portStep
	portTries = 200
)

// freePorts finds n port offsets at which every port of a hospital is free.
func freePorts(ctx context.Context, n int) ([]int, error) {
	for range portTries {
		first := 1000 + rand.IntN(maxOffset-1000)
		offsets := make([]int, n)
		for i := range offsets {
			offsets[i] = first + i*portStep
		}
		if allFree(ctx, offsets) {
			return offsets, nil
		}
	}
	return nil, fmt.Errorf("no free ports for %d hospitals", n)
}

func allFree(ctx context.Context, offsets []int) bool {
	for _, offset := range offsets {
		for _, base := range []int{home.PortComet, home.PortLibp2p, home.PortGateway, home.PortRPC, home.PortGRPC, home.PortREST} {
			var listen net.ListenConfig
			l, err := listen.Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(base+offset)))
			if err != nil || l.Close() != nil {
				return false
			}
		}
	}
	return true
}
