package phr

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// pageSize is how many things one page of a list holds, the most that a gateway gives.
const pageSize = 200

// Authority is the address of the consortium's account, which signs what the members have voted for.
func Authority() string {
	sum := sha256.Sum256([]byte("consortium"))
	return wallet.FormatAddress(sum[:wallet.AddressSize])
}

// pages lists everything that a paged query gives, page by page.
func pages[T any](ctx context.Context, ask func(context.Context, *queryv1.PageRequest) ([]T, *queryv1.PageResponse, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var key []byte
		for {
			items, next, err := ask(ctx, &queryv1.PageRequest{Key: key, Limit: pageSize})
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if key = next.GetNextKey(); len(key) == 0 {
				return
			}
		}
	}
}

// collect is the list of a sequence that may break off with an error.
func collect[T any](seq iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for item, err := range seq {
		if err != nil {
			return nil, err
		}
		all = append(all, item)
	}
	return all, nil
}

func (c *Client) consortium() consortiumv1.QueryClient { return consortiumv1.NewQueryClient(c) }

// Members are the hospitals of the network by number, those that left included.
func (c *Client) Members(ctx context.Context) ([]*consortiumv1.Member, error) {
	return collect(pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*consortiumv1.Member, *queryv1.PageResponse, error) {
		answer, err := c.consortium().Members(ctx, &consortiumv1.QueryMembersRequest{Pagination: page})
		return answer.GetMembers(), answer.GetPagination(), err
	}))
}

// Member is the hospital of a number; ErrNotFound where there is none.
func (c *Client) Member(ctx context.Context, number uint64) (*consortiumv1.Member, error) {
	answer, err := c.consortium().Member(ctx, &consortiumv1.QueryMemberRequest{Number: number})
	return answer.GetMember(), err
}

// Sites are the places of a hospital, or of all where number is 0.
func (c *Client) Sites(ctx context.Context, number uint64) ([]*consortiumv1.Site, error) {
	return collect(pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*consortiumv1.Site, *queryv1.PageResponse, error) {
		answer, err := c.consortium().Sites(ctx, &consortiumv1.QuerySitesRequest{Member: number, Pagination: page})
		return answer.GetSites(), answer.GetPagination(), err
	}))
}

// StorageNodes are the servers that store blobs of a hospital, or of all where number is 0.
func (c *Client) StorageNodes(ctx context.Context, number uint64) ([]*consortiumv1.StorageNode, error) {
	return collect(pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*consortiumv1.StorageNode, *queryv1.PageResponse, error) {
		answer, err := c.consortium().StorageNodes(ctx, &consortiumv1.QueryStorageNodesRequest{Member: number, Pagination: page})
		return answer.GetStorageNodes(), answer.GetPagination(), err
	}))
}

// AddSite adds a place to the admin's hospital, where copies don't fail together with those at another one, and returns its number.
func (c *Client) AddSite(ctx context.Context, name, zone string) (uint64, error) {
	msg := &consortiumv1.MsgAddSite{Admin: c.key.Address(), Name: name, TimeZone: zone}
	answer := &consortiumv1.MsgAddSiteResponse{}
	_, err := c.send(ctx, c.amino, gasBase, msg, answer)
	return answer.Number, err
}

// UpdateSite changes the name and time zone of a site of the admin's hospital; an empty one stays.
func (c *Client) UpdateSite(ctx context.Context, number uint64, name, zone string) error {
	msg := &consortiumv1.MsgUpdateSite{Admin: c.key.Address(), Number: number, Name: name, TimeZone: zone}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgUpdateSiteResponse{})
	return err
}

// RemoveSite gives up a site of the admin's hospital, whose storage nodes are all retired.
func (c *Client) RemoveSite(ctx context.Context, number uint64) error {
	msg := &consortiumv1.MsgRemoveSite{Admin: c.key.Address(), Number: number}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRemoveSiteResponse{})
	return err
}

// RotateHospitalVault gives the vault of the admin's hospital the key of its next epoch, to which the hospital's own records are locked from
// then on. What was stored before stays sealed to the former key until an officer has called [Client.Reseal].
func (c *Client) RotateHospitalVault(ctx context.Context, epoch uint64, key lock.PublicKey) error {
	msg := &consortiumv1.MsgRotateMemberVault{Admin: c.key.Address(), VaultKey: key.Bytes(), Epoch: epoch}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRotateMemberVaultResponse{})
	return err
}

// RotateEmergencyVault gives the emergency vault of the admin's hospital its first or next key, to which patients' emergency boxes are sealed
// from then on. Boxes that were sealed before open by the former key until their patients have called [Client.SealEmergency].
func (c *Client) RotateEmergencyVault(ctx context.Context, epoch uint64, key lock.PublicKey) error {
	msg := &consortiumv1.MsgRotateEmergencyVault{Admin: c.key.Address(), VaultKey: key.Bytes(), Epoch: epoch}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRotateEmergencyVaultResponse{})
	return err
}

