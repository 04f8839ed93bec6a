package consortium

import (
	"bytes"
	"encoding/hex"

	"github.com/phrd/phrd/lock"
)

// DefaultGenesis has the default rules and no members. A network can't start from
// it: Found makes a state that it can.
func DefaultGenesis() *GenesisState { return &GenesisState{Params: DefaultParams()} }

// Validate answers ErrInvalidGenesis, or what is wrong with the parameters, where
// the state is not one that the module could have exported or that Found makes. It
// holds across the lists: numbers count on without a gap, a key and an account are
// named once, an account has one role, and at least one member is active.
func (g *GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	if _, err := lock.NetworkFromBytes(g.NetworkId); err != nil || bytes.Equal(g.NetworkId, make([]byte, len(g.NetworkId))) {
		return ErrInvalidGenesis.Wrap("network_id: want 32 bytes that are not zero")
	}
	v := genesisCheck{
		members: map[uint64]*Member{}, sites: map[uint64]uint64{}, siteNames: map[siteName]bool{}, removed: map[[2]uint64]bool{}, nodes: map[uint64]uint64{},
		rotations: map[uint64]uint64{}, admins: map[uint64]int{}, staff: map[string]Staff{}, open: map[uint64]int{},
		names: map[string]bool{}, keys: map[string]bool{}, accounts: map[string]bool{},
		proposals: map[uint64]bool{}, votes: map[[2]uint64]bool{},
	}
	for i := range g.Members {
		if err := v.member(&g.Members[i]); err != nil {
			return ErrInvalidGenesis.Wrapf("member %d: %v", i+1, err)
		}
	}
	for _, s := range g.Sites {
		if err := v.site(s); err != nil {
			return ErrInvalidGenesis.Wrapf("site %d of member %d: %v", s.Number, s.Member, err)
		}
	}
	for i, n := range g.StorageNodes {
		if err := v.node(uint64(i)+1, n); err != nil {
			return ErrInvalidGenesis.Wrapf("storage node %d: %v", i+1, err)
		}
	}
	for i := range g.FormerKeys {
		if err := v.former(&g.FormerKeys[i]); err != nil {
			return ErrInvalidGenesis.Wrapf("former keys %d of member %d: %v", g.FormerKeys[i].Number, g.FormerKeys[i].Member, err)
		}
	}
	for _, s := range g.Staff {
		if err := v.person(s); err != nil {
			return ErrInvalidGenesis.Wrapf("staff %q: %v", s.Address, err)
		}
	}
	if err := v.complete(g.Members); err != nil {
		return err
	}
	for i := range g.Invitations {
		if err := v.invitation(&g.Invitations[i]); err != nil {
			return ErrInvalidGenesis.Wrapf("invitation %x: %v", g.Invitations[i].Key, err)
		}
	}
	for i := range g.Proposals {
		if err := v.proposal(uint64(i)+1, &g.Proposals[i]); err != nil {
			return ErrInvalidGenesis.Wrapf("proposal %d: %v", i+1, err)
		}
	}
	for _, vote := range g.Votes {
		if err := v.vote(vote); err != nil {
			return ErrInvalidGenesis.Wrapf("vote of member %d on proposal %d: %v", vote.Hospital, vote.Proposal, err)
		}
	}
	var last uint64
	for _, r := range g.SessionsReported {
		if r.Member <= last || r.Number == 0 || v.members[r.Member] == nil {
			return ErrInvalidGenesis.Wrapf("session reports of member %d: zero, repeated or of nobody", r.Member)
		}
		last = r.Member
	}
	return nil
}

// genesisCheck is what was met so far.
type genesisCheck struct {
	members   map[uint64]*Member
	sites     map[uint64]uint64 // sites by member
	siteNames map[siteName]bool
	removed   map[[2]uint64]bool // member and site
	nodes     map[uint64]uint64  // storage nodes by member
	rotations map[uint64]uint64  // replacements of keys by member
	admins    map[uint64]int     // admins that were not revoked, by member
	open      map[uint64]int     // open proposals by member
	staff     map[string]Staff
	proposals map[uint64]bool
	votes     map[[2]uint64]bool
	names     map[string]bool
	keys      map[string]bool
	accounts  map[string]bool
}

