package custody_test

import (
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/custody"
)

func TestThreshold(t *testing.T) {
	for _, tc := range []struct {
		kind custody.KeyKind
		n, t uint64
	}{
		{custody.KEY_KIND_RECORDS, 1, 1},
		{custody.KEY_KIND_RECORDS, 2, 2},
		{custody.KEY_KIND_RECORDS, 3, 3},
		{custody.KEY_KIND_RECORDS, 4, 3},
		{custody.KEY_KIND_RECORDS, 7, 5},
		{custody.KEY_KIND_GUARDIANS, 100, 67},
		{custody.KEY_KIND_EMERGENCY, 4, 4},
		{custody.KEY_KIND_EMERGENCY, 5, 5},
		{custody.KEY_KIND_EMERGENCY, 7, 6},
		{custody.KEY_KIND_EMERGENCY, 12, 10},
		{custody.KEY_KIND_EMERGENCY, 13, 11},
	} {
		require.Equal(t, tc.t, custody.Threshold(tc.kind, tc.n), "%s of %d", tc.kind, tc.n)
	}
}

func TestParseUnlockID(t *testing.T) {
	text := strings.Repeat("0a", 32)
	id, err := custody.ParseUnlockID(text)
	require.NoError(t, err)
	require.Equal(t, text, hex.EncodeToString(id.Bytes()))
	for _, text := range []string{"", strings.Repeat("0A", 32), strings.Repeat("0a", 31), strings.Repeat("0a", 33), strings.Repeat("0g", 32), text[1:]} {
		_, err := custody.ParseUnlockID(text)
		require.ErrorIs(t, err, custody.ErrInvalidUnlock, text)
	}
}

func TestParams(t *testing.T) {
	require.NoError(t, custody.DefaultParams().Validate())
	for delay, ok := range map[uint64]bool{0: false, 1: true, 60: true, 61: false} {
		err := custody.Params{RankDelay: delay}.Validate()
		if ok {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, custody.ErrInvalidParams)
		}
	}
}

// dealt is a genesis with one key, dealt to members 1 to n.
func dealt(tb testing.TB, kind custody.KeyKind, n uint64) *custody.GenesisState {
	tb.Helper()
	g := custody.DefaultGenesis()
	threshold := custody.Threshold(kind, n)
	indexes := make([]uint64, n)
	for i := range indexes {
		indexes[i] = uint64(i) + 1
	}
	d, err := lock.Deal(threshold, indexes, rand.NewChaCha8([32]byte{1}))
	require.NoError(tb, err)
	g.Keys = []custody.Key{{
		Kind: kind, Generation: 1, PublicKey: d.X.Bytes(), Origin: custody.ORIGIN_DEALT, Threshold: threshold, ShareEpoch: 1, Since: 5,
	}}
	for _, h := range d.Holders {
		g.Holders = append(g.Holders, custody.Holder{
			Kind: kind, Generation: 1, ShareEpoch: 1, Index: h.Index, PublicShare: h.X.Bytes(), Confirmed: true,
		})
	}
	return g
}

func TestGenesisOfDealtKey(t *testing.T) {
	require.NoError(t, custody.DefaultGenesis().Validate())
	for _, n := range []uint64{1, 2, 3, 4, 7, 20} {
		require.NoError(t, dealt(t, custody.KEY_KIND_RECORDS, n).Validate(), "%d holders", n)
	}
	require.NoError(t, dealt(t, custody.KEY_KIND_EMERGENCY, 7).Validate())
}

// unlockID is the id of a test's only unlock.
var unlockID = strings.Repeat("0b", 32)