// RegisterStorageNode adds a further server that stores blobs to the admin's hospital, as its keys have signed in its node.json, and
// returns its number. The message's admin is filled in.
func (c *Client) RegisterStorageNode(ctx context.Context, node *consortiumv1.MsgRegisterStorageNode) (uint64, error) {
	node.Admin = c.key.Address()
	answer := &consortiumv1.MsgRegisterStorageNodeResponse{}
	_, err := c.send(ctx, c.amino, gasBase, node, answer)
	return answer.Number, err
}

// UpdateMember changes the addresses of the admin's hospital; an empty one stays. The message's admin is filled in.
func (c *Client) UpdateMember(ctx context.Context, addresses *consortiumv1.MsgUpdateMember) error {
	addresses.Admin = c.key.Address()
	_, err := c.send(ctx, c.amino, gasBase, addresses, &consortiumv1.MsgUpdateMemberResponse{})
	return err
}

// RotateMemberKeys tells the network of new keys of the server of the admin's hospital, as they have signed. The message's admin is filled
// in.
func (c *Client) RotateMemberKeys(ctx context.Context, keys *consortiumv1.MsgRotateMemberKeys) error {
	keys.Admin = c.key.Address()
	_, err := c.send(ctx, c.amino, gasBase, keys, &consortiumv1.MsgRotateMemberKeysResponse{})
	return err
}

// RequestLeave begins to take the admin's hospital out of the network, and returns how many copies others are to take over first.
func (c *Client) RequestLeave(ctx context.Context) (copies uint64, err error) {
	msg := &consortiumv1.MsgRequestLeave{Admin: c.key.Address()}
	answer := &consortiumv1.MsgRequestLeaveResponse{}
	_, err = c.send(ctx, c.amino, gasBase, msg, answer)
	return answer.Copies, err
}

// UpdateStorageNode changes the address (empty keeps it) and the capacity (0 keeps it) of a server of the admin's hospital.
func (c *Client) UpdateStorageNode(ctx context.Context, number uint64, address string, capacity uint64) error {
	msg := &consortiumv1.MsgUpdateStorageNode{Admin: c.key.Address(), Number: number, Address: address, Capacity: capacity}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgUpdateStorageNodeResponse{})
	return err
}

// RetireStorageNode has the copies on a server of the admin's hospital kept elsewhere. When it has nothing left to do it is shut out.
func (c *Client) RetireStorageNode(ctx context.Context, number uint64) error {
	msg := &consortiumv1.MsgRetireStorageNode{Admin: c.key.Address(), Number: number}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRetireStorageNodeResponse{})
	return err
}

// Staff are the accounts that a hospital registered, revoked ones included. The account is an admin, an officer or the
// node of that hospital, or an auditor who sees its log.
func (c *Client) Staff(ctx context.Context, hospital uint64) ([]*consortiumv1.Staff, error) {
	return collect(pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*consortiumv1.Staff, *queryv1.PageResponse, error) {
		answer, err := c.consortium().Staff(ctx, &consortiumv1.QueryStaffRequest{Hospital: hospital, Pagination: page})
		return answer.GetStaff(), answer.GetPagination(), err
	}))
}

// RegisterStaff gives an address a role in the admin's hospital and makes its account.
func (c *Client) RegisterStaff(ctx context.Context, address string, role consortiumv1.Role) error {
	msg := &consortiumv1.MsgRegisterStaff{Admin: c.key.Address(), Address: address, Role: role}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRegisterStaffResponse{})
	return err
}

// RegisterAuditor gives an address the role of an auditor, in the admin's hospital, that ends at a time: it sees what concerns that hospital.
func (c *Client) RegisterAuditor(ctx context.Context, address string, until time.Time) error {
	msg := &consortiumv1.MsgRegisterStaff{Admin: c.key.Address(), Address: address, Role: consortiumv1.Role_ROLE_AUDITOR, Until: until.Unix()}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRegisterStaffResponse{})
	return err
}

// UpdateStaff says at which wards of the admin's hospital somebody works from now on.
func (c *Client) UpdateStaff(ctx context.Context, address string, wards []uint32) error {
	msg := &consortiumv1.MsgUpdateStaff{Admin: c.key.Address(), Address: address, Wards: slices.Compact(slices.Sorted(slices.Values(wards)))}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgUpdateStaffResponse{})
	return err
}

// RevokeStaff ends an account's role from the next block on.
func (c *Client) RevokeStaff(ctx context.Context, address string) error {
	msg := &consortiumv1.MsgRevokeStaff{Admin: c.key.Address(), Address: address}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgRevokeStaffResponse{})
	return err
}

