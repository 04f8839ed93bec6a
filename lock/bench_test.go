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

func BenchmarkStoreProof(b *testing.B) {
	_, g, _, _, _ := benchNetwork(b)
	e := must(lock.NewEncapsulation(g, chance(5)))
	v := lock.LockedVersion{
		Generation: must(g.Hash()), U: e.U, UBar: e.UBar, Pc: make([]byte, 32), OwnKeys: make([][32]byte, 1),
		Envelope: lock.RawCID([32]byte{}), Object: lock.DagCID([32]byte{}),
	}
	proof := must(e.Prove(must(v.Label()), chance(6)))
	for b.Loop() {
		if err := v.Verify(proof); err != nil {
			b.Fatal(err)
		}
	}
}
