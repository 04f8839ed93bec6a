package keeper_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// kinds are the kinds of entries from one on.
func (f *fixture) kinds(from int) []string {
	var kinds []string
	for _, e := range f.log.entries[from:] {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func TestMembersMakeTheKey(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	_, err := c.query.Key(c.ctx, &custody.QueryKeyRequest{Kind: custody.KEY_KIND_RECORDS})
	require.ErrorContains(t, err, "FailedPrecondition")
	require.ErrorContains(t, err, "network key is being made (round 1, 0 of 4 deals)")
	require.Empty(t, c.post(c.hospitals[2].dealt()))
	_, err = c.query.Key(c.ctx, &custody.QueryKeyRequest{Kind: custody.KEY_KIND_RECORDS})
	require.ErrorContains(t, err, "round 1, 1 of 4 deals")
	c.act(3)
	require.Equal(t, custody.ROUND_PHASE_COMPLAINTS, c.phase())
	c.act()
	require.Equal(t, custody.ROUND_PHASE_CONFIRMATIONS, c.phase(), "nobody complains, so nobody answers")
	c.act()
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())

	key, err := c.keeper.Key(c.ctx, custody.KEY_KIND_RECORDS, 0)
	require.NoError(t, err)
	require.Equal(t, custody.Key{
		Kind: custody.KEY_KIND_RECORDS, Generation: 1, PublicKey: key.PublicKey, Origin: custody.ORIGIN_DKG, Threshold: 3, ShareEpoch: 1,
		Since: key.Since, FirstThreshold: 3,
	}, key)
	require.True(t, c.opens(1, 1, 2, 3))
	require.True(t, c.opens(1, 2, 3, 4))
	require.False(t, c.opens(1, 2, 3), "one below the threshold")
	require.Equal(t, slices.Concat(
		slices.Repeat([]string{audit.KindDealt}, 4), slices.Repeat([]string{audit.KindDealsChecked}, 4), slices.Repeat([]string{audit.KindShareConfirmed}, 4),
		[]string{audit.KindKeyMade},
	), c.kinds(0))
}

// What is not as it must be in a phase is refused for its reason, and the round goes on without it.
func TestMessagesThatARoundRefuses(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	h, other := c.hospitals[0], c.hospitals[1]
	stranger := c.account(consortium.ROLE_CLERK, 1)
	suspended := c.account(consortium.ROLE_NODE, 3)
	p := c.people.principals[suspended]
	p.Active = false
	c.people.principals[suspended] = p

	r, hash := c.locked()
	deal := func(change func(*custody.MsgSubmitDeal)) *custody.MsgSubmitDeal {
		m := h.dealt()
		change(m)
		return m
	}
	low, err := lock.NewPolynomial(2, c.random)
	require.NoError(t, err)
	c.reasons([]refusal{
		{"a clerk deals", deal(func(m *custody.MsgSubmitDeal) { m.Node = stranger }), custody.ReasonWrongRole},
		{"the node of a suspended member", deal(func(m *custody.MsgSubmitDeal) { m.Node = suspended }), custody.ReasonInactive},
		{"another round", deal(func(m *custody.MsgSubmitDeal) { m.Round = make([]byte, 64) }), custody.ReasonWrongRound},
		{"another kind", deal(func(m *custody.MsgSubmitDeal) { m.Kind = custody.KEY_KIND_GUARDIANS }), custody.ReasonWrongRound},
		{"too low a degree", h.dealOf(low, hash, r), custody.ReasonBadDeal},
		{"a commitment too few", deal(func(m *custody.MsgSubmitDeal) { m.Commitments = m.Commitments[:2] }), custody.ReasonBadDeal},
		{"a commitment that is no point", deal(func(m *custody.MsgSubmitDeal) { m.Commitments[1] = slices.Repeat([]byte{0xff}, 32) }), custody.ReasonBadDeal},
		{"another's deal", deal(func(m *custody.MsgSubmitDeal) { m.Node = other.nodes[other.number] }), custody.ReasonBadProof},
		{"a false proof of knowledge", deal(func(m *custody.MsgSubmitDeal) { m.Knowledge[95] ^= 1 }), custody.ReasonBadProof},
		{"a receiver who is none", deal(func(m *custody.MsgSubmitDeal) { m.Shares[3].Receiver = 9 }), custody.ReasonBadDeal},
		{"sub-shares without commitments", deal(func(m *custody.MsgSubmitDeal) { m.Commitments, m.Knowledge = nil, nil }), custody.ReasonBadDeal},
		{"complaint before there are deals", h.complains(), custody.ReasonWrongPhase},
		{"a round key for a round that has all", h.published(), custody.ReasonWrongPhase},
	})
	require.Empty(t, c.post(h.dealt()), "its twin")
	c.reasons([]refusal{{"a second deal", h.dealt(), custody.ReasonRepeated}})

	c.act(1)
	c.reasons([]refusal{
		{"a complaint about somebody who is no dealer", h.complains(9), custody.ReasonNotParty},
		{"a deal too late", h.dealt(), custody.ReasonWrongPhase},
	})
	require.Empty(t, c.post(h.complains(2)))
	c.reasons([]refusal{{"a second word", h.complains(), custody.ReasonRepeated}})
	c.act(1)
	require.Equal(t, custody.ROUND_PHASE_JUSTIFICATIONS, c.phase())
	answer := other.justified()
	require.Len(t, answer.Answers, 1)
	wrong := &custody.MsgSubmitJustification{Node: answer.Node, Kind: answer.Kind, Generation: 1, Round: answer.Round}
	value, err := other.poly.Share(3)
	require.NoError(t, err)
	wrong.Answers = []custody.Justification{{Receiver: 1, SubShare: value.Bytes()}}
	unasked := &custody.MsgSubmitJustification{Node: answer.Node, Kind: answer.Kind, Generation: 1, Round: answer.Round}
	unasked.Answers = []custody.Justification{{Receiver: 3, SubShare: value.Bytes()}}
	c.reasons([]refusal{
		{"another receiver's sub-share", wrong, custody.ReasonBadAnswer},
		{"an answer nobody asked for", unasked, custody.ReasonBadAnswer},
	})
	require.Empty(t, c.post(answer))
	c.reasons([]refusal{{"a second answer", answer, custody.ReasonRepeated}})
	c.nextBlock()

	require.Equal(t, custody.ROUND_PHASE_CONFIRMATIONS, c.phase())
	false1 := h.confirmation()
	false1.Possession[40] ^= 1
	borrowed := c.hospitals[2].confirmation()
	borrowed.Node = h.nodes[1]
	c.reasons([]refusal{
		{"a false proof of possession", false1, custody.ReasonBadProof},
		{"another's proof", borrowed, custody.ReasonBadProof},
	})
	require.Empty(t, c.post(h.confirmation()))
	c.reasons([]refusal{{"a second proof", h.confirmation(), custody.ReasonRepeated}})
	c.act(1)
	require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
	require.True(t, c.opens(1, 1, 2, 4))
}

// refusal is a message and the reason for which it is refused.
type refusal struct {
	name    string
	message any
	reason  string
}

func (c *committee) reasons(cases []refusal) {
	c.t.Helper()
	for _, tc := range cases {
		before := c.round()
		require.Equal(c.t, tc.reason, c.post(tc.message), tc.name)
		require.Equal(c.t, before, c.round(), tc.name)
	}
}

// Malformed messages are errors: nothing is written.
func TestMalformedMessagesOfARound(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	h := c.hospitals[0]
	hash := make([]byte, 64)
	deal := func(change func(*custody.MsgSubmitDeal)) *custody.MsgSubmitDeal {
		m := h.dealt()
		change(m)
		return m
	}
	for name, m := range map[string]interface{ Validate() error }{
		"hash of the wrong size":       deal(func(m *custody.MsgSubmitDeal) { m.Round = m.Round[:63] }),
		"no kind":                      deal(func(m *custody.MsgSubmitDeal) { m.Kind = 0 }),
		"no generation":                deal(func(m *custody.MsgSubmitDeal) { m.Generation = 0 }),
		"sealed of the wrong size":     deal(func(m *custody.MsgSubmitDeal) { m.Shares[0].Sealed = m.Shares[0].Sealed[1:] }),
		"receivers out of order":       deal(func(m *custody.MsgSubmitDeal) { m.Shares[0], m.Shares[1] = m.Shares[1], m.Shares[0] }),
		"receiver twice":               deal(func(m *custody.MsgSubmitDeal) { m.Shares[1] = m.Shares[0] }),
		"proof without commitments":    deal(func(m *custody.MsgSubmitDeal) { m.Commitments = nil }),
		"too many sub-shares":          deal(func(m *custody.MsgSubmitDeal) { m.Shares = make([]custody.SealedSubShare, custody.MaxSubShares+1) }),
		"nothing at all":               deal(func(m *custody.MsgSubmitDeal) { m.Commitments, m.Knowledge, m.Shares = nil, nil, nil }),
		"dealers out of order":         &custody.MsgSubmitComplaint{Kind: 1, Generation: 1, Round: hash, Dealers: []uint64{2, 1}},
		"dealer 0":                     &custody.MsgSubmitComplaint{Kind: 1, Generation: 1, Round: hash, Dealers: []uint64{0}},
		"no answers":                   &custody.MsgSubmitJustification{Kind: 1, Generation: 1, Round: hash},
		"scalar of the wrong size":     &custody.MsgSubmitJustification{Kind: 1, Generation: 1, Round: hash, Answers: []custody.Justification{{Receiver: 1, SubShare: []byte{1}}}},
		"proof of the wrong size":      &custody.MsgConfirmShare{Kind: 1, Generation: 1, Round: hash, Possession: make([]byte, 95)},
		"round key that is none":       &custody.MsgPublishRoundKey{Kind: 1, Generation: 1, ShareEpoch: 1, Attempt: 1, Key: make([]byte, 1216)[:1215]},
		"round key without an attempt": &custody.MsgPublishRoundKey{Kind: 1, Generation: 1, ShareEpoch: 1, Key: h.key.Public().Bytes()},
	} {
		require.ErrorIs(t, m.Validate(), custody.ErrInvalidRound, name)
	}
	before := len(c.log.entries)
	_, err := c.msg.SubmitDeal(c.ctx, deal(func(m *custody.MsgSubmitDeal) { m.Kind = 0 }))
	require.ErrorIs(t, err, custody.ErrInvalidRound)
	require.Len(t, c.log.entries, before)
}

// One of four hospitals does something wrong. The key is made without what it spoiled, and never without the others.
func TestOneFaultyMember(t *testing.T) {
	garbage := func(c *committee) {
		m := c.hospitals[3].dealt()
		m.Shares[0].Sealed[1120] ^= 1
		require.Empty(c.t, c.post(m))
	}
	for name, tc := range map[string]struct {
		faulty  func(c *committee) // in each phase
		dealers []uint64           // that count in the end
		holders []uint64
	}{
		"silent from the start": {func(*committee) {}, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4}},
		"silent after its deal": {func(c *committee) {
			if c.phase() == custody.ROUND_PHASE_DEALS {
				require.Empty(c.t, c.post(c.hospitals[3].dealt()))
			}
		}, []uint64{1, 2, 3, 4}, []uint64{1, 2, 3, 4}},
		"deals to three of four": {func(c *committee) {
			if c.phase() == custody.ROUND_PHASE_DEALS {
				m := c.hospitals[3].dealt()
				m.Shares = m.Shares[:3]
				require.Empty(c.t, c.post(m))
			}
		}, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4}},
		"deals garbage and does not answer": {func(c *committee) {
			if c.phase() == custody.ROUND_PHASE_DEALS {
				garbage(c)
			}
		}, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4}},
		"deals garbage and answers": {func(c *committee) {
			switch c.phase() {
			case custody.ROUND_PHASE_DEALS:
				garbage(c)
			case custody.ROUND_PHASE_JUSTIFICATIONS:
				require.Empty(c.t, c.post(c.hospitals[3].justified()))
			}
		}, []uint64{1, 2, 3, 4}, []uint64{1, 2, 3, 4}},
		"deals garbage and answers falsely": {func(c *committee) {
			switch c.phase() {
			case custody.ROUND_PHASE_DEALS:
				garbage(c)
			case custody.ROUND_PHASE_JUSTIFICATIONS:
				m := c.hospitals[3].justified()
				m.Answers[0].SubShare = append([]byte{5}, make([]byte, 31)...)
				require.Equal(c.t, custody.ReasonBadAnswer, c.post(m))
			}
		}, []uint64{1, 2, 3}, []uint64{1, 2, 3, 4}},
		"complains about one without need": {func(c *committee) {
			switch c.phase() {
			case custody.ROUND_PHASE_DEALS:
				require.Empty(c.t, c.post(c.hospitals[3].dealt()))
			case custody.ROUND_PHASE_COMPLAINTS:
				require.Empty(c.t, c.post(c.hospitals[3].complains(2)))
			}
		}, []uint64{1, 2, 3, 4}, []uint64{1, 2, 3, 4}},
		"complains about all": {func(c *committee) {
			switch c.phase() {
			case custody.ROUND_PHASE_DEALS:
				require.Empty(c.t, c.post(c.hospitals[3].dealt()))
			case custody.ROUND_PHASE_COMPLAINTS:
				require.Empty(c.t, c.post(c.hospitals[3].complains(1, 2, 3)))
			}
		}, []uint64{1, 2, 3, 4}, []uint64{1, 2, 3}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCommittee(newFixture(t), 4)
			for range 12 {
				if c.phase() == custody.ROUND_PHASE_DONE {
					break
				}
				before := c.phase()
				tc.faulty(c)
				c.act(4)
				if c.phase() == before {
					c.window()
				}
			}
			r := c.round()
			require.Equal(t, custody.ROUND_PHASE_DONE, r.Phase)
			require.EqualValues(t, 1, r.Attempt)
			require.Equal(t, tc.dealers, r.Qualified)
			var holders []uint64
			for _, h := range c.holdersOf(1, false) {
				holders = append(holders, h.Index)
			}
			require.Equal(t, tc.holders, holders)
			require.Len(t, c.holdersOf(1, true), 3, "the faulty one has not confirmed")
			require.True(t, c.opens(1, 1, 2, 3))
			if !slices.Contains(holders, 4) {
				require.Equal(t, custody.ReasonNotParty, c.post(c.hospitals[3].confirmation()))
				return
			}
			// It comes to its senses, and has its share as the others have.
			require.Empty(t, c.post(c.hospitals[3].confirmation()))
			require.Len(t, c.holdersOf(1, true), 4)
			require.True(t, c.opens(1, 2, 3, 4))
		})
	}
}

