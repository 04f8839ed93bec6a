package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
)

// errNotStorage says that the account belongs to no storage node yet.
var errNotStorage = errors.New("account is no storage node of the network")

// self knows which storage node an account is. The number never changes.
type self struct {
	chain Chain

	mu    sync.Mutex
	known uint64
}

// number returns the storage node's number, or errNotStorage as long as it is not
// registered.
func (s *self) number(ctx context.Context) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known != 0 {
		return s.known, nil
	}
	query := consortiumv1.NewQueryClient(s.chain)
	err := Pages(func(page *queryv1.PageRequest) (*queryv1.PageResponse, error) {
		got, err := query.StorageNodes(ctx, &consortiumv1.QueryStorageNodesRequest{Pagination: page})
		for _, n := range got.GetStorageNodes() {
			if n.GetAccount() == s.chain.Account() {
				s.known = n.GetNumber()
			}
		}
		return got.GetPagination(), err
	})
	if err != nil {
		return 0, fmt.Errorf("list storage nodes: %w", err)
	}
	if s.known == 0 {
		return 0, fmt.Errorf("%s: %w", s.chain.Account(), errNotStorage)
	}
	return s.known, nil
}

// memberOf returns the number of the member whose node account this is, which is the index
// of its shares; 0 for an account that holds none.
func memberOf(ctx context.Context, query consortiumv1.QueryClient, chain Chain) (uint64, error) {
	got, err := query.Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: chain.Account()})
	if err != nil {
		return 0, fmt.Errorf("ask for the holder's own account: %w", err)
	}
	p := got.GetPrincipal()
	if p.GetRole() != consortiumv1.Role_ROLE_NODE || !p.GetActive() {
		return 0, nil
	}
	return p.GetHospital(), nil
}

// staysMember says whether a member takes part and has not asked to leave.
func staysMember(ctx context.Context, query consortiumv1.QueryClient, number uint64) (bool, error) {
	got, err := query.Member(ctx, &consortiumv1.QueryMemberRequest{Number: number})
	if err != nil {
		return false, fmt.Errorf("ask for member %d: %w", number, err)
	}
	return got.GetMember().GetStatus() == consortiumv1.MemberStatus_MEMBER_STATUS_ACTIVE, nil
}

// networkID is the id that every hash of the network's cryptography binds.
func networkID(ctx context.Context, query consortiumv1.QueryClient) (lock.Network, error) {
	rules, err := query.Params(ctx, &consortiumv1.QueryParamsRequest{})
	if err != nil {
		return lock.Network{}, fmt.Errorf("ask for the network's id: %w", err)
	}
	return lock.NetworkFromBytes(rules.GetNetworkId())
}

// freshHead returns the newest block if a holder may act on it: it is recent, and this node
// saw the signatures of over two thirds under it.
func freshHead(ctx context.Context, chain Chain, now time.Time) (Head, error) {
	head, err := chain.Ready(ctx)
	if err != nil {
		return Head{}, err
	}
	switch age := now.Sub(head.Time); {
	case head.CatchingUp:
		return Head{}, fmt.Errorf("catching up at height %d: %w", head.Height, ErrNotReady)
	case age >= MaxHeadAge:
		return Head{}, fmt.Errorf("the last block is %s old: %w", age.Round(time.Second), ErrNotReady)
	case !head.Signed:
		return Head{}, fmt.Errorf("signatures under block %d were not verified: %w", head.Height, ErrNotReady)
	}
	return head, nil
}
