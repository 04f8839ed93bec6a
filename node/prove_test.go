package node_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/blob/blobtest"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/wallet"
)

// keeper is a storage node that keeps copies and proves them.
type keeper struct {
	t      *testing.T
	l      *ledger
	number uint64
	key    *wallet.Key
	store  blob.Store
	chain  *node.Client
}

// newKeeper registers a storage node that does not prove anything yet.
func newKeeper(t *testing.T, l *ledger, store blob.Store) *keeper {
	t.Helper()
	k := &keeper{t: t, l: l, key: newKey(t), store: store}
	k.number = l.addNode(k.key.Address(), "peer", "/ip4/127.0.0.1/tcp/1")
	k.chain = l.client(t, k.key, nil)
	return k
}

// prover is a prover that reads from a store.
func (k *keeper) prover(store blob.Getter) *node.Prover {
	k.t.Helper()
	p, err := node.NewProver(node.ProverConfig{Chain: k.chain, Store: store, Key: k.key, Log: quiet(k.t)})
	if err != nil {
		k.t.Fatal(err)
	}
	return p
}

// holds has the chain believe that these nodes hold an object.
func (l *ledger) holds(s scan, keepers ...*keeper) {
	var numbers []uint64
	for _, k := range keepers {
		numbers = append(numbers, k.number)
	}
	l.place(&storagev1.Object{Cid: s.cid(), Size: s.padded, Attached: []string{s.envelope.String()}, Origin: 1, Target: 3}, numbers...)
	l.set(func() {
		for _, c := range l.objects[s.cid()].GetCopies() {
			c.Status = held
		}
	})
}

// leaf is the n-th leaf of a scan.
func (s scan) leaf(t *testing.T, n int) lock.CID {
	t.Helper()
	leaves, err := blob.Leaves(t.Context(), s, s.Root, s.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return leaves[n].CID
}

// digest is the right answer to the question for a leaf.
func (s scan) digest(t *testing.T, seed [32]byte, number uint64, leaf int) []byte {
	t.Helper()
	d := lock.HoldingDigest(seed, number, s.Root, uint64(leaf), s.Blocks[s.leaf(t, leaf)], s.block)
	return d[:]
}

// awaitProof waits for a node's proof, and returns its digests.
func (k *keeper) awaitProof(epoch uint64) [][]byte {
	k.t.Helper()
	eventually(k.t, "proof", func() bool { return k.l.proof(epoch, k.number).GetGiven() })
	var digests [][]byte
	for _, c := range k.l.proof(epoch, k.number).GetChallenges() {
		digests = append(digests, c.GetDigest())
	}
	return digests
}

// newProofs is a chain whose epochs last for some seconds.
func newProofs(t *testing.T, seconds int64) *ledger {
	t.Helper()
	l := newLedger(t)
	l.proofs.interval = seconds
	l.commitAlways()
	return l
}

// A node reads the leaves that it is asked for from its disk, answers once in each epoch,
// and reveals what it is committed to, also after a restart. Others find nothing wrong.
func TestLeavesAreProven(t *testing.T) {
	l := newProofs(t, 60)
	one, other := newKeeper(t, l, openPack(t, t.TempDir())), newKeeper(t, l, memory.New())
	large, small := newScan(t, one.store, 1, 3<<20), newScan(t, one.store, 2, 5000)
	if err := errors.Join(large.Put(t.Context(), other.store), blobtest.Store(t.Context(), other.store, blob.Hint{}, large.block)); err != nil {
		t.Fatal(err)
	}
	l.holds(large, one, other)
	l.holds(small, one)
	run(t, other.prover(other.store).Run, nil)
	for range 3 {
		stop := run(t, one.prover(one.store).Run, nil)
		epoch, seed := l.ask(map[uint64][]*storagev1.Challenge{
			one.number: {asking(large, 2), asking(small, 0), asking(large, 0)}, other.number: {asking(large, 1)},
		})
		want := [][]byte{large.digest(t, seed, one.number, 2), small.digest(t, seed, one.number, 0), large.digest(t, seed, one.number, 0)}
		if got := one.awaitProof(epoch); !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("epoch %d: digests %x, want %x", epoch, got, want)
		}
		if got := other.awaitProof(epoch); !bytes.Equal(got[0], large.digest(t, seed, other.number, 1)) {
			t.Errorf("epoch %d: the other's digest is %x", epoch, got)
		}
		stop()
	}
	if got := l.disputed(); len(got) != 0 {
		t.Errorf("right digests were disputed: %v", got)
	}
}

