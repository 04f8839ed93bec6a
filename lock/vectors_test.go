package lock_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
)

// reproduce has, for each name of cases, what computes the outputs from the inputs and compares them.
var reproduce = map[string]func(*testing.T, vector){
	"lp": reproduceLP, "h": reproduceH, "h32": reproduceH, "int_id_cid": reproduceIntIDCID, "hash2group": reproduceHashToGroup,
	"gen": reproduceGeneration, "gbar": reproduceSecondGenerator, "ctx": reproduceContext, "encap": reproduceEncap, "seed": reproduceSeed,
	"request": reproduceRequest, "share": reproduceShare, "combine": reproduceCombine, "rank": reproduceRank, "round": reproduceRound,
	"deal_info": reproduceDeal, "pok": reproducePoK, "pop": reproducePoP, "dkg": reproduceDKG, "reshare": reproduceReshare,
	"guardians": reproduceGuardians, "e2e": reproduceOpening, "nonce": reproduceNonce, "id_text": reproduceIDText,
	"emergency": reproduceEmergency, "answer": reproduceAnswer, "rfc9496_multiples": reproduceMultiples,
	"rfc9496_invalid": reproduceInvalidPoints, "rfc9497_voprf": reproduceVOPRF, "hpke_base": reproduceHPKE,
}

func TestVectors(t *testing.T) {
	for _, file := range []string{"vectors.json", "own.json", "rfc.json"} {
		cases(t, file, func(t *testing.T, v vector) {
			t.Helper()
			f, known := reproduce[v.kind()]
			require.True(t, known, "claimed and not reproduced")
			f(t, v)
		})
	}
}

func reproduceLP(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct{ X, LP octets }](t, v.both(), true)
	require.Equal(t, []byte(c.LP), lock.AppendLP(nil, c.X))
	require.Equal(t, append([]byte{1}, c.LP...), lock.AppendLP([]byte{1}, c.X))
}

func reproduceH(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Tag    string
		Fields []json.RawMessage
		H, H32 octets
	}](t, v.both(), true)
	var fields [][]byte
	for _, raw := range c.Fields {
		var field octets
		if json.Unmarshal(raw, &field) == nil {
			fields = append(fields, field)
			continue
		}
		var list struct{ List []octets }
		require.NoError(t, json.Unmarshal(raw, &list))
		fields = append(fields, lock.List(raws(list.List)...)...)
	}
	if v.kind() == "h32" {
		h := lock.H32(c.Tag, fields...)
		require.Equal(t, []byte(c.H32), h[:])
		return
	}
	h := lock.H(c.Tag, fields...)
	require.Equal(t, []byte(c.H), h[:])
}

func reproduceIntIDCID(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Int       *number
		ID        octets
		Address   octets
		Block     json.RawMessage
		Codec     string
		IntBytes  octets `json:"int_bytes"`
		IDBytes   octets `json:"id_bytes"`
		AddrBytes octets `json:"address_bytes"`
		CID       octets
		CIDText   string `json:"cid_text"`
	}](t, v.both(), true)
	switch {
	case c.Int != nil:
		require.Equal(t, []byte(c.IntBytes), lock.Uint(uint64(*c.Int)))
	case c.ID != nil:
		id, err := lock.IDFromBytes(c.ID)
		require.NoError(t, err)
		require.Equal(t, []byte(c.IDBytes), id.Bytes())
	case c.Address != nil:
		a, err := array[[20]byte](c.Address)
		require.NoError(t, err)
		require.Equal(t, []byte(c.AddrBytes), a[:])
	default:
		digest := sha256.Sum256(block(t, c.Block))
		cid := map[string]func([32]byte) lock.CID{"raw": lock.RawCID, "dag-pb": lock.DagCID}[c.Codec](digest)
		require.Equal(t, []byte(c.CID), cid.Bytes())
		require.Equal(t, c.CIDText, cid.String())
		require.Equal(t, digest, cid.Digest())
		require.Equal(t, c.Codec == "raw", cid.IsRaw())
		require.Equal(t, c.Codec == "dag-pb", cid.IsDag())
		require.Equal(t, cid, must(lock.ParseCID(c.CIDText)))
		require.Equal(t, cid, must(lock.CIDFromBytes(c.CID)))
	}
}

