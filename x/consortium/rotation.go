package consortium

import (
	"bytes"
	"crypto/ed25519"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	"github.com/phrd/phrd/lock"
)

// Digest is what each new key signs, 64 bytes: H("phrd/v1/rotate-keys", network id,
// member, consensus key, comet key, libp2p key, node key, admin key), where a key that
// stays is empty. So it is good for one network, one member and this set of keys only.
func (m *MsgRotateMemberKeys) Digest(network lock.Network, member uint64) []byte {
	digest := lock.H("phrd/v1/rotate-keys", network[:], lock.Uint(member), m.ConsensusKey, m.CometKey, m.Libp2PKey, m.NodeKey, m.AdminKey)
	return digest[:]
}

// newKey is a key that a rotation may replace, with its signature.
type newKey struct {
	name           string
	key, signature []byte
	check          func([]byte) error
	verify         func(key, digest, signature []byte) bool
}

func (m *MsgRotateMemberKeys) newKeys() []newKey {
	return []newKey{
		{"consensus_key", m.ConsensusKey, m.ConsensusSignature, checkEd25519, verifyEd25519},
		{"comet_key", m.CometKey, m.CometSignature, checkEd25519, verifyEd25519},
		{"libp2p_key", m.Libp2PKey, m.Libp2PSignature, checkEd25519, verifyEd25519},
		{"node_key", m.NodeKey, m.NodeSignature, checkSecp256k1, verifySecp256k1},
		{"admin_key", m.AdminKey, m.AdminSignature, checkSecp256k1, verifySecp256k1},
	}
}

func verifyEd25519(key, digest, signature []byte) bool { return ed25519.Verify(key, digest, signature) }

func verifySecp256k1(key, digest, signature []byte) bool {
	return (&secp256k1.PubKey{Key: key}).VerifySignature(digest, signature)
}

// Validate answers ErrInvalidKey where nothing changes, a key is none, or one key
// serves two purposes.
func (m *MsgRotateMemberKeys) Validate() error {
	seen := map[string]bool{}
	for _, k := range m.newKeys() {
		if len(k.key) == 0 {
			continue
		}
		if err := k.check(k.key); err != nil {
			return ErrInvalidKey.Wrapf("%s: %v", k.name, err)
		}
		if seen[string(k.key)] {
			return ErrInvalidKey.Wrap("one key serves two purposes")
		}
		seen[string(k.key)] = true
	}
	if len(seen) == 0 {
		return ErrInvalidKey.Wrap("nothing changes")
	}
	return nil
}

// Verify answers ErrBadSignature unless each new key, and no other, signed the change.
// The message was validated.
func (m *MsgRotateMemberKeys) Verify(network lock.Network, member uint64) error {
	digest := m.Digest(network, member)
	for _, k := range m.newKeys() {
		if len(k.key) == 0 && len(k.signature) == 0 {
			continue
		}
		if len(k.key) == 0 || !k.verify(k.key, digest, k.signature) {
			return ErrBadSignature.Wrap(k.name)
		}
	}
	return nil
}

// Former are the keys of a member and its own server that the message replaces.
func (m *MsgRotateMemberKeys) Former(member Member, server StorageNode) FormerKeys {
	f := FormerKeys{Member: member.Number}
	if len(m.ConsensusKey) > 0 {
		f.ConsensusKey = bytes.Clone(member.ConsensusKey)
	}
	if len(m.CometKey) > 0 {
		f.CometId = member.CometId
	}
	if len(m.Libp2PKey) > 0 {
		f.PeerId = server.PeerId
	}
	if len(m.NodeKey) > 0 {
		f.NodeAccount = member.NodeAccount
	}
	return f
}

// Replace puts the message's keys into a member and its own server.
func (m *MsgRotateMemberKeys) Replace(member *Member, server *StorageNode) {
	if len(m.ConsensusKey) > 0 {
		member.ConsensusKey = bytes.Clone(m.ConsensusKey)
	}
	if len(m.CometKey) > 0 {
		member.CometId = CometID(m.CometKey)
		server.CometId = member.CometId
	}
	if len(m.Libp2PKey) > 0 {
		server.PeerId = PeerID(m.Libp2PKey)
	}
	if len(m.NodeKey) > 0 {
		member.NodeAccount = AccountOf(m.NodeKey).String()
		server.Account = member.NodeAccount
	}
}

// IsEmpty says whether no key of a server was replaced.
func (f *FormerKeys) IsEmpty() bool {
	return len(f.ConsensusKey) == 0 && f.CometId == "" && f.PeerId == "" && f.NodeAccount == ""
}

// MayConnect says whether a server that still has the CometBFT id of former days may
// connect at a time in unix seconds: RotationPause after it was replaced at most. The
// server learns in a block that the network knows its new keys, so the others must not
// hang up before it has that block. Nothing else of former days is good for anything.
func (f *FormerKeys) MayConnect(now int64) bool {
	return f.CometId != "" && now < f.Until+RotationPause
}

// Validate answers what is wrong with a key that was replaced, and ErrInvalidKey where
// there is none.
func (f *FormerKeys) Validate() error {
	if f.IsEmpty() {
		return ErrInvalidKey.Wrap("no key was replaced")
	}
	if len(f.ConsensusKey) > 0 {
		if err := checkEd25519(f.ConsensusKey); err != nil {
			return err
		}
	}
	if f.CometId != "" {
		if err := checkCometID(f.CometId); err != nil {
			return err
		}
	}
	if f.PeerId != "" {
		if _, err := ParsePeerID(f.PeerId); err != nil {
			return err
		}
	}
	if f.NodeAccount == "" {
		return nil
	}
	_, err := ParseAccount(f.NodeAccount)
	return err
}
