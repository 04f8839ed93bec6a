package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// StorageNode is the node of that number; consortium.ErrUnknownNode where there is none.
func (k *Keeper) StorageNode(ctx context.Context, number uint64) (consortium.StorageNode, error) {
	n, err := k.nodes.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return n, consortium.ErrUnknownNode.Wrapf("%d", number)
	}
	return n, err
}

// StorageNodeByAccount is the node of that account; consortium.ErrUnknownNode where
// the account is no node's, or is one that a node had in former days.
func (k *Keeper) StorageNodeByAccount(ctx context.Context, address string) (consortium.StorageNode, error) {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return consortium.StorageNode{}, consortium.ErrUnknownNode.Wrapf("account %q: %v", address, err)
	}
	number, err := k.nodesByAccount.Get(ctx, account)
	if errors.Is(err, collections.ErrNotFound) {
		return consortium.StorageNode{}, consortium.ErrUnknownNode.Wrapf("account %q", address)
	}
	if err != nil {
		return consortium.StorageNode{}, err
	}
	n, err := k.StorageNode(ctx, number)
	if err == nil && n.Account != account.String() {
		err = consortium.ErrUnknownNode.Wrapf("account %q was replaced", address)
	}
	return n, err
}

// MemberNode is the first node of a member, its own server;
// consortium.ErrUnknownMember where there is no such member.
func (k *Keeper) MemberNode(ctx context.Context, member uint64) (consortium.StorageNode, error) {
	var first consortium.StorageNode
	found := false
	err := k.nodesByMember.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](member), func(key numberPair) (bool, error) {
		n, err := k.StorageNode(ctx, key.K2())
		first, found = n, true
		return true, err
	})
	if err == nil && !found {
		err = consortium.ErrUnknownMember.Wrapf("%d", member)
	}
	return first, err
}

// StorageNodes are all nodes, by number.
func (k *Keeper) StorageNodes(ctx context.Context) ([]consortium.StorageNode, error) {
	var nodes []consortium.StorageNode
	err := k.nodes.Walk(ctx, nil, func(_ uint64, n consortium.StorageNode) (bool, error) {
		nodes = append(nodes, n)
		return false, nil
	})
	return nodes, err
}

// NodesOf are the nodes of a member, by number, at most consortium.MaxStorageNodes.
func (k *Keeper) NodesOf(ctx context.Context, member uint64) ([]consortium.StorageNode, error) {
	var nodes []consortium.StorageNode
	err := k.nodesByMember.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](member), func(key numberPair) (bool, error) {
		n, err := k.StorageNode(ctx, key.K2())
		nodes = append(nodes, n)
		return false, err
	})
	return nodes, err
}

// nodesChanged tells who follows a member's nodes.
func (k *Keeper) nodesChanged(ctx context.Context, member uint64) error {
	for _, h := range k.nodeHooks {
		if err := h.NodesChanged(ctx, member); err != nil {
			return err
		}
	}
	return nil
}

// PlaceableNodes are the nodes that take copies, of members that stay, by number.
func (k *Keeper) PlaceableNodes(ctx context.Context) ([]consortium.StorageNode, error) {
	stays := map[uint64]bool{}
	if err := k.members.Walk(ctx, nil, func(number uint64, m consortium.Member) (bool, error) {
		stays[number] = m.Stays()
		return false, nil
	}); err != nil {
		return nil, err
	}
	var nodes []consortium.StorageNode
	err := k.nodes.Walk(ctx, nil, func(_ uint64, n consortium.StorageNode) (bool, error) {
		if stays[n.Member] && !n.Retired {
			nodes = append(nodes, n)
		}
		return false, nil
	})
	return nodes, err
}

// addNode writes a storage node, opens its account, and writes the ways to find it.
func (k *Keeper) addNode(ctx context.Context, n consortium.StorageNode) error {
	account, err := consortium.ParseAccount(n.Account)
	if err != nil {
		return err
	}
	if err := k.nodes.Set(ctx, n.Number, n); err != nil {
		return err
	}
	if err := k.nodesByMember.Set(ctx, collections.Join(n.Member, n.Number)); err != nil {
		return err
	}
	k.openAuth(ctx, account)
	return k.knowNode(ctx, n)
}

// knowNode writes how a storage node is found by its account and ids, for good.
func (k *Keeper) knowNode(ctx context.Context, n consortium.StorageNode) error {
	account, err := consortium.ParseAccount(n.Account)
	if err != nil {
		return err
	}
	peer, err := consortium.ParsePeerID(n.PeerId)
	if err != nil {
		return err
	}
	if err := k.nodesByAccount.Set(ctx, account, n.Number); err != nil {
		return err
	}
	if err := k.nodesByPeer.Set(ctx, peer, n.Number); err != nil {
		return err
	}
	return k.nodesByComet.Set(ctx, n.CometId, n.Number)
}

