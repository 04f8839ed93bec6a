package lock_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

func reproduceRound(t *testing.T, v vector) {
	t.Helper()
	c := decode[roundCase](t, v.both(), true)
	r, err := c.round()
	require.NoError(t, err)
	rho, err := r.Hash()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Rho), rho[:])
}

type dealCase struct {
	Rho         octets
	Dealer      number
	Receiver    number
	Threshold   number
	Commitments []octets
	SubShare    octets `json:"sub_share"`
	Seed        octets `json:"round_key_seed"`
	Randomness  octets `json:"encap_randomness"`
	Info        octets
	Sealed      octets `json:"deal_ct"`
}

func (c dealCase) dealing() (lock.Dealing, error) {
	commitments, err := lock.ParseCommitments(uint64(len(c.Commitments)), raws(c.Commitments))
	return lock.Dealing{Dealer: uint64(c.Dealer), Commitments: commitments}, err
}

func (c dealCase) open() (lock.SecretShare, error) {
	d, err := c.dealing()
	if err != nil {
		return lock.SecretShare{}, err
	}
	key, err := lock.NewPrivateKey(c.Seed)
	if err != nil {
		return lock.SecretShare{}, err
	}
	return lock.OpenSubShare(key, [64]byte(c.Rho), d, uint64(c.Receiver), c.Sealed)
}

func reproduceDeal(t *testing.T, v vector) {
	t.Helper()
	c := decode[dealCase](t, v.both(), true)
	d, err := c.dealing()
	require.NoError(t, err)
	info, err := lock.DealInfo([64]byte(c.Rho), d, uint64(c.Receiver))
	require.NoError(t, err)
	require.Equal(t, []byte(c.Info), info)
	if c.Seed == nil { // the case is of the info alone
		require.Nil(t, c.Sealed)
		return
	}
	key := must(lock.NewPrivateKey(c.Seed))
	opened, err := key.Open(info, c.Sealed)
	require.NoError(t, err)
	require.Equal(t, []byte(c.SubShare), opened)

	s := lock.SecretShare{Index: uint64(c.Receiver), Value: must(lock.ParseSecretScalar(c.SubShare))}
	if err := d.Commitments.Check(uint64(len(d.Commitments)), s); err != nil {
		// The case fixes the layout alone: its sub-share belongs to no polynomial.
		require.ErrorIs(t, err, lock.ErrShare)
		_, err = c.open()
		require.ErrorIs(t, err, lock.ErrShare)
		return
	}
	got, err := c.open()
	require.NoError(t, err)
	require.True(t, s.Value.Equal(got.Value))
	sealed, err := lock.SealSubShare(key.Public(), [64]byte(c.Rho), d, s)
	require.NoError(t, err)
	c.Sealed = sealed
	got, err = c.open()
	require.NoError(t, err)
	require.True(t, s.Value.Equal(got.Value))
}

type pokCase struct {
	Rho         octets
	Dealer      number
	Threshold   number
	Commitments []octets
	A0          octets `json:"a_0"`
	Nonce       octets
	Label       octets
	Q           octets
	A0Q         octets `json:"a_0_q"`
	Proof       octets
}

func (c pokCase) verify() error {
	d, err := dealCase{Dealer: c.Dealer, Commitments: c.Commitments}.dealing()
	if err != nil {
		return err
	}
	return lock.VerifyKnowledge([64]byte(c.Rho), d, append(append([]byte(nil), c.A0Q...), c.Proof...))
}

func reproducePoK(t *testing.T, v vector) {
	t.Helper()
	checkPoK(t, decode[pokCase](t, v.both(), true))
}

func checkPoK(t *testing.T, c pokCase) {
	t.Helper()
	d, err := dealCase{Dealer: c.Dealer, Commitments: c.Commitments}.dealing()
	require.NoError(t, err)
	label, q, err := lock.PoKBase([64]byte(c.Rho), d)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Label), label[:])
	require.Equal(t, []byte(c.Q), q.Bytes())
	a0 := must(lock.ParseSecretScalar(c.A0))
	require.Equal(t, []byte(c.A0Q), q.Mul(a0).Bytes())
	proof, err := lock.KindPoK.ProveWith(must(lock.ParseSecretScalar(c.Nonce)), label, a0, []lock.Point{q}, []lock.Point{q.Mul(a0)})
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), proof)
	require.NoError(t, c.verify())
}

type popCase struct {
	Rho    octets
	Index  number
	Secret octets `json:"x_i"`
	Nonce  octets
	X      octets `json:"x_i_pub"`
	Label  octets
	Q      octets
	XQ     octets `json:"x_i_q"`
	Proof  octets
}

