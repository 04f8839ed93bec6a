package keeper_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cosmossdk.io/log/v2"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	auth "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/access/keeper"
	"github.com/phrd/phrd/x/audit"
	auditkeeper "github.com/phrd/phrd/x/audit/keeper"
	"github.com/phrd/phrd/x/consortium"
	consortiumkeeper "github.com/phrd/phrd/x/consortium/keeper"
	"github.com/phrd/phrd/x/custody"
	custodykeeper "github.com/phrd/phrd/x/custody/keeper"
	"github.com/phrd/phrd/x/records"
	recordskeeper "github.com/phrd/phrd/x/records/keeper"
	"github.com/phrd/phrd/x/storage"
	storagekeeper "github.com/phrd/phrd/x/storage/keeper"
)

// hospitals found the network of the stories; three of them open.
const hospitals = 4

// chain is all modules of the network's own, wired as the application wires them, on
// a memory store: four hospitals with a dealt key, and the people of a story.
type chain struct {
	t       *testing.T
	ctx     sdk.Context
	store   store.CommitMultiStore
	random  *rand.ChaCha8
	counter uint64
	opened  map[string]*lock.Session

	audit      *auditkeeper.Keeper
	consortium *consortiumkeeper.Keeper
	custody    *custodykeeper.Keeper
	storage    *storagekeeper.Keeper
	records    *recordskeeper.Keeper
	access     *keeper.Keeper

	network                        lock.Network
	dealt                          *lock.Dealt
	admins, nodes                  []string // by member's number less one
	clerk, officer, doctor, wallet string
	alice                          records.Patient
	genesis                        chainGenesis
}

// chainGenesis is the state of all modules.
type chainGenesis struct {
	audit      *audit.GenesisState
	consortium *consortium.GenesisState
	custody    *custody.GenesisState
	storage    *storage.GenesisState
	records    *records.GenesisState
	access     *access.GenesisState
}

func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{t: t, random: rand.NewChaCha8([32]byte{1}), opened: map[string]*lock.Session{}}
	c.found()
	c.start(c.genesis)
	c.clerk, c.officer, c.doctor = c.staff(clinic, consortium.ROLE_CLERK), c.staff(clinic, consortium.ROLE_OFFICER), c.staff(er, consortium.ROLE_CLINICIAN)
	c.wallet = c.invited(clinic)
	c.alice = c.register(c.wallet)
	return c
}

// found makes the first state.
func (c *chain) found() {
	g := consortium.DefaultGenesis()
	g.NetworkId = c.bytes(32)
	indexes := make([]uint64, hospitals)
	for i := range indexes {
		indexes[i] = uint64(i) + 1
		d := consortium.Declaration{
			Name: fmt.Sprintf("Hospital %d", i+1), Site: "Main", TimeZone: "Europe/Vienna",
			ConsensusKey: c.bytes(32), CometKey: c.bytes(32), CometAddress: "192.0.2.1:26656",
			Libp2PKey: c.bytes(32), Libp2PAddress: "/ip4/192.0.2.1/tcp/4001",
			NodeKey: c.accountKey(), AdminKey: c.accountKey(), VaultKey: c.vault(), RoundKey: c.vault(),
			GatewayUrl: "https://192.0.2.1:8443", GatewayFingerprint: c.bytes(32), Capacity: 1 << 40,
		}
		f := d.Found(indexes[i], indexes[i], start)
		g.Members, g.Sites, g.StorageNodes, g.Staff = append(g.Members, f.Member), append(g.Sites, f.Site), append(g.StorageNodes, f.Node), append(g.Staff, f.Admin)
		c.admins, c.nodes = append(c.admins, f.Admin.Address), append(c.nodes, f.Node.Account)
	}
	threshold := custody.Threshold(custody.KEY_KIND_RECORDS, hospitals)
	var err error
	c.dealt, err = lock.Deal(threshold, indexes, c.random)
	require.NoError(c.t, err)
	keys := custody.DefaultGenesis()
	keys.Keys = []custody.Key{{
		Kind: custody.KEY_KIND_RECORDS, Generation: 1, PublicKey: c.dealt.X.Bytes(), Origin: custody.ORIGIN_DEALT, Threshold: threshold, ShareEpoch: 1, Since: start,
	}}
	for _, h := range c.dealt.Holders {
		keys.Holders = append(keys.Holders, custody.Holder{
			Kind: custody.KEY_KIND_RECORDS, Generation: 1, ShareEpoch: 1, Index: h.Index, PublicShare: h.X.Bytes(), Confirmed: true,
		})
	}
	c.genesis = chainGenesis{
		audit: audit.DefaultGenesis(), consortium: g, custody: keys, storage: storage.DefaultGenesis(),
		records: records.DefaultGenesis(), access: access.DefaultGenesis(),
	}
}

