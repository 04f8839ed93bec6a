package consortium_test

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
)

func TestOpenDeclaration(t *testing.T) {
	h := declare(t, "Clinic A")
	signed := h.sign(t)
	d, err := signed.Open()
	require.NoError(t, err)
	require.Equal(t, h.declaration, d)
	require.NoError(t, signed.Verify())
}

func TestDeclarationDigestIsSeparated(t *testing.T) {
	want := lock.H("phrd/v1/member", []byte("bytes"))
	require.Equal(t, want[:], consortium.DeclarationDigest([]byte("bytes")))
}

func TestDeclarationSignatures(t *testing.T) {
	h := declare(t, "Clinic A")
	for _, c := range []struct {
		name string
		of   func(*consortium.SignedDeclaration) *[]byte
	}{
		{"consensus_key", func(s *consortium.SignedDeclaration) *[]byte { return &s.ConsensusSignature }},
		{"comet_key", func(s *consortium.SignedDeclaration) *[]byte { return &s.CometSignature }},
		{"libp2p_key", func(s *consortium.SignedDeclaration) *[]byte { return &s.Libp2PSignature }},
		{"node_key", func(s *consortium.SignedDeclaration) *[]byte { return &s.NodeSignature }},
		{"admin_key", func(s *consortium.SignedDeclaration) *[]byte { return &s.AdminSignature }},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused := func(signature []byte) {
				t.Helper()
				s := h.sign(t)
				*c.of(&s) = signature
				_, err := s.Open()
				require.ErrorIs(t, err, consortium.ErrBadSignature)
				require.ErrorContains(t, err, c.name)
				require.ErrorIs(t, s.Verify(), consortium.ErrBadSignature)
			}
			good := h.sign(t)
			signature := slices.Clone(*c.of(&good))
			signature[10] ^= 1
			refused(signature)
			refused(nil)
			refused((*c.of(&good))[:63])
			other := declare(t, "Clinic B")
			signed := other.sign(t)
			refused(*c.of(&signed))
			refused(good.ConsensusSignature[:0])
		})
	}

	t.Run("over the encoding without the domain", func(t *testing.T) {
		s := h.sign(t)
		s.ConsensusSignature = ed25519.Sign(h.consensus, s.Declaration)
		require.ErrorIs(t, s.Verify(), consortium.ErrBadSignature)
	})
	t.Run("over another declaration", func(t *testing.T) {
		s := h.sign(t)
		moved := h
		moved.declaration.GatewayUrl = "https://evil.example.org"
		s.Declaration = moved.sign(t).Declaration
		require.ErrorIs(t, s.Verify(), consortium.ErrBadSignature)
	})
}

