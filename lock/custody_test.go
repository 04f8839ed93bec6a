package lock_test

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

// member is a hospital in the rounds of these tests.
type member struct {
	number uint64
	key    *lock.PrivateKey // of the round at hand
	share  lock.SecretShare
}

// consortium makes and reshares one key.
type consortium struct {
	members []*member
	network lock.Network
	x       lock.Point
	epoch   lock.Committee
}

func newConsortium(numbers ...uint64) *consortium {
	c := &consortium{network: lock.Network{1}}
	for _, n := range numbers {
		c.members = append(c.members, &member{number: n})
	}
	return c
}

func (c *consortium) member(number uint64) *member {
	for _, m := range c.members {
		if m.number == number {
			return m
		}
	}
	return nil
}

// round draws round keys for the receivers.
func (c *consortium) round(t *testing.T, threshold uint64, dealers, receivers []uint64) lock.Round {
	t.Helper()
	r := lock.Round{
		Network: c.network, Kind: lock.KeyRecords, Generation: 1, Epoch: c.epoch.Epoch + 1, Attempt: 1, OldThreshold: c.epoch.Threshold,
		Threshold: threshold, Dealers: dealers,
	}
	for _, number := range receivers {
		m := c.member(number)
		m.key = must(lock.GeneratePrivateKey(chance(1000*r.Epoch + number)))
		r.Receivers = append(r.Receivers, lock.Receiver{Number: number, Key: m.key.Public()})
	}
	require.NoError(t, r.Validate())
	return r
}

// cheat bends what one dealer posts. It may be nil.
type cheat func(d *lock.Dealing, sealed map[uint64][]byte, witness *[]byte)

// run plays a whole round, with complaints and justifications, as the chain would, and returns who was put out. Dealers that cheat do not
// justify.
func (c *consortium) run(t *testing.T, r lock.Round, cheats map[uint64]cheat) (lock.Result, []uint64, error) {
	t.Helper()
	rho := must(r.Hash())
	var qualified []lock.Dealing
	var out []uint64
	got := map[uint64][]lock.SubShare{}
	for _, number := range r.Dealers {
		p, err := r.NewPolynomial(c.member(number).share.Value, chance(2000*r.Epoch+number))
		require.NoError(t, err)
		d := lock.Dealing{Dealer: number, Commitments: p.Commitments()}
		witness := must(lock.ProveKnowledge(rho, number, p, chance(3)))
		sealed := map[uint64][]byte{}
		for _, to := range r.Receivers {
			s := lock.SecretShare{Index: to.Number, Value: must(p.Share(to.Number))}
			sealed[to.Number] = must(lock.SealSubShare(to.Key, rho, d, s))
		}
		if bend := cheats[number]; bend != nil {
			bend(&d, sealed, &witness)
		}
		if r.CheckDealing(d, c.epoch.Holders) != nil || lock.VerifyKnowledge(rho, d, witness) != nil {
			out = append(out, number)
			continue
		}
		subShares, ok := c.receive(t, r, d, sealed, p, cheats[number] == nil)
		if !ok {
			out = append(out, number)
			continue
		}
		qualified = append(qualified, d)
		for receiver, s := range subShares {
			got[receiver] = append(got[receiver], s)
		}
	}
	var result lock.Result
	var err error
	if r.IsFirst() {
		result, err = r.Sum(qualified)
	} else {
		result, err = r.SumReshare(c.x, c.epoch.Holders, qualified)
	}
	if err != nil {
		return result, out, err
	}
	for _, to := range r.Receivers {
		m := c.member(to.Number)
		m.share = must(result.Share(to.Number, got[to.Number]))
		witness := must(lock.ProvePossession(rho, m.share, chance(4)))
		require.NoError(t, lock.VerifyPossession(rho, lock.Holder{Index: m.number, X: m.share.Value.Public()}, witness))
	}
	c.x, c.epoch = result.X, lock.Committee{Epoch: r.Epoch, Threshold: r.Threshold, Holders: result.Holders}
	return result, out, nil
}

// receive opens a dealing for every receiver; who gets nothing that fits complains, and an honest dealer justifies.
func (c *consortium) receive(t *testing.T, r lock.Round, d lock.Dealing, sealed map[uint64][]byte, p *lock.Polynomial, justifies bool) (map[uint64]lock.SubShare, bool) {
	t.Helper()
	rho := must(r.Hash())
	got := map[uint64]lock.SubShare{}
	for _, to := range r.Receivers {
		s, err := lock.OpenSubShare(c.member(to.Number).key, rho, d, to.Number, sealed[to.Number])
		if err != nil {
			require.NoError(t, r.CheckComplaint(lock.Complaint{Round: rho, Dealer: d.Dealer, Receiver: to.Number}))
			if !justifies {
				return nil, false
			}
			s = lock.SecretShare{Index: to.Number, Value: must(p.Share(to.Number))}
			answer := lock.Justification{Round: rho, Dealer: d.Dealer, Receiver: to.Number, SubShare: s.Value}
			require.NoError(t, r.CheckJustification(answer, d))
		}
		got[to.Number] = lock.SubShare{Dealer: d.Dealer, Value: s.Value}
	}
	return got, true
}

