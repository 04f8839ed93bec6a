package node_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/node"
	"github.com/phrd/phrd/seal"
)

// fakeVault has the keys of a hospital's vault by epoch.
type fakeVault map[uint64]*lock.PrivateKey

func (v fakeVault) HospitalVault(epoch uint64) (*lock.PrivateKey, error) {
	if key := v[epoch]; key != nil {
		return key, nil
	}
	return nil, errors.New("no such key")
}

func (v fakeVault) EmergencyVault(epoch uint64) (*lock.PrivateKey, error) {
	return v.HospitalVault(epoch)
}

// consentedScan is a version that is sealed to the er's vault, and an unlock of it that a consent to a ward of the er approved.
type consentedScan struct {
	*custodyNet
	unlock    *accessv1.QueryUnlockResponse
	requester *consortiumv1.Principal
	version   *recordsv1.Version
	vault     fakeVault
	header    seal.Header
	rk        *lock.PrivateKey
	blocks    map[lock.CID][]byte
	capsules  *node.Capsules
}

func newConsentedScan(t *testing.T) *consentedScan {
	t.Helper()
	n := newCustodyNet(t)
	s := &consentedScan{custodyNet: n, vault: fakeVault{1: n.privateKey(), 2: n.privateKey()}, rk: n.privateKey(), blocks: map[lock.CID][]byte{}}
	s.store(t)
	id := n.approved(s.version)
	n.consented(id)
	s.unlock = n.unlocks[id]
	s.requester = n.principals[s.unlock.GetUnlock().GetRequester()]
	s.unlock.Unlock.RequestKey = s.rk.Public().CID().String()
	s.blocks[s.rk.Public().CID()] = s.rk.Public().Bytes()
	var err error
	chain := &holderChain{ClientConn: n.conn, n: n, bell: &node.Bell{}}
	n.bells = append(n.bells, chain.bell)
	if s.capsules, err = node.NewCapsules(node.CapsulesConfig{Chain: chain, Vault: s.vault, Ask: n.ask, Now: n.time}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (n *custodyNet) privateKey() *lock.PrivateKey {
	key, err := lock.GeneratePrivateKey(n.random)
	if err != nil {
		n.t.Fatal(err)
	}
	return key
}

// store locks a version as a clerk's program does, to the patient and the er.
func (s *consentedScan) store(t *testing.T) {
	t.Helper()
	patient, err := lock.ParseCanonicalID(s.patient)
	if err != nil {
		t.Fatal(err)
	}
	hospital, err := seal.HospitalRecipient(er)
	if err != nil {
		t.Fatal(err)
	}
	s.storeFor(t, lock.PatientOwner(patient), clinic,
		seal.VaultKey{Recipient: seal.PatientRecipient(patient), Epoch: 1, Key: s.privateKey().Public()}, seal.VaultKey{Recipient: hospital, Epoch: 2, Key: s.vault[2].Public()})
}

// storeFor locks a version of an owner's to vaults.
func (s *consentedScan) storeFor(t *testing.T, owner lock.Owner, custodian uint64, recipients ...seal.VaultKey) {
	t.Helper()
	terms := seal.Terms{
		Lock: lock.LockBoth, Record: lock.ID(s.bytes(16)), Version: 1, Owner: owner, Custodian: custodian,
		Key: lock.Generation{Network: s.network, Kind: lock.KeyRecords, Number: 1, X: s.dealt.X}, Recipients: recipients,
	}
	content := bytes.NewReader(s.bytes(100))
	sealed, err := seal.Seal(t.Context(), shelf(s.blocks), content, seal.Draft{Name: "scan", MediaType: "text/plain", Size: 100})
	if err != nil {
		t.Fatal(err)
	}
	locked, err := seal.LockVersion(terms, sealed.Ref, sealed.DEK)
	if err != nil {
		t.Fatal(err)
	}
	s.header, s.blocks[locked.Header.Envelope] = locked.Header, locked.Block
	h := locked.Header
	s.version = &recordsv1.Version{
		Record: terms.Record.String(), Version: 1, Envelope: h.Envelope.String(), Object: h.Object.String(), Size: h.PaddedSize,
		Header: &recordsv1.Header{
			Suite: 1, Lock: recordsv1.Lock_LOCK_OWNER_AND_NETWORK, OwnerKind: recordsv1.OwnerKind(owner.Kind()), Patient: s.patientOf(owner),
			Custodian: custodian, Generation: 1, U: h.U.Bytes(), C: h.C[:], Pc: h.Pc, Dc: h.Dc[:],
		},
	}
	s.set(func() { s.versions[s.version.GetRecord()] = s.version })
}

// patientOf is the number of the patient who owns it, none where a hospital does.
func (s *consentedScan) patientOf(owner lock.Owner) string {
	if owner.Kind() == lock.OwnerPatient {
		return s.patient
	}
	return ""
}

// shelf keeps blocks.
type shelf map[lock.CID][]byte

func (s shelf) Put(_ context.Context, c lock.CID, block []byte) error {
	s[c] = bytes.Clone(block)
	return nil
}

func (s *consentedScan) ask(requester string, hospital uint64) ([]byte, error) {
	return s.askWithin(s.t.Context(), requester, hospital)
}

func (s *consentedScan) askWithin(ctx context.Context, requester string, hospital uint64) ([]byte, error) {
	return s.capsules.Capsule(ctx, s.unlock.GetUnlock().GetId(), requester, hospital, s.block)
}

func (s *consentedScan) block(_ context.Context, c lock.CID) ([]byte, error) {
	if block := s.blocks[c]; block != nil {
		return block, nil
	}
	return nil, errors.New("no such block")
}

// The requester gets the owner's half, which fits the version's commitment, and nobody else can open the capsule.
func TestCapsule(t *testing.T) {
	s := newConsentedScan(t)
	capsule, err := s.ask(s.requester.GetAddress(), er)
	if err != nil {
		t.Fatal(err)
	}
	asked := []seal.Asked{{Record: s.header.Context.Record, Version: 1, Lock: lock.LockBoth}}
	id := [32]byte(mustHex(t, s.unlock.GetUnlock().GetId()))
	halves, err := seal.OpenCapsule(s.rk, s.network, id, asked, capsule)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.header.CheckHalf(*halves[0]); err != nil {
		t.Error(err)
	}
	if _, err := seal.OpenCapsule(s.vault[2], s.network, id, asked, capsule); !errors.Is(err, seal.ErrCapsule) {
		t.Errorf("opened with the hospital's vault: %v", err)
	}
}

// Each line is one thing for which nothing is handed over.
func TestNoCapsule(t *testing.T) {
	for _, tc := range []struct {
		name  string
		code  codes.Code
		spoil func(s *consentedScan) (requester string, hospital uint64)
	}{
		{"another clinician", codes.NotFound, func(s *consentedScan) (string, uint64) {
			return s.account(consortiumv1.Role_ROLE_CLINICIAN, er), er
		}},
		{"at another hospital", codes.NotFound, func(s *consentedScan) (string, uint64) { return s.requester.GetAddress(), clinic }},
		{"no such unlock", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.unlock.Unlock.Id = "00"
			return s.requester.GetAddress(), er
		}},
		{"endorsed and no more", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED
			return s.requester.GetAddress(), er
		}},
		{"withdrawn", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED
			return s.requester.GetAddress(), er
		}},
		{"approved by the patient", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.unlock.Unlock.Approval.Consent = 0
			return s.requester.GetAddress(), er
		}},
		{"a withdrawn consent", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.consent.Status = accessv1.ConsentStatus_CONSENT_STATUS_WITHDRAWN
			return s.requester.GetAddress(), er
		}},
		{"a consent to one clinician", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.consent.Consent.Staff = s.requester.GetAddress()
			return s.requester.GetAddress(), er
		}},
		{"another patient's consent", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.consent.Consent.Patient = lock.ID{9}.String()
			return s.requester.GetAddress(), er
		}},
		{"who left the ward", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.requester.Wards = nil
			return s.requester.GetAddress(), er
		}},
		{"who was revoked", codes.NotFound, func(s *consentedScan) (string, uint64) {
			s.requester.Active = false
			return s.requester.GetAddress(), er
		}},
		{"not sealed to the hospital", codes.FailedPrecondition, func(s *consentedScan) (string, uint64) {
			s.requester.Hospital, s.unlock.Unlock.Hospital, s.consent.Consent.Hospital = 3, 3, 3
			return s.requester.GetAddress(), 3
		}},
		{"a key that is not here", codes.Unknown, func(s *consentedScan) (string, uint64) {
			delete(s.vault, 2)
			return s.requester.GetAddress(), er
		}},
		{"another envelope", codes.Unknown, func(s *consentedScan) (string, uint64) {
			s.version.Header.Pc = s.bytes(32)
			return s.requester.GetAddress(), er
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newConsentedScan(t)
			requester, hospital := tc.spoil(s)
			capsule, err := s.ask(requester, hospital)
			if len(capsule) != 0 || status.Code(err) != tc.code {
				t.Errorf("%d bytes, %v, want %v", len(capsule), err, tc.code)
			}
		})
	}
}

