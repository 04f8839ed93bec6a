package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// voted has the members make the first key of a kind.
func (c *committee) voted(kind custody.KeyKind) custody.Key {
	c.t.Helper()
	_, err := c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: kind})
	require.NoError(c.t, err)
	c.of(kind).make()
	return c.key()
}

// leaves has a hospital ask to leave, and says whether it is ready to go when the block ends.
func (c *committee) leaves(number uint64) bool {
	c.t.Helper()
	c.people.members[number] = consortium.MEMBER_STATUS_LEAVING
	_, err := c.keeper.Leaving(c.ctx, number)
	require.NoError(c.t, err)
	c.nextBlock()
	return c.isReady(number)
}

func (c *committee) isReady(number uint64) bool {
	c.t.Helper()
	ready, err := c.keeper.ReadyToLeave(c.ctx, number)
	require.NoError(c.t, err)
	return ready
}

func (c *committee) left(number uint64) {
	c.t.Helper()
	c.people.members[number] = consortium.MEMBER_STATUS_LEFT
	require.NoError(c.t, c.keeper.Left(c.ctx, number))
	c.nextBlock()
}

// All kinds of keys are made and renewed alike; each has its own shares and its own number of those that open.
func TestKeysOfAllKinds(t *testing.T) {
	for _, test := range []struct {
		kind      custody.KeyKind
		hospitals uint64
		threshold uint64
	}{
		{custody.KEY_KIND_EMERGENCY, 5, 5},
		{custody.KEY_KIND_EMERGENCY, 7, 6},
		{custody.KEY_KIND_GUARDIANS, 4, 3},
	} {
		c := newCommittee(newFixture(t), test.hospitals)
		c.make()
		records := c.key()
		made := c.voted(test.kind)
		require.Equal(t, custody.Key{
			Kind: test.kind, Generation: 1, PublicKey: made.PublicKey, Origin: custody.ORIGIN_DKG, Threshold: test.threshold, ShareEpoch: 1,
			Since: made.Since, FirstThreshold: test.threshold,
		}, made)
		require.NotEqual(t, records.PublicKey, made.PublicKey)
		require.True(t, c.opens(1, 1, 2, 3, 4, 5, 6, 7))
		for _, h := range c.hospitals {
			require.NotEqual(t, h.others[custody.KEY_KIND_RECORDS][1], h.shares[1])
		}

		// Who joins gets a share of each.
		c.join(test.hospitals + 1)
		require.NoError(t, c.keeper.Admitted(c.ctx, test.hospitals+1))
		c.nextBlock()
		require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
		c.make()
		renewed := c.key()
		require.Equal(t, made.PublicKey, renewed.PublicKey)
		require.EqualValues(t, 2, renewed.ShareEpoch)
		require.Len(t, c.holdersOf(2, true), int(test.hospitals+1))
		require.Equal(t, custody.ROUND_PHASE_KEYS, c.of(custody.KEY_KIND_RECORDS).phase())
		c.make()
		require.Len(t, c.holdersOf(2, true), int(test.hospitals+1))
	}
}

func TestKeysOfNoKind(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	c.make()
	for _, kind := range []custody.KeyKind{0, 4} {
		_, err := c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: kind})
		require.ErrorIs(t, err, custody.ErrNoKey)
	}
	_, err := c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: custody.KEY_KIND_EMERGENCY})
	require.ErrorIs(t, err, custody.ErrTooFewMembers, "four are too few for emergencies")
	c.join(5)
	_, err = c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: custody.KEY_KIND_EMERGENCY})
	require.NoError(t, err)
}

// With seven hospitals one leaves, and the others hold the emergency key without it. With six left of whom it takes six, the next one's
// leaving ends the key: it goes when the others hold the records key without it, no round begins that nobody could end, and who comes later
// finds no way back, for too few hold a share. A vote makes another key then.
func TestEmergencyKeyKeepsNobody(t *testing.T) {
	c := newCommittee(newFixture(t), 7)
	c.make()
	c.voted(custody.KEY_KIND_EMERGENCY)
	require.False(t, c.leaves(7))
	c.make()
	require.False(t, c.isReady(7), "of the records key it holds a share")
	c.of(custody.KEY_KIND_RECORDS).make()
	require.True(t, c.isReady(7))
	c.left(7)
	require.NoError(t, c.keeper.CheckHolders(c.ctx, func(member uint64) bool { return member < 6 }))

	require.False(t, c.leaves(6))
	c.make()
	require.True(t, c.isReady(6))
	c.left(6)
	for range 3 {
		entries := len(c.log.entries)
		c.of(custody.KEY_KIND_EMERGENCY).window()
		require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
		require.Len(t, c.log.entries, entries)
	}
	require.EqualValues(t, 2, c.key().ShareEpoch)
	require.False(t, c.opens(2, 1, 2, 3, 4, 5))

	c.join(8)
	require.NoError(t, c.keeper.Admitted(c.ctx, 8))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase(), "five of the six that deal are left")
	res, err := c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: custody.KEY_KIND_EMERGENCY})
	require.NoError(t, err)
	require.EqualValues(t, 2, res.Generation)
}

// While one of five is suspended the emergency key waits, and is renewed when the hospital is back.
func TestEmergencyKeyWaitsForASuspendedHospital(t *testing.T) {
	c := newCommittee(newFixture(t), 5)
	c.make()
	c.voted(custody.KEY_KIND_EMERGENCY)
	c.people.members[2] = consortium.MEMBER_STATUS_SUSPENDED
	require.NoError(t, c.keeper.NodesChanged(c.ctx, 2))
	for range 3 {
		c.window()
		require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
	}
	c.of(custody.KEY_KIND_RECORDS).make()
	require.Len(t, c.holdersOf(2, true), 4, "the records key goes on without it")

	c.people.members[2] = consortium.MEMBER_STATUS_ACTIVE
	require.NoError(t, c.keeper.NodesChanged(c.ctx, 2))
	c.nextBlock()
	c.make()
	require.Len(t, c.holdersOf(3, true), 5)
	c.of(custody.KEY_KIND_EMERGENCY).make()
	require.EqualValues(t, 2, c.key().ShareEpoch)
	require.True(t, c.opens(2, 1, 2, 3, 4, 5))
}

// A round for emergencies that has begun when a hospital goes waits without failing.
func TestEmergencyRoundWaitsForMembers(t *testing.T) {
	c := newCommittee(newFixture(t), 5)
	c.make()
	c.voted(custody.KEY_KIND_EMERGENCY)
	_, err := c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: authority, Kind: custody.KEY_KIND_EMERGENCY, Generation: 1})
	require.NoError(t, err)
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
	c.people.members[5] = consortium.MEMBER_STATUS_SUSPENDED
	c.act()
	for range 3 {
		c.window()
		require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
		require.EqualValues(t, 1, c.round().Attempt)
	}
	c.people.members[5] = consortium.MEMBER_STATUS_ACTIVE
	require.Empty(t, c.post(c.hospitals[4].published()))
	c.nextBlock()
	c.make()
	require.EqualValues(t, 2, c.key().ShareEpoch)
}

// A guardians key keeps who is needed, as a records key does.
func TestGuardiansKeyKeepsWhoIsNeeded(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	c.make()
	c.voted(custody.KEY_KIND_GUARDIANS)
	c.join(5)
	require.ErrorIs(t, c.keeper.CheckHolders(c.ctx, func(member uint64) bool { return member > 2 }), consortium.ErrTooFewHolders)
	require.NoError(t, c.keeper.CheckHolders(c.ctx, func(member uint64) bool { return member > 1 }))
}
