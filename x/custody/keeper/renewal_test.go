package keeper_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

func TestSharesAreRenewed(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	c.make()
	key, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
	require.NoError(t, err)
	pending := c.requested(1)
	c.nextBlock()
	require.Equal(t, []string{pending.Unlock}, c.work(1, 10))

	_, err = c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: c.nodes[1], Kind: custody.KEY_KIND_RECORDS, Generation: 1})
	require.ErrorIs(t, err, custody.ErrUnauthorized)
	_, err = c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: authority, Kind: custody.KEY_KIND_GUARDIANS, Generation: 1})
	require.ErrorIs(t, err, custody.ErrNoKey)
	_, err = c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: authority, Kind: custody.KEY_KIND_RECORDS, Generation: 1})
	require.NoError(t, err)
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
	c.act()
	// A dealer may share nothing but its own share.
	h := c.hospitals[1]
	r, hash := c.locked()
	other, err := lock.NewPolynomial(r.Threshold, c.random)
	require.NoError(t, err)
	require.Equal(t, custody.ReasonBadDeal, c.post(h.dealOf(other, hash, r)))
	c.make()

	renewed, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
	require.NoError(t, err)
	require.Equal(t, key.PublicKey, renewed.PublicKey)
	require.Equal(t, key.Since, renewed.Since)
	require.Greater(t, renewed.Renewed, key.Since)
	require.EqualValues(t, 2, renewed.ShareEpoch)
	require.True(t, c.opens(2, 1, 2, 3))
	require.True(t, c.opens(1, 1, 2, 3), "old shares are still shares, which is why each hospital erases its own")
	mixed := []lock.SecretShare{{Index: 1, Value: c.hospitals[0].shares[1]}, {Index: 2, Value: c.hospitals[1].shares[2]}, {Index: 3, Value: c.hospitals[2].shares[2]}}
	secret, err := lock.Interpolate(mixed)
	require.NoError(t, err)
	require.NotEqual(t, key.PublicKey, secret.Public().Bytes(), "two epochs do not mix")

	// What waited goes on with the new shares, and takes no old one.
	require.Equal(t, []string{pending.Unlock}, c.work(1, 10))
	c.shareOfMember(1, 1, pending, custody.ReasonStaleEpoch)
	for _, number := range []uint64{4, 2, 1} {
		c.shareOfMember(number, 2, pending, "")
	}
	require.Equal(t, []string{pending.Unlock}, c.hooks.released)
}

// shareOfMember gives a hospital's share of an epoch for a release.
func (c *committee) shareOfMember(number, epoch uint64, r custody.Release, reason string) {
	c.t.Helper()
	h := c.hospitals[slices.IndexFunc(c.hospitals, func(h *hospital) bool { return h.number == number })]
	key, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
	require.NoError(c.t, err)
	x, err := lock.ParsePoint(key.PublicKey)
	require.NoError(c.t, err)
	gen, err := lock.Generation{Network: network, Kind: lock.KeyRecords, Number: 1, X: x}.Hash()
	require.NoError(c.t, err)
	id, err := custody.ParseUnlockID(r.Unlock)
	require.NoError(c.t, err)
	m, err := lock.ParsePoint(r.Blinded[0])
	require.NoError(c.t, err)
	request := lock.Release{Network: network, Unlock: id, Generation: gen, M: []lock.Point{m}}
	made, err := request.NewShare(epoch, number, h.shares[epoch], c.random)
	require.NoError(c.t, err)
	s := custody.Share{Unlock: r.Unlock, ShareEpoch: epoch, Index: number, Points: [][]byte{made.D[0].Bytes()}, Proof: made.Proof}
	require.Equal(c.t, []string{reason}, c.send(c.nodes[number], s))
}