// block is hex, or the stream SHA-256(seed ‖ counter).
func block(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var b octets
	if json.Unmarshal(raw, &b) == nil {
		return b
	}
	var stream struct {
		Seed   octets `json:"sha256_stream_seed"`
		Length int
	}
	require.NoError(t, json.Unmarshal(raw, &stream))
	for i := uint64(0); len(b) < stream.Length; i++ {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte(nil), stream.Seed...), i))
		b = append(b, h[:]...)
	}
	return b[:stream.Length]
}

func reproduceHashToGroup(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct{ Msg, Point octets }](t, v.both(), true)
	require.Equal(t, []byte(c.Point), lock.HashToGroup(c.Msg).Bytes())
}

func reproduceGeneration(t *testing.T, v vector) {
	t.Helper()
	c := decode[generationCase](t, v.both(), true)
	g, err := c.generation()
	require.NoError(t, err)
	gen, err := g.Hash()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Gen), gen[:])
}

func reproduceSecondGenerator(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Gen  octets
		GBar octets `json:"g_bar"`
	}](t, v.both(), true)
	require.Equal(t, []byte(c.GBar), lock.SecondGenerator([64]byte(c.Gen)).Bytes())
}

func reproduceContext(t *testing.T, v vector) {
	t.Helper()
	c := decode[contextCase](t, v.both(), true)
	context, err := c.context()
	require.NoError(t, err)
	ctx, err := context.Hash()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Ctx), ctx[:])
}

// generations returns the generations of the vectors by their hash.
func generations(t *testing.T) map[[64]byte]lock.Generation {
	t.Helper()
	all := map[[64]byte]lock.Generation{}
	for _, v := range load(t, "vectors.json") {
		if v.kind() == "gen" {
			c := decode[generationCase](t, v.both(), true)
			all[[64]byte(c.Gen)] = must(c.generation())
		}
	}
	return all
}

func reproduceEncap(t *testing.T, v vector) {
	t.Helper()
	c := decode[encapCase](t, v.both(), true)
	g, known := generations(t)[[64]byte(c.Gen)]
	require.True(t, known)
	e, err := lock.NewEncapsulation(g, fixedScalars(c.R))
	require.NoError(t, err)
	require.Equal(t, []byte(c.U), e.U.Bytes())
	require.Equal(t, []byte(c.UBar), e.UBar.Bytes())
	require.Equal(t, g.X.Mul(must(lock.ParseSecretScalar(c.R))).Bytes(), e.K.Bytes())
	gBar := lock.SecondGenerator([64]byte(c.Gen))
	require.Equal(t, []byte(c.GBar), gBar.Bytes())

	locked, err := c.version()
	require.NoError(t, err)
	label, err := locked.Label()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Label), label[:])
	proof, err := lock.KindEncap.ProveWith(must(lock.ParseSecretScalar(c.Nonce)), label, must(lock.ParseSecretScalar(c.R)),
		[]lock.Point{gBar}, []lock.Point{e.UBar})
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), proof)
	require.NoError(t, locked.Verify(proof))

	own, err := e.Prove(label, chance(1))
	require.NoError(t, err)
	require.NotEqual(t, proof, own)
	require.NoError(t, locked.Verify(own))
}

func reproduceSeed(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Seed   octets `json:"session_seed"`
		RKSeed octets `json:"rk_seed"`
		RKPub  octets `json:"rk_pub"`
		RKCID  octets `json:"rk_cid"`
		B      octets
		BPub   octets `json:"b_pub"`
	}](t, v.both(), true)
	s, err := lock.NewSession(c.Seed)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Seed), s.Seed())
	require.Equal(t, []byte(c.RKSeed), s.Key().Seed())
	require.Equal(t, []byte(c.RKPub), s.Key().Public().Bytes())
	require.Equal(t, []byte(c.RKCID), s.Key().Public().CID().Bytes())
	require.Equal(t, []byte(c.BPub), s.B().Bytes())
	b := must(lock.ParseSecretScalar(c.B))
	require.Equal(t, lock.SecondGenerator([64]byte{}).Mul(b).Bytes(), s.Blind(lock.SecondGenerator([64]byte{})).Bytes())
}

