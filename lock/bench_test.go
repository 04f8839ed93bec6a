package lock_test

import (
	"testing"

	"github.com/phrd/phrd/lock"
)

// Row 12 of the targets: share check, combine 5 of 7, store proof.

func benchNetwork(b *testing.B) (*lock.Dealt, lock.Generation, *lock.Session, lock.Release, []lock.Share) {
	b.Helper()
	dealt := must(lock.Deal(5, []uint64{1, 2, 3, 4, 5, 6, 7}, chance(1)))
	g := lock.Generation{Kind: lock.KeyRecords, Number: 1, X: dealt.X}
	e := must(lock.NewEncapsulation(g, chance(2)))
	session := must(lock.GenerateSession(chance(3)))
	r := lock.Release{Generation: must(g.Hash()), M: []lock.Point{session.Blind(e.U)}}
	var shares []lock.Share
	for _, s := range dealt.Shares[:5] {
		shares = append(shares, must(r.NewShare(1, s.Index, s.Value, chance(4))))
	}
	return dealt, g, session, r, shares
}

func BenchmarkShareCheck(b *testing.B) {
	dealt, _, _, r, shares := benchNetwork(b)
	for b.Loop() {
		if err := r.Verify(shares[0], dealt.Holders[0].X); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCombine includes the check of five proofs, as an opener does it.
func BenchmarkCombine(b *testing.B) {
	dealt, _, session, r, shares := benchNetwork(b)
	committee := []lock.Committee{{Epoch: 1, Threshold: 5, Holders: dealt.Holders}}
	for b.Loop() {
		if _, err := session.Combine(r, committee, shares); err != nil {
			b.Fatal(err)
		}
	}
}

// benchLock is what the storing program does for each version: the network's half and its proof.
func benchLock(b *testing.B, g lock.Generation) (lock.LockedVersion, []byte) {
	b.Helper()
	e, err := lock.NewEncapsulation(g, chance(5))
	if err != nil {
		b.Fatal(err)
	}
	v := lock.LockedVersion{
		Generation: must(g.Hash()), U: e.U, UBar: e.UBar, Pc: make([]byte, 32), OwnKeys: make([][32]byte, 1),
		Envelope: lock.RawCID([32]byte{}), Object: lock.DagCID([32]byte{}),
	}
	proof, err := e.Prove(must(v.Label()), chance(6))
	if err != nil {
		b.Fatal(err)
	}
	return v, proof
}

func BenchmarkLock(b *testing.B) {
	_, g, _, _, _ := benchNetwork(b)
	for b.Loop() {
		benchLock(b, g)
	}
}

// BenchmarkStoreProof includes reading the two points, as a validator does it.
func BenchmarkStoreProof(b *testing.B) {
	_, g, _, _, _ := benchNetwork(b)
	v, proof := benchLock(b, g)
	u, uBar := v.U.Bytes(), v.UBar.Bytes()
	for b.Loop() {
		v.U, v.UBar = must(lock.ParseEncapsulation(u)), must(lock.ParsePoint(uBar))
		if err := v.Verify(proof); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBatchCheck checks a holder's share of as many points as one unlock has at most.
func BenchmarkBatchCheck(b *testing.B) {
	dealt, _, session, r, _ := benchNetwork(b)
	r.M = nil
	for i := range lock.MaxBatch {
		r.M = append(r.M, session.Blind(lock.HashToGroup([]byte{byte(i)})))
	}
	s := must(r.NewShare(1, 1, dealt.Shares[0].Value, chance(4)))
	for b.Loop() {
		if err := r.Verify(s, dealt.Holders[0].X); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSeal seals an owner's half.
func BenchmarkSeal(b *testing.B) {
	key := must(lock.GeneratePrivateKey(chance(1))).Public()
	for b.Loop() {
		if _, err := lock.Seal(key, nil, make([]byte, 32)); err != nil {
			b.Fatal(err)
		}
	}
}
