package keeper_test

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
)

// hospital is a member that takes its part in rounds, from outside: it knows what the queries tell.
type hospital struct {
	*fixture
	number uint64
	key    *lock.PrivateKey
	poly   *lock.Polynomial
	shares map[uint64]lock.Scalar // by epoch
	others map[custody.KeyKind]map[uint64]lock.Scalar
}

// committee is a network in which members make keys: the records key unless another kind is named.
type committee struct {
	*fixture
	hospitals []*hospital
}

// newCommittee has this many members, who are about to make the records key.
func newCommittee(f *fixture, n uint64) *committee {
	f.t.Helper()
	c := &committee{fixture: f}
	clear(f.people.members)
	var numbers []uint64
	var keys [][]byte
	for number := uint64(1); number <= n; number++ {
		h := c.join(number)
		numbers, keys = append(numbers, number), append(keys, h.key.Public().Bytes())
	}
	g := custody.DefaultGenesis()
	round, published, err := custody.Begin(network, custody.KEY_KIND_RECORDS, numbers, keys, start)
	require.NoError(f.t, err)
	g.Rounds, g.RoundKeys = []custody.Round{round}, published
	f.restart(g)
	return c
}

// join makes a member.
func (c *committee) join(number uint64) *hospital {
	c.people.members[number] = consortium.MEMBER_STATUS_ACTIVE
	c.nodes[number] = c.account(consortium.ROLE_NODE, number)
	h := &hospital{fixture: c.fixture, number: number, shares: map[uint64]lock.Scalar{}, others: map[custody.KeyKind]map[uint64]lock.Scalar{}}
	h.fresh()
	c.hospitals = append(c.hospitals, h)
	return h
}

// of has the committee act for another kind of key from now on.
func (c *committee) of(kind custody.KeyKind) *committee {
	for _, h := range c.hospitals {
		h.others[c.kind] = h.shares
		if h.shares = h.others[kind]; h.shares == nil {
			h.shares = map[uint64]lock.Scalar{}
		}
		h.poly = nil
	}
	c.kind = kind
	return c
}

// key is the first generation of the kind that the committee acts for.
func (f *fixture) key() custody.Key {
	f.t.Helper()
	key, err := f.keeper.Key(f.ctx, f.kind, 1)
	require.NoError(f.t, err)
	return key
}

// fresh draws a round key and forgets the polynomial before.
func (h *hospital) fresh() {
	h.t.Helper()
	var err error
	h.key, err = lock.NewPrivateKey(h.bytes(lock.SeedSize))
	require.NoError(h.t, err)
	h.poly = nil
}

// round is the newest round of the first generation.
func (f *fixture) round() custody.Round {
	f.t.Helper()
	res, err := f.query.Rounds(f.ctx, &custody.QueryRoundsRequest{})
	require.NoError(f.t, err)
	at := slices.IndexFunc(res.Rounds, func(r custody.Round) bool { return r.Kind == f.kind && r.Generation == 1 })
	require.GreaterOrEqual(f.t, at, 0)
	return res.Rounds[at]
}

// locked is that round for lock.
func (f *fixture) locked() (lock.Round, [64]byte) {
	f.t.Helper()
	r := f.round()
	res, err := f.query.RoundKeys(f.ctx, &custody.QueryRoundKeysRequest{Kind: r.Kind, Generation: r.Generation})
	require.NoError(f.t, err)
	var keys [][]byte
	for _, k := range res.Keys {
		if slices.Contains(r.Receivers, k.Member) {
			keys = append(keys, k.Key)
		}
	}
	made, err := r.Lock(network, keys)
	require.NoError(f.t, err)
	hash, err := made.Hash()
	require.NoError(f.t, err)
	require.Equal(f.t, r.Hash, hash[:])
	return made, hash
}

// published is the message that gives the hospital's round key.
func (h *hospital) published() *custody.MsgPublishRoundKey {
	r := h.round()
	return &custody.MsgPublishRoundKey{
		Node: h.nodes[h.number], Kind: r.Kind, Generation: r.Generation, ShareEpoch: r.ShareEpoch, Attempt: r.Attempt, Key: h.key.Public().Bytes(),
	}
}

// dealt is the message that gives the hospital's whole deal.
func (h *hospital) dealt() *custody.MsgSubmitDeal {
	h.t.Helper()
	r, hash := h.locked()
	if h.poly == nil {
		var err error
		h.poly, err = r.NewPolynomial(h.shares[r.Epoch-1], h.random)
		require.NoError(h.t, err)
	}
	return h.dealOf(h.poly, hash, r)
}