// withRelease adds a release that two of four holders answered.
func withRelease(t *testing.T) *custody.GenesisState {
	t.Helper()
	g := dealt(t, custody.KEY_KIND_RECORDS, 4)
	point := g.Keys[0].PublicKey
	g.Releases = []custody.Release{{
		Unlock: unlockID, Kind: custody.KEY_KIND_RECORDS, Generation: 1, Blinded: [][]byte{point}, Status: custody.RELEASE_STATUS_PENDING,
		RequestedAt: 7, RequestedHeight: 3,
	}}
	for _, index := range []uint64{1, 3} {
		g.Shares = append(g.Shares, custody.Share{Unlock: unlockID, ShareEpoch: 1, Index: index, Points: [][]byte{point}, Proof: make([]byte, 64)})
	}
	return g
}

func TestGenesisRefusals(t *testing.T) {
	foreign := lock.HashToGroup([]byte("foreign")).Bytes()
	for _, tc := range []struct {
		name  string
		spoil func(*custody.GenesisState)
	}{
		{"unknown kind", func(g *custody.GenesisState) { g.Keys[0].Kind = 4 }},
		{"generation 0", func(g *custody.GenesisState) { g.Keys[0].Generation = 0 }},
		{"generation 2 without 1", func(g *custody.GenesisState) { g.Keys[0].Generation = 2 }},
		{"epoch 0", func(g *custody.GenesisState) { g.Keys[0].ShareEpoch = 0 }},
		{"key twice", func(g *custody.GenesisState) { g.Keys = append(g.Keys, g.Keys[0]) }},
		{"no origin", func(g *custody.GenesisState) { g.Keys[0].Origin = 0 }},
		{"key of no point", func(g *custody.GenesisState) { g.Keys[0].PublicKey = make([]byte, 32) }},
		{"another key", func(g *custody.GenesisState) { g.Keys[0].PublicKey = foreign }},
		{"threshold too low", func(g *custody.GenesisState) { g.Keys[0].Threshold = 2 }},
		{"dealt threshold too high", func(g *custody.GenesisState) { g.Keys[0].Threshold = 4 }},
		{"no holders", func(g *custody.GenesisState) { g.Holders = nil }},
		{"holders missing", func(g *custody.GenesisState) { g.Holders = g.Holders[:2] }},
		{"foreign first share", func(g *custody.GenesisState) { g.Holders[0].PublicShare = foreign }},
		{"foreign last share", func(g *custody.GenesisState) { g.Holders[3].PublicShare = foreign }},
		{"share of no point", func(g *custody.GenesisState) { g.Holders[1].PublicShare = []byte{1} }},
		{"shares swapped", func(g *custody.GenesisState) {
			g.Holders[0].PublicShare, g.Holders[1].PublicShare = g.Holders[1].PublicShare, g.Holders[0].PublicShare
		}},
		{"index by position", func(g *custody.GenesisState) { g.Holders[3].Index = 5 }},
		{"index 0", func(g *custody.GenesisState) { g.Holders[0].Index = 0 }},
		{"holders out of order", func(g *custody.GenesisState) { g.Holders[0], g.Holders[1] = g.Holders[1], g.Holders[0] }},
		{"dealt share not confirmed", func(g *custody.GenesisState) { g.Holders[2].Confirmed = false }},
		{"holder of a later epoch", func(g *custody.GenesisState) { g.Holders[3].ShareEpoch = 2 }},
		{"holder of no key", func(g *custody.GenesisState) { g.Holders[3].Generation = 2 }},
		{"release without points", func(g *custody.GenesisState) { g.Releases[0].Blinded = nil }},
		{"release of no key", func(g *custody.GenesisState) { g.Releases[0].Kind = custody.KEY_KIND_GUARDIANS }},
		{"release without status", func(g *custody.GenesisState) { g.Releases[0].Status = 0 }},
		{"release twice", func(g *custody.GenesisState) { g.Releases = append(g.Releases, g.Releases[0]) }},
		{"pending with an epoch", func(g *custody.GenesisState) { g.Releases[0].ShareEpoch = 1 }},
		{"released below the threshold", func(g *custody.GenesisState) {
			g.Releases[0].Status, g.Releases[0].ShareEpoch, g.Releases[0].ReleasedAt = custody.RELEASE_STATUS_RELEASED, 1, 9
		}},
		{"pending at the threshold", func(g *custody.GenesisState) {
			more := g.Shares[1]
			more.Index = 4
			g.Shares = append(g.Shares, more)
		}},
		{"share of no release", func(g *custody.GenesisState) { g.Releases = nil }},
		{"share of no holder", func(g *custody.GenesisState) { g.Shares[1].Index = 9 }},
		{"share twice", func(g *custody.GenesisState) { g.Shares[1] = g.Shares[0] }},
		{"share with another count", func(g *custody.GenesisState) {
			g.Shares[0].Points = append(g.Shares[0].Points, g.Shares[0].Points[0])
		}},
		{"share of no point", func(g *custody.GenesisState) { g.Shares[0].Points = [][]byte{make([]byte, 32)} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := withRelease(t)
			require.NoError(t, g.Validate())
			tc.spoil(g)
			require.ErrorIs(t, g.Validate(), custody.ErrInvalidGenesis)
		})
	}
}