// With two of four missing there is no key, in no phase; with them back the next attempt makes one.
func TestARoundFailsAndIsTriedAgain(t *testing.T) {
	for phase, reason := range map[custody.RoundPhase]string{
		custody.ROUND_PHASE_DEALS: custody.ReasonFewDeals, custody.ROUND_PHASE_CONFIRMATIONS: custody.ReasonFewHolders,
	} {
		t.Run(phase.String(), func(t *testing.T) {
			c := newCommittee(newFixture(t), 4)
			for c.phase() != phase {
				c.act()
			}
			c.act(1, 4)
			require.Equal(t, phase, c.phase())
			c.window()
			r := c.round()
			require.EqualValues(t, 2, r.Attempt)
			require.Equal(t, custody.ROUND_PHASE_KEYS, r.Phase)
			at := slices.IndexFunc(c.log.entries, func(e audit.Entry) bool { return e.Kind == audit.KindRoundFailed })
			require.Positive(t, at)
			failed := c.log.entries[at]
			require.Equal(t, []any{reason, "1/1/1", uint64(1)}, []any{failed.Reason, failed.Target, failed.Count})
			require.Empty(t, c.holdersOf(1, false), "nothing is left of it")
			res, err := c.query.RoundKeys(c.ctx, &custody.QueryRoundKeysRequest{Kind: custody.KEY_KIND_RECORDS, Generation: 1})
			require.NoError(t, err)
			require.Empty(t, res.Keys)

			late := c.hospitals[0].published()
			late.Attempt = 1
			require.Equal(t, custody.ReasonWrongRound, c.post(late))
			c.make()
			require.EqualValues(t, 2, c.round().Attempt)
			require.True(t, c.opens(1, 1, 2, 3))
		})
	}
}

