package keeper_test

import (
	"context"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
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
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/records/keeper"
	"github.com/phrd/phrd/x/storage"
)

// start is the block time of the first block.
const start = 1_800_000_000

const (
	clinic   = uint64(1) // stores
	hospital = uint64(2) // another member
)

var network = lock.Network{7}

// fixture is the module on a memory store, with neighbours that remember what they
// were asked.
type fixture struct {
	t       *testing.T
	ctx     sdk.Context
	keeper  *keeper.Keeper
	msg     records.MsgServer
	query   records.QueryServer
	log     *fakeAudit
	people  *fakeConsortium
	keys    *fakeCustody
	placed  *fakeStorage
	random  *rand.ChaCha8
	counter uint64

	clerk, node, officer, wallet string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		t: t, log: &fakeAudit{}, placed: &fakeStorage{safe: map[string]bool{}}, random: rand.NewChaCha8([32]byte{1}),
		people: &fakeConsortium{principals: map[string]consortium.Principal{}, members: map[uint64]consortium.Member{}, inviters: map[string]uint64{}},
	}
	f.keys = &fakeCustody{keys: map[uint64]custody.Key{}}
	f.newGeneration(1)
	store := storetypes.NewKVStoreKey(records.StoreKey)
	f.ctx = testutil.DefaultContextWithKeys(map[string]*storetypes.KVStoreKey{records.StoreKey: store}, nil, nil).
		WithBlockTime(time.Unix(start, 0)).WithBlockHeight(10)
	registry := codectypes.NewInterfaceRegistry()
	records.RegisterInterfaces(registry)
	var err error
	f.keeper, err = keeper.New(codec.NewProtoCodec(registry), runtime.NewKVStoreService(store), keeper.Neighbours{
		Audit: f.log, Consortium: f.people, Custody: f.keys, Storage: f.placed,
	})
	require.NoError(t, err)
	require.NoError(t, f.keeper.InitGenesis(f.ctx, records.DefaultGenesis()))
	f.people.records = f.keeper
	f.msg, f.query = keeper.NewMsgServer(f.keeper), keeper.NewQueryServer(f.keeper)

	f.people.members[clinic] = consortium.Member{Number: clinic, Name: "Clinic", Status: consortium.MEMBER_STATUS_ACTIVE, VaultKey: f.vaultKey(), VaultEpoch: 1}
	f.people.members[hospital] = consortium.Member{Number: hospital, Name: "Hospital", Status: consortium.MEMBER_STATUS_ACTIVE, VaultKey: f.vaultKey(), VaultEpoch: 1}
	f.clerk = f.person(consortium.ROLE_CLERK, clinic)
	f.node = f.person(consortium.ROLE_NODE, clinic)
	f.officer = f.person(consortium.ROLE_OFFICER, clinic)
	f.wallet = f.person(consortium.ROLE_PATIENT, 0)
	f.people.inviters[f.wallet] = hospital
	return f
}

// person makes an active account.
func (f *fixture) person(role consortium.Role, member uint64) string {
	address := sdk.AccAddress(f.bytes(20)).String()
	f.people.principals[address] = consortium.Principal{Address: address, Role: role, Hospital: member, Active: true}
	return address
}

// bytes are fresh and the same at each run.
func (f *fixture) bytes(n int) []byte {
	b := make([]byte, n)
	_, err := f.random.Read(b)
	require.NoError(f.t, err)
	return b
}

func (f *fixture) id() lock.ID { return lock.ID(f.bytes(16)) }

func (f *fixture) digest() [32]byte {
	f.counter++
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, f.counter))
}

// vaultKey is a real X-Wing public key.
func (f *fixture) vaultKey() []byte {
	key, err := hpke.MLKEM768X25519().DeriveKeyPair(f.bytes(32))
	require.NoError(f.t, err)
	return key.PublicKey().Bytes()
}

// newGeneration makes the generation the newest.
func (f *fixture) newGeneration(n uint64) {
	x, err := lock.RandomScalar(f.random)
	require.NoError(f.t, err)
	f.keys.keys[n] = custody.Key{Kind: custody.KEY_KIND_RECORDS, Generation: n, PublicKey: x.Public().Bytes(), Threshold: 3, ShareEpoch: 1}
	f.keys.newest = n
}

// registration is what a patient's program sends.
func (f *fixture) registration(wallet string) *records.MsgRegisterPatient {
	msg := &records.MsgRegisterPatient{
		Address: wallet, Patient: f.id().String(), Vault: f.id().String(), VaultBlob: lock.RawCID(f.digest()).String(), VaultSize: 4108,
	}
	for key := f.vaultKey(); len(key) > 0; key = key[64:] {
		msg.VaultKey = append(msg.VaultKey, key[:64])
	}
	return msg
}

