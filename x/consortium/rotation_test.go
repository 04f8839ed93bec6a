package consortium_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
)

var rotatedNetwork = lock.Network(bytes.Repeat([]byte{7}, 32))

// rotate is a change to all keys of a hospital that there is not, at member 2.
func rotate(t *testing.T) (hospital, *consortium.MsgRotateMemberKeys) {
	t.Helper()
	h := declare(t, "New keys")
	m := &consortium.MsgRotateMemberKeys{
		ConsensusKey: h.declaration.ConsensusKey, CometKey: h.declaration.CometKey, Libp2PKey: h.declaration.Libp2PKey,
		NodeKey: h.declaration.NodeKey, AdminKey: h.declaration.AdminKey,
	}
	digest := m.Digest(rotatedNetwork, 2)
	m.ConsensusSignature, m.CometSignature = ed25519.Sign(h.consensus, digest), ed25519.Sign(h.comet, digest)
	m.Libp2PSignature = ed25519.Sign(h.libp2p, digest)
	var err error
	m.NodeSignature, err = h.node.Sign(digest)
	require.NoError(t, err)
	m.AdminSignature, err = h.admin.Sign(digest)
	require.NoError(t, err)
	return h, m
}

func TestRotation(t *testing.T) {
	h, m := rotate(t)
	require.NoError(t, m.Validate())
	require.NoError(t, m.Verify(rotatedNetwork, 2))
	want := lock.H("phrd/v1/rotate-keys", rotatedNetwork[:], lock.Uint(2), m.ConsensusKey, m.CometKey, m.Libp2PKey, m.NodeKey, m.AdminKey)
	require.Equal(t, want[:], m.Digest(rotatedNetwork, 2))

	clinic := declare(t, "Clinic A")
	f := clinic.declaration.Found(2, 5, since)
	member, server := f.Member, f.Node
	former := m.Former(member, server)
	require.Equal(t, consortium.FormerKeys{
		Member: 2, ConsensusKey: f.Member.ConsensusKey, CometId: f.Member.CometId, PeerId: f.Node.PeerId, NodeAccount: f.Member.NodeAccount,
	}, former)
	require.NoError(t, former.Validate())
	m.Replace(&member, &server)
	is := h.declaration.Found(2, 5, since)
	require.Equal(t, is.Node.PeerId, server.PeerId)
	require.Equal(t, []string{is.Node.Account, is.Node.CometId}, []string{server.Account, server.CometId})
	require.Equal(t, []string{is.Member.NodeAccount, is.Member.CometId}, []string{member.NodeAccount, member.CometId})
	require.Equal(t, is.Member.ConsensusKey, member.ConsensusKey)
	require.Equal(t, []any{f.Member.Name, f.Member.VaultKey, f.Member.GatewayUrl}, []any{member.Name, member.VaultKey, member.GatewayUrl})
}

// What is empty stays, and is no former key.
func TestRotationOfOneKey(t *testing.T) {
	clinic := declare(t, "Clinic A")
	f := clinic.declaration.Found(2, 5, since)
	h := declare(t, "New keys")
	for name, m := range map[string]*consortium.MsgRotateMemberKeys{
		"nothing":       {},
		"an admin":      {AdminKey: h.declaration.AdminKey},
		"consensus key": {ConsensusKey: h.declaration.ConsensusKey},
		"comet key":     {CometKey: h.declaration.CometKey},
		"libp2p key":    {Libp2PKey: h.declaration.Libp2PKey},
		"node key":      {NodeKey: h.declaration.NodeKey},
	} {
		member, server := f.Member, f.Node
		m.Replace(&member, &server)
		changed := 0
		for _, is := range []bool{
			!bytes.Equal(member.ConsensusKey, f.Member.ConsensusKey), member.CometId != f.Member.CometId, server.PeerId != f.Node.PeerId,
			member.NodeAccount != f.Member.NodeAccount,
		} {
			if is {
				changed++
			}
		}
		former := m.Former(f.Member, f.Node)
		want := 1
		if name == "nothing" || name == "an admin" {
			want = 0
			require.True(t, former.IsEmpty(), name)
			require.ErrorIs(t, former.Validate(), consortium.ErrInvalidKey, name)
		} else {
			require.NoError(t, former.Validate(), name)
		}
		require.Equal(t, want, changed, name)
	}
}

