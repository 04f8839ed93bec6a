package node_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// Recovery answers the one recovery that there is.
func (s accessOf) Recovery(_ context.Context, req *accessv1.QueryRecoveryRequest) (*accessv1.QueryRecoveryResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.n.recovery == nil || req.GetNumber() != 0 || req.GetUnlock() == "" {
		return nil, status.Error(codes.NotFound, "no such recovery")
	}
	return clone(s.n.recovery), nil
}

// Guardians answers the guardians of the one patient who has some.
func (s accessOf) Guardians(context.Context, *accessv1.QueryGuardiansRequest) (*accessv1.QueryGuardiansResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	if s.n.guardians == nil {
		return nil, status.Error(codes.NotFound, "no guardians")
	}
	return &accessv1.QueryGuardiansResponse{Guardians: clone(s.n.guardians)}, nil
}

// Patient answers whose guardians they are.
func (s recordsOf) Patient(context.Context, *recordsv1.QueryPatientRequest) (*recordsv1.QueryPatientResponse, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	return &recordsv1.QueryPatientResponse{Patient: clone(s.n.owner)}, nil
}

// guardian is a patient's number for tests.
func guardian(n byte) string { return lock.ID{n}.String() }

// recovering makes the key one for guardians, and a recovery that two of three guardians approved and whose delay is over. It answers
// the recovery's unlock.
func (n *custodyNet) recovering() string {
	n.t.Helper()
	n.key.Kind = custodyv1.KeyKind_KEY_KIND_GUARDIANS
	for _, h := range n.committee {
		h.Kind = n.key.GetKind()
	}
	wallet := n.account(consortiumv1.Role_ROLE_PATIENT, 0)
	n.owner = &recordsv1.Patient{Id: n.patient, Address: wallet, Vault: &recordsv1.Vault{Id: lock.ID(n.bytes(16)).String(), Revision: 3}}
	n.guardians = n.named()
	slot := n.slot(n.guardians)
	now := n.now.Unix()
	r := &accessv1.Recovery{
		Number: 1, Patient: n.patient, Account: n.account(consortiumv1.Role_ROLE_PATIENT, 0), Former: wallet, Inviter: clinic,
		Way: accessv1.RecoveryWay_RECOVERY_WAY_GUARDIANS, Needed: 2, Delay: 604_800, ProposedAt: now - 700_000, ExpiresAt: now + 1_000_000,
		Guardians: n.guardians.GetGuardians(), Generation: 1, Vault: n.owner.GetVault().GetId(), Revision: 3, Requested: true, Due: now - 100,
		Approvals: []*accessv1.RecoveryApproval{{Guardian: guardian(1), At: now - 604_999}, {Guardian: guardian(3), At: now - 604_900}},
	}
	session, err := lock.GenerateSession(n.random)
	if err != nil {
		n.t.Fatal(err)
	}
	r.RequestKey = lock.RawCID(sha256.Sum256(n.bytes(32))).String()
	r.B, r.M = session.B().Bytes(), session.Blind(slot.U).Bytes()
	p := n.recoveryProposal(r, slot)
	if r.Proof, err = session.Prove(p, n.random); err != nil {
		n.t.Fatal(err)
	}
	id := p.ID()
	r.Unlock = hex.EncodeToString(id[:])
	n.recovery = &accessv1.QueryRecoveryResponse{Recovery: r, Status: accessv1.RecoveryStatus_RECOVERY_STATUS_DUE}
	n.releases[r.Unlock] = &custodyv1.Release{
		Unlock: r.Unlock, Kind: n.key.GetKind(), Generation: 1, Status: custodyv1.ReleaseStatus_RELEASE_STATUS_PENDING, RequestedHeight: n.head.Height,
		Blinded: [][]byte{r.M},
	}
	n.unlocks[r.Unlock] = &accessv1.QueryUnlockResponse{} // that accept marks as released
	return r.Unlock
}