// Members come and go, and the committee follows: who joins gets a share, who leaves is ready when the others have theirs without it.
func TestCommitteeFollowsTheMembers(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	c.make()
	holders := func() []uint64 {
		key, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
		require.NoError(t, err)
		var numbers []uint64
		for _, h := range c.holdersOf(key.ShareEpoch, true) {
			numbers = append(numbers, h.Index)
		}
		return numbers
	}
	require.NoError(t, c.keeper.NodesChanged(c.ctx, 2), "no change of status")
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())

	c.join(5)
	require.NoError(t, c.keeper.Admitted(c.ctx, 5))
	c.nextBlock()
	c.make()
	require.Equal(t, []uint64{1, 2, 3, 4, 5}, holders())
	require.EqualValues(t, 4, c.round().Threshold)
	require.True(t, c.opens(2, 2, 3, 4, 5))

	c.people.members[2] = consortium.MEMBER_STATUS_LEAVING
	_, err := c.keeper.Leaving(c.ctx, 2)
	require.NoError(t, err)
	ready, err := c.keeper.ReadyToLeave(c.ctx, 2)
	require.NoError(t, err)
	require.False(t, ready)
	c.nextBlock()
	c.make()
	require.Equal(t, []uint64{1, 3, 4, 5}, holders())
	require.EqualValues(t, 3, c.round().Threshold, "as at its birth, for four hold it")
	ready, err = c.keeper.ReadyToLeave(c.ctx, 2)
	require.NoError(t, err)
	require.True(t, ready)
	c.people.members[2] = consortium.MEMBER_STATUS_LEFT
	require.NoError(t, c.keeper.Left(c.ctx, 2))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase(), "it held nothing any more")

	c.people.members[3] = consortium.MEMBER_STATUS_SUSPENDED
	require.NoError(t, c.keeper.NodesChanged(c.ctx, 3))
	c.nextBlock()
	c.make()
	require.Equal(t, []uint64{1, 4, 5}, holders())
	require.EqualValues(t, 3, c.round().Threshold, "never below its birth value")
	require.True(t, c.opens(4, 1, 4, 5))

	c.people.members[3] = consortium.MEMBER_STATUS_ACTIVE
	require.NoError(t, c.keeper.NodesChanged(c.ctx, 3))
	c.nextBlock()
	c.make()
	require.Equal(t, []uint64{1, 3, 4, 5}, holders())
	require.True(t, c.opens(5, 1, 3, 4))
}

// A member that goes while the first key is being made holds a share of it: the others renew theirs at once.
func TestMemberGoesWhileTheKeyIsMade(t *testing.T) {
	c := newCommittee(newFixture(t), 5)
	c.act()
	c.act()
	require.Equal(t, custody.ROUND_PHASE_CONFIRMATIONS, c.phase())
	c.people.members[5] = consortium.MEMBER_STATUS_SUSPENDED
	require.NoError(t, c.keeper.NodesChanged(c.ctx, 5))
	c.act()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
	c.make()
	require.Len(t, c.holdersOf(2, false), 4)
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
}

// Where one is away a renewal waits for it rather than let the loss of one more hospital lock everything; a new key does not wait.
func TestRenewalWaitsWhereItWouldMakeThingsWorse(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	c.make()
	c.ctx = c.ctx.WithBlockTime(c.ctx.BlockTime().AddDate(0, 0, 29))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
	c.ctx = c.ctx.WithBlockTime(c.ctx.BlockTime().AddDate(0, 0, 1))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase(), "every month")
	c.act(4)
	for range 3 {
		c.window()
	}
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
	require.EqualValues(t, 1, c.round().Attempt)
	require.Empty(t, c.post(c.hospitals[3].published()))
	c.nextBlock()
	c.make()
	require.Len(t, c.holdersOf(2, true), 4)

	// With five of seven one can be away, for the others bear the loss of another.
	c = newCommittee(newFixture(t), 7)
	c.make()
	_, err := c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: authority, Kind: custody.KEY_KIND_RECORDS, Generation: 1})
	require.NoError(t, err)
	c.nextBlock()
	c.make(7)
	require.Len(t, c.holdersOf(2, true), 6)
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase(), "nobody waits for it")
}

// A member that never had a share of use has the others renew theirs, but not all the time.
func TestRenewalForOneMember(t *testing.T) {
	c := newCommittee(newFixture(t), 7)
	c.make()
	_, err := c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: authority, Kind: custody.KEY_KIND_RECORDS, Generation: 1})
	require.NoError(t, err)
	c.nextBlock()
	c.make(7)
	asks := func(number uint64) *custody.MsgPublishRoundKey {
		m := c.hospitals[number-1].published()
		m.ShareEpoch, m.Attempt = 3, 1
		return m
	}
	c.reasons([]refusal{{"without a share, at once", asks(7), custody.ReasonTooSoon}})
	c.ctx = c.ctx.WithBlockTime(c.ctx.BlockTime().Add(10 * time.Minute))
	c.people.members[7] = consortium.MEMBER_STATUS_LEAVING
	c.reasons([]refusal{{"while it leaves", asks(7), custody.ReasonNotParty}})
	c.people.members[7] = consortium.MEMBER_STATUS_ACTIVE
	require.Empty(t, c.post(asks(7)))
	require.Equal(t, "1/1/3", c.log.last().Target, "what it is for, not what is in force")
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
	c.make()
	require.Len(t, c.holdersOf(3, true), 7)
}

// losesShare has a hospital say that it lost its share of the epoch in force.
func (c *committee) losesShare(number uint64) *custody.MsgPublishRoundKey {
	c.t.Helper()
	key, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
	require.NoError(c.t, err)
	m := c.hospitals[number-1].published()
	m.ShareEpoch, m.Attempt = key.ShareEpoch+1, 1
	return m
}

