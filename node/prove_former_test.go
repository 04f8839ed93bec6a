package node_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob/memory"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/x/storage"
)

// strict refuses a reveal of something else than was committed to, as the chain does.
type strict struct {
	node.Chain
	k       *keeper
	refused int
}

// Submit implements node.Chain.
func (s *strict) Submit(ctx context.Context, message proto.Message) (node.Result, error) {
	m, ok := message.(*storagev1.MsgSubmitProofs)
	if !ok || len(m.GetReveal()) == 0 {
		return s.Chain.Submit(ctx, message)
	}
	wrong := false
	s.k.l.set(func() {
		hash := lock.RevealCommitment(m.GetEpoch(), s.k.number, [32]byte(m.GetReveal()))
		if wrong = string(hash[:]) != string(s.k.l.proofs.commitments[s.k.number].GetHash()); wrong {
			s.refused++
		}
	})
	if wrong {
		return node.Result{}, &node.TxError{Codespace: storage.ModuleName, Code: storage.ErrReveal.ABCICode(), Log: "reveal"}
	}
	return s.Chain.Submit(ctx, message)
}

// A node whose account was replaced reveals what the former one committed itself to, and in the next epoch what the new one did. Without the
// former key it proves nothing in that epoch.
func TestReplacedAccountReveals(t *testing.T) {
	l := newProofs(t, 60)
	k := newKeeper(t, l, memory.New())
	s := newScan(t, k.store, 1, 5000)
	l.holds(s, k)
	proves := func(p *node.Prover) {
		t.Helper()
		stop := run(t, p.Run, nil)
		epoch, _ := l.ask(map[uint64][]*storagev1.Challenge{k.number: {asking(s, 0)}})
		k.awaitProof(epoch)
		stop()
	}
	proves(k.prover(k.store))

	former := k.key
	k.key = newKey(t)
	l.set(func() { l.nodes[k.number-1].Account = k.key.Address() })
	k.chain = l.client(t, k.key, nil)
	chain := &strict{Chain: k.chain, k: k}
	config := node.ProverConfig{Chain: chain, Store: k.store, Key: k.key, Log: quiet(t)}
	without, err := node.NewProver(config)
	if err != nil {
		t.Fatal(err)
	}
	epoch, _ := l.ask(map[uint64][]*storagev1.Challenge{k.number: {asking(s, 0)}})
	stop := run(t, without.Run, nil)
	eventually(t, "refusal", func() bool {
		var refused int
		l.set(func() { refused = chain.refused })
		return refused > 0
	})
	stop()
	if l.proof(epoch, k.number).GetGiven() {
		t.Error("a node proves without revealing what it is committed to")
	}

	config.Former = former
	with, err := node.NewProver(config)
	if err != nil {
		t.Fatal(err)
	}
	stop = run(t, with.Run, nil)
	k.awaitProof(epoch)
	stop()
	before := chain.refused
	proves(with)
	if chain.refused != before {
		t.Error("what the new account committed itself to is revealed with the former one")
	}
}
