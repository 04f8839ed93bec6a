package keeper_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/access/keeper"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

const (
	// start is the block time of the first block.
	start = 1_800_000_000
	day   = 24 * 60 * 60

	clinic = uint64(1) // keeps the records
	er     = uint64(2) // asks for them
)

// fixture is the module on a memory store, with neighbours that remember what they
// were asked, and the people of a story: a patient, a doctor of another hospital,
// and two officers of the hospital that keeps the patient's records.
type fixture struct {
	t       *testing.T
	ctx     sdk.Context
	keeper  *keeper.Keeper
	msg     access.MsgServer
	query   access.QueryServer
	log     *fakeAudit
	people  *fakeConsortium
	data    *fakeRecords
	holders *fakeCustody
	random  *rand.ChaCha8
	counter uint64

	wallet, doctor, officer, second string
	alice                           string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, log: &fakeAudit{}, random: rand.NewChaCha8([32]byte{1}),
		people: &fakeConsortium{principals: map[string]consortium.Principal{}},
		data:   &fakeRecords{patients: map[string]records.Patient{}, versions: map[string][]records.Version{}, documents: map[string]bool{}},
		holders: &fakeCustody{
			given: map[string]bool{}, closed: map[string]bool{},
		},
	}
	f.data.f = f
	f.restart(access.DefaultGenesis())
	f.people.members = map[uint64]string{clinic: "Clinic", er: "St. Mary"}
	f.wallet, f.alice = f.patient()
	f.doctor = f.person(consortium.ROLE_CLINICIAN, er)
	f.officer, f.second = f.person(consortium.ROLE_OFFICER, clinic), f.person(consortium.ROLE_OFFICER, clinic)
	return f
}

// restart begins a new chain with this state and the same people.
func (f *fixture) restart(g *access.GenesisState) {
	f.t.Helper()
	require.NoError(f.t, f.tryRestart(g))
}

// tryRestart is restart with a state that may be refused.
func (f *fixture) tryRestart(g *access.GenesisState) error {
	f.t.Helper()
	store := storetypes.NewKVStoreKey(access.StoreKey)
	f.ctx = testutil.DefaultContextWithKeys(map[string]*storetypes.KVStoreKey{access.StoreKey: store}, nil, nil).
		WithBlockTime(time.Unix(start, 0)).WithBlockHeight(10)
	registry := codectypes.NewInterfaceRegistry()
	access.RegisterInterfaces(registry)
	var err error
	f.keeper, err = keeper.New(codec.NewProtoCodec(registry), runtime.NewKVStoreService(store), keeper.Neighbours{
		Audit: f.log, Consortium: f.people, Records: f.data, Custody: f.holders,
	})
	require.NoError(f.t, err)
	f.msg, f.query = keeper.NewMsgServer(f.keeper), keeper.NewQueryServer(f.keeper)
	return f.keeper.InitGenesis(f.ctx, g)
}

// person makes an active account.
func (f *fixture) person(role consortium.Role, member uint64) string {
	address := sdk.AccAddress(f.bytes(20)).String()
	f.people.principals[address] = consortium.Principal{Address: address, Role: role, Hospital: member, Active: true}
	return address
}

// patient makes a registered patient and answers wallet and number.
func (f *fixture) patient() (wallet, number string) {
	wallet, number = f.person(consortium.ROLE_PATIENT, 0), lock.ID(f.bytes(16)).String()
	p := f.people.principals[wallet]
	p.Patient = number
	f.people.principals[wallet] = p
	f.data.patients[number] = records.Patient{Id: number, Address: wallet, Vault: records.Vault{Id: lock.ID(f.bytes(16)).String(), Epoch: 1, Revision: 1}}
	return wallet, number
}

// revoke ends an account's role.
func (f *fixture) revoke(address string) {
	p := f.people.principals[address]
	p.Active = false
	f.people.principals[address] = p
}

// bytes are fresh and the same at each run.
func (f *fixture) bytes(n int) []byte {
	b := make([]byte, n)
	_, err := f.random.Read(b)
	require.NoError(f.t, err)
	return b
}

func (f *fixture) scalar() lock.Scalar {
	s, err := lock.RandomScalar(f.random)
	require.NoError(f.t, err)
	return s
}

func (f *fixture) rawCID() string {
	f.counter++
	return lock.RawCID(sha256.Sum256(binary.BigEndian.AppendUint64(nil, f.counter))).String()
}

// record stores a new record of the patient, or the clinic's own where the patient
// is empty.
func (f *fixture) record(patient string) records.Version {
	h := records.Header{
		Suite: 1, Lock: records.LOCK_OWNER_AND_NETWORK, OwnerKind: records.OWNER_KIND_PATIENT, Patient: patient, Custodian: clinic, Generation: 1,
		U: f.scalar().Public().Bytes(), C: f.bytes(32), Pc: f.bytes(32), Dc: f.bytes(32),
	}
	if patient == "" {
		h.OwnerKind = records.OWNER_KIND_HOSPITAL
	}
	return f.add(records.Version{Record: lock.ID(f.bytes(16)).String(), Version: 1, Header: h})
}