// siteName is a name within a member.
type siteName struct {
	member uint64
	name   string
}

// once answers an error where the text was met before.
func once(seen map[string]bool, what, text string) error {
	if seen[text] {
		return ErrInvalidGenesis.Wrapf("%s is repeated", what)
	}
	seen[text] = true
	return nil
}

// account takes an account that has no role yet.
func (g genesisCheck) account(address string) error {
	if _, err := ParseAccount(address); err != nil {
		return err
	}
	return once(g.accounts, "account", address)
}

func (g genesisCheck) member(m *Member) error {
	if m.Number != uint64(len(g.members))+1 {
		return ErrInvalidGenesis.Wrapf("out of order: has number %d", m.Number)
	}
	if m.Number > MaxMembers {
		return ErrTooMany.Wrapf("want at most %d", MaxMembers)
	}
	if err := m.Validate(); err != nil {
		return err
	}
	if err := once(g.names, "name", foldName(m.Name)); err != nil {
		return err
	}
	for _, c := range []struct{ what, key string }{
		{"consensus key", string(m.ConsensusKey)}, {"vault key", string(m.VaultKey)},
		{"emergency key", string(m.EmergencyKey)},
	} {
		if c.key == "" {
			continue
		}
		if err := once(g.keys, c.what, c.key); err != nil {
			return err
		}
	}
	g.members[m.Number] = m
	return nil
}

func (g genesisCheck) site(s Site) error {
	if g.members[s.Member] == nil {
		return ErrUnknownMember
	}
	if s.Number != g.sites[s.Member]+1 || s.Number > MaxSites {
		return ErrInvalidGenesis.Wrapf("out of order: want site %d of at most %d", g.sites[s.Member]+1, MaxSites)
	}
	if err := s.Validate(); err != nil {
		return err
	}
	g.sites[s.Member]++
	if s.Removed {
		g.removed[[2]uint64{s.Member, s.Number}] = true
		return nil
	}
	name := siteName{s.Member, foldName(s.Name)}
	if g.siteNames[name] {
		return ErrKnownName
	}
	g.siteNames[name] = true
	return nil
}

// node takes storage nodes in their order. A member's own server is its first.
func (g genesisCheck) node(number uint64, n StorageNode) error {
	m := g.members[n.Member]
	if m == nil {
		return ErrUnknownMember
	}
	if n.Number != number {
		return ErrInvalidGenesis.Wrapf("out of order: has number %d", n.Number)
	}
	if n.Site < 1 || n.Site > g.sites[n.Member] {
		return ErrUnknownSite
	}
	if !n.Retired && g.removed[[2]uint64{n.Member, n.Site}] {
		return ErrSiteInUse.Wrapf("site %d was removed", n.Site)
	}
	if err := n.Validate(); err != nil {
		return err
	}
	if own, first := n.Account == m.NodeAccount, g.nodes[n.Member] == 0; own != first {
		return ErrInvalidGenesis.Wrap("a member's own server, and no other, is its first")
	} else if own && n.CometId != m.CometId {
		return ErrInvalidGenesis.Wrap("comet id is not its member's")
	}
	if g.nodes[n.Member]++; g.nodes[n.Member] > MaxStorageNodes {
		return ErrTooMany.Wrapf("want at most %d", MaxStorageNodes)
	}
	if err := g.account(n.Account); err != nil {
		return err
	}
	if err := once(g.keys, "comet id", n.CometId); err != nil {
		return err
	}
	return once(g.keys, "peer id", n.PeerId)
}

// former takes keys that were replaced, in their order within the member. Nobody has or
// had them besides.
func (g genesisCheck) former(f *FormerKeys) error {
	if g.members[f.Member] == nil {
		return ErrUnknownMember
	}
	if g.rotations[f.Member]++; f.Number != g.rotations[f.Member] {
		return ErrInvalidGenesis.Wrapf("out of order: want number %d", g.rotations[f.Member])
	}
	if err := f.Validate(); err != nil {
		return err
	}
	for _, c := range []struct{ what, key string }{
		{"consensus key", string(f.ConsensusKey)}, {"comet id", f.CometId}, {"peer id", f.PeerId},
	} {
		if c.key == "" {
			continue
		}
		if err := once(g.keys, c.what, c.key); err != nil {
			return err
		}
	}
	if f.NodeAccount == "" {
		return nil
	}
	return g.account(f.NodeAccount)
}