func (c popCase) verify() error {
	x, err := lock.ParsePoint(c.X)
	if err != nil {
		return err
	}
	return lock.VerifyPossession([64]byte(c.Rho), lock.Holder{Index: uint64(c.Index), X: x}, append(append([]byte(nil), c.XQ...), c.Proof...))
}

func reproducePoP(t *testing.T, v vector) {
	t.Helper()
	checkPoP(t, decode[popCase](t, v.both(), true))
}

func checkPoP(t *testing.T, c popCase) {
	t.Helper()
	x := must(lock.ParseSecretScalar(c.Secret))
	require.Equal(t, []byte(c.X), x.Public().Bytes())
	label, q, err := lock.PoPBase([64]byte(c.Rho), lock.Holder{Index: uint64(c.Index), X: x.Public()})
	require.NoError(t, err)
	require.Equal(t, []byte(c.Label), label[:])
	require.Equal(t, []byte(c.Q), q.Bytes())
	require.Equal(t, []byte(c.XQ), q.Mul(x).Bytes())
	proof, err := lock.KindPoP.ProveWith(must(lock.ParseSecretScalar(c.Nonce)), label, x, []lock.Point{q}, []lock.Point{q.Mul(x)})
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), proof)
	require.NoError(t, c.verify())
}

type dkgCase struct {
	roundCase
	Threshold   number
	Members     []number
	RoundKeys   []octets `json:"round_keys"`
	Polynomials [][]octets
	PoKNonces   []octets `json:"pok_nonces"`
	PoPNonces   []octets `json:"pop_nonces"`
	Commitments [][]octets
	SubShares   [][]octets `json:"sub_shares"`
	PoK         []pokCase
	X           octets `json:"x_pub"`
	Shares      []octets
	Holders     []octets `json:"x_i_pub"`
	PoP         []popCase
}

func (c dkgCase) round() lock.Round {
	r := must(c.roundCase.round())
	r.Threshold = uint64(c.Threshold)
	for i, member := range c.Members {
		r.Dealers = append(r.Dealers, uint64(member))
		r.Receivers = append(r.Receivers, lock.Receiver{Number: uint64(member), Key: must(lock.ParsePublicKey(c.RoundKeys[i]))})
	}
	return r
}

func reproduceDKG(t *testing.T, v vector) {
	t.Helper()
	c := decode[dkgCase](t, v.both(), true)
	r := c.round()
	rho, err := r.Hash()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Rho), rho[:])
	dealings, got := dealAll(t, r, nil, func(int) lock.Scalar { return lock.Scalar{} }, c.Polynomials, c.Commitments, c.SubShares)
	for i := range dealings {
		proof := c.PoK[i]
		proof.Rho, proof.Dealer, proof.Commitments = rho[:], c.Members[i], c.Commitments[i]
		proof.A0, proof.Nonce = c.Polynomials[i][0], c.PoKNonces[i]
		checkPoK(t, proof)
	}
	result, err := r.Sum(dealings)
	require.NoError(t, err)
	require.Equal(t, []byte(c.X), result.X.Bytes())
	require.Equal(t, r.Dealers, result.Dealers)
	checkShares(t, r, result, got, c.Shares, c.Holders)
	for i := range result.Holders {
		proof := c.PoP[i]
		require.Equal(t, []byte(c.Holders[i]), []byte(proof.X))
		proof.Rho, proof.Index, proof.Secret, proof.Nonce = rho[:], c.Members[i], c.Shares[i], c.PoPNonces[i]
		checkPoP(t, proof)
	}
}

// dealAll deals for every dealer and returns the dealings and what each receiver gets.
func dealAll(t *testing.T, r lock.Round, old []lock.Holder, share func(int) lock.Scalar, polynomials, commitments, subShares [][]octets) ([]lock.Dealing, [][]lock.SubShare) {
	t.Helper()
	var dealings []lock.Dealing
	got := make([][]lock.SubShare, len(r.Receivers))
	for i, dealer := range r.Dealers {
		p, err := r.NewPolynomial(share(i), fixedScalars(polynomials[i]...))
		require.NoError(t, err)
		d := lock.Dealing{Dealer: dealer, Commitments: p.Commitments()}
		require.Equal(t, raws(commitments[i]), d.Commitments.Bytes())
		require.NoError(t, r.CheckDealing(d, old))
		dealings = append(dealings, d)
		for j, to := range r.Receivers {
			value, err := p.Share(to.Number)
			require.NoError(t, err)
			require.Equal(t, []byte(subShares[i][j]), value.Bytes())
			require.NoError(t, d.Commitments.Check(r.Threshold, lock.SecretShare{Index: to.Number, Value: value}))
			got[j] = append(got[j], lock.SubShare{Dealer: dealer, Value: value})
		}
	}
	return dealings, got
}