// dealOf is a deal of any polynomial.
func (h *hospital) dealOf(p *lock.Polynomial, hash [64]byte, r lock.Round) *custody.MsgSubmitDeal {
	h.t.Helper()
	d := lock.Dealing{Dealer: h.number, Commitments: p.Commitments()}
	knowledge, err := lock.ProveKnowledge(hash, h.number, p, h.random)
	require.NoError(h.t, err)
	m := &custody.MsgSubmitDeal{
		Node: h.nodes[h.number], Kind: custody.KeyKind(r.Kind), Generation: r.Generation, Round: hash[:], Commitments: d.Commitments.Bytes(), Knowledge: knowledge,
	}
	for _, to := range r.Receivers {
		value, err := p.Share(to.Number)
		require.NoError(h.t, err)
		sealed, err := lock.SealSubShare(to.Key, hash, d, lock.SecretShare{Index: to.Number, Value: value})
		require.NoError(h.t, err)
		m.Shares = append(m.Shares, custody.SealedSubShare{Receiver: to.Number, Sealed: sealed})
	}
	return m
}

// received is what the hospital has of each dealer that counts, opened, and those whose sub-share is none.
func (h *hospital) received() (dealings []lock.Dealing, got []lock.SubShare, bad []uint64) {
	h.t.Helper()
	r := h.round()
	_, hash := h.locked()
	res, err := h.query.Received(h.ctx, &custody.QueryReceivedRequest{Kind: r.Kind, Generation: r.Generation, Receiver: h.number})
	require.NoError(h.t, err)
	for _, from := range res.Received {
		if !slices.Contains(r.Qualified, from.Dealer) {
			continue
		}
		commitments, err := lock.ParseCommitments(r.Threshold, from.Commitments)
		require.NoError(h.t, err)
		d := lock.Dealing{Dealer: from.Dealer, Commitments: commitments}
		dealings = append(dealings, d)
		if len(from.SubShare) > 0 {
			value, err := lock.ParseSecretScalar(from.SubShare)
			require.NoError(h.t, err)
			got = append(got, lock.SubShare{Dealer: d.Dealer, Value: value})
			continue
		}
		opened, err := lock.OpenSubShare(h.key, hash, d, h.number, from.Sealed)
		if err != nil {
			bad = append(bad, d.Dealer)
			continue
		}
		got = append(got, lock.SubShare{Dealer: d.Dealer, Value: opened.Value})
	}
	return dealings, got, bad
}

// checked is the hospital's word on what it got.
func (h *hospital) checked() *custody.MsgSubmitComplaint {
	h.t.Helper()
	_, _, bad := h.received()
	return h.complains(bad...)
}

// complains is a complaint about any dealers.
func (h *hospital) complains(dealers ...uint64) *custody.MsgSubmitComplaint {
	r := h.round()
	return &custody.MsgSubmitComplaint{Node: h.nodes[h.number], Kind: r.Kind, Generation: r.Generation, Round: r.Hash, Dealers: dealers}
}

// justified answers what is asked of the hospital; it is nil where nothing is.
func (h *hospital) justified() *custody.MsgSubmitJustification {
	h.t.Helper()
	r := h.round()
	res, err := h.query.Complaints(h.ctx, &custody.QueryComplaintsRequest{Kind: r.Kind, Generation: r.Generation, Dealer: h.number})
	require.NoError(h.t, err)
	m := &custody.MsgSubmitJustification{Node: h.nodes[h.number], Kind: r.Kind, Generation: r.Generation, Round: r.Hash}
	for _, c := range res.Complaints {
		value, err := h.poly.Share(c.Receiver)
		require.NoError(h.t, err)
		m.Answers = append(m.Answers, custody.Justification{Receiver: c.Receiver, SubShare: value.Bytes()})
	}
	if len(m.Answers) == 0 {
		return nil
	}
	return m
}

// summed is the hospital's new share.
func (h *hospital) summed() lock.SecretShare {
	h.t.Helper()
	r, _ := h.locked()
	dealings, got, _ := h.received()
	var result lock.Result
	var err error
	if r.IsFirst() {
		result, err = r.Sum(dealings)
	} else {
		x, keyErr := lock.ParsePoint(h.fixture.key().PublicKey)
		require.NoError(h.t, keyErr)
		result, err = r.SumReshare(x, h.holdersOf(r.Epoch-1, true), dealings)
	}
	require.NoError(h.t, err)
	share, err := result.Share(h.number, got)
	require.NoError(h.t, err)
	return share
}

// confirmedBy is the hospital's proof that it has its new share, which it keeps.
func (h *hospital) confirmation() *custody.MsgConfirmShare {
	h.t.Helper()
	r, hash := h.locked()
	share := h.summed()
	h.shares[r.Epoch] = share.Value
	possession, err := lock.ProvePossession(hash, share, h.random)
	require.NoError(h.t, err)
	return &custody.MsgConfirmShare{Node: h.nodes[h.number], Kind: custody.KeyKind(r.Kind), Generation: r.Generation, Round: hash[:], Possession: possession}
}