// checkNewNode answers what keeps a node from being added to its member.
func (k *Keeper) checkNewNode(ctx context.Context, n consortium.StorageNode) error {
	if err := n.Validate(); err != nil {
		return err
	}
	if _, err := k.newAccount(ctx, n.Account); err != nil {
		return err
	}
	if _, err := k.site(ctx, n.Member, n.Site); err != nil {
		return err
	}
	peer, err := consortium.ParsePeerID(n.PeerId)
	if err != nil {
		return err
	}
	taken, err := k.nodesByPeer.Has(ctx, peer)
	if err != nil {
		return err
	}
	if taken {
		return consortium.ErrKnownKey.Wrapf("peer id %q", n.PeerId)
	}
	if taken, err = k.nodesByComet.Has(ctx, n.CometId); err != nil {
		return err
	}
	if taken {
		return consortium.ErrKnownKey.Wrapf("comet id %q", n.CometId)
	}
	count, err := countPrefix(ctx, k.nodesByMember, n.Member)
	if err != nil {
		return err
	}
	if count >= consortium.MaxStorageNodes {
		return consortium.ErrTooMany.Wrapf("a member has at most %d storage nodes", consortium.MaxStorageNodes)
	}
	return nil
}

// RegisterStorageNode adds a storage node to the signer's member and creates its
// account. Each of the node's keys has signed that it is to be this member's; no key
// and no account is ever registered twice, that of a retired node neither.
func (s msgServer) RegisterStorageNode(ctx context.Context, msg *consortium.MsgRegisterStorageNode) (*consortium.MsgRegisterStorageNodeResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	network, err := s.NetworkID(ctx)
	if err != nil {
		return nil, err
	}
	declaration, err := msg.Declaration(network, signer.Hospital)
	if err != nil {
		return nil, err
	}
	n := declaration.StorageNode()
	if err := s.checkNewNode(ctx, n); err != nil {
		return nil, err
	}
	if err := declaration.Verify(); err != nil {
		return nil, err
	}
	last, err := lastNumber(ctx, s.nodes)
	if err != nil {
		return nil, err
	}
	n.Number = last + 1
	if err := s.addNode(ctx, n); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindStorageNodeRegistered, text(n.Number))); err != nil {
		return nil, err
	}
	if err := s.nodesChanged(ctx, n.Member); err != nil {
		return nil, err
	}
	return &consortium.MsgRegisterStorageNodeResponse{Number: n.Number}, tellMember(ctx, n.Member)
}

// ownNode is a node of the signer's member; consortium.ErrUnauthorized where it is
// another one's.
func (k *Keeper) ownNode(ctx context.Context, signer consortium.Principal, number uint64) (consortium.StorageNode, error) {
	n, err := k.StorageNode(ctx, number)
	if err == nil && n.Member != signer.Hospital {
		err = consortium.ErrUnauthorized.Wrapf("storage node %d is member %d's", n.Number, n.Member)
	}
	return n, err
}

// UpdateStorageNode changes where a node of the signer's member is reached and how much
// it stores; an empty field stays. What is placed on it stays there, too.
func (s msgServer) UpdateStorageNode(ctx context.Context, msg *consortium.MsgUpdateStorageNode) (*consortium.MsgUpdateStorageNodeResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	n, err := s.ownNode(ctx, signer, msg.Number)
	if err != nil {
		return nil, err
	}
	if msg.Address == "" && msg.Capacity == 0 {
		return nil, consortium.ErrInvalidEndpoint.Wrap("nothing changes")
	}
	if msg.Address != "" {
		n.Address = msg.Address
	}
	if msg.Capacity != 0 {
		n.Capacity = msg.Capacity
	}
	if err := n.Validate(); err != nil {
		return nil, err
	}
	if err := s.nodes.Set(ctx, n.Number, n); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindStorageNodeUpdated, text(n.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgUpdateStorageNodeResponse{}, tellMember(ctx, n.Member)
}

// RetireStorageNode stops new placements on a node of the signer's member. What it
// holds it keeps, and confirms, until others hold it.
func (s msgServer) RetireStorageNode(ctx context.Context, msg *consortium.MsgRetireStorageNode) (*consortium.MsgRetireStorageNodeResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	n, err := s.ownNode(ctx, signer, msg.Number)
	if err != nil {
		return nil, err
	}
	if n.Retired {
		return nil, consortium.ErrWrongStatus.Wrapf("storage node %d is retired", n.Number)
	}
	n.Retired = true
	if err := s.nodes.Set(ctx, n.Number, n); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindStorageNodeRetired, text(n.Number))); err != nil {
		return nil, err
	}
	if err := s.nodesChanged(ctx, n.Member); err != nil {
		return nil, err
	}
	return &consortium.MsgRetireStorageNodeResponse{}, tellMember(ctx, n.Member)
}

// lastNumber is the highest number of a collection; 0 where it is empty.
func lastNumber[V any](ctx context.Context, m collections.Map[uint64, V]) (uint64, error) {
	last := uint64(0)
	err := m.Walk(ctx, new(collections.Range[uint64]).Descending(), func(number uint64, _ V) (bool, error) {
		last = number
		return true, nil
	})
	return last, err
}

// countPrefix counts the keys under a number. Callers bound how many there are.
func countPrefix[K any](ctx context.Context, set collections.KeySet[collections.Pair[uint64, K]], number uint64) (int, error) {
	count := 0
	err := set.Walk(ctx, collections.NewPrefixedPairRange[uint64, K](number), func(collections.Pair[uint64, K]) (bool, error) {
		count++
		return false, nil
	})
	return count, err
}
