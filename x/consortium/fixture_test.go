package consortium_test

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"testing"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/consortium"
)

// since is the time at which the hospitals of these tests found their network.
const since = 1_800_000_000

// hospital is a declaration with the keys that sign it.
type hospital struct {
	declaration              consortium.Declaration
	consensus, comet, libp2p ed25519.PrivateKey
	node, admin              *secp256k1.PrivKey
}

// declare makes a hospital whose keys follow from its name.
func declare(t *testing.T, name string) hospital {
	t.Helper()
	seed := func(purpose string) []byte {
		b := sha256.Sum256([]byte(name + "/" + purpose))
		return b[:]
	}
	xwing := func(purpose string) []byte {
		key, err := hpke.MLKEM768X25519().DeriveKeyPair(seed(purpose))
		require.NoError(t, err)
		return key.PublicKey().Bytes()
	}
	public := func(key ed25519.PrivateKey) []byte { return key[ed25519.SeedSize:] }
	h := hospital{
		consensus: ed25519.NewKeyFromSeed(seed("consensus")),
		comet:     ed25519.NewKeyFromSeed(seed("comet")),
		libp2p:    ed25519.NewKeyFromSeed(seed("libp2p")),
		node:      secp256k1.GenPrivKeyFromSecret(seed("node")),
		admin:     secp256k1.GenPrivKeyFromSecret(seed("admin")),
	}
	h.declaration = consortium.Declaration{
		Name: name, Site: "Main site", TimeZone: "Europe/Vienna",
		ConsensusKey: public(h.consensus), CometKey: public(h.comet), CometAddress: "node.example.org:26656",
		Libp2PKey: public(h.libp2p), Libp2PAddress: "/dns/node.example.org/tcp/4001",
		NodeKey: h.node.PubKey().Bytes(), AdminKey: h.admin.PubKey().Bytes(),
		VaultKey: xwing("vault"), RoundKey: xwing("round"),
		GatewayUrl: "https://node.example.org:8443", GatewayFingerprint: seed("certificate"), Capacity: 1 << 40,
	}
	return h
}

// sign makes the hospital's member.json.
func (h *hospital) sign(t *testing.T) consortium.SignedDeclaration {
	t.Helper()
	encoded, err := h.declaration.Marshal()
	require.NoError(t, err)
	digest := consortium.DeclarationDigest(encoded)
	require.Len(t, digest, 64)
	s := consortium.SignedDeclaration{
		Declaration:        encoded,
		ConsensusSignature: ed25519.Sign(h.consensus, digest),
		CometSignature:     ed25519.Sign(h.comet, digest),
		Libp2PSignature:    ed25519.Sign(h.libp2p, digest),
	}
	s.NodeSignature, err = h.node.Sign(digest)
	require.NoError(t, err)
	s.AdminSignature, err = h.admin.Sign(digest)
	require.NoError(t, err)
	return s
}

// found is the network of hospitals with these names.
func found(t *testing.T, names ...string) *consortium.GenesisState {
	t.Helper()
	var signed []consortium.SignedDeclaration
	for _, name := range names {
		h := declare(t, name)
		signed = append(signed, h.sign(t))
	}
	g, err := consortium.Found("phrd-1", since, signed)
	require.NoError(t, err)
	return g
}