// add keeps a version as it is.
func (f *fixture) add(v records.Version) records.Version {
	f.data.versions[v.Record] = append(f.data.versions[v.Record], v)
	return v
}

// nextBlock ends the block and begins one so many seconds later.
func (f *fixture) nextBlock(seconds int64) {
	f.t.Helper()
	require.NoError(f.t, f.keeper.EndBlock(f.ctx))
	f.ctx = f.ctx.WithBlockHeight(f.ctx.BlockHeight() + 1).WithBlockTime(f.ctx.BlockTime().Add(time.Duration(seconds) * time.Second))
}

// propose sends a request that is to be accepted and answers the unlock's id.
func (f *fixture) propose(requester string, versions ...records.Version) string {
	f.t.Helper()
	id, reason := f.send(f.request(requester, versions...))
	require.Empty(f.t, reason)
	return id
}

// send sends a request and answers the unlock's id and the reason of a refusal.
func (f *fixture) send(msg *access.MsgProposeUnlock) (unlock, reason string) {
	f.t.Helper()
	res, err := f.msg.ProposeUnlock(f.ctx, msg)
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Unlock, res.Reason
}

func (f *fixture) endorse(officer, unlock string) string {
	f.t.Helper()
	res, err := f.msg.EndorseUnlock(f.ctx, &access.MsgEndorseUnlock{Officer: officer, Unlock: unlock})
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Reason
}

// approval is what an owner's program sends for an unlock that it was shown.
func (f *fixture) approval(owner, unlock string) *access.MsgApproveUnlock {
	f.t.Helper()
	u, err := f.keeper.Unlock(f.ctx, unlock)
	require.NoError(f.t, err)
	shown := u.Shown(f.people.members[u.Hospital])
	return &access.MsgApproveUnlock{
		Owner: owner, Hospital: shown.Hospital, Purpose: shown.Purpose, Records: shown.Records, Until: shown.Until,
		Unlock: unlock, Capsule: f.rawCID(),
	}
}

func (f *fixture) approve(owner, unlock string) string {
	f.t.Helper()
	return f.sendApproval(f.approval(owner, unlock))
}

func (f *fixture) sendApproval(msg *access.MsgApproveUnlock) string {
	f.t.Helper()
	res, err := f.msg.ApproveUnlock(f.ctx, msg)
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Reason
}

func (f *fixture) deny(signer, unlock string) string {
	f.t.Helper()
	res, err := f.msg.DenyUnlock(f.ctx, &access.MsgDenyUnlock{Signer: signer, Unlock: unlock})
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Reason
}

func (f *fixture) withdraw(signer, unlock string) string {
	f.t.Helper()
	res, err := f.msg.WithdrawUnlock(f.ctx, &access.MsgWithdrawUnlock{Signer: signer, Unlock: unlock})
	require.NoError(f.t, err)
	f.outcome(res.Outcome, res.Reason)
	return res.Reason
}

// approved brings an unlock to the holders.
func (f *fixture) approved(versions ...records.Version) string {
	f.t.Helper()
	id := f.propose(f.doctor, versions...)
	require.Empty(f.t, f.endorse(f.officer, id))
	require.Empty(f.t, f.approve(f.wallet, id))
	f.nextBlock(5)
	require.Equal(f.t, id, f.holders.requested[len(f.holders.requested)-1].Unlock)
	return id
}

// outcome checks that outcome and reason of an answer and of the newest entry agree.
func (f *fixture) outcome(outcome audit.Outcome, reason string) {
	f.t.Helper()
	want := audit.OUTCOME_OK
	if reason != "" {
		want = audit.OUTCOME_REFUSED
	}
	require.Equal(f.t, want, outcome)
	require.Equal(f.t, want, f.log.last().Outcome)
	require.Equal(f.t, reason, f.log.last().Reason)
}

func (f *fixture) status(unlock string) access.UnlockStatus {
	f.t.Helper()
	res, err := f.query.Unlock(f.ctx, &access.QueryUnlockRequest{Id: unlock})
	require.NoError(f.t, err)
	return res.Status
}

// fakeAudit remembers entries, and takes only those that the log takes.
type fakeAudit struct{ entries []audit.Entry }

func (a *fakeAudit) Append(_ context.Context, e audit.Entry) (uint64, error) {
	if err := e.Validate(); err != nil {
		return 0, err
	}
	a.entries = append(a.entries, e)
	return uint64(len(a.entries)), nil
}

// last is the newest entry.
func (a *fakeAudit) last() audit.Entry { return a.entries[len(a.entries)-1] }

