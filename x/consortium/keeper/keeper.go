// Package keeper keeps members, their people and their proposals in state, handles
// the messages and queries of the consortium module, and tells CometBFT who
// validates.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	collcodec "cosmossdk.io/collections/codec"
	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
)

type (
	// numberPair is a number within the thing of another number.
	numberPair = collections.Pair[uint64, uint64]
	// memberAccount is a member's number and an account of its people.
	memberAccount = collections.Pair[uint64, []byte]
	// closingKey is when voting ends, and a proposal's number.
	closingKey = collections.Pair[int64, uint64]
	// level is what a bucket held at a block time.
	level = collections.Pair[uint64, int64]
)

// Keeper reads and writes the state of the module. Accounts are keys as their 20
// bytes.
type Keeper struct {
	cdc        codec.Codec
	audit      Audit
	accounts   Accounts
	router     Router
	principals consortium.Principals
	nodeHooks  []consortium.NodeHooks

	membershipHooks []consortium.MembershipHooks
	keyholders      consortium.Keyholders

	schema collections.Schema
	// params: the rules
	params collections.Item[consortium.Params]
	// networkID: 32 bytes that every hash of the network's cryptography binds
	networkID collections.Item[[]byte]
	// members: member's number -> member
	members collections.Map[uint64, consortium.Member]
	// membersByConsensus: consensus address of each key ever used -> member's number
	membersByConsensus collections.Map[[]byte, uint64]
	// sites: (member's number, site's number) -> site
	sites collections.Map[numberPair, consortium.Site]
	// nodes: storage node's number -> storage node
	nodes collections.Map[uint64, consortium.StorageNode]
	// nodesByMember: (member's number, storage node's number)
	nodesByMember collections.KeySet[numberPair]
	// nodesByAccount: account, now or in former days -> storage node's number
	nodesByAccount collections.Map[[]byte, uint64]
	// nodesByPeer: ed25519 key in the peer id, now or in former days -> storage node's number
	nodesByPeer collections.Map[[]byte, uint64]
	// nodesByComet: CometBFT id as text, now or in former days -> storage node's number
	nodesByComet collections.Map[string, uint64]
	// staff: account -> staff
	staff collections.Map[[]byte, consortium.Staff]
	// staffByMember: (member's number, account)
	staffByMember collections.KeySet[memberAccount]
	// admins: (member's number, account) of each admin that was not revoked
	admins collections.KeySet[memberAccount]
	// invitations: key -> invitation
	invitations collections.Map[[]byte, consortium.Invitation]
	// invitationsByAddress: account -> key of the invitation it was opened with
	invitationsByAddress collections.Map[[]byte, []byte]
	// proposals: proposal's number -> proposal
	proposals collections.Map[uint64, consortium.Proposal]
	// votes: (proposal's number, member's number) -> vote
	votes collections.Map[numberPair, consortium.Vote]
	// openProposals: (member's number, number of a proposal of its that takes votes)
	openProposals collections.KeySet[numberPair]
	// closing: (closes_at, number of a proposal that takes votes)
	closing collections.KeySet[closingKey]
	// accepted: number of a proposal that waits to be carried out
	accepted collections.KeySet[uint64]
	// buckets: account -> (what its bucket held, in sixtieths of a token, at that block time)
	buckets collections.Map[[]byte, level]
	// validators: number of each member that CometBFT was last told to be a validator
	validators collections.KeySet[uint64]
	// changed: number of each member whose status changed since
	changed collections.KeySet[uint64]
	// leaving: number of each member that is leaving
	leaving collections.KeySet[uint64]
	// formerKeys: (member's number, number of the replacement) -> keys that were replaced
	formerKeys collections.Map[numberPair, consortium.FormerKeys]
	// replaced: number of a member -> consensus key that CometBFT was told and that is not the member's any more
	replaced collections.Map[uint64, []byte]
	// sessionsReported: member's number -> number of its last session report
	sessionsReported collections.Map[uint64, uint64]
	// ending: (until, account) of each role of which the log is to tell that it ended
	ending collections.KeySet[endingKey]
}

// Neighbours are what the module calls.
type Neighbours struct {
	// Audit is the log.
	Audit Audit
	// Accounts are the accounts of the SDK.
	Accounts Accounts
	// Router carries out the messages of accepted proposals.
	Router Router
}