func TestDeclarationFields(t *testing.T) {
	long := strings.Repeat("a", 41)
	for _, c := range []struct {
		name   string
		change func(*consortium.Declaration)
	}{
		{"no name", func(d *consortium.Declaration) { d.Name = "" }},
		{"a long name", func(d *consortium.Declaration) { d.Name = long }},
		{"a name in other letters", func(d *consortium.Declaration) { d.Name = "Klinik Österreich" }},
		{"no site", func(d *consortium.Declaration) { d.Site = "" }},
		{"no zone", func(d *consortium.Declaration) { d.TimeZone = "" }},
		{"a zone as an offset", func(d *consortium.Declaration) { d.TimeZone = "+01:00" }},
		{"no consensus key", func(d *consortium.Declaration) { d.ConsensusKey = nil }},
		{"a short consensus key", func(d *consortium.Declaration) { d.ConsensusKey = d.ConsensusKey[:31] }},
		{"a long comet key", func(d *consortium.Declaration) { d.CometKey = append(slices.Clone(d.CometKey), 0) }},
		{"no comet address", func(d *consortium.Declaration) { d.CometAddress = "" }},
		{"no libp2p key", func(d *consortium.Declaration) { d.Libp2PKey = nil }},
		{"an address with a peer id", func(d *consortium.Declaration) { d.Libp2PAddress += "/p2p/" + consortium.PeerID(d.Libp2PKey) }},
		{"a node key off the curve", func(d *consortium.Declaration) { d.NodeKey = append([]byte{2}, bytes.Repeat([]byte{0xff}, 32)...) }},
		{"an uncompressed admin key", func(d *consortium.Declaration) { d.AdminKey = append([]byte{4}, make([]byte, 64)...) }},
		{"no vault key", func(d *consortium.Declaration) { d.VaultKey = nil }},
		{"a vault key that is none", func(d *consortium.Declaration) { d.VaultKey = bytes.Repeat([]byte{0xff}, 1216) }},
		{"no round key", func(d *consortium.Declaration) { d.RoundKey = nil }},
		{"a gateway without TLS", func(d *consortium.Declaration) { d.GatewayUrl = "http://node.example.org" }},
		{"no fingerprint", func(d *consortium.Declaration) { d.GatewayFingerprint = nil }},
		{"a fingerprint of zeros", func(d *consortium.Declaration) { d.GatewayFingerprint = make([]byte, 32) }},
		{"no capacity", func(d *consortium.Declaration) { d.Capacity = 0 }},
		{"a huge capacity", func(d *consortium.Declaration) { d.Capacity = consortium.MaxCapacity + 1 }},
		{"one key for consensus and peers", func(d *consortium.Declaration) { d.CometKey = d.ConsensusKey }},
		{"one key for peers and blobs", func(d *consortium.Declaration) { d.Libp2PKey = d.CometKey }},
		{"one key for node and admin", func(d *consortium.Declaration) { d.AdminKey = d.NodeKey }},
		{"one key for vault and rounds", func(d *consortium.Declaration) { d.RoundKey = d.VaultKey }},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := declare(t, "Clinic A")
			require.NoError(t, h.declaration.Validate())
			c.change(&h.declaration)
			require.ErrorIs(t, h.declaration.Validate(), consortium.ErrInvalidDeclaration)
			signed := h.sign(t)
			_, err := signed.Open()
			require.ErrorIs(t, err, consortium.ErrInvalidDeclaration)
		})
	}
}

func TestOneDeclarationHasOneEncoding(t *testing.T) {
	h := declare(t, "Clinic A")
	encoded, err := h.declaration.Marshal()
	require.NoError(t, err)
	d, err := consortium.ParseDeclaration(encoded)
	require.NoError(t, err)
	require.Equal(t, h.declaration, d)
	again, err := d.Marshal()
	require.NoError(t, err)
	require.Equal(t, encoded, again)

	name := append([]byte{0x0a, byte(len("Clinic A"))}, "Clinic A"...)
	require.Equal(t, name, encoded[:len(name)])
	for _, c := range []struct {
		name    string
		encoded []byte
	}{
		{"an unknown field", append(slices.Clone(encoded), 0xfa, 0x01, 0x00)},
		{"a field twice", append(slices.Clone(name), encoded...)},
		{"a field behind its place", append(slices.Clone(encoded[len(name):]), name...)},
		{"a zero that is written", append(slices.Clone(encoded), 0x78, 0x00)},
		{"a number in more bytes than needed", append(slices.Clone(encoded[:len(encoded)-1]), encoded[len(encoded)-1]|0x80, 0x00)},
		{"cut", encoded[:len(encoded)-1]},
		{"not protobuf", []byte("member")},
		{"long", append(slices.Clone(encoded), make([]byte, 4096)...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := consortium.ParseDeclaration(c.encoded)
			require.ErrorIs(t, err, consortium.ErrInvalidDeclaration)
			s := consortium.SignedDeclaration{Declaration: c.encoded}
			require.ErrorIs(t, s.Verify(), consortium.ErrInvalidDeclaration)
		})
	}
}

func FuzzParseDeclaration(f *testing.F) {
	d := consortium.Declaration{Name: "Clinic A", Site: "Main", ConsensusKey: make([]byte, 32), Capacity: 300}
	encoded, err := d.Marshal()
	require.NoError(f, err)
	f.Add(encoded)
	f.Add(append(slices.Clone(encoded), 0x78, 0x00))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		d, err := consortium.ParseDeclaration(encoded)
		if err != nil {
			require.ErrorIs(t, err, consortium.ErrInvalidDeclaration)
			return
		}
		again, err := d.Marshal()
		require.NoError(t, err)
		require.Equal(t, len(encoded), len(again))
		require.True(t, bytes.Equal(encoded, again))
	})
}