// kinds are what was done to an unlock, in order.
func (a *fakeAudit) kinds(unlock string) []string {
	var kinds []string
	for _, e := range a.entries {
		if e.Unlock == unlock && e.Outcome == audit.OUTCOME_OK {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

// fakeConsortium knows who it was told about.
type fakeConsortium struct {
	principals map[string]consortium.Principal
	members    map[uint64]string
	left       map[uint64]bool
	// emergency are those that have an emergency vault, with its epoch
	emergency map[uint64]uint64
}

func (c *fakeConsortium) Principal(_ context.Context, address string) (consortium.Principal, error) {
	p, known := c.principals[address]
	if !known {
		return p, consortium.ErrUnknownAccount.Wrap(address)
	}
	return p, nil
}

func (c *fakeConsortium) Actor(ctx context.Context, address string) (consortium.Principal, audit.Entry, error) {
	p, err := c.Principal(ctx, address)
	return p, audit.Entry{Actor: address, Role: p.Role.Text(), Hospital: p.Hospital}, err
}

func (c *fakeConsortium) Member(_ context.Context, number uint64) (consortium.Member, error) {
	m := consortium.Member{
		Number: number, Name: c.members[number], Status: consortium.MEMBER_STATUS_ACTIVE, VaultEpoch: 1, VaultKey: fmt.Append(nil, "vault of ", number),
	}
	if epoch := c.emergency[number]; epoch > 0 {
		m.EmergencyEpoch, m.EmergencyKey = epoch, fmt.Append(nil, "emergency vault of ", number)
	}
	if c.left[number] {
		m.Status = consortium.MEMBER_STATUS_LEFT
	}
	return m, nil
}

func (c *fakeConsortium) StaffMember(_ context.Context, address string) (consortium.Staff, error) {
	p, known := c.principals[address]
	if !known || !p.Role.IsStaff() {
		return consortium.Staff{}, consortium.ErrUnknownAccount.Wrap(address)
	}
	s := consortium.Staff{Address: p.Address, Hospital: p.Hospital, Role: p.Role, Revoked: !p.Active, Wards: p.Wards, VaultEpoch: p.VaultEpoch}
	if s.HasVault() {
		s.VaultKey = []byte("vault of " + address)
	}
	return s, nil
}

// Inviter says that the clinic invites everybody.
func (c *fakeConsortium) Inviter(context.Context, string) (uint64, error) { return clinic, nil }

func (c *fakeConsortium) NetworkID(context.Context) (lock.Network, error) { return network, nil }

func (c *fakeConsortium) Authority() string { return authority }

var (
	network   = lock.Network{7}
	authority = sdk.AccAddress(make([]byte, 20)).String()
)

// fakeRecords has what was stored.
type fakeRecords struct {
	patients map[string]records.Patient
	versions map[string][]records.Version
	// documents are records of another class than imaging
	documents map[string]bool
	points    [][]byte // of guardian slots
	f         *fixture
}

func (r *fakeRecords) Patient(_ context.Context, id string) (records.Patient, error) {
	p, known := r.patients[id]
	if !known {
		return p, records.ErrUnknownPatient
	}
	return p, nil
}

func (r *fakeRecords) Version(_ context.Context, record string, version uint64) (records.Version, error) {
	for _, v := range r.versions[record] {
		if v.Version == version {
			return v, nil
		}
	}
	if r.versions[record] == nil {
		return records.Version{}, records.ErrUnknownRecord
	}
	return records.Version{}, records.ErrUnknownVersion
}

func (r *fakeRecords) Record(_ context.Context, id string) (records.Record, error) {
	versions := r.versions[id]
	if len(versions) == 0 {
		return records.Record{}, records.ErrUnknownRecord
	}
	h := versions[0].Header
	class := records.CLASS_IMAGING
	if r.documents[id] {
		class = records.CLASS_DOCUMENT
	}
	return records.Record{Id: id, OwnerKind: h.OwnerKind, Patient: h.Patient, Custodian: h.Custodian, Class: class, Versions: uint64(len(versions))}, nil
}

func (r *fakeRecords) LockContext(_ context.Context, v records.Version) (lockContext, generation [64]byte, err error) {
	return v.Header.LockContext(network, generationKey, v.Record, v.Version)
}

// generationKey is the network's key of generation 1.
var generationKey = func() []byte {
	x, err := lock.RandomScalar(rand.NewChaCha8([32]byte{9}))
	if err != nil {
		panic(err)
	}
	return x.Public().Bytes()
}()

// fakeCustody remembers what it was asked, and which unlocks got shares.
type fakeCustody struct {
	requested     []custody.Release
	given, closed map[string]bool
	noKey         bool // for guardians
}

func (c *fakeCustody) Key(_ context.Context, kind custody.KeyKind, generation uint64) (custody.Key, error) {
	if kind == custody.KEY_KIND_GUARDIANS {
		return c.keyOfGuardians(generation)
	}
	return custody.Key{Kind: kind, Generation: generation, PublicKey: generationKey}, nil
}

func (c *fakeCustody) RequestRelease(_ context.Context, r custody.Release) error {
	c.requested = append(c.requested, r)
	return nil
}

func (c *fakeCustody) Release(_ context.Context, unlock string) (custody.Release, error) {
	for _, r := range c.requested {
		if r.Unlock == unlock {
			return r, nil
		}
	}
	return custody.Release{}, custody.ErrUnknownRelease
}

func (c *fakeCustody) CloseRelease(_ context.Context, unlock string) (bool, error) {
	c.closed[unlock] = true
	return c.given[unlock], nil
}