// Whatever changes is signed, by each new key.
func TestRotationSignatures(t *testing.T) {
	_, good := rotate(t)
	require.ErrorIs(t, good.Verify(rotatedNetwork, 3), consortium.ErrBadSignature, "another member")
	require.ErrorIs(t, good.Verify(lock.Network{8}, 2), consortium.ErrBadSignature, "another network")
	other := declare(t, "Other").declaration
	for name, change := range map[string]func(*consortium.MsgRotateMemberKeys){
		"consensus key":                  func(m *consortium.MsgRotateMemberKeys) { m.ConsensusKey = other.ConsensusKey },
		"comet key":                      func(m *consortium.MsgRotateMemberKeys) { m.CometKey = other.CometKey },
		"libp2p key":                     func(m *consortium.MsgRotateMemberKeys) { m.Libp2PKey = other.Libp2PKey },
		"node key":                       func(m *consortium.MsgRotateMemberKeys) { m.NodeKey = other.NodeKey },
		"admin key":                      func(m *consortium.MsgRotateMemberKeys) { m.AdminKey = other.AdminKey },
		"two keys change places":         func(m *consortium.MsgRotateMemberKeys) { m.CometKey, m.Libp2PKey = m.Libp2PKey, m.CometKey },
		"a key is left out":              func(m *consortium.MsgRotateMemberKeys) { m.AdminKey, m.AdminSignature = nil, nil },
		"a signature without a key":      func(m *consortium.MsgRotateMemberKeys) { m.AdminKey = nil },
		"consensus signature":            func(m *consortium.MsgRotateMemberKeys) { m.ConsensusSignature[0] ^= 1 },
		"comet signature":                func(m *consortium.MsgRotateMemberKeys) { m.CometSignature[0] ^= 1 },
		"libp2p signature":               func(m *consortium.MsgRotateMemberKeys) { m.Libp2PSignature[0] ^= 1 },
		"node signature":                 func(m *consortium.MsgRotateMemberKeys) { m.NodeSignature[0] ^= 1 },
		"admin signature":                func(m *consortium.MsgRotateMemberKeys) { m.AdminSignature[0] ^= 1 },
		"no signature of the consensus":  func(m *consortium.MsgRotateMemberKeys) { m.ConsensusSignature = nil },
		"no signature of the node":       func(m *consortium.MsgRotateMemberKeys) { m.NodeSignature = nil },
		"half a signature of the libp2p": func(m *consortium.MsgRotateMemberKeys) { m.Libp2PSignature = m.Libp2PSignature[:32] },
	} {
		_, m := rotate(t)
		change(m)
		require.ErrorIs(t, m.Verify(rotatedNetwork, 2), consortium.ErrBadSignature, name)
	}
}

func TestRotationErrors(t *testing.T) {
	for name, change := range map[string]func(*consortium.MsgRotateMemberKeys){
		"nothing":                      func(m *consortium.MsgRotateMemberKeys) { *m = consortium.MsgRotateMemberKeys{} },
		"a short consensus key":        func(m *consortium.MsgRotateMemberKeys) { m.ConsensusKey = m.ConsensusKey[1:] },
		"a short comet key":            func(m *consortium.MsgRotateMemberKeys) { m.CometKey = m.CometKey[1:] },
		"a short libp2p key":           func(m *consortium.MsgRotateMemberKeys) { m.Libp2PKey = m.Libp2PKey[1:] },
		"no point for a node":          func(m *consortium.MsgRotateMemberKeys) { m.NodeKey = bytes.Repeat([]byte{2}, 32) },
		"no point for an admin":        func(m *consortium.MsgRotateMemberKeys) { m.AdminKey = bytes.Repeat([]byte{2}, 32) },
		"one key for two":              func(m *consortium.MsgRotateMemberKeys) { m.CometKey = m.ConsensusKey },
		"one account for two accounts": func(m *consortium.MsgRotateMemberKeys) { m.AdminKey = m.NodeKey },
	} {
		_, m := rotate(t)
		change(m)
		require.ErrorIs(t, m.Validate(), consortium.ErrInvalidKey, name)
	}
}

// A server has time to learn of its new keys, and no more.
func TestFormerKeysMayConnect(t *testing.T) {
	for _, c := range []struct {
		name string
		keys consortium.FormerKeys
		now  int64
		want bool
	}{
		{"at once", consortium.FormerKeys{CometId: "id", Until: since}, since, true},
		{"at last", consortium.FormerKeys{CometId: "id", Until: since}, since + consortium.RotationPause - 1, true},
		{"too late", consortium.FormerKeys{CometId: "id", Until: since}, since + consortium.RotationPause, false},
		{"by another clock", consortium.FormerKeys{CometId: "id", Until: since}, since - 5, true},
		{"the id stayed", consortium.FormerKeys{PeerId: "id", Until: since}, since, false},
		{"none", consortium.FormerKeys{}, 0, false},
	} {
		require.Equal(t, c.want, c.keys.MayConnect(c.now), c.name)
	}
}