// opens asks for K of a fresh encapsulation with the shares of these members and tells whether it is right.
func (c *consortium) opens(t *testing.T, committees []lock.Committee, shares func(lock.Release) []lock.Share) error {
	t.Helper()
	g := lock.Generation{Network: c.network, Kind: lock.KeyRecords, Number: 1, X: c.x}
	e := must(lock.NewEncapsulation(g, chance(5)))
	session := must(lock.GenerateSession(chance(6)))
	r := lock.Release{Network: c.network, Unlock: [32]byte{9}, Generation: must(g.Hash()), M: []lock.Point{session.Blind(e.U)}}
	combined, err := session.Combine(r, committees, shares(r))
	if err != nil {
		return err
	}
	if !combined.K[0].Equal(e.K) {
		return fmt.Errorf("another K: %w", lock.ErrShares)
	}
	return nil
}

func (c *consortium) answers(epoch uint64, held ...lock.SecretShare) func(lock.Release) []lock.Share {
	return func(r lock.Release) []lock.Share {
		var shares []lock.Share
		for _, s := range held {
			shares = append(shares, must(r.NewShare(epoch, s.Index, s.Value, chance(7))))
		}
		return shares
	}
}

func (c *consortium) held(numbers ...uint64) []lock.SecretShare {
	var shares []lock.SecretShare
	for _, n := range numbers {
		shares = append(shares, c.member(n).share)
	}
	return shares
}

func TestAKeyIsMadeAndResharedAndStaysTheSame(t *testing.T) {
	c := newConsortium(1, 2, 4, 7, 9)
	first := []uint64{1, 2, 4, 7}
	_, out, err := c.run(t, c.round(t, 3, first, first), nil)
	require.NoError(t, err)
	require.Empty(t, out)
	x, old := c.x, c.epoch
	require.NoError(t, c.opens(t, []lock.Committee{old}, c.answers(1, c.held(7, 1, 4)...)))
	require.ErrorIs(t, c.opens(t, []lock.Committee{old}, c.answers(1, c.held(7, 1)...)), lock.ErrShares)
	before := c.held(1, 2, 4, 7)

	// Member 2 leaves, 9 comes; indexes are numbers, never positions.
	_, out, err = c.run(t, c.round(t, 3, first, []uint64{1, 4, 7, 9}), nil)
	require.NoError(t, err)
	require.Empty(t, out)
	require.True(t, c.x.Equal(x), "X stays")
	both := []lock.Committee{old, c.epoch}
	require.NoError(t, c.opens(t, both, c.answers(2, c.held(1, 7, 9)...)))
	require.NoError(t, c.opens(t, both, c.answers(1, before[1:]...)), "the old shares are still shares of the old epoch")

	t.Run("shares of two epochs do not join", func(t *testing.T) {
		mixed := func(r lock.Release) []lock.Share {
			return append(c.answers(1, before[0], before[1])(r), c.answers(2, c.held(7, 9)...)(r)...)
		}
		require.ErrorIs(t, c.opens(t, both, mixed), lock.ErrShares)
		relabelled := c.answers(2, append(c.held(1, 9), before[2])...) // an old share under the new epoch's name
		require.ErrorIs(t, c.opens(t, both, relabelled), lock.ErrShares)
		require.ErrorIs(t, c.opens(t, []lock.Committee{c.epoch}, c.answers(1, before...)), lock.ErrShares, "the old epoch is over")
	})
	t.Run("a bad share is skipped, and the next lowest taken", func(t *testing.T) {
		bad := c.held(1, 4, 7, 9)
		bad[0].Value = before[1].Value
		require.NoError(t, c.opens(t, both, c.answers(2, bad...)))
		bad[1].Index = 9
		require.ErrorIs(t, c.opens(t, both, c.answers(2, bad[:3]...)), lock.ErrShares)
	})
	t.Run("a share counted by position opens nothing", func(t *testing.T) {
		byPosition := c.held(1, 4, 7)
		for i := range byPosition {
			byPosition[i].Index = uint64(i) + 1
		}
		require.ErrorIs(t, c.opens(t, both, c.answers(2, byPosition...)), lock.ErrShares)
	})
}