// What is rotten or gone is found out: the node says that it can't prove it.
func TestLostLeafIsNotProven(t *testing.T) {
	l := newProofs(t, 60)
	dir := t.TempDir()
	k := newKeeper(t, l, openPack(t, dir))
	var scans []scan
	for i := range uint64(4) {
		s := newScan(t, k.store, 1+i, 3<<20)
		scans = append(scans, s)
		l.holds(s, k)
	}
	leaf := scans[0].leaf(t, 1)
	flipOnDisk(t, dir, k.store, leaf, scans[0].Blocks[leaf])
	for _, c := range []lock.CID{scans[1].leaf(t, 1), scans[2].envelope} {
		if err := k.store.Erase(t.Context(), []lock.CID{c}, nil); err != nil {
			t.Fatal(err)
		}
	}
	epoch, seed := l.ask(map[uint64][]*storagev1.Challenge{
		k.number: {asking(scans[0], 1), asking(scans[1], 1), asking(scans[2], 1), asking(scans[3], 1), asking(scans[0], 0)},
	})
	run(t, k.prover(k.store).Run, nil)
	got := k.awaitProof(epoch)
	want := [][]byte{nil, nil, nil, scans[3].digest(t, seed, k.number, 1), scans[0].digest(t, seed, k.number, 0)}
	if !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("digests %x, want %x", got, want)
	}
}

// remote is a store that keeps nothing and asks another one, as long as that answers.
type remote struct {
	blob.Getter
	paused bool
}

func (r remote) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if r.paused {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return r.Getter.Get(ctx, c)
}

// A node that keeps nothing but names fails, and so does one that fetches what it is asked
// for from a peer that is paused. One whose peer answers passes: a proof says that the bytes
// are at hand, not on which disk.
func TestWhatIsElsewhereIsProvenOnlyWhileItIsThere(t *testing.T) {
	away := memory.New()
	s := newScan(t, away, 1, 3<<20)
	// The inner nodes have the name of every leaf.
	names := memory.New()
	if err := errors.Join(s.Put(t.Context(), names), blobtest.Store(t.Context(), names, blob.Hint{}, s.block)); err != nil {
		t.Fatal(err)
	}
	if err := names.Erase(t.Context(), s.CIDs, lock.CID.IsDag); err != nil {
		t.Fatal(err)
	}
	if _, err := blob.Leaves(t.Context(), names, s.Root, s.Bytes); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		store  blob.Getter
		proves bool
	}{
		{"names alone", names, false},
		{"a peer that is paused", remote{away, true}, false},
		{"a peer that answers", remote{away, false}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newProofs(t, 1)
			k := newKeeper(t, l, memory.New())
			l.holds(s, k)
			epoch, seed := l.ask(map[uint64][]*storagev1.Challenge{k.number: {asking(s, 1)}})
			run(t, k.prover(test.store).Run, nil)
			var want []byte
			if test.proves {
				want = s.digest(t, seed, k.number, 1)
			}
			if got := k.awaitProof(epoch)[0]; !bytes.Equal(got, want) {
				t.Errorf("digest %x, want %x", got, want)
			}
		})
	}
}

