package consortium

import (
	"cmp"
	"slices"

	errorsmod "cosmossdk.io/errors"

	"github.com/phrd/phrd/lock"
)

// Founding is what a declaration makes of a hospital: the member, its first site,
// its own server as a storage node, and its first admin.
type Founding struct {
	Member Member
	Site   Site
	Node   StorageNode
	Admin  Staff
}

// Found gives a declared hospital its number and its storage node's number. The
// declaration was opened by SignedDeclaration.Open; since is the time of admission
// in unix seconds.
func (d *Declaration) Found(number, node uint64, since int64) Founding {
	account := AccountOf(d.NodeKey).String()
	return Founding{
		Member: Member{
			Number: number, Name: d.Name, Status: MEMBER_STATUS_ACTIVE,
			ConsensusKey: slices.Clone(d.ConsensusKey), CometId: CometID(d.CometKey), CometAddress: d.CometAddress,
			NodeAccount: account, VaultKey: slices.Clone(d.VaultKey), VaultEpoch: 1,
			GatewayUrl: d.GatewayUrl, GatewayFingerprint: slices.Clone(d.GatewayFingerprint), Since: since,
		},
		Site: Site{Member: number, Number: 1, Name: d.Site, TimeZone: d.TimeZone},
		Node: StorageNode{
			Number: node, Member: number, Site: 1, Account: account,
			PeerId: PeerID(d.Libp2PKey), Address: d.Libp2PAddress, Capacity: d.Capacity, CometId: CometID(d.CometKey),
		},
		Admin: Staff{Address: AccountOf(d.AdminKey).String(), Hospital: number, Role: ROLE_ADMIN, Since: since},
	}
}

// Found makes the consortium of the hospitals that declared themselves, in the order
// of their names: the same declarations give the same state in whatever order they
// came. The network's id is H32("phrd/v1/network", chain id, time, list of the
// declarations). The errors are those of SignedDeclaration.Open, ErrKnownName and
// ErrKnownKey where two hospitals name one thing, and ErrInvalidGenesis.
func Found(chainID string, since int64, signed []SignedDeclaration) (*GenesisState, error) {
	type hospital struct {
		declaration Declaration
		encoded     []byte
	}
	hospitals := make([]hospital, len(signed))
	keys := map[string]string{}
	for i := range signed {
		d, err := signed[i].Open()
		if err != nil {
			return nil, errorsmod.Wrapf(err, "declaration %d, %q", i+1, d.Name)
		}
		for _, key := range d.keys() {
			if other, taken := keys[string(key)]; taken {
				return nil, ErrKnownKey.Wrapf("%q and %q name one key", other, d.Name)
			}
			keys[string(key)] = d.Name
		}
		hospitals[i] = hospital{declaration: d, encoded: signed[i].Declaration}
	}
	slices.SortFunc(hospitals, func(a, b hospital) int {
		return cmp.Compare(foldName(a.declaration.Name), foldName(b.declaration.Name))
	})
	g := DefaultGenesis()
	encoded := make([][]byte, len(hospitals))
	for i, h := range hospitals {
		encoded[i] = h.encoded
		if i > 0 && foldName(hospitals[i-1].declaration.Name) == foldName(h.declaration.Name) {
			return nil, ErrKnownName.Wrapf("%q", h.declaration.Name)
		}
		number := uint64(i) + 1
		f := h.declaration.Found(number, number, since)
		g.Members = append(g.Members, f.Member)
		g.Sites = append(g.Sites, f.Site)
		g.StorageNodes = append(g.StorageNodes, f.Node)
		g.Staff = append(g.Staff, f.Admin)
	}
	id := lock.H32("phrd/v1/network", append([][]byte{[]byte(chainID), lock.Uint(uint64(since))}, lock.List(encoded...)...)...)
	g.NetworkId = id[:]
	return g, g.Validate()
}