func checkShares(t *testing.T, r lock.Round, result lock.Result, got [][]lock.SubShare, shares, holders []octets) {
	t.Helper()
	require.Len(t, result.Holders, len(holders))
	for j, h := range result.Holders {
		require.Equal(t, r.Receivers[j].Number, h.Index)
		require.Equal(t, []byte(holders[j]), h.X.Bytes())
		share, err := result.Share(h.Index, got[j])
		require.NoError(t, err)
		require.Equal(t, []byte(shares[j]), share.Value.Bytes())
	}
}

type reshareCase struct {
	X           octets `json:"x_pub"`
	TOld        number `json:"t_old"`
	TNew        number `json:"t_new"`
	Dealers     []number
	Receivers   []number
	OldShares   []octets `json:"old_shares"`
	Polynomials [][]octets
	Commitments [][]octets
	SubShares   [][]octets `json:"sub_shares"`
	DealersUsed []number   `json:"dealers_used"`
	Lambda      []octets
	Shares      []octets
	Holders     []octets `json:"x_i_pub"`
}

func reproduceReshare(t *testing.T, v vector) {
	t.Helper()
	c := decode[reshareCase](t, v.both(), true)
	r := reshareRound(t, uint64(c.TOld), uint64(c.TNew), c.Dealers, c.Receivers)
	var old []lock.Holder
	secret := func(i int) lock.Scalar { return must(lock.ParseSecretScalar(c.OldShares[i])) }
	for i, dealer := range c.Dealers {
		old = append(old, lock.Holder{Index: uint64(dealer), X: secret(i).Public()})
	}
	x := must(lock.ParsePoint(c.X))
	dealings, got := dealAll(t, r, old, secret, c.Polynomials, c.Commitments, c.SubShares)
	result, err := r.SumReshare(x, old, dealings)
	require.NoError(t, err)
	require.True(t, x.Equal(result.X))
	require.Len(t, result.Dealers, len(c.DealersUsed))
	for i, dealer := range c.DealersUsed {
		require.Equal(t, uint64(dealer), result.Dealers[i])
	}
	require.NoError(t, result.CheckLambda(raws(c.Lambda)))
	checkShares(t, r, result, got, c.Shares, c.Holders)
}

// reshareRound is a round whose hash no case fixes.
func reshareRound(t *testing.T, tOld, tNew uint64, dealers, receivers []number) lock.Round {
	t.Helper()
	r := lock.Round{Kind: lock.KeyRecords, Generation: 1, Epoch: 2, Attempt: 1, OldThreshold: tOld, Threshold: tNew}
	for _, d := range dealers {
		r.Dealers = append(r.Dealers, uint64(d))
	}
	key := roundKey(t)
	for _, to := range receivers {
		r.Receivers = append(r.Receivers, lock.Receiver{Number: uint64(to), Key: key.Public()})
	}
	return r
}

func roundKey(t *testing.T) *lock.PrivateKey {
	t.Helper()
	key, err := lock.GeneratePrivateKey(chance(7))
	require.NoError(t, err)
	return key
}

