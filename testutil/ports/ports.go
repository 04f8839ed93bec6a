// Package ports finds ports for the networks of tests, several programs of which may run at the same time.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
)

const (
	// Step lies between the ports of two hospitals.
	Step = 10
	// outgoing is the first port that systems give out for connections that begin here, so that one from there on may be taken at any moment.
	outgoing = 32768
	tries    = 500
)

// claimed are the sockets that keep others from the ports of this process.
var claimed struct {
	sync.Mutex
	sockets []net.Listener
}

// Offset finds an offset at which hospitals, Step apart, have every port free: base + offset + Step·i for each base and hospital i. No other
// call gets any of them as long as this process runs, in whichever process, though the hospitals stop in between.
func Offset(hospitals int, bases ...int) (int, error) {
	claimed.Lock()
	defer claimed.Unlock()
	places := outgoing - slices.Max(bases) - Step*hospitals
	for range tries {
		offset := rand.IntN(places)
		sockets, err := claim(offset, hospitals, bases)
		if err == nil {
			claimed.sockets = append(claimed.sockets, sockets...)
			return offset, nil
		}
		for _, s := range sockets {
			if err := s.Close(); err != nil {
				return 0, err
			}
		}
	}
	return 0, errors.New("no free ports")
}

// claim claims each port by a socket without a file (unix(7), abstract), which goes with the process. Its sockets are to be closed where it fails.
func claim(offset, hospitals int, bases []int) (sockets []net.Listener, err error) {
	for i := range hospitals {
		for _, base := range bases {
			port := base + offset + Step*i
			s, err := net.Listen("unix", fmt.Sprintf("@phrd-test-port-%d", port))
			if err != nil {
				return sockets, err
			}
			sockets = append(sockets, s)
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return sockets, err
			}
			if err := l.Close(); err != nil {
				return sockets, err
			}
		}
	}
	return sockets, nil
}