// flip damages a sealed sub-share.
func flip(number uint64) cheat {
	return func(_ *lock.Dealing, sealed map[uint64][]byte, _ *[]byte) {
		sealed[number] = bytes.Clone(sealed[number])
		sealed[number][1130] ^= 1
	}
}

func cheats() map[string]cheat {
	other := must(lock.NewPolynomial(3, chance(77)))
	return map[string]cheat{
		"sub-share that does not open": flip(4),
		"sub-share missing":            func(_ *lock.Dealing, sealed map[uint64][]byte, _ *[]byte) { delete(sealed, 4) },
		"sub-shares of two receivers swapped": func(_ *lock.Dealing, sealed map[uint64][]byte, _ *[]byte) {
			sealed[1], sealed[4] = sealed[4], sealed[1]
		},
		"other commitments":      func(d *lock.Dealing, _ map[uint64][]byte, _ *[]byte) { d.Commitments = other.Commitments() },
		"one commitment changed": func(d *lock.Dealing, _ map[uint64][]byte, _ *[]byte) { d.Commitments[2] = lock.Generator() },
		"a commitment fewer":     func(d *lock.Dealing, _ map[uint64][]byte, _ *[]byte) { d.Commitments = d.Commitments[:2] },
		"a commitment more": func(d *lock.Dealing, _ map[uint64][]byte, _ *[]byte) {
			d.Commitments = append(d.Commitments, lock.Generator())
		},
		"constant term identity":    func(d *lock.Dealing, _ map[uint64][]byte, _ *[]byte) { d.Commitments[0] = lock.Point{} },
		"another's name":            func(d *lock.Dealing, _ map[uint64][]byte, _ *[]byte) { d.Dealer = 3 },
		"no proof of knowledge":     func(_ *lock.Dealing, _ map[uint64][]byte, witness *[]byte) { *witness = nil },
		"broken proof of knowledge": func(_ *lock.Dealing, _ map[uint64][]byte, witness *[]byte) { (*witness)[40] ^= 1 },
		"proof of another round": func(d *lock.Dealing, _ map[uint64][]byte, witness *[]byte) {
			*witness = must(lock.ProveKnowledge([64]byte{1}, d.Dealer, other, chance(1)))
		},
	}
}

// TestByzantineDealersArePutOut lets one of four dealers cheat, in the first round and in a reshare.
func TestByzantineDealersArePutOut(t *testing.T) {
	all := []uint64{1, 2, 4, 7}
	for what, bend := range cheats() {
		t.Run(what, func(t *testing.T) {
			c := newConsortium(all...)
			_, out, err := c.run(t, c.round(t, 3, all, all), map[uint64]cheat{2: bend})
			require.NoError(t, err)
			require.Equal(t, []uint64{2}, out)
			require.NoError(t, c.opens(t, []lock.Committee{c.epoch}, c.answers(1, c.held(1, 2, 7)...)), "the cheat still holds a share")

			x := c.x
			result, out, err := c.run(t, c.round(t, 3, all, all), map[uint64]cheat{1: bend})
			require.NoError(t, err)
			require.Equal(t, []uint64{1}, out)
			require.True(t, c.x.Equal(x))
			require.Equal(t, []uint64{2, 4, 7}, result.Dealers, "the lowest qualified dealers")
			require.NoError(t, c.opens(t, []lock.Committee{c.epoch}, c.answers(2, c.held(2, 4, 7)...)))

			failed := c.round(t, 3, all, all)
			_, out, err = c.run(t, failed, map[uint64]cheat{1: bend, 4: bend})
			require.ErrorIs(t, err, lock.ErrRound, "two of four are over f")
			require.Equal(t, []uint64{1, 4}, out)
			require.NoError(t, c.opens(t, []lock.Committee{c.epoch}, c.answers(2, c.held(2, 4, 7)...)), "a failed round keeps the old key")
		})
	}
}

func TestAnHonestDealerJustifies(t *testing.T) {
	// The receiver's round key is not the one it published: every sub-share to it fails and is given in clear.
	all := []uint64{1, 2, 4, 7}
	c := newConsortium(all...)
	r := c.round(t, 3, all, all)
	c.member(4).key = must(lock.GeneratePrivateKey(chance(99)))
	_, out, err := c.run(t, r, nil)
	require.NoError(t, err)
	require.Empty(t, out)
	require.NoError(t, c.opens(t, []lock.Committee{c.epoch}, c.answers(1, c.held(1, 2, 4)...)))
}