// A network that lost members keeps its threshold, so a key that deals of all made
// may ask for more than the least.
func TestGenesisThresholdAfterLeaving(t *testing.T) {
	g := dealt(t, custody.KEY_KIND_RECORDS, 6) // 5 of 6
	g.Keys[0].Origin = custody.ORIGIN_DKG
	g.Holders = g.Holders[:5]
	require.NoError(t, g.Validate())
	g.Keys[0].Origin = custody.ORIGIN_DEALT
	require.ErrorIs(t, g.Validate(), custody.ErrInvalidGenesis)
}

func TestMsgSubmitShares(t *testing.T) {
	whole := func() *custody.MsgSubmitShares {
		return &custody.MsgSubmitShares{Shares: []custody.Share{{
			Unlock: unlockID, ShareEpoch: 1, Index: 1, Points: [][]byte{make([]byte, 32)}, Proof: make([]byte, 64),
		}}}
	}
	require.NoError(t, whole().Validate())
	for _, tc := range []struct {
		name  string
		spoil func(*custody.MsgSubmitShares)
	}{
		{"none", func(m *custody.MsgSubmitShares) { m.Shares = nil }},
		{"too many", func(m *custody.MsgSubmitShares) { m.Shares = make([]custody.Share, custody.MaxShares+1) }},
		{"two for one unlock", func(m *custody.MsgSubmitShares) { m.Shares = append(m.Shares, m.Shares[0]) }},
		{"unlock", func(m *custody.MsgSubmitShares) { m.Shares[0].Unlock = "0b" }},
		{"epoch 0", func(m *custody.MsgSubmitShares) { m.Shares[0].ShareEpoch = 0 }},
		{"index 0", func(m *custody.MsgSubmitShares) { m.Shares[0].Index = 0 }},
		{"index too large", func(m *custody.MsgSubmitShares) { m.Shares[0].Index = 1 << 32 }},
		{"no points", func(m *custody.MsgSubmitShares) { m.Shares[0].Points = nil }},
		{"too many points", func(m *custody.MsgSubmitShares) { m.Shares[0].Points = make([][]byte, custody.MaxPoints+1) }},
		{"short point", func(m *custody.MsgSubmitShares) { m.Shares[0].Points[0] = make([]byte, 31) }},
		{"short proof", func(m *custody.MsgSubmitShares) { m.Shares[0].Proof = make([]byte, 63) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := whole()
			tc.spoil(m)
			require.ErrorIs(t, m.Validate(), custody.ErrInvalidBatch)
		})
	}
}

// BenchmarkGenesisValidate is the check of the largest committee.
func BenchmarkGenesisValidate(b *testing.B) {
	g := dealt(b, custody.KEY_KIND_RECORDS, custody.MaxHolders)
	for b.Loop() {
		require.NoError(b, g.Validate())
	}
}