// patient registers the wallet.
func (f *fixture) patient(wallet string) records.Patient {
	f.t.Helper()
	msg := f.registration(wallet)
	_, err := f.msg.RegisterPatient(f.ctx, msg)
	require.NoError(f.t, err)
	p, err := f.keeper.Patient(f.ctx, msg.Patient)
	require.NoError(f.t, err)
	return p
}

// store sends the versions and answers the reason of a refusal.
func (f *fixture) store(versions ...records.NewVersion) string {
	f.t.Helper()
	return f.storeBy(f.clerk, versions...)
}

func (f *fixture) storeBy(signer string, versions ...records.NewVersion) string {
	f.t.Helper()
	res, err := f.msg.StoreVersions(f.ctx, &records.MsgStoreVersions{Clerk: signer, Versions: versions})
	require.NoError(f.t, err)
	require.Equal(f.t, res.Reason == "", res.Outcome == audit.OUTCOME_OK)
	require.Equal(f.t, res.Reason != "", res.Outcome == audit.OUTCOME_REFUSED)
	return res.Reason
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

func (a *fakeAudit) AppendAll(ctx context.Context, entries []audit.Entry) (last uint64, err error) {
	for _, e := range entries {
		if last, err = a.Append(ctx, e); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// last is the newest entry.
func (a *fakeAudit) last() audit.Entry { return a.entries[len(a.entries)-1] }

// fakeConsortium knows who it was told about.
type fakeConsortium struct {
	principals map[string]consortium.Principal
	members    map[uint64]consortium.Member
	inviters   map[string]uint64
	records    *keeper.Keeper
}

func (c *fakeConsortium) Principal(ctx context.Context, address string) (consortium.Principal, error) {
	p, known := c.principals[address]
	if !known {
		return p, consortium.ErrUnknownAccount.Wrap(address)
	}
	patient, closed, err := c.records.PatientOf(ctx, address)
	p.Patient, p.Active = patient, p.Active && !closed
	return p, err
}

func (c *fakeConsortium) Actor(ctx context.Context, address string) (consortium.Principal, audit.Entry, error) {
	p, err := c.Principal(ctx, address)
	return p, audit.Entry{Actor: address, Role: p.Role.Text(), Hospital: p.Hospital}, err
}

func (c *fakeConsortium) Inviter(_ context.Context, address string) (uint64, error) {
	return c.inviters[address], nil
}

func (c *fakeConsortium) Member(_ context.Context, number uint64) (consortium.Member, error) {
	return c.members[number], nil
}

func (c *fakeConsortium) NetworkID(context.Context) (lock.Network, error) {
	return network, nil
}

func (c *fakeConsortium) Authority() string { return "authority" }

// fakeCustody has the keys it was given.
type fakeCustody struct {
	keys   map[uint64]custody.Key
	newest uint64
	// noEmergency says that there is no key of that kind
	noEmergency bool
}

func (c *fakeCustody) Key(_ context.Context, kind custody.KeyKind, generation uint64) (custody.Key, error) {
	if kind == custody.KEY_KIND_EMERGENCY && c.noEmergency {
		return custody.Key{}, custody.ErrNoKey
	}
	if generation == 0 {
		generation = c.newest
	}
	key, known := c.keys[generation]
	if !known {
		return key, custody.ErrNoKey
	}
	return key, nil
}

// fakeStorage remembers what it was asked to place and to erase.
type fakeStorage struct {
	placements []storage.Placement
	// quota is how many bytes a member may bring in; 0 is any number.
	quota uint64
	// erased are the things that were erased, in order.
	erased [][]string
	// safe are the objects that enough hospitals hold.
	safe map[string]bool
	// nodes are where nodes stand with every erasure.
	nodes []storage.NodeErasure
}

func (s *fakeStorage) Erase(_ context.Context, things ...[]string) ([]uint64, error) {
	numbers := make([]uint64, len(things))
	for i, cids := range things {
		s.erased = append(s.erased, cids)
		numbers[i] = uint64(len(s.erased))
	}
	return numbers, nil
}

func (s *fakeStorage) IsSafe(_ context.Context, cid string) (bool, error) { return s.safe[cid], nil }

func (s *fakeStorage) NodeErasures(_ context.Context, number uint64) ([]storage.NodeErasure, error) {
	if number > uint64(len(s.erased)) {
		return nil, storage.ErrUnknownErasure
	}
	return s.nodes, nil
}

func (s *fakeStorage) Room(context.Context, uint64) (storage.Room, error) {
	var brought uint64
	for _, p := range s.placements {
		brought += p.Size
	}
	return storage.NewRoom(s.quota, brought, []storage.Candidate{{Node: 1, Capacity: 1 << 50}}), nil
}

func (s *fakeStorage) Place(_ context.Context, p storage.Placement) ([]uint64, error) {
	s.placements = append(s.placements, p)
	return []uint64{1}, nil
}

func (s *fakeStorage) PlaceAll(_ context.Context, placements []storage.Placement) error {
	s.placements = append(s.placements, placements...)
	return nil
}