func TestAWrongJustificationIsRefused(t *testing.T) {
	all := []uint64{1, 2, 4, 7}
	c := newConsortium(all...)
	r := c.round(t, 3, all, all)
	rho := must(r.Hash())
	p := must(r.NewPolynomial(lock.Scalar{}, chance(1)))
	d := lock.Dealing{Dealer: 2, Commitments: p.Commitments()}
	good := lock.Justification{Round: rho, Dealer: 2, Receiver: 4, SubShare: must(p.Share(4))}
	require.NoError(t, r.CheckJustification(good, d))
	for what, c := range map[string]struct {
		change func(*lock.Justification)
		want   error
	}{
		"another receiver's": {func(j *lock.Justification) { j.SubShare = must(p.Share(7)) }, lock.ErrShare},
		"zero":               {func(j *lock.Justification) { j.SubShare = lock.Scalar{} }, lock.ErrScalar},
		"another round":      {func(j *lock.Justification) { j.Round[0] ^= 1 }, lock.ErrField},
		"no dealer":          {func(j *lock.Justification) { j.Dealer = 3 }, lock.ErrField},
		"another dealer":     {func(j *lock.Justification) { j.Dealer = 1 }, lock.ErrField},
		"no receiver":        {func(j *lock.Justification) { j.Receiver = 3 }, lock.ErrField},
	} {
		bad := good
		c.change(&bad)
		require.ErrorIs(t, r.CheckJustification(bad, d), c.want, what)
	}
	require.ErrorIs(t, r.CheckComplaint(lock.Complaint{Round: rho, Dealer: 3, Receiver: 4}), lock.ErrField)
	require.ErrorIs(t, r.CheckComplaint(lock.Complaint{Dealer: 2, Receiver: 4}), lock.ErrField)
}

// TestARelabelledEncapsulationIsRefused tries to have the U of one version released as that of another.
func TestARelabelledEncapsulationIsRefused(t *testing.T) {
	dealt := must(lock.Deal(2, []uint64{1, 2, 3}, chance(1)))
	g := lock.Generation{Kind: lock.KeyRecords, Number: 1, X: dealt.X}
	e := must(lock.NewEncapsulation(g, chance(2)))
	mine := lock.LockedVersion{
		Context: [64]byte{1}, Generation: must(g.Hash()), U: e.U, UBar: e.UBar, Pc: make([]byte, 32), OwnKeys: [][32]byte{{1}},
		Envelope: lock.RawCID([32]byte{}), Object: lock.DagCID([32]byte{}),
	}
	proof := must(e.Prove(must(mine.Label()), chance(3)))
	require.NoError(t, mine.Verify(proof))
	for what, change := range map[string]func(*lock.LockedVersion){
		"context": func(v *lock.LockedVersion) { v.Context[0]++ }, "generation": func(v *lock.LockedVersion) { v.Generation[0]++ },
		"signer": func(v *lock.LockedVersion) { v.Signer[0]++ }, "C": func(v *lock.LockedVersion) { v.C[0]++ },
		"Dc": func(v *lock.LockedVersion) { v.Dc[0]++ }, "Pc": func(v *lock.LockedVersion) { v.Pc = bytes.Repeat([]byte{1}, 32) },
		"own key": func(v *lock.LockedVersion) { v.OwnKeys = [][32]byte{{2}} }, "envelope": func(v *lock.LockedVersion) { v.Envelope[9]++ },
		"object":    func(v *lock.LockedVersion) { v.Object[9]++ },
		"lifted":    func(v *lock.LockedVersion) { v.U = v.U.Add(lock.Generator()) },
		"exchanged": func(v *lock.LockedVersion) { v.U, v.UBar = v.UBar, v.U },
	} {
		stolen := mine
		change(&stolen)
		require.ErrorIs(t, stolen.Verify(proof), lock.ErrProof, what)
	}
	for i := range proof {
		bent := slices.Clone(proof)
		bent[i] ^= 1 << (i % 8)
		require.ErrorIs(t, mine.Verify(bent), lock.ErrProof)
	}
}

func TestTheOrderOfHoldersIsNobodysChoice(t *testing.T) {
	all := []uint64{1, 2, 3, 4, 5, 6, 7}
	firsts := map[uint64]int{}
	for i := range 70 {
		order := lock.Order(lock.Network{}, [32]byte{byte(i)}, all)
		require.ElementsMatch(t, all, order)
		firsts[order[0]]++
	}
	require.Len(t, firsts, 7, "each is first for some unlock")
}

func TestSecondGeneratorsAreKeptForTheirGenerations(t *testing.T) {
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() {
			for i := range 200 { // more than are kept
				generation := [64]byte{byte(i), byte(worker % 2)}
				want := lock.HashToGroup(generation[:])
				for range 2 {
					if got := lock.SecondGenerator(generation); !got.Equal(want) || !bytes.Equal(got.Bytes(), want.Bytes()) {
						t.Errorf("generation %d: another point", i)
					}
				}
			}
		})
	}
	all.Wait()
}
