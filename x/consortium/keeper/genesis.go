package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/phrd/phrd/x/consortium"
)

// InitGenesis writes the state of the first block, gives every principal its account
// and answers the first validators. The genesis was validated.
func (k *Keeper) InitGenesis(ctx context.Context, g *consortium.GenesisState) ([]abci.ValidatorUpdate, error) {
	if err := k.setParams(ctx, g.Params); err != nil {
		return nil, err
	}
	if err := k.networkID.Set(ctx, g.NetworkId); err != nil {
		return nil, err
	}
	if err := k.initMembers(ctx, g); err != nil {
		return nil, err
	}
	if err := k.initProposals(ctx, g); err != nil {
		return nil, err
	}
	var updates []abci.ValidatorUpdate
	for _, m := range g.Members {
		if !m.IsActive() {
			continue
		}
		update, err := k.tellComet(ctx, m)
		if err != nil {
			return nil, err
		}
		updates = append(updates, update)
	}
	if len(updates) == 0 {
		return nil, consortium.ErrInvalidGenesis.Wrap("no member is active")
	}
	return updates, nil
}

func (k *Keeper) initMembers(ctx context.Context, g *consortium.GenesisState) error {
	for _, m := range g.Members {
		if err := k.addMember(ctx, m); err != nil {
			return fmt.Errorf("member %d: %w", m.Number, err)
		}
	}
	for _, s := range g.Sites {
		if err := k.sites.Set(ctx, collections.Join(s.Member, s.Number), s); err != nil {
			return fmt.Errorf("site %d of member %d: %w", s.Number, s.Member, err)
		}
	}
	for _, n := range g.StorageNodes {
		if err := k.addNode(ctx, n); err != nil {
			return fmt.Errorf("storage node %d: %w", n.Number, err)
		}
	}
	for _, f := range g.FormerKeys {
		if err := k.addFormerKeys(ctx, f); err != nil {
			return fmt.Errorf("former keys %d of member %d: %w", f.Number, f.Member, err)
		}
	}
	for _, s := range g.Staff {
		account, err := consortium.ParseAccount(s.Address)
		if err != nil {
			return fmt.Errorf("staff: %w", err)
		}
		if err := k.setStaff(ctx, account, s); err != nil {
			return fmt.Errorf("staff %q: %w", s.Address, err)
		}
		k.openAuth(ctx, account)
	}
	for _, i := range g.Invitations {
		if err := k.setInvitation(ctx, i); err != nil {
			return fmt.Errorf("invitation %x: %w", i.Key, err)
		}
	}
	return nil
}

func (k *Keeper) initProposals(ctx context.Context, g *consortium.GenesisState) error {
	for _, r := range g.SessionsReported {
		if err := k.sessionsReported.Set(ctx, r.Member, r.Number); err != nil {
			return fmt.Errorf("session reports of member %d: %w", r.Member, err)
		}
	}
	for _, p := range g.Proposals {
		if err := k.setProposal(ctx, p); err != nil {
			return fmt.Errorf("proposal %d: %w", p.Number, err)
		}
	}
	for _, v := range g.Votes {
		if err := k.votes.Set(ctx, collections.Join(v.Proposal, v.Hospital), v); err != nil {
			return fmt.Errorf("vote of member %d on proposal %d: %w", v.Hospital, v.Proposal, err)
		}
	}
	return nil
}

// ExportGenesis reads the whole state, each list in the order of its keys. What is
// left in the token buckets is not part of it.
func (k *Keeper) ExportGenesis(ctx context.Context) (*consortium.GenesisState, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return nil, err
	}
	id, err := k.networkID.Get(ctx)
	if err != nil {
		return nil, err
	}
	g := &consortium.GenesisState{Params: params, NetworkId: id}
	if g.Members, err = all(ctx, k.members); err != nil {
		return nil, err
	}
	if g.Sites, err = all(ctx, k.sites); err != nil {
		return nil, err
	}
	if g.StorageNodes, err = all(ctx, k.nodes); err != nil {
		return nil, err
	}
	if g.Staff, err = all(ctx, k.staff); err != nil {
		return nil, err
	}
	if g.Invitations, err = all(ctx, k.invitations); err != nil {
		return nil, err
	}
	if g.Proposals, err = all(ctx, k.proposals); err != nil {
		return nil, err
	}
	if g.FormerKeys, err = all(ctx, k.formerKeys); err != nil {
		return nil, err
	}
	if err := k.sessionsReported.Walk(ctx, nil, func(member, number uint64) (bool, error) {
		g.SessionsReported = append(g.SessionsReported, consortium.SessionsReported{Member: member, Number: number})
		return false, nil
	}); err != nil {
		return nil, err
	}
	g.Votes, err = all(ctx, k.votes)
	return g, err
}

// all reads the values of a collection in the order of their keys.
func all[K, V any](ctx context.Context, m collections.Map[K, V]) ([]V, error) {
	var values []V
	err := m.Walk(ctx, nil, func(_ K, v V) (bool, error) {
		values = append(values, v)
		return false, nil
	})
	return values, err
}