// start wires the modules on an empty store and gives them their first state.
func (c *chain) start(g chainGenesis) {
	c.t.Helper()
	stores := map[string]*storetypes.KVStoreKey{}
	c.store = store.NewCommitMultiStore(dbm.NewMemDB(), log.NewNopLogger())
	for _, name := range []string{audit.StoreKey, consortium.StoreKey, custody.StoreKey, storage.StoreKey, records.StoreKey, access.StoreKey} {
		stores[name] = storetypes.NewKVStoreKey(name)
		c.store.MountStoreWithDB(stores[name], storetypes.StoreTypeIAVL, nil)
	}
	require.NoError(c.t, c.store.LoadLatestVersion())
	header := cmtproto.Header{Height: 10, Time: time.Unix(start, 0)}
	if c.ctx.MultiStore() != nil {
		header.Height, header.Time = c.ctx.BlockHeight(), c.ctx.BlockTime()
	}
	c.ctx = sdk.NewContext(c.store, header, false, log.NewNopLogger())
	registry := codectypes.NewInterfaceRegistry()
	for _, register := range []func(codectypes.InterfaceRegistry){
		consortium.RegisterInterfaces, custody.RegisterInterfaces, storage.RegisterInterfaces, records.RegisterInterfaces, access.RegisterInterfaces,
	} {
		register(registry)
	}
	cdc := codec.NewProtoCodec(registry)
	must := func(err error) { c.t.Helper(); require.NoError(c.t, err) }
	var err error
	c.audit, err = auditkeeper.New(cdc, runtime.NewKVStoreService(stores[audit.StoreKey]))
	must(err)
	c.consortium, err = consortiumkeeper.New(cdc, runtime.NewKVStoreService(stores[consortium.StoreKey]), consortiumkeeper.Neighbours{
		Audit: c.audit, Accounts: fakeAccounts{}, Router: fakeRouter{},
	})
	must(err)
	c.custody, err = custodykeeper.New(cdc, runtime.NewKVStoreService(stores[custody.StoreKey]), c.audit, c.consortium)
	must(err)
	c.storage, err = storagekeeper.New(cdc, runtime.NewKVStoreService(stores[storage.StoreKey]), c.audit, c.consortium)
	must(err)
	c.records, err = recordskeeper.New(cdc, runtime.NewKVStoreService(stores[records.StoreKey]), recordskeeper.Neighbours{
		Audit: c.audit, Consortium: c.consortium, Custody: c.custody, Storage: c.storage,
	})
	must(err)
	c.access, err = keeper.New(cdc, runtime.NewKVStoreService(stores[access.StoreKey]), keeper.Neighbours{
		Audit: c.audit, Consortium: c.consortium, Records: c.records, Custody: c.custody,
	})
	must(err)
	c.custody.SetReleaseHooks(c.access)
	c.storage.SetObjectHooks(c.records)
	c.consortium.SetPrincipals(c.records)
	c.records.SetGrantees(c.access)

	for _, validate := range []func() error{
		g.consortium.Validate, g.custody.Validate, g.storage.Validate, g.records.Validate, g.access.Validate,
	} {
		must(validate())
	}
	must(c.audit.InitGenesis(c.ctx, g.audit))
	_, err = c.consortium.InitGenesis(c.ctx, g.consortium)
	must(err)
	must(c.custody.InitGenesis(c.ctx, g.custody))
	must(c.storage.InitGenesis(c.ctx, g.storage))
	must(c.records.InitGenesis(c.ctx, g.records))
	must(c.access.InitGenesis(c.ctx, g.access))
	c.network, err = c.consortium.NetworkID(c.ctx)
	must(err)
}

// export reads the state of all modules.
func (c *chain) export() chainGenesis {
	c.t.Helper()
	var g chainGenesis
	for _, read := range []func() error{
		func() (err error) { g.audit, err = c.audit.ExportGenesis(c.ctx); return err },
		func() (err error) { g.consortium, err = c.consortium.ExportGenesis(c.ctx); return err },
		func() (err error) { g.custody, err = c.custody.ExportGenesis(c.ctx); return err },
		func() (err error) { g.storage, err = c.storage.ExportGenesis(c.ctx); return err },
		func() (err error) { g.records, err = c.records.ExportGenesis(c.ctx); return err },
		func() (err error) { g.access, err = c.access.ExportGenesis(c.ctx); return err },
	} {
		require.NoError(c.t, read())
	}
	return g
}