// Each line is a node that may be one of the past. It hands over nothing, and does when it is put right.
func TestNoCapsuleOfThePast(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(n *custodyNet)
	}{
		{"catching up", func(n *custodyNet) { n.head.CatchingUp = true }},
		{"head 30 seconds old", func(n *custodyNet) { n.headAge = 30 * time.Second }},
		{"head without signatures", func(n *custodyNet) { n.head.Signed = false }},
		{"the others are a block ahead", func(n *custodyNet) { n.told = n.tells(1) }},
		{"nobody else answers", func(n *custodyNet) {
			n.told = func(uint64) (node.Told, error) { return node.Told{}, errors.New("no route to host") }
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newConsentedScan(t)
			restore := s.snapshot()
			s.set(func() { tc.spoil(s.custodyNet) })
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			capsule, err := s.askWithin(ctx, s.requester.GetAddress(), er)
			if len(capsule) != 0 || status.Code(err) != codes.Unavailable {
				t.Errorf("%d bytes, %v", len(capsule), err)
			}

			// Who asks waits for the block that the others have.
			answered := make(chan error)
			go func() {
				_, err := s.ask(s.requester.GetAddress(), er)
				answered <- err
			}()
			s.set(restore)
			s.commit(0)
			if err := <-answered; err != nil {
				t.Errorf("put right: %v", err)
			}
		})
	}
}

// What ends while the others are asked is not handed over.
func TestNoCapsuleForWhatEndsMeanwhile(t *testing.T) {
	s := newConsentedScan(t)
	s.told = func(uint64) (node.Told, error) {
		s.set(func() { s.unlock.Status = accessv1.UnlockStatus_UNLOCK_STATUS_WITHDRAWN_MAY_BE_OPENED })
		return s.tells(0)(0)
	}
	if capsule, err := s.ask(s.requester.GetAddress(), er); len(capsule) != 0 || status.Code(err) != codes.NotFound {
		t.Errorf("%d bytes, %v", len(capsule), err)
	}
}

func mustHex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
