package scenario

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"

	"github.com/phrd/phrd/app/home"
)

const (
	// portStep lies between the ports of two hospitals.
	portStep = 10
	// maxOffset keeps every port below those that systems give out for outgoing connections, so that none is taken later.
	maxOffset = 32768 - home.PortRPC - 10*portStep
	portTries = 200
)

// given are the ports that networks of this process got, used yet or not.
var given = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// freePorts finds n port offsets at which every port of a hospital is free. No two networks of this process get the same.
func freePorts(ctx context.Context, n int) ([]int, error) {
	given.Lock()
	defer given.Unlock()
	for range portTries {
		first := 1000 + rand.IntN(maxOffset-1000)
		offsets := make([]int, n)
		for i := range offsets {
			offsets[i] = first + i*portStep
		}
		ports := portsAt(offsets)
		if allFree(ctx, ports) {
			for _, port := range ports {
				given.ports[port] = true
			}
			return offsets, nil
		}
	}
	return nil, fmt.Errorf("no free ports for %d hospitals", n)
}

// portsAt are all ports of hospitals at these offsets.
func portsAt(offsets []int) []int {
	var ports []int
	for _, offset := range offsets {
		for _, base := range []int{home.PortComet, home.PortLibp2p, home.PortGateway, home.PortRPC, home.PortGRPC, home.PortREST} {
			ports = append(ports, base+offset)
		}
	}
	return ports
}

// allFree tells whether nobody has or was given any of the ports. The caller holds given.
func allFree(ctx context.Context, ports []int) bool {
	for _, port := range ports {
		if given.ports[port] {
			return false
		}
		var listen net.ListenConfig
		l, err := listen.Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil || l.Close() != nil {
			return false
		}
	}
	return true
}