func reproduceRequest(t *testing.T, v vector) {
	t.Helper()
	c := decode[requestCase](t, v.both(), true)
	p, err := c.proposal()
	require.NoError(t, err)
	b := must(lock.ParseSecretScalar(c.B))
	require.Equal(t, []byte(c.BPub), b.Public().Bytes())
	var u, m []lock.Point
	for i, asked := range p.Versions {
		require.Equal(t, []byte(c.M[i]), asked.U.Mul(b).Bytes())
		u, m = append(u, asked.U), append(m, asked.M)
	}
	r, id := p.Hash(), p.ID()
	require.Equal(t, []byte(c.Hash), r[:])
	require.Equal(t, []byte(c.UnlockID), id[:])
	proof, err := lock.KindReq.ProveWith(must(lock.ParseSecretScalar(c.Nonce)), r, b, u, m)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), proof)
	require.NoError(t, p.Verify(proof))
}

func reproduceShare(t *testing.T, v vector) {
	t.Helper()
	c := decode[shareCase](t, v.both(), true)
	r, err := c.release()
	require.NoError(t, err)
	x := must(lock.ParseSecretScalar(c.Secret))
	require.Equal(t, []byte(c.Holder), x.Public().Bytes())

	s, err := r.NewShare(uint64(c.Epoch), uint64(c.Index), x, chance(2))
	require.NoError(t, err)
	require.NoError(t, r.Verify(s, x.Public()))
	for k, d := range s.D {
		require.Equal(t, []byte(c.D[k]), d.Bytes())
	}
	label := r.Label(s, x.Public())
	require.Equal(t, []byte(c.Label), label[:])
	s.Proof, err = lock.KindShare.ProveWith(must(lock.ParseSecretScalar(c.Nonce)), label, x, r.M, s.D)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), s.Proof)
	require.NoError(t, r.Verify(s, x.Public()))
}

func reproduceCombine(t *testing.T, v vector) {
	t.Helper()
	c := decode[combineCase](t, v.both(), true)
	got, err := c.combine()
	require.NoError(t, err)
	require.Equal(t, uint64(c.Epoch), got.Epoch)
	require.Len(t, got.Indexes, len(c.Indexes))
	weights, err := lock.Lagrange(got.Indexes)
	require.NoError(t, err)
	for i, index := range c.Indexes {
		require.Equal(t, uint64(index), got.Indexes[i])
		require.Equal(t, []byte(c.Lambda[i]), weights[i].Bytes())
	}
	require.Len(t, got.K, len(c.K))
	for i, k := range c.K {
		require.Equal(t, []byte(k), got.K[i].Bytes())
	}
}

func reproduceRank(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net      octets
		UnlockID octets `json:"unlock_id"`
		Indexes  []number
		Ranks    []octets
		Order    []number
	}](t, v.both(), true)
	var indexes []uint64
	for i, index := range c.Indexes {
		rank := lock.Rank(lock.Network(c.Net), [32]byte(c.UnlockID), uint64(index))
		require.Equal(t, []byte(c.Ranks[i]), rank[:])
		indexes = append(indexes, uint64(index))
	}
	before := append([]uint64(nil), indexes...)
	order := lock.Order(lock.Network(c.Net), [32]byte(c.UnlockID), indexes)
	require.Equal(t, before, indexes)
	require.Len(t, order, len(c.Order))
	for i, index := range c.Order {
		require.Equal(t, uint64(index), order[i])
	}
}

func reproduceGuardians(t *testing.T, v vector) {
	t.Helper()
	c := decode[guardianCase](t, v.both(), true)
	p, err := lock.NewPolynomial(uint64(len(c.Polynomial)), fixedScalars(c.Polynomial...))
	require.NoError(t, err)
	commitments := p.Commitments()
	require.Equal(t, raws(c.Commitments), commitments.Bytes())
	var shares []lock.SecretShare
	for i, g := range c.Guardians {
		value, err := p.Share(uint64(g.Index))
		require.NoError(t, err)
		require.Equal(t, []byte(c.Shares[i].Share), value.Bytes())
		share := lock.SecretShare{Index: uint64(g.Index), Value: value}
		require.NoError(t, commitments.Check(uint64(len(commitments)), share))
		shares = append(shares, share)
	}
	secret, err := lock.Interpolate(shares[:len(c.Polynomial)])
	require.NoError(t, err)
	require.True(t, secret.Equal(p.Secret()))

	x := must(lock.ParsePoint(c.X3))
	gen := [64]byte(c.Gen3)
	r := must(lock.ParseSecretScalar(c.R))
	require.Equal(t, []byte(c.U), r.Public().Bytes())
	require.Equal(t, []byte(c.GBar3), lock.SecondGenerator(gen).Bytes())
	require.Equal(t, []byte(c.UBar), lock.SecondGenerator(gen).Mul(r).Bytes())
	require.Equal(t, []byte(c.K), x.Mul(r).Bytes())
	c.A0 = c.Commitments[0]
	slot, err := c.slot()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Context), slot.Context[:])
	label, err := slot.Label()
	require.NoError(t, err)
	require.Equal(t, []byte(c.Label), label[:])
	proof, err := lock.KindEncap.ProveWith(must(lock.ParseSecretScalar(c.Nonce)), label, r,
		[]lock.Point{lock.SecondGenerator(gen)}, []lock.Point{slot.UBar})
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), proof)
	require.NoError(t, slot.Verify(proof))
}

