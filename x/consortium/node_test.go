package consortium_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
)

// annex is a storage node of member 2 whose keys are those of a hospital that there is not.
func annex(t *testing.T) (hospital, consortium.NodeDeclaration) {
	t.Helper()
	h := declare(t, "Annex")
	d := consortium.NodeDeclaration{
		NetworkId: bytes.Repeat([]byte{7}, 32), Member: 2, Site: 3, CometKey: h.declaration.CometKey, Libp2PKey: h.declaration.Libp2PKey,
		NodeKey: h.declaration.NodeKey, Address: "/ip4/192.0.2.1/tcp/4001", Capacity: 1 << 30,
	}
	digest := d.Digest()
	d.CometSignature, d.Libp2PSignature = ed25519.Sign(h.comet, digest), ed25519.Sign(h.libp2p, digest)
	var err error
	d.NodeSignature, err = h.node.Sign(digest)
	require.NoError(t, err)
	return h, d
}

func TestNodeDeclaration(t *testing.T) {
	_, d := annex(t)
	require.NoError(t, d.Validate())
	require.NoError(t, d.Verify())
	require.Equal(t, consortium.StorageNode{
		Member: 2, Site: 3, Account: consortium.AccountOf(d.NodeKey).String(), PeerId: consortium.PeerID(d.Libp2PKey), Address: d.Address,
		Capacity: d.Capacity, CometId: consortium.CometID(d.CometKey),
	}, d.StorageNode())
	want := lock.H("phrd/v1/storage-node", d.NetworkId, lock.Uint(2), lock.Uint(3), d.CometKey, d.Libp2PKey, d.NodeKey, []byte(d.Address), lock.Uint(1<<30))
	require.Equal(t, want[:], d.Digest())
}

// Whatever is declared is signed, by each key.
func TestNodeDeclarationSignatures(t *testing.T) {
	other, _ := annex(t)
	for name, change := range map[string]func(*consortium.NodeDeclaration){
		"network":          func(d *consortium.NodeDeclaration) { d.NetworkId = bytes.Repeat([]byte{8}, 32) },
		"member":           func(d *consortium.NodeDeclaration) { d.Member++ },
		"site":             func(d *consortium.NodeDeclaration) { d.Site++ },
		"member and site":  func(d *consortium.NodeDeclaration) { d.Member, d.Site = d.Site, d.Member },
		"comet key":        func(d *consortium.NodeDeclaration) { d.CometKey = other.declaration.ConsensusKey },
		"libp2p key":       func(d *consortium.NodeDeclaration) { d.Libp2PKey = other.declaration.ConsensusKey },
		"node key":         func(d *consortium.NodeDeclaration) { d.NodeKey = other.declaration.AdminKey },
		"address":          func(d *consortium.NodeDeclaration) { d.Address = "/ip4/192.0.2.1/tcp/4002" },
		"capacity":         func(d *consortium.NodeDeclaration) { d.Capacity++ },
		"comet signature":  func(d *consortium.NodeDeclaration) { d.CometSignature[0] ^= 1 },
		"libp2p signature": func(d *consortium.NodeDeclaration) { d.Libp2PSignature[0] ^= 1 },
		"node signature":   func(d *consortium.NodeDeclaration) { d.NodeSignature[0] ^= 1 },
		"no signature":     func(d *consortium.NodeDeclaration) { d.NodeSignature = nil },
	} {
		_, d := annex(t)
		change(&d)
		require.ErrorIs(t, d.Verify(), consortium.ErrBadSignature, name)
	}
}

func TestNodeDeclarationErrors(t *testing.T) {
	for name, change := range map[string]func(*consortium.NodeDeclaration){
		"no network":       func(d *consortium.NodeDeclaration) { d.NetworkId = nil },
		"no member":        func(d *consortium.NodeDeclaration) { d.Member = 0 },
		"no site":          func(d *consortium.NodeDeclaration) { d.Site = 0 },
		"short comet key":  func(d *consortium.NodeDeclaration) { d.CometKey = d.CometKey[1:] },
		"short libp2p key": func(d *consortium.NodeDeclaration) { d.Libp2PKey = d.Libp2PKey[1:] },
		"no point":         func(d *consortium.NodeDeclaration) { d.NodeKey = bytes.Repeat([]byte{2}, 32) },
		"no address":       func(d *consortium.NodeDeclaration) { d.Address = "" },
		"a peer id in it":  func(d *consortium.NodeDeclaration) { d.Address += "/p2p/12D3KooW" },
		"no capacity":      func(d *consortium.NodeDeclaration) { d.Capacity = 0 },
		"one key for two":  func(d *consortium.NodeDeclaration) { d.CometKey = d.Libp2PKey },
	} {
		_, d := annex(t)
		change(&d)
		require.ErrorIs(t, d.Validate(), consortium.ErrInvalidDeclaration, name)
	}
}