// named are three guardians of the owner, two of whom open together.
func (n *custodyNet) named() *accessv1.Guardians {
	n.t.Helper()
	g := &accessv1.Guardians{
		Patient: n.patient, Owner: n.owner.GetAddress(), Vault: n.owner.GetVault().GetId(), Slot: lock.ID(n.bytes(16)).String(), Revision: 3, Generation: 1,
		Threshold: 2, Guardians: []string{guardian(1), guardian(2), guardian(3)}, Delay: 604_800,
	}
	polynomial, err := lock.NewPolynomial(2, n.random)
	if err != nil {
		n.t.Fatal(err)
	}
	g.Commitments = polynomial.Commitments().Bytes()
	encapsulation, err := lock.NewEncapsulation(lock.Generation{Network: n.network, Kind: lock.KeyGuardians, Number: 1, X: n.dealt.X}, n.random)
	if err != nil {
		n.t.Fatal(err)
	}
	g.U, g.UBar = encapsulation.U.Bytes(), encapsulation.UBar.Bytes()
	label, err := n.slot(g).Label()
	if err != nil {
		n.t.Fatal(err)
	}
	if g.Proof, err = encapsulation.Prove(label, n.random); err != nil {
		n.t.Fatal(err)
	}
	return g
}

// slot is what the proof of the guardians' slot speaks for, made without the code under test.
func (n *custodyNet) slot(g *accessv1.Guardians) (s lock.GuardianSlot) {
	n.t.Helper()
	vault, err := lock.ParseCanonicalID(g.GetVault())
	if err != nil {
		n.t.Fatal(err)
	}
	slot, err := lock.ParseCanonicalID(g.GetSlot())
	if err != nil {
		n.t.Fatal(err)
	}
	s.Generation = n.generation()
	if s.Context, err = lock.GuardianContext(n.network, vault, slot, g.GetRevision(), s.Generation); err != nil {
		n.t.Fatal(err)
	}
	for _, p := range []struct {
		to    *lock.Point
		bytes []byte
	}{{&s.U, g.GetU()}, {&s.UBar, g.GetUBar()}, {&s.A0, g.GetCommitments()[0]}} {
		if *p.to, err = lock.ParsePoint(p.bytes); err != nil {
			n.t.Fatal(err)
		}
	}
	s.Signer = n.addressOf(g.GetOwner())
	return s
}

func (n *custodyNet) addressOf(text string) [20]byte {
	n.t.Helper()
	address, err := wallet.ParseAddress(text)
	if err != nil {
		n.t.Fatal(err)
	}
	return [20]byte(address)
}

func (n *custodyNet) recoveryProposal(r *accessv1.Recovery, slot lock.GuardianSlot) lock.Proposal {
	n.t.Helper()
	vault, err := lock.ParseCanonicalID(r.GetVault())
	if err != nil {
		n.t.Fatal(err)
	}
	v := lock.ProposedVersion{Record: vault, Number: r.GetRevision(), Context: slot.Context, U: slot.U}
	p := lock.Proposal{Network: n.network, Requester: n.addressOf(r.GetAccount()), Purpose: "GUARDIAN", Expiry: uint64(r.GetExpiresAt())}
	if v.M, err = lock.ParsePoint(r.GetM()); err != nil {
		n.t.Fatal(err)
	}
	if p.B, err = lock.ParsePoint(r.GetB()); err != nil {
		n.t.Fatal(err)
	}
	if p.RequestKeyCID, err = lock.ParseRawCID(r.GetRequestKey()); err != nil {
		n.t.Fatal(err)
	}
	p.Versions = []lock.ProposedVersion{v}
	return p
}