// nextBlock ends the block and begins the next one five seconds later.
func (c *chain) nextBlock() {
	c.t.Helper()
	updates, err := c.consortium.EndBlock(c.ctx)
	require.NoError(c.t, err)
	require.Empty(c.t, updates)
	require.NoError(c.t, c.access.EndBlock(c.ctx))
	c.ctx = c.ctx.WithBlockHeight(c.ctx.BlockHeight() + 1).WithBlockTime(c.ctx.BlockTime().Add(5 * time.Second))
}

// bytes are fresh and the same at each run.
func (c *chain) bytes(n int) []byte {
	b := make([]byte, n)
	_, err := c.random.Read(b)
	require.NoError(c.t, err)
	return b
}

func (c *chain) digest() [32]byte {
	c.counter++
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, c.counter))
}

func (c *chain) accountKey() []byte {
	return secp256k1.GenPrivKeyFromSecret(c.bytes(32)).PubKey().Bytes()
}

func (c *chain) vault() []byte {
	key, err := hpke.MLKEM768X25519().DeriveKeyPair(c.bytes(32))
	require.NoError(c.t, err)
	return key.PublicKey().Bytes()
}

func (c *chain) staff(member uint64, role consortium.Role) string {
	c.t.Helper()
	address := sdk.AccAddress(c.bytes(20)).String()
	_, err := consortiumkeeper.NewMsgServer(c.consortium).RegisterStaff(c.ctx, &consortium.MsgRegisterStaff{
		Admin: c.admins[member-1], Address: address, Role: role,
	})
	require.NoError(c.t, err)
	return address
}

// invited opens an account by a patient's invitation.
func (c *chain) invited(member uint64) string {
	c.t.Helper()
	msg := consortiumkeeper.NewMsgServer(c.consortium)
	seed := ed25519.NewKeyFromSeed(c.bytes(32))
	key := []byte(seed[ed25519.SeedSize:])
	account := sdk.AccAddress(c.bytes(20))
	_, err := msg.CreateInvitation(c.ctx, &consortium.MsgCreateInvitation{
		Inviter: c.admins[member-1], Key: key, Role: consortium.ROLE_PATIENT, ExpiresAt: c.ctx.BlockTime().Unix() + 600,
	})
	require.NoError(c.t, err)
	res, err := msg.OpenAccount(c.ctx, &consortium.MsgOpenAccount{
		Node: c.nodes[member-1], Invitation: key, Address: account.String(),
		Signature: ed25519.Sign(seed, consortium.InvitationDigest(c.network, key, account)),
	})
	require.NoError(c.t, err)
	require.Equal(c.t, audit.OUTCOME_OK, res.Outcome)
	return account.String()
}

// register makes an account a patient.
func (c *chain) register(wallet string) records.Patient {
	c.t.Helper()
	id := lock.ID(c.bytes(16)).String()
	msg := &records.MsgRegisterPatient{
		Address: wallet, Patient: id, Vault: lock.ID(c.bytes(16)).String(), VaultBlob: lock.RawCID(c.digest()).String(), VaultSize: 4108,
	}
	for key := c.vault(); len(key) > 0; key = key[64:] {
		msg.VaultKey = append(msg.VaultKey, key[:64])
	}
	_, err := recordskeeper.NewMsgServer(c.records).RegisterPatient(c.ctx, msg)
	require.NoError(c.t, err)
	p, err := c.records.Patient(c.ctx, id)
	require.NoError(c.t, err)
	return p
}