// reproduceOpening follows one version through this package: locked, asked for, released, opened.
func reproduceOpening(t *testing.T, v vector) {
	t.Helper()
	g, err := decode[generationCase](t, v.both(), false).generation()
	require.NoError(t, err)
	out := decode[struct {
		Gen, Ctx, K  octets
		GBar         octets `json:"g_bar"`
		EncapLabel   octets `json:"encap_label"`
		EncapProof   octets `json:"encap_proof"`
		EncapNonce   octets `json:"encap_nonce"`
		R            octets
		Seed         octets `json:"session_seed"`
		RequestProof octets `json:"request_proof"`
		Record       octets `json:"record_id"`
		Version      number
		Threshold    number
		Epoch        number `json:"share_epoch"`
		Holders      []struct {
			Index  number
			Secret octets `json:"x_i"`
			Nonce  octets
		}
		Shares  []shareCase
		Indexes []number
	}](t, v.both(), false)
	gen := must(g.Hash())
	require.Equal(t, []byte(out.Gen), gen[:])
	require.Equal(t, []byte(out.GBar), lock.SecondGenerator(gen).Bytes())
	context, err := decode[contextCase](t, v.both(), false).context()
	require.NoError(t, err)
	require.Equal(t, gen, context.Generation)
	ctx := must(context.Hash())
	require.Equal(t, []byte(out.Ctx), ctx[:])

	e := must(lock.NewEncapsulation(g, fixedScalars(out.R)))
	require.Equal(t, []byte(out.K), e.K.Bytes())
	locked, err := decode[encapCase](t, v.both(), false).version()
	require.NoError(t, err)
	require.True(t, locked.U.Equal(e.U))
	require.True(t, locked.UBar.Equal(e.UBar))
	label := must(locked.Label())
	require.Equal(t, []byte(out.EncapLabel), label[:])
	proof, err := lock.KindEncap.ProveWith(must(lock.ParseSecretScalar(out.EncapNonce)), label, must(lock.ParseSecretScalar(out.R)),
		[]lock.Point{lock.SecondGenerator(gen)}, []lock.Point{e.UBar})
	require.NoError(t, err)
	require.Equal(t, []byte(out.EncapProof), proof)
	require.NoError(t, locked.Verify(proof))

	session := must(lock.NewSession(out.Seed))
	asked := decode[requestCase](t, v.both(), false)
	asked.Versions = nil
	m := asked.M
	asked.M = nil
	p, err := asked.proposal()
	require.NoError(t, err)
	require.Equal(t, session.Key().Public().CID(), p.RequestKeyCID)
	require.True(t, session.B().Equal(p.B))
	require.Len(t, m, 1)
	blinded := session.Blind(e.U)
	require.Equal(t, []byte(m[0]), blinded.Bytes())
	p.Versions = []lock.ProposedVersion{{Record: lock.ID(out.Record), Number: uint64(out.Version), Context: ctx, U: e.U, M: blinded, C: locked.C[:]}}
	r, id := p.Hash(), p.ID()
	require.Equal(t, []byte(asked.Hash), r[:])
	require.Equal(t, []byte(asked.UnlockID), id[:])
	require.NoError(t, p.Verify(out.RequestProof))
	proof, err = session.Prove(p, chance(3))
	require.NoError(t, err)
	require.NoError(t, p.Verify(proof))

	release := lock.Release{Network: g.Network, Unlock: id, Generation: gen, M: []lock.Point{blinded}}
	committee := lock.Committee{Epoch: uint64(out.Epoch), Threshold: uint64(out.Threshold)}
	var shares []lock.Share
	for i, h := range out.Holders {
		want := out.Shares[i]
		x := must(lock.ParseSecretScalar(h.Secret))
		s, err := release.NewShare(committee.Epoch, uint64(h.Index), x, chance(4))
		require.NoError(t, err)
		require.Equal(t, []byte(want.D[0]), s.D[0].Bytes())
		label := release.Label(s, x.Public())
		require.Equal(t, []byte(want.Label), label[:])
		s.Proof = must(lock.KindShare.ProveWith(must(lock.ParseSecretScalar(h.Nonce)), label, x, release.M, s.D))
		require.Equal(t, []byte(want.Proof), s.Proof)
		shares = append(shares, s)
		committee.Holders = append(committee.Holders, lock.Holder{Index: s.Index, X: x.Public()})
	}
	combined, err := session.Combine(release, []lock.Committee{committee}, shares)
	require.NoError(t, err)
	require.Equal(t, committee.Epoch, combined.Epoch)
	require.Len(t, combined.Indexes, len(out.Indexes))
	for i, index := range out.Indexes {
		require.Equal(t, uint64(index), combined.Indexes[i])
	}
	require.Equal(t, []byte(out.K), combined.K[0].Bytes())
}

// reproduceAnswer checks what the parties of a round see of a complaint and its justification: {ρ, dealer, receiver} and the sub-share.
func reproduceAnswer(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		roundCase
		Commitments []octets
		Dealer      number
		Receiver    number
		SubShare    octets `json:"sub_share"`
		Complaint   octets
		Answer      octets `json:"justification"`
	}](t, v.both(), true)
	r := must(c.round())
	rho := must(r.Hash())
	complaint := lock.Complaint{Round: rho, Dealer: uint64(c.Dealer), Receiver: uint64(c.Receiver)}
	require.NoError(t, r.CheckComplaint(complaint))
	d := lock.Dealing{Dealer: complaint.Dealer, Commitments: must(lock.ParseCommitments(r.Threshold, raws(c.Commitments)))}
	answer := lock.Justification{Round: rho, Dealer: complaint.Dealer, Receiver: complaint.Receiver, SubShare: must(lock.ParseSecretScalar(c.SubShare))}
	require.NoError(t, r.CheckJustification(answer, d))
	fields := lock.AppendLP(lock.AppendLP(lock.AppendLP(nil, rho[:]), lock.Uint(complaint.Dealer)), lock.Uint(complaint.Receiver))
	require.Equal(t, []byte(c.Complaint), fields)
	require.Equal(t, []byte(c.Answer), lock.AppendLP(fields, answer.SubShare.Bytes()))
}