// holdersOf are the holders of an epoch, or those that confirmed.
func (f *fixture) holdersOf(epoch uint64, confirmedOnly bool) []lock.Holder {
	f.t.Helper()
	res, err := f.query.Holders(f.ctx, &custody.QueryHoldersRequest{Kind: f.kind, Generation: 1, ShareEpoch: epoch})
	require.NoError(f.t, err)
	var holders []lock.Holder
	for _, h := range res.Holders {
		if confirmedOnly && !h.Confirmed {
			continue
		}
		x, err := lock.ParsePoint(h.PublicShare)
		require.NoError(f.t, err)
		holders = append(holders, lock.Holder{Index: h.Index, X: x})
	}
	return holders
}

// post sends a message of a round, and answers the reason of its refusal.
func (f *fixture) post(message any) string {
	f.t.Helper()
	var outcome audit.Outcome
	var reason string
	switch m := message.(type) {
	case *custody.MsgPublishRoundKey:
		res, err := f.msg.PublishRoundKey(f.ctx, m)
		require.NoError(f.t, err)
		outcome, reason = res.Outcome, res.Reason
	case *custody.MsgSubmitDeal:
		res, err := f.msg.SubmitDeal(f.ctx, m)
		require.NoError(f.t, err)
		outcome, reason = res.Outcome, res.Reason
	case *custody.MsgSubmitComplaint:
		res, err := f.msg.SubmitComplaint(f.ctx, m)
		require.NoError(f.t, err)
		outcome, reason = res.Outcome, res.Reason
	case *custody.MsgSubmitJustification:
		res, err := f.msg.SubmitJustification(f.ctx, m)
		require.NoError(f.t, err)
		outcome, reason = res.Outcome, res.Reason
	case *custody.MsgConfirmShare:
		res, err := f.msg.ConfirmShare(f.ctx, m)
		require.NoError(f.t, err)
		outcome, reason = res.Outcome, res.Reason
	default:
		f.t.Fatalf("message of type %T", message)
	}
	require.Equal(f.t, reason == "", outcome == audit.OUTCOME_OK)
	last := f.log.last()
	require.Equal(f.t, []any{outcome, reason}, []any{last.Outcome, last.Reason}, "its entry says what came of it")
	return reason
}

// phase is the one the round is in.
func (f *fixture) phase() custody.RoundPhase { return f.round().Phase }

// act has each hospital but those that are silent do its part in the phase, and ends the block.
func (c *committee) act(silent ...uint64) {
	c.t.Helper()
	phase := c.phase()
	for _, h := range c.hospitals {
		if phase == custody.ROUND_PHASE_KEYS {
			h.fresh()
		}
		if slices.Contains(silent, h.number) || c.people.members[h.number] != consortium.MEMBER_STATUS_ACTIVE && phase != custody.ROUND_PHASE_DEALS {
			continue
		}
		switch r := c.round(); phase {
		case custody.ROUND_PHASE_KEYS:
			require.Empty(c.t, c.post(h.published()))
		case custody.ROUND_PHASE_DEALS:
			if slices.Contains(r.Dealers, h.number) && c.people.members[h.number] != consortium.MEMBER_STATUS_SUSPENDED {
				require.Empty(c.t, c.post(h.dealt()))
			}
		case custody.ROUND_PHASE_COMPLAINTS:
			if slices.Contains(r.Receivers, h.number) {
				require.Empty(c.t, c.post(h.checked()))
			}
		case custody.ROUND_PHASE_JUSTIFICATIONS:
			if m := h.justified(); m != nil {
				require.Empty(c.t, c.post(m))
			}
		case custody.ROUND_PHASE_CONFIRMATIONS:
			if slices.Contains(r.Receivers, h.number) && !slices.Contains(r.Excluded, h.number) {
				require.Empty(c.t, c.post(h.confirmation()))
			}
		}
	}
	c.nextBlock()
}

// window lets the phase's time pass.
func (f *fixture) window() {
	f.t.Helper()
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().Add(2 * time.Minute))
	f.nextBlock()
}

// make has the round run to its end.
func (c *committee) make(silent ...uint64) {
	c.t.Helper()
	for range 20 {
		if c.phase() == custody.ROUND_PHASE_DONE {
			return
		}
		before := c.round()
		c.act(silent...)
		if after := c.round(); after.Phase == before.Phase && after.Attempt == before.Attempt {
			c.window()
		}
	}
	c.t.Fatalf("the round does not end: %v", c.round())
}

// opens says whether these hospitals' shares of an epoch make the secret of the key.
func (c *committee) opens(epoch uint64, numbers ...uint64) bool {
	c.t.Helper()
	key := c.key()
	var shares []lock.SecretShare
	for _, h := range c.hospitals {
		if slices.Contains(numbers, h.number) {
			shares = append(shares, lock.SecretShare{Index: h.number, Value: h.shares[epoch]})
		}
	}
	secret, err := lock.Interpolate(shares)
	require.NoError(c.t, err)
	return slices.Equal(secret.Public().Bytes(), key.PublicKey)
}
