package keeper

import (
	"context"
	"strings"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
)

// AddSite adds a site to the signer's member. Names differ within a member.
func (s msgServer) AddSite(ctx context.Context, msg *consortium.MsgAddSite) (*consortium.MsgAddSiteResponse, error) {
	signer, entry, err := s.authorise(ctx, msg.Admin, consortium.ROLE_ADMIN)
	if err != nil {
		return nil, err
	}
	site := consortium.Site{Member: signer.Hospital, Name: msg.Name, TimeZone: msg.TimeZone}
	if err := site.Validate(); err != nil {
		return nil, err
	}
	if err := s.sites.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](site.Member),
		func(key numberPair, other consortium.Site) (bool, error) {
			if strings.EqualFold(other.Name, site.Name) {
				return true, consortium.ErrKnownName.Wrapf("%q", site.Name)
			}
			site.Number = key.K2()
			return false, nil
		}); err != nil {
		return nil, err
	}
	if site.Number++; site.Number > consortium.MaxSites {
		return nil, consortium.ErrTooMany.Wrapf("a member has at most %d sites", consortium.MaxSites)
	}
	if err := s.sites.Set(ctx, collections.Join(site.Member, site.Number), site); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, about(entry, audit.KindSiteAdded, text(site.Number))); err != nil {
		return nil, err
	}
	return &consortium.MsgAddSiteResponse{Number: site.Number}, tellMember(ctx, site.Member)
}
