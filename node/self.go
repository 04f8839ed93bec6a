package node

import (
	"context"
	"errors"
	"fmt"
	"sync"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
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
