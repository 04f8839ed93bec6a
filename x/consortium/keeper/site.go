package keeper

import (
	"context"
	"errors"
	"strings"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// site is a site of a member that was not removed; consortium.ErrUnknownSite where
// there is none.
func (k *Keeper) site(ctx context.Context, member, number uint64) (consortium.Site, error) {
	s, err := k.sites.Get(ctx, collections.Join(member, number))
	if errors.Is(err, collections.ErrNotFound) || err == nil && s.Removed {
		return s, consortium.ErrUnknownSite.Wrapf("%d", number)
	}
	return s, err
}

// setSite writes a site.
func (k *Keeper) setSite(ctx context.Context, s consortium.Site) error {
	return k.sites.Set(ctx, collections.Join(s.Member, s.Number), s)
}

// checkSite answers the highest number of a site of the member, and what is wrong with
// a new or changed one: its own fields, and consortium.ErrKnownName where another site
// of the member, which was not removed, has its name.
func (k *Keeper) checkSite(ctx context.Context, site consortium.Site) (last uint64, err error) {
	if err := site.Validate(); err != nil {
		return 0, err
	}
	err = k.sites.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](site.Member), func(key numberPair, other consortium.Site) (bool, error) {
		last = key.K2()
		if !other.Removed && other.Number != site.Number && strings.EqualFold(other.Name, site.Name) {
			return true, consortium.ErrKnownName.Wrapf("%q", site.Name)
		}
		return false, nil
	})
	return last, err
}

// AddSite adds a site to the signer's member. Names differ within a member.
func (s msgServer) AddSite(ctx context.Context, msg *consortium.MsgAddSite) (*consortium.MsgAddSiteResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	site := consortium.Site{Member: signer.Hospital, Name: msg.Name, TimeZone: msg.TimeZone}
	last, err := s.checkSite(ctx, site)
	if err != nil {
		return nil, err
	}
	if site.Number = last + 1; site.Number > consortium.MaxSites {
		return nil, consortium.ErrTooMany.Wrapf("a member has at most %d sites, removed ones included", consortium.MaxSites)
	}
	if err := s.setSite(ctx, site); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindSiteAdded, text(site.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgAddSiteResponse{Number: site.Number}, tellMember(ctx, site.Member)
}

// UpdateSite changes the name and time zone of a site of the signer's member; an empty
// field stays. Copies are kept apart by a site's number, which never changes, so what is
// placed there stays.
func (s msgServer) UpdateSite(ctx context.Context, msg *consortium.MsgUpdateSite) (*consortium.MsgUpdateSiteResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	was, err := s.site(ctx, signer.Hospital, msg.Number)
	if err != nil {
		return nil, err
	}
	site := was
	if msg.Name != "" {
		site.Name = msg.Name
	}
	if msg.TimeZone != "" {
		site.TimeZone = msg.TimeZone
	}
	if site == was {
		return nil, consortium.ErrInvalidName.Wrap("nothing changes")
	}
	if _, err := s.checkSite(ctx, site); err != nil {
		return nil, err
	}
	if err := s.setSite(ctx, site); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindSiteUpdated, text(site.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgUpdateSiteResponse{}, tellMember(ctx, site.Member)
}

// RemoveSite gives up a site of the signer's member at which only retired storage nodes
// stand. The site stays in the state, for those nodes may still hold copies that are
// kept apart by its number.
func (s msgServer) RemoveSite(ctx context.Context, msg *consortium.MsgRemoveSite) (*consortium.MsgRemoveSiteResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	site, err := s.site(ctx, signer.Hospital, msg.Number)
	if err != nil {
		return nil, err
	}
	nodes, err := s.NodesOf(ctx, site.Member)
	if err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.Site == site.Number && !n.Retired {
			return nil, consortium.ErrSiteInUse.Wrapf("site %d: storage node %d", site.Number, n.Number)
		}
	}
	site.Removed = true
	if err := s.setSite(ctx, site); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindSiteRemoved, text(site.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgRemoveSiteResponse{}, tellMember(ctx, site.Member)
}
