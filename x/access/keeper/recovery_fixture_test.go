package keeper_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// guardianKey is the network's key of kind 3.
var guardianKey = func() lock.Generation {
	x, err := lock.RandomScalar(rand.NewChaCha8([32]byte{3}))
	if err != nil {
		panic(err)
	}
	return lock.Generation{Network: network, Kind: lock.KeyGuardians, Number: 1, X: x.Public()}
}()

func (c *fakeCustody) keyOfGuardians(generation uint64) (custody.Key, error) {
	if c.noKey || generation > 1 {
		return custody.Key{}, custody.ErrNoKey
	}
	return custody.Key{Kind: custody.KEY_KIND_GUARDIANS, Generation: 1, PublicKey: guardianKey.X.Bytes()}, nil
}

func (r *fakeRecords) WhyNotWallet(_ context.Context, address string) (string, error) {
	p, known := r.f.people.principals[address]
	if !known || !p.Active || p.Role != consortium.ROLE_PATIENT || p.Patient != "" {
		return records.ReasonNotFree, nil
	}
	return "", nil
}

func (r *fakeRecords) WhyNotRecover(ctx context.Context, patient string, m *records.MsgRotateVault) (string, error) {
	if m.Revision != r.patients[patient].Vault.Revision+1 {
		return records.ReasonStaleRevision, nil
	}
	return r.WhyNotWallet(ctx, m.Address)
}

func (r *fakeRecords) Recover(ctx context.Context, patient string, m *records.MsgRotateVault, entry audit.Entry) error {
	p := r.patients[patient]
	former := r.f.people.principals[p.Address]
	former.Active, former.Patient = true, ""
	r.f.people.principals[p.Address] = former
	p.Address, p.Vault.Revision, p.Closed = m.Address, m.Revision, false
	r.patients[patient] = p
	who := r.f.people.principals[m.Address]
	who.Patient = patient
	r.f.people.principals[m.Address] = who
	entry.Outcome = audit.OUTCOME_OK
	if _, err := r.f.log.Append(ctx, entry); err != nil {
		return err
	}
	return r.f.keeper.VaultWritten(ctx, patient)
}

func (r *fakeRecords) CloseWallet(_ context.Context, patient string) error {
	p := r.patients[patient]
	p.Closed = true
	r.patients[patient] = p
	who := r.f.people.principals[p.Address]
	who.Active = false
	r.f.people.principals[p.Address] = who
	return nil
}

func (r *fakeRecords) WhyNotKeepShares(_ context.Context, cid string, _, hospital uint64) (string, error) {
	if hospital != clinic {
		return records.ReasonHospitalInactive, nil
	}
	return "", nil
}

func (r *fakeRecords) KeepShares(_ context.Context, patient, cid string, _, _ uint64) error {
	p := r.patients[patient]
	p.Vault.Shares = cid
	r.patients[patient] = p
	return nil
}

func (r *fakeRecords) HasPoint(_ context.Context, u []byte) (bool, error) {
	return slices.ContainsFunc(r.points, func(known []byte) bool { return bytes.Equal(known, u) }), nil
}

func (r *fakeRecords) NamePoint(_ context.Context, u []byte) error {
	r.points = append(r.points, u)
	return nil
}

// writeVault is what records does when a patient writes the vault anew.
func (f *fixture) writeVault(patient string) {
	f.t.Helper()
	p := f.data.patients[patient]
	p.Vault.Revision, p.Vault.Shares = p.Vault.Revision+1, ""
	f.data.patients[patient] = p
	require.NoError(f.t, f.keeper.VaultWritten(f.ctx, patient))
}

// naming is what a patient's program sends to name guardians with a delay of a week.
func (f *fixture) naming(patient string, threshold int, guardians ...string) *access.MsgSetGuardians {
	f.t.Helper()
	p := f.data.patients[patient]
	m := &access.MsgSetGuardians{
		Owner: p.Address, Guardians: guardians, Threshold: uint32(threshold), Delay: "7 days", Slot: lock.ID(f.bytes(16)).String(),
		Revision: p.Vault.Revision, Generation: 1, Shares: f.rawCID(), SharesSize: 3000, Hospital: clinic,
	}
	polynomial, err := lock.NewPolynomial(uint64(threshold), f.random)
	require.NoError(f.t, err)
	m.Commitments = polynomial.Commitments().Bytes()
	f.proveSlot(p, m)
	return m
}

// proveSlot gives guardians a fresh point of their slot, with its proof.
func (f *fixture) proveSlot(p records.Patient, m *access.MsgSetGuardians) {
	f.t.Helper()
	encapsulation, err := lock.NewEncapsulation(guardianKey, f.random)
	require.NoError(f.t, err)
	gen, err := guardianKey.Hash()
	require.NoError(f.t, err)
	vault, err := lock.ParseCanonicalID(p.Vault.Id)
	require.NoError(f.t, err)
	slot, err := lock.ParseCanonicalID(m.Slot)
	require.NoError(f.t, err)
	statement := lock.GuardianSlot{Generation: gen, U: encapsulation.U, UBar: encapsulation.UBar, Signer: accountBytes(f, p.Address)}
	statement.Context, err = lock.GuardianContext(network, vault, slot, m.Revision, gen)
	require.NoError(f.t, err)
	statement.A0, err = lock.ParsePoint(m.Commitments[0])
	require.NoError(f.t, err)
	label, err := statement.Label()
	require.NoError(f.t, err)
	m.U, m.UBar = encapsulation.U.Bytes(), encapsulation.UBar.Bytes()
	m.Proof, err = encapsulation.Prove(label, f.random)
	require.NoError(f.t, err)
}

