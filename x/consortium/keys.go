package consortium

import (
	"cosmossdk.io/collections"
	"github.com/cometbft/cometbft/crypto"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	// ModuleName names the module.
	ModuleName = "consortium"
	// StoreKey names the module's store.
	StoreKey = ModuleName
)

// Prefixes of the collections. A number is never used for a second thing.
var (
	ParamsPrefix               = collections.NewPrefix(0)
	NetworkIDPrefix            = collections.NewPrefix(1)
	MembersPrefix              = collections.NewPrefix(2)
	MembersByConsensusPrefix   = collections.NewPrefix(3)
	SitesPrefix                = collections.NewPrefix(4)
	NodesPrefix                = collections.NewPrefix(5)
	NodesByMemberPrefix        = collections.NewPrefix(6)
	NodesByAccountPrefix       = collections.NewPrefix(7)
	NodesByPeerPrefix          = collections.NewPrefix(8)
	StaffPrefix                = collections.NewPrefix(9)
	StaffByMemberPrefix        = collections.NewPrefix(10)
	AdminsPrefix               = collections.NewPrefix(11)
	InvitationsPrefix          = collections.NewPrefix(12)
	InvitationsByAddressPrefix = collections.NewPrefix(13)
	ProposalsPrefix            = collections.NewPrefix(14)
	VotesPrefix                = collections.NewPrefix(15)
	OpenProposalsPrefix        = collections.NewPrefix(16)
	ClosingPrefix              = collections.NewPrefix(17)
	AcceptedPrefix             = collections.NewPrefix(18)
	BucketsPrefix              = collections.NewPrefix(19)
	ValidatorsPrefix           = collections.NewPrefix(20)
	ChangedPrefix              = collections.NewPrefix(21)
	NodesByCometPrefix         = collections.NewPrefix(22)
	LeavingPrefix              = collections.NewPrefix(23)
	FormerKeysPrefix           = collections.NewPrefix(24)
	ReplacedPrefix             = collections.NewPrefix(25)
	SessionsReportedPrefix     = collections.NewPrefix(26)
	EndingPrefix               = collections.NewPrefix(27)
)

// Account is the consortium's account, whose signature is a vote. It is a hash of
// the module's name, so that nobody has a key for it.
func Account() sdk.AccAddress {
	return sdk.AccAddress(crypto.AddressHash([]byte(ModuleName)))
}
