package node

import (
	"context"
	"fmt"
	"sync"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
)

// vouchBlocks is how many blocks a hospital that vouches may be behind: not all carry out a block at
// the same moment.
const vouchBlocks = 2

// errAlone says that too few other hospitals are where this node is. Either it is cut off, or
// the network has gone on without it.
var errAlone = fmt.Errorf("too few other hospitals vouch for the newest block: %w", ErrNotReady)

// Ask asks a member's gateway how it stands.
type Ask func(ctx context.Context, m *consortiumv1.Member) (Told, error)

func askMember(ctx context.Context, m *consortiumv1.Member) (Told, error) {
	return AskGateway(ctx, m.GetGatewayUrl(), m.GetGatewayFingerprint())
}

// checkVouched makes sure, once in a round, that enough other hospitals are where this node is.
func (r *round) checkVouched(ctx context.Context) error {
	if !r.asked {
		r.asked, r.vouched = true, (voucher{r.config.Chain, r.consortium, r.config.Ask}).check(ctx, r.head, r.index)
	}
	return r.vouched
}

// voucher asks other members whether this node is where they are.
type voucher struct {
	chain      Chain
	consortium consortiumv1.QueryClient
	ask        Ask
}

// check asks the members other than self, all at once, for their newest block, and returns nil as
// soon as this node has the block of enough of them: more than can be faulty, so that an honest
// one is among them, and what that one had seen before it was asked is in the state that is read
// from then on. Those that are faulty can neither vouch for a past state nor, by what heights they
// make up, keep a share from being given. head is this node's own block; the error is errAlone, or
// one of the connection.
//
// A node's own clock and what its peers send are no proof that it is at the head: its whole
// machine may have been set back, and its lines may lead to others that were. What the gateways
// say comes at this moment, over TLS with the keys that stand on the chain.
func (v voucher) check(ctx context.Context, head Head, self uint64) error {
	members, err := takingPart(ctx, v.consortium)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer func() {
		cancel()
		asked.Wait()
	}()
	others, answers := 0, make(chan Told, len(members))
	for _, m := range members {
		if m.GetNumber() == self {
			continue
		}
		others++
		asked.Go(func() {
			told, err := v.ask(ctx, m)
			if err != nil {
				told = Told{} // vouches for nothing
			}
			answers <- told
		})
	}
	needed := min((len(members)-1)/3+1, others)
	newest, vouching := head, 0
	for range others {
		if vouching >= needed {
			break
		}
		told := <-answers
		if told.Height > newest.Height {
			// It may have come here, too, meanwhile.
			if newest, err = v.chain.Ready(ctx); err != nil {
				return err
			}
		}
		if told.ChainID == head.ChainID && told.Height >= head.Height-vouchBlocks && told.Height <= newest.Height {
			vouching++
		}
	}
	if vouching < needed {
		return fmt.Errorf("%d of %d are at height %d, want %d: %w", vouching, others, newest.Height, needed, errAlone)
	}
	return nil
}

// takingPart lists the members that take part.
func takingPart(ctx context.Context, query consortiumv1.QueryClient) ([]*consortiumv1.Member, error) {
	var all []*consortiumv1.Member
	err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: page})
		for _, m := range got.GetMembers() {
			if TakesPart(m) {
				all = append(all, m)
			}
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return all, nil
}