func accountBytes(f *fixture, address string) [20]byte {
	account, err := sdk.AccAddressFromBech32(address)
	require.NoError(f.t, err)
	return [20]byte(account)
}

func (f *fixture) name(m *access.MsgSetGuardians) string {
	f.t.Helper()
	res, err := f.msg.SetGuardians(f.ctx, m)
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	if res.Reason != "" {
		f.outcome(res.Outcome, res.Reason)
	}
	return res.Reason
}

// guarded is a patient with three guardians, two of whom open together.
type guarded struct {
	wallet, number      string
	guardians, accounts []string
}

func (f *fixture) guarded() guarded {
	f.t.Helper()
	g := guarded{wallet: f.wallet, number: f.alice}
	for range 3 {
		wallet, number := f.patient()
		g.guardians, g.accounts = append(g.guardians, number), append(g.accounts, wallet)
	}
	require.Empty(f.t, f.name(f.naming(f.alice, 2, g.guardians...)))
	return g
}

// recovery is what the program of an account sends to take the place of a patient's wallet, in three weeks at the latest.
func (f *fixture) recovery(account, patient string) *access.MsgProposeRecovery {
	f.t.Helper()
	m := &access.MsgProposeRecovery{Account: account, Patient: patient, ExpiresAt: f.ctx.BlockTime().Unix() + 21*day}
	g, err := f.keeper.Guardians(f.ctx, patient)
	if err != nil {
		require.ErrorIs(f.t, err, access.ErrUnknownGuardians)
		return m
	}
	session, err := lock.GenerateSession(f.random)
	require.NoError(f.t, err)
	slot, err := g.Statement(network, guardianKey.X.Bytes())
	require.NoError(f.t, err)
	m.RequestKey, m.B, m.M = session.Key().Public().CID().String(), session.B().Bytes(), session.Blind(slot.U).Bytes()
	vault, err := lock.ParseCanonicalID(g.Vault)
	require.NoError(f.t, err)
	p := lock.Proposal{
		Network: network, Requester: accountBytes(f, account), Purpose: "GUARDIAN", Expiry: uint64(m.ExpiresAt),
		RequestKeyCID: session.Key().Public().CID(), B: session.B(),
		Versions: []lock.ProposedVersion{{Record: vault, Number: g.Revision, Context: slot.Context, U: slot.U, M: session.Blind(slot.U)}},
	}
	m.Proof, err = session.Prove(p, f.random)
	require.NoError(f.t, err)
	return m
}

// askRecovery proposes a recovery and answers its number and the reason of a refusal.
func (f *fixture) askRecovery(m *access.MsgProposeRecovery) (uint64, string) {
	f.t.Helper()
	res, err := f.msg.ProposeRecovery(f.ctx, m)
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	require.Equal(f.t, audit.KindRecoveryProposed, f.log.last().Kind)
	return res.Recovery, res.Reason
}

// support is what the program of a guardian or an officer sends to approve a recovery.
func (f *fixture) support(approver string, number uint64) *access.MsgApproveRecovery {
	f.t.Helper()
	r, err := f.keeper.Recovery(f.ctx, number)
	require.NoError(f.t, err)
	m := &access.MsgApproveRecovery{
		Approver: approver, Recovery: number, Patient: r.Patient, Account: r.Account, InvitedBy: f.people.members[clinic], Unlock: r.Unlock,
	}
	if r.Way == access.RECOVERY_WAY_GUARDIANS {
		m.Capsule = f.rawCID()
	}
	if r.Until != 0 {
		m.Until = access.TimeText(r.Until)
	}
	return m
}

func (f *fixture) sendSupport(m *access.MsgApproveRecovery) string {
	f.t.Helper()
	res, err := f.msg.ApproveRecovery(f.ctx, m)
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	require.Equal(f.t, audit.KindRecoveryApproved, f.log.last().Kind)
	return res.Reason
}

func (f *fixture) cancel(signer string, number uint64) string {
	f.t.Helper()
	res, err := f.msg.CancelRecovery(f.ctx, &access.MsgCancelRecovery{Signer: signer, Recovery: number})
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Reason
}

// ending is what the program of the account sends to become the patient's wallet.
func (f *fixture) ending(number uint64) *access.MsgFinishRecovery {
	f.t.Helper()
	r, err := f.keeper.Recovery(f.ctx, number)
	require.NoError(f.t, err)
	return &access.MsgFinishRecovery{Account: r.Account, Recovery: number, Revision: f.data.patients[r.Patient].Vault.Revision + 1}
}

func (f *fixture) finish(m *access.MsgFinishRecovery) string {
	f.t.Helper()
	res, err := f.msg.FinishRecovery(f.ctx, m)
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	return res.Reason
}

func (f *fixture) stands(number uint64) access.RecoveryStatus {
	f.t.Helper()
	res, err := f.query.Recovery(f.ctx, &access.QueryRecoveryRequest{Number: number})
	require.NoError(f.t, err)
	return res.Status
}