func (g genesisCheck) person(s Staff) error {
	if err := s.Validate(); err != nil {
		return err
	}
	if g.members[s.Hospital] == nil && !s.IsAppointed() {
		return ErrUnknownMember
	}
	for _, hospital := range s.Hospitals {
		if g.members[hospital] == nil {
			return ErrUnknownMember.Wrapf("%d", hospital)
		}
	}
	if err := g.account(s.Address); err != nil {
		return err
	}
	if s.Role == ROLE_ADMIN && !s.Revoked {
		if g.admins[s.Hospital]++; g.admins[s.Hospital] > MaxAdmins {
			return ErrTooMany.Wrapf("want at most %d admins", MaxAdmins)
		}
	}
	g.staff[s.Address] = s
	return nil
}

// complete checks that each member has what makes it one.
func (g genesisCheck) complete(members []Member) error {
	active := 0
	for i := range members {
		m := &members[i]
		if m.IsActive() {
			active++
		}
		if g.nodes[m.Number] == 0 {
			return ErrInvalidGenesis.Wrapf("member %d has no storage node", m.Number)
		}
		if m.Status != MEMBER_STATUS_LEFT && g.admins[m.Number] == 0 {
			return ErrInvalidGenesis.Wrapf("member %d has no admin", m.Number)
		}
	}
	if active == 0 {
		return ErrInvalidGenesis.Wrap("no member is active")
	}
	return nil
}

func (g genesisCheck) invitation(i *Invitation) error {
	if err := CheckInvitationKey(i.Key); err != nil {
		return err
	}
	if err := once(g.keys, "key", hex.EncodeToString(i.Key)); err != nil {
		return err
	}
	if g.members[i.Hospital] == nil {
		return ErrUnknownMember
	}
	if i.Role != ROLE_PATIENT {
		return ErrInvalidRole.Wrapf("%d", i.Role)
	}
	if i.Address == "" {
		return nil
	}
	if i.Revoked {
		return ErrInvalidGenesis.Wrap("used and revoked")
	}
	return g.account(i.Address)
}

func (g genesisCheck) proposal(number uint64, p *Proposal) error {
	if p.Number != number {
		return ErrInvalidGenesis.Wrapf("out of order: has number %d", p.Number)
	}
	if s, known := g.staff[p.Proposer]; !known || s.Role != ROLE_ADMIN || s.Hospital != p.Hospital {
		return ErrInvalidGenesis.Wrap("the proposer is no admin of the hospital")
	}
	if _, err := p.Msgs(); err != nil {
		return err
	}
	if _, known := ProposalStatus_name[int32(p.Status)]; !known || p.Status == PROPOSAL_STATUS_UNSPECIFIED {
		return ErrInvalidGenesis.Wrapf("status %d", p.Status)
	}
	if (p.Failure != "") != (p.Status == PROPOSAL_STATUS_FAILED) {
		return ErrInvalidGenesis.Wrap("status and failure do not go together")
	}
	if p.Status == PROPOSAL_STATUS_OPEN {
		if g.open[p.Hospital]++; g.open[p.Hospital] > MaxOpenProposals {
			return ErrTooMany.Wrapf("want at most %d open", MaxOpenProposals)
		}
	}
	g.proposals[p.Number] = true
	return nil
}

func (g genesisCheck) vote(v Vote) error {
	if !g.proposals[v.Proposal] {
		return ErrUnknownProposal
	}
	if s, known := g.staff[v.Voter]; !known || s.Role != ROLE_ADMIN || s.Hospital != v.Hospital {
		return ErrInvalidGenesis.Wrap("the voter is no admin of the hospital")
	}
	key := [2]uint64{v.Proposal, v.Hospital}
	if g.votes[key] {
		return ErrInvalidGenesis.Wrap("repeated")
	}
	g.votes[key] = true
	return nil
}