// As long as nobody begins an attempt no time runs: hospitals whose servers are all off fail at nothing.
func TestNoTimeRunsBeforeAnybodyBegins(t *testing.T) {
	c := newCommittee(newFixture(t), 4)
	for range 3 {
		c.window()
	}
	require.EqualValues(t, 1, c.round().Attempt)
	require.Empty(t, c.log.entries)
	require.Empty(t, c.post(c.hospitals[0].dealt()))
	require.Positive(t, c.round().EndsAt)
}

// Whatever up to f of n hospitals do in each phase, the round ends with a key that the others' shares open, and shares that no fewer open.
func TestRandomFaults(t *testing.T) {
	for seed := range uint64(25) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			n := 4 + random.Uint64N(4)
			c := newCommittee(newFixture(t), n)
			faulty := random.Perm(int(n))[:custody.Faults(n)]
			for range 20 {
				if c.phase() == custody.ROUND_PHASE_DONE {
					break
				}
				before := c.phase()
				var silent []uint64
				for _, at := range faulty {
					h := c.hospitals[at]
					silent = append(silent, h.number)
					h.misbehaves(random)
				}
				c.act(silent...)
				if c.phase() == before {
					c.window()
				}
			}
			require.Equal(t, custody.ROUND_PHASE_DONE, c.phase())
			require.EqualValues(t, 1, c.round().Attempt)
			var honest []uint64
			for at := range c.hospitals {
				if !slices.Contains(faulty, at) {
					honest = append(honest, uint64(at)+1)
				}
			}
			require.GreaterOrEqual(t, uint64(len(honest)), c.round().Threshold)
			require.True(t, c.opens(1, honest[:c.round().Threshold]...))
			require.False(t, c.opens(1, honest[:c.round().Threshold-1]...))
		})
	}
}

// misbehaves does something in the phase, right or wrong, whatever comes of it.
func (h *hospital) misbehaves(random *rand.Rand) {
	h.t.Helper()
	dealers := h.round().Qualified
	switch h.phase() {
	case custody.ROUND_PHASE_DEALS:
		m := h.dealt()
		switch random.IntN(4) {
		case 0:
			return
		case 1:
			m.Shares[random.IntN(len(m.Shares))].Sealed[random.IntN(1168)] ^= 4
		case 2:
			m.Knowledge[random.IntN(96)] ^= 1
		}
		h.post(m)
	case custody.ROUND_PHASE_COMPLAINTS:
		var about []uint64
		for _, d := range dealers {
			if random.IntN(3) == 0 {
				about = append(about, d)
			}
		}
		h.post(h.complains(about...))
	case custody.ROUND_PHASE_JUSTIFICATIONS:
		m := h.justified()
		if m == nil {
			return
		}
		if random.IntN(2) == 0 {
			m.Answers[0].SubShare[0] ^= 1
		}
		h.post(m)
	}
}