// New opens the module's state in the store. The codec tells who signs a message.
func New(cdc codec.Codec, service store.KVStoreService, n Neighbours) (*Keeper, error) {
	if n.Audit == nil || n.Accounts == nil || n.Router == nil {
		return nil, errors.New("consortium keeper: a neighbour is missing")
	}
	sb := collections.NewSchemaBuilder(service)
	numbers := collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)
	people := collections.PairKeyCodec(collections.Uint64Key, collections.BytesKey)
	k := &Keeper{
		cdc: cdc, audit: n.Audit, accounts: n.Accounts, router: n.Router,
		params:             collections.NewItem(sb, consortium.ParamsPrefix, "params", codec.CollValue[consortium.Params](cdc)),
		networkID:          collections.NewItem(sb, consortium.NetworkIDPrefix, "network_id", collections.BytesValue),
		members:            collections.NewMap(sb, consortium.MembersPrefix, "members", collections.Uint64Key, codec.CollValue[consortium.Member](cdc)),
		membersByConsensus: collections.NewMap(sb, consortium.MembersByConsensusPrefix, "members_by_consensus", collections.BytesKey, collections.Uint64Value),
		sites:              collections.NewMap(sb, consortium.SitesPrefix, "sites", numbers, codec.CollValue[consortium.Site](cdc)),
		nodes:              collections.NewMap(sb, consortium.NodesPrefix, "nodes", collections.Uint64Key, codec.CollValue[consortium.StorageNode](cdc)),
		nodesByMember:      collections.NewKeySet(sb, consortium.NodesByMemberPrefix, "nodes_by_member", numbers),
		nodesByAccount:     collections.NewMap(sb, consortium.NodesByAccountPrefix, "nodes_by_account", collections.BytesKey, collections.Uint64Value),
		nodesByPeer:        collections.NewMap(sb, consortium.NodesByPeerPrefix, "nodes_by_peer", collections.BytesKey, collections.Uint64Value),
		nodesByComet:       collections.NewMap(sb, consortium.NodesByCometPrefix, "nodes_by_comet", collections.StringKey, collections.Uint64Value),
		staff:              collections.NewMap(sb, consortium.StaffPrefix, "staff", collections.BytesKey, codec.CollValue[consortium.Staff](cdc)),
		staffByMember:      collections.NewKeySet(sb, consortium.StaffByMemberPrefix, "staff_by_member", people),
		admins:             collections.NewKeySet(sb, consortium.AdminsPrefix, "admins", people),
		invitations:        collections.NewMap(sb, consortium.InvitationsPrefix, "invitations", collections.BytesKey, codec.CollValue[consortium.Invitation](cdc)),
		invitationsByAddress: collections.NewMap(sb, consortium.InvitationsByAddressPrefix, "invitations_by_address",
			collections.BytesKey, collections.BytesValue),
		proposals:     collections.NewMap(sb, consortium.ProposalsPrefix, "proposals", collections.Uint64Key, codec.CollValue[consortium.Proposal](cdc)),
		votes:         collections.NewMap(sb, consortium.VotesPrefix, "votes", numbers, codec.CollValue[consortium.Vote](cdc)),
		openProposals: collections.NewKeySet(sb, consortium.OpenProposalsPrefix, "open_proposals", numbers),
		closing: collections.NewKeySet(sb, consortium.ClosingPrefix, "closing",
			collections.PairKeyCodec(collections.Int64Key, collections.Uint64Key)),
		accepted: collections.NewKeySet(sb, consortium.AcceptedPrefix, "accepted", collections.Uint64Key),
		buckets: collections.NewMap(sb, consortium.BucketsPrefix, "buckets", collections.BytesKey,
			collcodec.KeyToValueCodec(collections.PairKeyCodec(collections.Uint64Key, collections.Int64Key))),
		validators: collections.NewKeySet(sb, consortium.ValidatorsPrefix, "validators", collections.Uint64Key),
		changed:    collections.NewKeySet(sb, consortium.ChangedPrefix, "changed", collections.Uint64Key),
		leaving:    collections.NewKeySet(sb, consortium.LeavingPrefix, "leaving", collections.Uint64Key),
		formerKeys: collections.NewMap(sb, consortium.FormerKeysPrefix, "former_keys", numbers, codec.CollValue[consortium.FormerKeys](cdc)),
		replaced:   collections.NewMap(sb, consortium.ReplacedPrefix, "replaced", collections.Uint64Key, collections.BytesValue),
		sessionsReported: collections.NewMap(sb, consortium.SessionsReportedPrefix, "sessions_reported",
			collections.Uint64Key, collections.Uint64Value),
		ending: collections.NewKeySet(sb, consortium.EndingPrefix, "ending", collections.PairKeyCodec(collections.Int64Key, collections.BytesKey)),
	}
	schema, err := sb.Build()
	if err != nil {
		return nil, fmt.Errorf("consortium keeper: %w", err)
	}
	k.schema = schema
	return k, nil
}

// SetPrincipals gives the keeper the module that knows patients. It is called once,
// before the first block; until then no account has a patient.
func (k *Keeper) SetPrincipals(p consortium.Principals) { k.principals = p }

// SetNodeHooks names who is told of a member's nodes, in that order. It is called once,
// before the first block.
func (k *Keeper) SetNodeHooks(h ...consortium.NodeHooks) { k.nodeHooks = h }

// SetMembershipHooks names who is told of members that come and go, in that order. It
// is called once, before the first block.
func (k *Keeper) SetMembershipHooks(h ...consortium.MembershipHooks) { k.membershipHooks = h }

// SetKeyholders names who knows which members hold shares of the network's keys. It is
// called once, before the first block.
func (k *Keeper) SetKeyholders(h consortium.Keyholders) { k.keyholders = h }

// Authority is the consortium's account, whose signature is a vote.
func (k *Keeper) Authority() string { return consortium.Account().String() }

// Params answers the rules.
func (k *Keeper) Params(ctx context.Context) (consortium.Params, error) { return k.params.Get(ctx) }

// setParams validates and writes the rules.
func (k *Keeper) setParams(ctx context.Context, p consortium.Params) error {
	if err := p.Validate(); err != nil {
		return err
	}
	return k.params.Set(ctx, p)
}

// NetworkID is the id that every hash of the network's cryptography binds.
func (k *Keeper) NetworkID(ctx context.Context) (lock.Network, error) {
	id, err := k.networkID.Get(ctx)
	if err != nil {
		return lock.Network{}, err
	}
	return lock.NetworkFromBytes(id)
}
