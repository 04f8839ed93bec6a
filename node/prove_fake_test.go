package node_test

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/lock"
)

// proofs is what the ledger knows of epochs.
type proofs struct {
	interval    int64 // seconds
	epochs      []*storagev1.Epoch
	asked       map[uint64]map[uint64]*storagev1.Proof // by epoch and node
	commitments map[uint64]*storagev1.Commitment       // by node
	disputes    []*storagev1.Dispute
}

// ask opens an epoch in which nodes are asked for leaves, and returns its number and seed.
func (l *ledger) ask(challenges map[uint64][]*storagev1.Challenge) (number uint64, seed [32]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := rand.Read(seed[:]); err != nil {
		l.t.Error(err)
	}
	p := &l.proofs
	if p.asked == nil {
		p.asked, p.commitments = map[uint64]map[uint64]*storagev1.Proof{}, map[uint64]*storagev1.Commitment{}
	}
	number = uint64(len(p.epochs) + 1)
	p.epochs = append(p.epochs, &storagev1.Epoch{Number: number, Seed: seed[:]})
	p.asked[number] = map[uint64]*storagev1.Proof{}
	for node, c := range challenges {
		p.asked[number][node] = &storagev1.Proof{Epoch: number, Node: node, Challenges: c}
	}
	return number, seed
}

// asking is the challenge for a leaf.
func asking(s scan, leaf uint64) *storagev1.Challenge {
	return &storagev1.Challenge{Object: s.cid(), Leaf: leaf}
}

// proof is what a node answered in an epoch.
func (l *ledger) proof(epoch, node uint64) *storagev1.Proof {
	l.mu.Lock()
	defer l.mu.Unlock()
	cloned, _ := proto.Clone(l.proofs.asked[epoch][node]).(*storagev1.Proof)
	return cloned
}

// disputed are all disputes so far.
func (l *ledger) disputed() []*storagev1.Dispute {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.proofs.disputes)
}

// numberOf is the storage node of an account. The caller holds l.mu.
func (l *ledger) numberOf(account string) uint64 {
	for _, n := range l.nodes {
		if n.GetAccount() == account {
			return n.GetNumber()
		}
	}
	return 0
}

// takeProof takes the proof of a node, whose reveal must be what it is committed to. The
// caller holds l.mu.
func (l *ledger) takeProof(account string, m *storagev1.MsgSubmitProofs) proto.Message {
	number := l.numberOf(account)
	proof, p := l.proofs.asked[m.GetEpoch()][number], &l.proofs
	if proof == nil || proof.GetGiven() || len(m.GetDigests()) != len(proof.GetChallenges()) || m.GetEpoch() != uint64(len(p.epochs)) {
		l.t.Errorf("node %d sends %d digests in epoch %d", number, len(m.GetDigests()), m.GetEpoch())
		return &storagev1.MsgSubmitProofsResponse{}
	}
	if c := p.commitments[number]; c.GetEpoch() == m.GetEpoch() {
		if hash := lock.RevealCommitment(m.GetEpoch(), number, [32]byte(m.GetReveal())); string(hash[:]) != string(c.GetHash()) {
			l.t.Errorf("node %d does not reveal what it was committed to", number)
		}
	} else if len(m.GetReveal()) > 0 {
		l.t.Errorf("node %d reveals what it was not committed to", number)
	}
	p.commitments[number] = &storagev1.Commitment{Epoch: m.GetEpoch() + 1, Hash: m.GetCommitment()}
	for i, digest := range m.GetDigests() {
		proof.Challenges[i].Digest = digest
	}
	proof.Given = true
	p.epochs[m.GetEpoch()-1].Proven++
	return &storagev1.MsgSubmitProofsResponse{}
}

// takeDisputes notes disputes. The caller holds l.mu.
func (l *ledger) takeDisputes(account string, m *storagev1.MsgDisputeProofs) proto.Message {
	number := l.numberOf(account)
	answer := &storagev1.MsgDisputeProofsResponse{}
	for _, d := range m.GetDisputes() {
		c := l.proofs.asked[d.GetEpoch()][d.GetAccused()].GetChallenges()[d.GetIndex()]
		if slices.Contains(c.GetDisputers(), number) || len(c.GetDigest()) == 0 || number == d.GetAccused() {
			l.t.Errorf("node %d disputes what it may not: %v", number, d)
		}
		c.Disputers = append(c.Disputers, number)
		l.proofs.disputes = append(l.proofs.disputes, d)
		answer.Results = append(answer.Results, &storagev1.DisputeResult{Outcome: auditv1.Outcome_OUTCOME_OK})
	}
	return answer
}

func (s storageServer) Object(_ context.Context, req *storagev1.QueryObjectRequest) (*storagev1.QueryObjectResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	placed, known := s.l.objects[req.GetCid()]
	if !known {
		return nil, status.Errorf(codes.NotFound, "no such object: %q", req.GetCid())
	}
	answer, _ := proto.Clone(&storagev1.QueryObjectResponse{Object: placed.GetObject(), Copies: placed.GetCopies()}).(*storagev1.QueryObjectResponse)
	for _, c := range placed.GetCopies() {
		if c.GetStatus() == held {
			answer.Held++
		}
	}
	return answer, nil
}

// Challenges returns two proofs at a time, so that readers have to page.
func (s storageServer) Challenges(_ context.Context, req *storagev1.QueryChallengesRequest) (*storagev1.QueryChallengesResponse, error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	p, number := s.l.proofs, req.GetEpoch()
	newest := uint64(len(p.epochs))
	if number == 0 {
		number = newest
	}
	if number > newest || number+1 < newest {
		return nil, status.Errorf(codes.NotFound, "no epoch %d", number)
	}
	if newest == 0 {
		return &storagev1.QueryChallengesResponse{Epoch: &storagev1.Epoch{}}, nil
	}
	answer := &storagev1.QueryChallengesResponse{Epoch: p.epochs[number-1]}
	if node := req.GetNode(); node != 0 {
		answer.Committed = p.commitments[node].GetEpoch() == number
		if proof := p.asked[number][node]; proof != nil {
			answer.Proofs = append(answer.Proofs, proof)
		}
	} else {
		for _, node := range slices.Sorted(maps.Keys(p.asked[number])) {
			if node <= req.GetAfter() {
				continue
			}
			if len(answer.GetProofs()) == 2 {
				answer.Next = answer.GetProofs()[1].GetNode()
				break
			}
			answer.Proofs = append(answer.Proofs, p.asked[number][node])
		}
	}
	copied, _ := proto.Clone(answer).(*storagev1.QueryChallengesResponse)
	return copied, nil
}