func reproduceNonce(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Kind                        string
		Secret, Label, Fresh, Nonce octets
	}](t, v.both(), true)
	for _, k := range []interface {
		Hedge(lock.Scalar, [64]byte, [32]byte) lock.Scalar
	}{lock.KindEncap, lock.KindReq, lock.KindShare, lock.KindPoK, lock.KindPoP} {
		n := k.Hedge(must(lock.ParseSecretScalar(c.Secret)), [64]byte(c.Label), [32]byte(c.Fresh))
		same := string(n.Bytes()) == string(c.Nonce)
		require.Equal(t, c.Kind == nameOf(k), same)
	}
}

func nameOf(k any) string {
	return map[any]string{lock.KindEncap: "phrd/v1/encap/", lock.KindReq: "phrd/v1/req/", lock.KindShare: "phrd/v1/share/",
		lock.KindPoK: "phrd/v1/pok/", lock.KindPoP: "phrd/v1/pop/"}[k]
}

func reproduceIDText(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		ID   octets
		Text string
	}](t, v.both(), true)
	id, err := lock.IDFromBytes(c.ID)
	require.NoError(t, err)
	require.Equal(t, c.Text, id.String())
	require.Equal(t, id, must(lock.ParseID(c.Text)))
	require.Equal(t, id, must(lock.ParseCanonicalID(c.Text)))
}

func reproduceEmergency(t *testing.T, v vector) {
	t.Helper()
	c := decode[struct {
		Net                 octets
		Generation          number
		X                   octets `json:"x_pub"`
		Ctx, Pc, R, Nonce   octets
		Box, Signer         octets
		Gen, U, K, E, Label octets
		UBar                octets `json:"u_bar"`
		Proof               octets
	}](t, v.both(), true)
	g := lock.Generation{Network: lock.Network(c.Net), Kind: lock.KeyEmergency, Number: uint64(c.Generation), X: must(lock.ParsePoint(c.X))}
	gen := must(g.Hash())
	require.Equal(t, []byte(c.Gen), gen[:])
	e := must(lock.NewEncapsulation(g, fixedScalars(c.R)))
	require.Equal(t, []byte(c.U), e.U.Bytes())
	require.Equal(t, []byte(c.UBar), e.UBar.Bytes())
	require.Equal(t, []byte(c.K), e.K.Bytes())
	box := lock.EmergencyBox{Context: [64]byte(c.Ctx), Generation: gen, U: e.U, UBar: e.UBar, Pc: [32]byte(c.Pc), Box: [32]byte(c.Box),
		Signer: [20]byte(c.Signer)}
	hash := must(box.Hash())
	require.Equal(t, []byte(c.E), hash[:])
	label := must(box.Label())
	require.Equal(t, []byte(c.Label), label[:])
	proof, err := lock.KindEncap.ProveWith(must(lock.ParseSecretScalar(c.Nonce)), label, must(lock.ParseSecretScalar(c.R)),
		[]lock.Point{lock.SecondGenerator(gen)}, []lock.Point{e.UBar})
	require.NoError(t, err)
	require.Equal(t, []byte(c.Proof), proof)
	require.NoError(t, box.Verify(proof))
	box.Box[0] ^= 1
	require.ErrorIs(t, box.Verify(proof), lock.ErrProof)
}

func TestNumbersReachTheWholeRange(t *testing.T) {
	require.Equal(t, []byte{255, 255, 255, 255, 255, 255, 255, 255}, lock.Uint(math.MaxUint64))
}