func (c *committee) later(d time.Duration) {
	c.ctx = c.ctx.WithBlockTime(c.ctx.BlockTime().Add(d))
}

// Who lost its share says so. Where many are left shares wait until they are a day old; where one more loss could be one too many they
// are renewed at once. Nobody's word counts twice a day.
func TestLostShares(t *testing.T) {
	c := newCommittee(newFixture(t), 10)
	c.make()
	require.EqualValues(t, 7, c.round().Threshold)

	// A key that comes late for the round that is over says nothing of a share.
	late := c.hospitals[2].published()
	require.EqualValues(t, 1, late.ShareEpoch)
	c.later(25 * time.Hour)
	c.reasons([]refusal{{"a round key that is late", late, custody.ReasonWrongPhase}})
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())

	// Nine are left, of which two may be lost.
	_, err := c.msg.StartReshare(c.ctx, &custody.MsgStartReshare{Authority: authority, Kind: custody.KEY_KIND_RECORDS, Generation: 1})
	require.NoError(t, err)
	c.nextBlock()
	c.make()
	c.later(time.Minute)
	require.Empty(t, c.post(c.losesShare(3)))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
	c.reasons([]refusal{{"said twice", c.losesShare(3), custody.ReasonTooSoon}})

	// Eight: the next loss but one would lock everything.
	require.Empty(t, c.post(c.losesShare(9)))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
	c.make()
	require.Len(t, c.holdersOf(3, true), 10)

	// What was said of the epoch before says nothing of this one, but whose word it was waits for its day.
	c.later(time.Hour)
	c.reasons([]refusal{{"again within the day", c.losesShare(9), custody.ReasonTooSoon}})
	require.Empty(t, c.post(c.losesShare(4)))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase(), "nine are left")

	// A day after, one word is enough.
	c.later(24 * time.Hour)
	require.Empty(t, c.post(c.losesShare(9)))
	c.nextBlock()
	require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
}

// With seven hospitals each loss heals at once, one after the other, and the key stays the same. The hospital that lost its share deals
// nothing.
func TestSharesLostOneByOneHeal(t *testing.T) {
	c := newCommittee(newFixture(t), 7)
	c.make()
	key, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
	require.NoError(t, err)
	for epoch := uint64(1); epoch <= 7; epoch++ {
		lost := c.hospitals[epoch-1]
		delete(lost.shares, epoch)
		c.later(time.Minute)
		require.Empty(t, c.post(c.losesShare(lost.number)))
		c.nextBlock()
		require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
		c.act() // round keys, from all
		c.act(lost.number)
		c.window() // the others wait for its deal, in vain
		c.make()
		require.NotContains(t, c.round().Qualified, lost.number)
		require.Len(t, c.holdersOf(epoch+1, true), 7)
		renewed, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
		require.NoError(t, err)
		require.Equal(t, key.PublicKey, renewed.PublicKey)
		require.True(t, c.opens(epoch+1, lost.number, 7, 6, 5, 4, 3, 2, 1))
	}
}

// More shares lost at a time than may be: nothing renews what is left, and nothing opens. That is the end of what was locked.
func TestTooManySharesLost(t *testing.T) {
	c := newCommittee(newFixture(t), 7)
	c.make()
	require.True(t, c.opens(1, 3, 4, 5, 6, 7))
	silent := []uint64{1, 2, 3}
	for _, number := range silent {
		delete(c.hospitals[number-1].shares, 1)
	}
	c.later(time.Minute)
	require.Empty(t, c.post(c.losesShare(1)))
	c.nextBlock()
	for range 3 {
		require.Equal(t, custody.ROUND_PHASE_KEYS, c.phase())
		attempt := c.round().Attempt
		c.act()
		c.act(silent...)
		c.window()
		require.Equal(t, attempt+1, c.round().Attempt, "four deals do not make five")
	}
	key, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, key.ShareEpoch)
	require.False(t, c.opens(1, 4, 5, 6, 7))
}

func TestANewGeneration(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	_, err := c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: custody.KEY_KIND_RECORDS})
	require.ErrorIs(t, err, custody.ErrRoundRuns, "the first is being made")
	c.make()
	_, err = c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: c.nodes[1], Kind: custody.KEY_KIND_RECORDS})
	require.ErrorIs(t, err, custody.ErrUnauthorized)
	res, err := c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: custody.KEY_KIND_RECORDS})
	require.NoError(t, err)
	require.EqualValues(t, 2, res.Generation)
	_, err = c.msg.StartGeneration(c.ctx, &custody.MsgStartGeneration{Authority: authority, Kind: custody.KEY_KIND_RECORDS})
	require.ErrorIs(t, err, custody.ErrRoundRuns)
	newest, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, newest.Generation, "in force until the new one is made")
}