// Whoever makes up a digest is disputed by those who hold the object, and by nobody else.
func TestWrongDigestsAreDisputed(t *testing.T) {
	l := newProofs(t, 60)
	liar, one, two, stranger, rotten := newKeeper(t, l, memory.New()), newKeeper(t, l, memory.New()), newKeeper(t, l, memory.New()),
		newKeeper(t, l, memory.New()), newKeeper(t, l, memory.New())
	s := newScan(t, one.store, 1, 3<<20)
	for _, k := range []*keeper{two, stranger, rotten} {
		if err := errors.Join(s.Put(t.Context(), k.store), blobtest.Store(t.Context(), k.store, blob.Hint{}, s.block)); err != nil {
			t.Fatal(err)
		}
	}
	if err := rotten.store.Erase(t.Context(), []lock.CID{s.leaf(t, 1)}, nil); err != nil {
		t.Fatal(err)
	}
	l.holds(s, liar, one, two, rotten)
	epoch, seed := l.ask(map[uint64][]*storagev1.Challenge{
		liar.number: {asking(s, 0), asking(s, 1)}, one.number: {asking(s, 1)}, two.number: {asking(s, 1)},
	})
	// It kept the name of the leaf, and says for the other what somebody else would.
	name := s.leaf(t, 1)
	forged := lock.HoldingDigest(seed, liar.number, s.Root, 1, name.Bytes(), s.block)
	message := &storagev1.MsgSubmitProofs{
		Node: liar.key.Address(), Epoch: epoch, Commitment: make([]byte, 32), Digests: [][]byte{s.digest(t, seed, one.number, 0), forged[:]},
	}
	for _, k := range []*keeper{one, two, stranger, rotten} {
		run(t, k.prover(k.store).Run, nil)
	}
	one.awaitProof(epoch)
	if _, err := liar.chain.Submit(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	disputers := func(index int) []uint64 {
		return slices.Sorted(slices.Values(l.proof(epoch, liar.number).GetChallenges()[index].GetDisputers()))
	}
	eventually(t, "disputes", func() bool {
		return slices.Equal(disputers(0), []uint64{one.number, two.number, rotten.number}) &&
			slices.Equal(disputers(1), []uint64{one.number, two.number})
	})
	// The next epoch is early enough too, for one that was away; nobody says it twice.
	two.awaitProof(epoch)
	l.ask(map[uint64][]*storagev1.Challenge{one.number: {asking(s, 0)}})
	late := newKeeper(t, l, one.store)
	l.holds(s, liar, one, two, rotten, late)
	run(t, late.prover(late.store).Run, nil)
	one.awaitProof(epoch + 1)
	eventually(t, "late dispute", func() bool { return slices.Contains(disputers(1), late.number) })
	for _, d := range l.disputed() {
		if d.GetAccused() != liar.number {
			t.Errorf("an honest node was accused: %v", d)
		}
	}
}

// sick is a store whose disk does not answer at first.
type sick struct {
	blob.Getter
	reads atomic.Int64
}

func (s *sick) Get(ctx context.Context, c lock.CID) ([]byte, error) {
	if s.reads.Add(1) <= 2 {
		return nil, syscall.EIO
	}
	return s.Getter.Get(ctx, c)
}

// A disk that does not answer says nothing about what is on it: it is asked again.
func TestSickDiskIsAskedAgain(t *testing.T) {
	l := newProofs(t, 60)
	k := newKeeper(t, l, memory.New())
	s := newScan(t, k.store, 1, 5000)
	l.holds(s, k)
	epoch, seed := l.ask(map[uint64][]*storagev1.Challenge{k.number: {asking(s, 0)}})
	store := &sick{Getter: k.store}
	run(t, k.prover(store).Run, nil)
	if got := k.awaitProof(epoch)[0]; !bytes.Equal(got, s.digest(t, seed, k.number, 0)) {
		t.Errorf("digest %x", got)
	}
	if store.reads.Load() < 3 {
		t.Errorf("%d reads", store.reads.Load())
	}
}

func TestClosedStoreEndsTheProver(t *testing.T) {
	l := newProofs(t, 60)
	k := newKeeper(t, l, memory.New())
	s := newScan(t, k.store, 1, 5000)
	l.holds(s, k)
	l.ask(map[uint64][]*storagev1.Challenge{k.number: {asking(s, 0)}})
	if err := k.store.Close(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- k.prover(k.store).Run(t.Context()) }()
	if err := <-ended; !errors.Is(err, blob.ErrClosed) {
		t.Errorf("ended with %v, want %v", err, blob.ErrClosed)
	}
}

func TestProverNeedsItsParts(t *testing.T) {
	if _, err := node.NewProver(node.ProverConfig{}); err == nil {
		t.Error("made of nothing")
	}
}
