package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/custody"
)

// What a round had made does not come over into another chain: there it begins again.
func TestGenesisOfARoundThatRuns(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	c.act()
	exported, err := c.keeper.ExportGenesis(c.ctx)
	require.NoError(t, err)
	require.Len(t, exported.Rounds, 1)
	require.Empty(t, exported.RoundKeys)
	require.EqualValues(t, 2, exported.Rounds[0].Attempt)
	c.restart(exported)
	again, err := c.keeper.ExportGenesis(c.ctx)
	require.NoError(t, err)
	require.Equal(t, exported, again)
	c.make()
	require.True(t, c.opens(1, 1, 2, 3))

	made, err := c.keeper.ExportGenesis(c.ctx)
	require.NoError(t, err)
	require.Empty(t, made.Rounds)
	require.Len(t, made.Holders, 4)
	c.restart(made)
	_, err = c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: authority, Kind: custody.KEY_KIND_RECORDS, Generation: 1})
	require.NoError(t, err)
	c.nextBlock()
	c.act()
	c.act() // deals
	c.act() // checks
	require.Equal(t, custody.ROUND_PHASE_CONFIRMATIONS, c.phase())
	exported, err = c.keeper.ExportGenesis(c.ctx)
	require.NoError(t, err)
	require.Len(t, exported.Holders, 4, "those of the epoch in force")
	require.NoError(t, exported.Validate())
}

func TestGenesisWithARoundThatCannotBe(t *testing.T) {
	valid := func() *custody.GenesisState {
		c := newCommittee(newFixture(t), 4)
		var keys [][]byte
		for _, h := range c.hospitals {
			keys = append(keys, h.key.Public().Bytes())
		}
		g := custody.DefaultGenesis()
		round, published, err := custody.Begin(network, custody.KEY_KIND_RECORDS, []uint64{1, 2, 3, 4}, keys, start)
		require.NoError(t, err)
		g.Rounds, g.RoundKeys = []custody.Round{round}, published
		return g
	}
	require.NoError(t, valid().Validate())
	for name, change := range map[string]func(*custody.GenesisState){
		"another threshold":       func(g *custody.GenesisState) { g.Rounds[0].Threshold = 2 },
		"a receiver without key":  func(g *custody.GenesisState) { g.RoundKeys = g.RoundKeys[:3] },
		"a key of nobody":         func(g *custody.GenesisState) { g.RoundKeys[3].Member = 5 },
		"keys out of order":       func(g *custody.GenesisState) { g.RoundKeys[0], g.RoundKeys[1] = g.RoundKeys[1], g.RoundKeys[0] },
		"a key that is none":      func(g *custody.GenesisState) { g.RoundKeys[0].Key = g.RoundKeys[0].Key[1:] },
		"two rounds":              func(g *custody.GenesisState) { g.Rounds = append(g.Rounds, g.Rounds[0]) },
		"no round":                func(g *custody.GenesisState) { g.Rounds = nil },
		"no hash":                 func(g *custody.GenesisState) { g.Rounds[0].Hash = nil },
		"a later epoch":           func(g *custody.GenesisState) { g.Rounds[0].ShareEpoch = 2 },
		"a later generation":      func(g *custody.GenesisState) { g.Rounds[0].Generation = 2 },
		"deals that were made":    func(g *custody.GenesisState) { g.Rounds[0].Qualified = []uint64{1} },
		"a phase behind deals":    func(g *custody.GenesisState) { g.Rounds[0].Phase = custody.ROUND_PHASE_COMPLAINTS },
		"more than can come":      func(g *custody.GenesisState) { g.Rounds[0].Received = 5 },
		"dealers of another sort": func(g *custody.GenesisState) { g.Rounds[0].Dealers = []uint64{1, 2, 3} },
	} {
		g := valid()
		change(g)
		require.Error(t, g.Validate(), name)
	}
}
