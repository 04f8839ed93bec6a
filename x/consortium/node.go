package consortium

import (
	"bytes"
	"crypto/ed25519"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	"github.com/phrd/phrd/lock"
)

// Digest is what every key of a node's declaration signs, 64 bytes:
// H("phrd/v1/storage-node", network id, member, site, comet key, libp2p key, node key,
// address, capacity). So it is good for one network and one member only, and nobody
// else can register a node whose declaration came into their hands.
func (d *NodeDeclaration) Digest() []byte {
	digest := lock.H("phrd/v1/storage-node", d.NetworkId, lock.Uint(d.Member), lock.Uint(d.Site), d.CometKey, d.Libp2PKey, d.NodeKey,
		[]byte(d.Address), lock.Uint(d.Capacity))
	return digest[:]
}

// Validate answers ErrInvalidDeclaration where a field is not as its comment says.
func (d *NodeDeclaration) Validate() error {
	for _, c := range []struct {
		field string
		err   error
	}{
		{"network_id", checkNetworkID(d.NetworkId)},
		{"comet_key", checkEd25519(d.CometKey)},
		{"libp2p_key", checkEd25519(d.Libp2PKey)},
		{"node_key", checkSecp256k1(d.NodeKey)},
		{"address", CheckMultiaddr(d.Address)},
		{"capacity", CheckCapacity(d.Capacity)},
	} {
		if c.err != nil {
			return ErrInvalidDeclaration.Wrapf("%s: %v", c.field, c.err)
		}
	}
	if d.Member == 0 || d.Site == 0 {
		return ErrInvalidDeclaration.Wrap("members and sites count from 1")
	}
	if bytes.Equal(d.CometKey, d.Libp2PKey) {
		return ErrInvalidDeclaration.Wrap("one key serves two purposes")
	}
	return nil
}

// Verify answers ErrBadSignature unless each of the three keys signed the declaration.
func (d *NodeDeclaration) Verify() error {
	digest := d.Digest()
	for _, c := range []struct {
		name           string
		key, signature []byte
	}{
		{"comet_key", d.CometKey, d.CometSignature},
		{"libp2p_key", d.Libp2PKey, d.Libp2PSignature},
	} {
		if len(c.key) != ed25519.PublicKeySize || !ed25519.Verify(c.key, digest, c.signature) {
			return ErrBadSignature.Wrap(c.name)
		}
	}
	if key := (secp256k1.PubKey{Key: d.NodeKey}); !key.VerifySignature(digest, d.NodeSignature) {
		return ErrBadSignature.Wrap("node_key")
	}
	return nil
}

// StorageNode is the node that the declaration makes, before it has a number.
func (d *NodeDeclaration) StorageNode() StorageNode {
	return StorageNode{
		Member: d.Member, Site: d.Site, Account: AccountOf(d.NodeKey).String(), PeerId: PeerID(d.Libp2PKey), Address: d.Address,
		Capacity: d.Capacity, CometId: CometID(d.CometKey),
	}
}

// Declaration is what the node's keys signed, if the network and the member are these.
// The errors are those of reading the peer id, and ErrInvalidDeclaration where the
// account is not that of the node's key.
func (m *MsgRegisterStorageNode) Declaration(network lock.Network, member uint64) (NodeDeclaration, error) {
	libp2p, err := ParsePeerID(m.PeerId)
	if err != nil {
		return NodeDeclaration{}, err
	}
	d := NodeDeclaration{
		NetworkId: network[:], Member: member, Site: m.Site, CometKey: m.CometKey, Libp2PKey: libp2p, NodeKey: m.NodeKey,
		Address: m.Address, Capacity: m.Capacity,
		CometSignature: m.CometSignature, Libp2PSignature: m.Libp2PSignature, NodeSignature: m.NodeSignature,
	}
	if err := d.Validate(); err != nil {
		return NodeDeclaration{}, err
	}
	if account := AccountOf(m.NodeKey).String(); account != m.Account {
		return NodeDeclaration{}, ErrInvalidDeclaration.Wrapf("account %q: node_key is that of %s", m.Account, account)
	}
	return d, nil
}

func checkNetworkID(id []byte) error {
	if _, err := lock.NetworkFromBytes(id); err != nil {
		return ErrInvalidKey.Wrap(err.Error())
	}
	return nil
}