// newVersion is a new record of the patient, and K, the network's half of its key.
func (c *chain) newVersion(patient records.Patient) (records.NewVersion, lock.Point) {
	c.t.Helper()
	generation := lock.Generation{Network: c.network, Kind: lock.KeyRecords, Number: 1, X: c.dealt.X}
	e, err := lock.NewEncapsulation(generation, c.random)
	require.NoError(c.t, err)
	hash := sha256.Sum256(patient.Vault.Key)
	n := records.NewVersion{
		Record: lock.ID(c.bytes(16)).String(), Version: 1, Class: records.CLASS_IMAGING,
		Header: records.Header{
			Suite: 1, Lock: records.LOCK_OWNER_AND_NETWORK, OwnerKind: records.OWNER_KIND_PATIENT, Patient: patient.Id, Custodian: clinic,
			Generation: 1, U: e.U.Bytes(), C: c.bytes(32), Pc: c.bytes(32), Dc: c.bytes(32),
		},
		UBar: e.UBar.Bytes(), Proof: c.bytes(64),
		OwnKeys: [][]byte{hash[:]}, Envelope: lock.RawCID(c.digest()).String(), EnvelopeSize: 2000, Object: lock.DagCID(c.digest()).String(), Size_: 4096,
	}
	signer, err := sdk.AccAddressFromBech32(c.clerk)
	require.NoError(c.t, err)
	locked, err := n.Encapsulation(c.network, c.dealt.X.Bytes(), signer)
	require.NoError(c.t, err)
	label, err := locked.Label()
	require.NoError(c.t, err)
	n.Proof, err = e.Prove(label, c.random)
	require.NoError(c.t, err)
	return n, e.K
}

// stored stores a new record of the patient and answers it and K.
func (c *chain) stored(patient records.Patient) (records.Version, lock.Point) {
	c.t.Helper()
	n, k := c.newVersion(patient)
	c.storeAll(n)
	v, err := c.records.Version(c.ctx, n.Record, 1)
	require.NoError(c.t, err)
	return v, k
}

// storeAll stores versions with one message.
func (c *chain) storeAll(versions ...records.NewVersion) {
	c.t.Helper()
	res, err := recordskeeper.NewMsgServer(c.records).StoreVersions(c.ctx, &records.MsgStoreVersions{Clerk: c.clerk, Versions: versions})
	require.NoError(c.t, err)
	require.Empty(c.t, res.Reason)
}

// propose asks for versions for an hour.
func (c *chain) propose(requester string, versions ...records.Version) string {
	c.t.Helper()
	slices.SortFunc(versions, func(a, b records.Version) int { return bytes.Compare(c.id(a.Record), c.id(b.Record)) })
	session, err := lock.GenerateSession(c.random)
	require.NoError(c.t, err)
	account, err := sdk.AccAddressFromBech32(requester)
	require.NoError(c.t, err)
	principal, err := c.consortium.Principal(c.ctx, requester)
	require.NoError(c.t, err)
	rk := session.Key().Public().CID()
	expiry := c.ctx.BlockTime().Unix() + 3600
	p := lock.Proposal{
		Network: c.network, Requester: [20]byte(account), Hospital: principal.Hospital, Purpose: "TREAT", Expiry: uint64(expiry), RequestKeyCID: rk, B: session.B(),
	}
	msg := &access.MsgProposeUnlock{Requester: requester, Purpose: "TREAT", ExpiresAt: expiry, RequestKey: rk.String(), B: session.B().Bytes()}
	for _, v := range versions {
		u, err := lock.ParseEncapsulation(v.Header.U)
		require.NoError(c.t, err)
		lockContext, _, err := c.records.LockContext(c.ctx, v)
		require.NoError(c.t, err)
		m := session.Blind(u)
		p.Versions = append(p.Versions, lock.ProposedVersion{
			Record: lock.ID(c.id(v.Record)), Number: v.Version, Context: lockContext, U: u, M: m, C: v.Header.C,
		})
		msg.Records, msg.Versions, msg.M = append(msg.Records, v.Record), append(msg.Versions, v.Version), append(msg.M, m.Bytes())
	}
	msg.Proof, err = session.Prove(p, c.random)
	require.NoError(c.t, err)
	res, err := keeper.NewMsgServer(c.access).ProposeUnlock(c.ctx, msg)
	require.NoError(c.t, err)
	require.Empty(c.t, res.Reason)
	c.opened[res.Unlock] = session
	return res.Unlock
}

func (c *chain) id(text string) []byte {
	id, err := lock.ParseCanonicalID(text)
	require.NoError(c.t, err)
	return id.Bytes()
}

func (c *chain) endorse(unlock string) {
	c.t.Helper()
	res, err := keeper.NewMsgServer(c.access).EndorseUnlock(c.ctx, &access.MsgEndorseUnlock{Officer: c.officer, Unlock: unlock})
	require.NoError(c.t, err)
	require.Empty(c.t, res.Reason)
}