func TestFoundInAnyOrder(t *testing.T) {
	names := []string{"Clinic B", "clinic a", "Hospital 10", "Hospital 2"}
	want := found(t, names...)
	for _, order := range [][]int{{3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}} {
		var shuffled []string
		for _, i := range order {
			shuffled = append(shuffled, names[i])
		}
		require.Equal(t, want, found(t, shuffled...))
	}
	var founded []string
	for i, m := range want.Members {
		require.EqualValues(t, i+1, m.Number)
		founded = append(founded, m.Name)
	}
	require.Equal(t, []string{"clinic a", "Clinic B", "Hospital 10", "Hospital 2"}, founded)
}

func TestFoundMember(t *testing.T) {
	h := declare(t, "Clinic A")
	d := h.declaration
	f := d.Found(7, 9, since)
	require.Equal(t, consortium.Member{
		Number: 7, Name: "Clinic A", Status: consortium.MEMBER_STATUS_ACTIVE, ConsensusKey: d.ConsensusKey,
		CometId: consortium.CometID(d.CometKey), CometAddress: d.CometAddress, NodeAccount: consortium.AccountOf(d.NodeKey).String(),
		VaultKey: d.VaultKey, VaultEpoch: 1, GatewayUrl: d.GatewayUrl, GatewayFingerprint: d.GatewayFingerprint, Since: since,
	}, f.Member)
	require.Equal(t, consortium.Site{Member: 7, Number: 1, Name: "Main site", TimeZone: "Europe/Vienna"}, f.Site)
	require.Equal(t, consortium.StorageNode{
		Number: 9, Member: 7, Site: 1, Account: f.Member.NodeAccount, PeerId: consortium.PeerID(d.Libp2PKey),
		Address: d.Libp2PAddress, Capacity: d.Capacity, CometId: f.Member.CometId,
	}, f.Node)
	require.Equal(t, consortium.Staff{Address: consortium.AccountOf(d.AdminKey).String(), Hospital: 7, Role: consortium.ROLE_ADMIN, Since: since}, f.Admin)
}

func TestFoundRefuses(t *testing.T) {
	a, b := declare(t, "Clinic A"), declare(t, "Clinic B")
	founded := func(hospitals ...hospital) error {
		var signed []consortium.SignedDeclaration
		for i := range hospitals {
			signed = append(signed, hospitals[i].sign(t))
		}
		_, err := consortium.Found("phrd-1", since, signed)
		return err
	}
	require.NoError(t, founded(a, b))
	require.ErrorIs(t, founded(), consortium.ErrInvalidGenesis)
	require.ErrorIs(t, founded(a, a), consortium.ErrKnownKey)

	alike := declare(t, "CLINIC A")
	require.ErrorIs(t, founded(a, alike), consortium.ErrKnownName)

	thief := b
	thief.consensus, thief.declaration.ConsensusKey = a.consensus, a.declaration.ConsensusKey
	require.ErrorIs(t, founded(a, thief), consortium.ErrKnownKey)
	crossed := b
	crossed.comet, crossed.declaration.CometKey = a.libp2p, a.declaration.Libp2PKey
	require.ErrorIs(t, founded(a, crossed), consortium.ErrKnownKey)

	invalid := b
	invalid.declaration.Capacity = 0
	require.ErrorIs(t, founded(a, invalid), consortium.ErrInvalidDeclaration)

	unsigned := b.sign(t)
	unsigned.AdminSignature = unsigned.NodeSignature
	_, err := consortium.Found("phrd-1", since, []consortium.SignedDeclaration{a.sign(t), unsigned})
	require.ErrorIs(t, err, consortium.ErrBadSignature)
}

func TestNetworkIDBindsItsFounding(t *testing.T) {
	a, b := declare(t, "Clinic A"), declare(t, "Clinic B")
	ids := map[string]bool{}
	for _, c := range []struct {
		chain     string
		time      int64
		hospitals []hospital
	}{
		{"phrd-1", since, []hospital{a, b}}, {"phrd-2", since, []hospital{a, b}},
		{"phrd-1", since + 1, []hospital{a, b}}, {"phrd-1", since, []hospital{a}},
	} {
		var signed []consortium.SignedDeclaration
		for i := range c.hospitals {
			signed = append(signed, c.hospitals[i].sign(t))
		}
		g, err := consortium.Found(c.chain, c.time, signed)
		require.NoError(t, err)
		require.Len(t, g.NetworkId, 32)
		require.False(t, ids[string(g.NetworkId)])
		ids[string(g.NetworkId)] = true
	}
}