// A holder believes no other that guardians approved and that their delay is over: each line is one thing for which it stays silent,
// and it answers when that is put right.
func TestHolderChecksRecoveries(t *testing.T) {
	type scene struct {
		*custodyNet
		recovery  *accessv1.Recovery
		guardians *accessv1.Guardians
		release   *custodyv1.Release
	}
	other := func(s scene) []byte {
		scalar, err := lock.RandomScalar(s.random)
		if err != nil {
			t.Fatal(err)
		}
		return scalar.Public().Bytes()
	}
	for _, tc := range []struct {
		name  string
		spoil func(s scene)
	}{
		{"no such recovery", func(s scene) { s.custodyNet.recovery = nil }},
		{"the delay runs", func(s scene) { s.custodyNet.recovery.Status = accessv1.RecoveryStatus_RECOVERY_STATUS_DELAYED }},
		{"the delay runs, whatever the status says", func(s scene) { s.recovery.Due = s.now.Unix() + 1 }},
		{"no delay", func(s scene) { s.recovery.Due = 0 }},
		{"the delay was cut short", func(s scene) { s.recovery.Approvals[1].At = s.now.Unix() - 604_800 }},
		{"a shorter delay", func(s scene) { s.recovery.Delay = 60 }},
		{"a shorter delay in both", func(s scene) { s.recovery.Delay, s.guardians.Delay = 604_801, 604_801 }},
		{"cancelled", func(s scene) { s.custodyNet.recovery.Status = accessv1.RecoveryStatus_RECOVERY_STATUS_CANCELLED }},
		{"cancelled, whatever the status says", func(s scene) { s.recovery.CancelledBy = s.recovery.GetFormer() }},
		{"expired, whatever the status says", func(s scene) { s.recovery.Expired = true }},
		{"finished, whatever the status says", func(s scene) { s.recovery.FinishedAt = 1 }},
		{"out of time", func(s scene) { s.recovery.ExpiresAt = s.now.Unix() }},
		{"approved by one", func(s scene) { s.recovery.Approvals = s.recovery.GetApprovals()[:1] }},
		{"approved by one twice", func(s scene) { s.recovery.Approvals[1].Guardian = guardian(1) }},
		{"approved by a stranger", func(s scene) { s.recovery.Approvals[1].Guardian = guardian(9) }},
		{"one is enough", func(s scene) {
			s.recovery.Needed, s.guardians.Threshold, s.recovery.Approvals = 1, 1, s.recovery.GetApprovals()[:1]
		}},
		{"by hospitals", func(s scene) { s.recovery.Way = accessv1.RecoveryWay_RECOVERY_WAY_HOSPITALS }},
		{"no guardians", func(s scene) { s.custodyNet.guardians = nil }},
		{"another patient's guardians", func(s scene) { s.guardians.Patient = guardian(9) }},
		{"another vault", func(s scene) { s.recovery.Vault = guardian(9) }},
		{"another vault in both", func(s scene) { s.recovery.Vault, s.guardians.Vault = guardian(9), guardian(9) }},
		{"another slot", func(s scene) { s.guardians.Slot = guardian(9) }},
		{"the vault was written anew", func(s scene) { s.owner.Vault.Revision = 4 }},
		{"a former revision", func(s scene) { s.owner.Vault.Revision, s.guardians.Revision = 4, 4 }},
		{"another revision everywhere", func(s scene) { s.owner.Vault.Revision, s.guardians.Revision, s.recovery.Revision = 4, 4, 4 }},
		{"another wallet", func(s scene) { s.owner.Address = s.recovery.GetAccount() }},
		{"another generation", func(s scene) { s.guardians.Generation = 2 }},
		{"another account", func(s scene) { s.recovery.Account = s.account(consortiumv1.Role_ROLE_PATIENT, 0) }},
		{"another end", func(s scene) { s.recovery.ExpiresAt++ }},
		{"another request key", func(s scene) { s.recovery.RequestKey = lock.RawCID([32]byte{1}).String() }},
		{"another B", func(s scene) { s.recovery.B = other(s) }},
		{"another M in the recovery", func(s scene) { s.recovery.M = other(s) }},
		{"another M in the release", func(s scene) { s.release.Blinded[0] = other(s) }},
		{"another M in both", func(s scene) {
			m := other(s)
			s.recovery.M, s.release.Blinded[0] = m, m
		}},
		{"a point more", func(s scene) { s.release.Blinded = append(s.release.Blinded, other(s)) }},
		{"another U", func(s scene) { s.guardians.U = other(s) }},
		{"another secret", func(s scene) { s.guardians.Commitments[0] = other(s) }},
		{"another unlock", func(s scene) { s.recovery.Unlock = hex.EncodeToString(make([]byte, 32)) }},
		{"a release of the records key", func(s scene) {
			s.release.Kind, s.key.Kind = custodyv1.KeyKind_KEY_KIND_RECORDS, custodyv1.KeyKind_KEY_KIND_RECORDS
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := newCustodyNet(t)
			unlock := n.recovering()
			holder := n.holding(n.ranked(unlock)[0])
			good, guardians, owner := clone(n.recovery), clone(n.guardians), clone(n.owner)
			restore := n.snapshot()
			tc.spoil(scene{custodyNet: n, recovery: n.recovery.GetRecovery(), guardians: n.guardians, release: n.releases[unlock]})
			holder.start()
			n.settled()
			requireEqual(t, "messages", len(n.sent()), 0)
			n.set(func() {
				restore()
				n.recovery, n.guardians, n.owner = good, guardians, owner
				n.headAge = time.Second
			})
			n.requireTookInTime("put right", unlock, holder.member)
		})
	}
}