func (c *chain) approve(unlock string) {
	c.t.Helper()
	u, err := c.access.Unlock(c.ctx, unlock)
	require.NoError(c.t, err)
	member, err := c.consortium.Member(c.ctx, u.Hospital)
	require.NoError(c.t, err)
	shown := u.Shown(member.Name)
	res, err := keeper.NewMsgServer(c.access).ApproveUnlock(c.ctx, &access.MsgApproveUnlock{
		Owner: c.wallet, Hospital: shown.Hospital, Purpose: shown.Purpose, Records: shown.Records, Until: shown.Until, Unlock: unlock,
		Capsule: lock.RawCID(c.digest()).String(),
	})
	require.NoError(c.t, err)
	require.Empty(c.t, res.Reason)
}

func (c *chain) withdraw(signer, unlock string) {
	c.t.Helper()
	res, err := keeper.NewMsgServer(c.access).WithdrawUnlock(c.ctx, &access.MsgWithdrawUnlock{Signer: signer, Unlock: unlock})
	require.NoError(c.t, err)
	require.Empty(c.t, res.Reason)
}

// request is what holders answer for an unlock.
func (c *chain) request(unlock string) lock.Release {
	c.t.Helper()
	gen, err := lock.Generation{Network: c.network, Kind: lock.KeyRecords, Number: 1, X: c.dealt.X}.Hash()
	require.NoError(c.t, err)
	id, err := custody.ParseUnlockID(unlock)
	require.NoError(c.t, err)
	r, err := c.custody.Release(c.ctx, unlock)
	require.NoError(c.t, err)
	request := lock.Release{Network: c.network, Unlock: id, Generation: gen}
	for _, b := range r.Blinded {
		m, err := lock.ParsePoint(b)
		require.NoError(c.t, err)
		request.M = append(request.M, m)
	}
	return request
}

// give has a member answer and returns the reason of a refusal.
func (c *chain) give(member uint64, unlock string) string {
	c.t.Helper()
	made, err := c.request(unlock).NewShare(1, member, c.dealt.Shares[member-1].Value, c.random)
	require.NoError(c.t, err)
	share := custody.Share{Unlock: unlock, ShareEpoch: 1, Index: member, Proof: made.Proof}
	for _, d := range made.D {
		share.Points = append(share.Points, d.Bytes())
	}
	res, err := custodykeeper.NewMsgServer(c.custody).SubmitShares(c.ctx, &custody.MsgSubmitShares{Node: c.nodes[member-1], Shares: []custody.Share{share}})
	require.NoError(c.t, err)
	return res.Results[0].Reason
}

// combine is what the requester's program makes of the shares that the chain keeps.
func (c *chain) combine(unlock string) (lock.Combined, error) {
	c.t.Helper()
	res, err := custodykeeper.NewQueryServer(c.custody).Shares(c.ctx, &custody.QuerySharesRequest{Unlock: unlock})
	require.NoError(c.t, err)
	var shares []lock.Share
	for _, s := range res.Shares {
		share := lock.Share{Epoch: s.ShareEpoch, Index: s.Index, Proof: s.Proof}
		for _, b := range s.Points {
			d, err := lock.ParsePoint(b)
			require.NoError(c.t, err)
			share.D = append(share.D, d)
		}
		shares = append(shares, share)
	}
	committee := lock.Committee{Epoch: 1, Threshold: 3, Holders: c.dealt.Holders}
	return c.opened[unlock].Combine(c.request(unlock), []lock.Committee{committee}, shares)
}

func (c *chain) status(unlock string) access.UnlockStatus {
	c.t.Helper()
	u, err := c.access.Unlock(c.ctx, unlock)
	require.NoError(c.t, err)
	return u.Status(c.ctx.BlockTime().Unix())
}

// history is what the log says of a patient: kinds, and reasons of refusals behind a
// colon.
func (c *chain) history(patient string) []string {
	c.t.Helper()
	exported, err := c.audit.ExportGenesis(c.ctx)
	require.NoError(c.t, err)
	var kinds []string
	for _, e := range exported.Entries {
		if e.Patient != patient {
			continue
		}
		kind := e.Kind
		if e.Reason != "" {
			kind += ":" + e.Reason
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// fakeAccounts makes accounts and keeps none.
type fakeAccounts struct{}

func (fakeAccounts) HasAccount(context.Context, sdk.AccAddress) bool { return false }

func (fakeAccounts) NewAccountWithAddress(_ context.Context, address sdk.AccAddress) sdk.AccountI {
	return auth.NewBaseAccountWithAddress(address)
}

func (fakeAccounts) SetAccount(context.Context, sdk.AccountI) {}

// fakeRouter carries out nothing.
type fakeRouter struct{}

func (fakeRouter) Handler(sdk.Msg) func(sdk.Context, sdk.Msg) (*sdk.Result, error) { return nil }