// Proposals are what the members voted or vote on, newest first.
func (c *Client) Proposals(ctx context.Context) ([]*consortiumv1.Proposal, error) {
	return collect(pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]*consortiumv1.Proposal, *queryv1.PageResponse, error) {
		answer, err := c.consortium().Proposals(ctx, &consortiumv1.QueryProposalsRequest{Pagination: page})
		return answer.GetProposals(), answer.GetPagination(), err
	}))
}

// Proposal is one proposal and the votes cast so far.
func (c *Client) Proposal(ctx context.Context, number uint64) (*consortiumv1.Proposal, []*consortiumv1.Vote, error) {
	answer, err := c.consortium().Proposal(ctx, &consortiumv1.QueryProposalRequest{Number: number})
	return answer.GetProposal(), answer.GetVotes(), err
}

// ProposeToMembers asks the members to decide on messages whose signer is the consortium's account, 1 to 4, which are
// carried out together. It returns the proposal's number. The account is an admin.
func (c *Client) ProposeToMembers(ctx context.Context, messages ...proto.Message) (uint64, error) {
	msg := &consortiumv1.MsgSubmitProposal{Proposer: c.key.Address()}
	for _, m := range messages {
		value, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return 0, fmt.Errorf("encode proposal: %w", err)
		}
		msg.Messages = append(msg.Messages, &anypb.Any{TypeUrl: "/" + string(m.ProtoReflect().Descriptor().FullName()), Value: value})
	}
	answer := &consortiumv1.MsgSubmitProposalResponse{}
	_, err := c.send(ctx, c.direct, gasBase, msg, answer)
	return answer.Number, err
}

// ProposeAdmission asks the members to admit the hospital of a member.json.
func (c *Client) ProposeAdmission(ctx context.Context, hospital *consortiumv1.SignedDeclaration) (uint64, error) {
	return c.ProposeToMembers(ctx, &consortiumv1.MsgAdmitMember{Authority: Authority(), Hospital: hospital})
}

// ProposeSuspension asks the members to suspend a hospital.
func (c *Client) ProposeSuspension(ctx context.Context, hospital uint64) (uint64, error) {
	return c.ProposeToMembers(ctx, &consortiumv1.MsgSuspendMember{Authority: Authority(), Member: hospital})
}

// ProposeReinstatement asks the members to end a suspension, or to have a hospital stay that asked to leave.
func (c *Client) ProposeReinstatement(ctx context.Context, hospital uint64) (uint64, error) {
	return c.ProposeToMembers(ctx, &consortiumv1.MsgReinstateMember{Authority: Authority(), Member: hospital})
}

// ProposeRemoval asks the members to remove a suspended hospital for good.
func (c *Client) ProposeRemoval(ctx context.Context, hospital uint64) (uint64, error) {
	return c.ProposeToMembers(ctx, &consortiumv1.MsgRemoveMember{Authority: Authority(), Member: hospital})
}

// ProposeAdmin asks the members to give a hospital whose admins are lost a new one.
func (c *Client) ProposeAdmin(ctx context.Context, hospital uint64, admin string) (uint64, error) {
	return c.ProposeToMembers(ctx, &consortiumv1.MsgReplaceAdmin{Authority: Authority(), Member: hospital, Admin: admin})
}

// ProposeAuditor asks the members to have an account see the log until a time: what concerns some hospitals, by their numbers, ascending, or
// all of it where none is named.
func (c *Client) ProposeAuditor(ctx context.Context, address string, hospitals []uint64, until time.Time) (uint64, error) {
	return c.ProposeToMembers(ctx, &consortiumv1.MsgAppointAuditor{Authority: Authority(), Auditor: address, Hospitals: hospitals, Until: until.Unix()})
}

// ProposeNoAuditor asks the members to end the role of an auditor whom they appointed.
func (c *Client) ProposeNoAuditor(ctx context.Context, address string) (uint64, error) {
	return c.ProposeToMembers(ctx, &consortiumv1.MsgDismissAuditor{Authority: Authority(), Auditor: address})
}

// Vote casts the hospital's one vote. The error is *Refused where it does not count.
func (c *Client) Vote(ctx context.Context, proposal uint64, accept bool) error {
	msg := &consortiumv1.MsgVote{Voter: c.key.Address(), Proposal: proposal, Accept: accept}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgVoteResponse{})
	return err
}

// WithdrawProposal takes an open proposal of one's own back.
func (c *Client) WithdrawProposal(ctx context.Context, proposal uint64) error {
	msg := &consortiumv1.MsgWithdrawProposal{Proposer: c.key.Address(), Proposal: proposal}
	_, err := c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgWithdrawProposalResponse{})
	return err
}
