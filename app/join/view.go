package join

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/consortium"
)

// View is a network as the gateways that answered show it. Who shows it is known; what is shown is not verified.
type View struct {
	// Height is that of the newest block.
	Height int64
	// Members are those of the newest state, by number.
	Members []consortium.Member

	genesis  *home.Genesis
	gateways []*Gateway // that answered and are of this network
}

// answered is what one gateway shows.
type answered struct {
	gateway *Gateway
	height  int64
	members []consortium.Member
	err     error
}

// Look asks the gateways of the members of a genesis, and further ones that are known by other ways, and then those of the members that these
// name. The error is phr.ErrUnreachable where nobody of this network answers. The view must be closed.
func Look(ctx context.Context, genesis *home.Genesis, further ...Door) (*View, error) {
	v := &View{genesis: genesis}
	asked := map[string]bool{} // by fingerprint: two names of one gateway are one witness
	doors := further
	for _, m := range genesis.Consortium.Members {
		doors = append(doors, doorOf(m))
	}
	var errs []error
	for range 2 {
		errs = append(errs, v.ask(ctx, asked, doors)...)
		doors = nil
		for _, m := range v.Members {
			if m.Status != consortium.MEMBER_STATUS_LEFT {
				doors = append(doors, doorOf(m))
			}
		}
	}
	if len(v.gateways) == 0 {
		return nil, errors.Join(append([]error{fmt.Errorf("no gateway of the network answers: %w", phr.ErrUnreachable)}, errs...)...)
	}
	return v, nil
}

// ask asks the doors that were not asked yet, all at the same time, and returns why some do not answer.
func (v *View) ask(ctx context.Context, asked map[string]bool, doors []Door) (errs []error) {
	var answers []*answered
	var all sync.WaitGroup
	for _, d := range doors {
		if asked[d.Fingerprint] {
			continue
		}
		asked[d.Fingerprint] = true
		a := &answered{}
		answers = append(answers, a)
		all.Go(func() { *a = v.askOne(ctx, d) })
	}
	all.Wait()
	for _, a := range answers {
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		v.gateways = append(v.gateways, a.gateway)
		if a.height > v.Height {
			v.Height, v.Members = a.height, a.members
		}
	}
	return errs
}

func (v *View) askOne(ctx context.Context, d Door) (a answered) {
	if a.gateway, a.err = Open(d); a.err != nil {
		return a
	}
	defer func() {
		if a.err != nil {
			a.err = errors.Join(a.err, a.gateway.Close())
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	status, err := a.gateway.rpc.Status(ctx)
	if err != nil {
		a.err = fmt.Errorf("gateway %s: %w", d.URL, err)
		return a
	}
	if status.NodeInfo.Network != v.genesis.ChainID {
		a.err = fmt.Errorf("gateway %s: it is of chain %q, not %q: %w", d.URL, status.NodeInfo.Network, v.genesis.ChainID, phr.ErrNetwork)
		return a
	}
	a.height = status.SyncInfo.LatestBlockHeight
	a.members, a.err = a.gateway.members(ctx)
	return a
}

// Member finds the member with a consensus key.
func (v *View) Member(consensusKey []byte) (consortium.Member, bool) {
	for _, m := range v.Members {
		if bytes.Equal(m.ConsensusKey, consensusKey) {
			return m, true
		}
	}
	return consortium.Member{}, false
}

// Close ends the connections.
func (v *View) Close() error {
	var errs []error
	for _, g := range v.gateways {
		errs = append(errs, g.Close())
	}
	return errors.Join(errs...)
}
