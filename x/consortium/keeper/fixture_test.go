package keeper_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cosmossdk.io/core/comet"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/cosmos-sdk/codec"
	codectest "github.com/cosmos/cosmos-sdk/codec/testutil"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	"github.com/cosmos/cosmos-sdk/testutil"
	sdk "github.com/cosmos/cosmos-sdk/types"
	auth "github.com/cosmos/cosmos-sdk/x/auth/types"
	consensus "github.com/cosmos/cosmos-sdk/x/consensus/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/consortium/keeper"
)

// start is the block time of the first block.
const start = 1_800_000_000

// stranger is a good address of nobody.
var stranger = sdk.AccAddress(make([]byte, 20)).String()

// fixture is the module on a memory store, founded by some hospitals, with
// neighbours that remember what they were asked.
type fixture struct {
	t        *testing.T
	ctx      sdk.Context
	store    storetypes.StoreKey
	cms      store.CommitMultiStore
	cdc      codec.Codec
	keeper   *keeper.Keeper
	msg      consortium.MsgServer
	query    consortium.QueryServer
	log      *fakeAudit
	accounts *fakeAccounts
	router   *fakeRouter
	random   *rand.ChaCha8

	genesis *consortium.GenesisState
	network lock.Network
	// admins and nodes are the accounts of each member, by number less one.
	admins, nodes []string
}

func newFixture(t *testing.T, hospitals int) *fixture {
	t.Helper()
	f := blank(t)
	f.genesis = f.found(hospitals)
	updates, err := f.keeper.InitGenesis(f.ctx, f.genesis)
	require.NoError(t, err)
	require.Len(t, updates, hospitals)
	f.network, err = f.keeper.NetworkID(f.ctx)
	require.NoError(t, err)
	return f
}

// blank is the module before its genesis.
func blank(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &fakeAudit{}, accounts: &fakeAccounts{known: map[string]uint64{}}, random: rand.NewChaCha8([32]byte{1})}
	key := storetypes.NewKVStoreKey(consortium.StoreKey)
	test := testutil.DefaultContextWithDB(t, key, storetypes.NewTransientStoreKey("transient"))
	f.cms = test.CMS
	f.store = key
	f.ctx = test.Ctx.WithBlockTime(time.Unix(start, 0)).WithBlockHeight(10)
	registry := codectest.CodecOptions{}.NewInterfaceRegistry()
	consortium.RegisterInterfaces(registry)
	consensus.RegisterInterfaces(registry)
	f.cdc = codec.NewProtoCodec(registry)
	f.router = &fakeRouter{handlers: map[string]handler{}}
	var err error
	f.keeper, err = keeper.New(f.cdc, runtime.NewKVStoreService(key), keeper.Neighbours{Audit: f.log, Accounts: f.accounts, Router: f.router})
	require.NoError(t, err)
	f.msg, f.query = keeper.NewMsgServer(f.keeper), keeper.NewQueryServer(f.keeper)
	f.router.serve(f.msg)
	return f
}

// found makes the genesis of that many hospitals.
func (f *fixture) found(hospitals int) *consortium.GenesisState {
	g := consortium.DefaultGenesis()
	g.NetworkId = f.bytes(32)
	for number := uint64(1); number <= uint64(hospitals); number++ {
		d := consortium.Declaration{
			Name: fmt.Sprintf("Hospital %d", number), Site: "Main", TimeZone: "Europe/Vienna",
			ConsensusKey: f.bytes(32), CometKey: f.bytes(32), CometAddress: "192.0.2.1:26656",
			Libp2PKey: f.bytes(32), Libp2PAddress: "/ip4/192.0.2.1/tcp/4001",
			NodeKey: f.secp256k1(), AdminKey: f.secp256k1(), VaultKey: f.xwing(), RoundKey: f.xwing(),
			GatewayUrl: "https://192.0.2.1:8443", GatewayFingerprint: f.bytes(32), Capacity: 1 << 40,
		}
		require.NoError(f.t, d.Validate())
		founding := d.Found(number, number, start)
		g.Members = append(g.Members, founding.Member)
		g.Sites = append(g.Sites, founding.Site)
		g.StorageNodes = append(g.StorageNodes, founding.Node)
		g.Staff = append(g.Staff, founding.Admin)
		f.admins = append(f.admins, founding.Admin.Address)
		f.nodes = append(f.nodes, founding.Node.Account)
	}
	require.NoError(f.t, g.Validate())
	return g
}

// bytes are fresh and the same at each run.
func (f *fixture) bytes(n int) []byte {
	b := make([]byte, n)
	_, err := f.random.Read(b)
	require.NoError(f.t, err)
	return b
}

func (f *fixture) address() string { return sdk.AccAddress(f.bytes(20)).String() }

func (f *fixture) secp256k1() []byte {
	return secp256k1.GenPrivKeyFromSecret(f.bytes(32)).PubKey().Bytes()
}

func (f *fixture) xwing() []byte {
	key, err := hpke.MLKEM768X25519().DeriveKeyPair(f.bytes(32))
	require.NoError(f.t, err)
	return key.PublicKey().Bytes()
}

// staff registers a person at a member.
func (f *fixture) staff(member int, role consortium.Role) string {
	f.t.Helper()
	address := f.address()
	_, err := f.msg.RegisterStaff(f.ctx, &consortium.MsgRegisterStaff{Admin: f.admins[member-1], Address: address, Role: role})
	require.NoError(f.t, err)
	return address
}

// invite makes an invitation of a member's admin.
func (f *fixture) invite(member int) ed25519.PrivateKey {
	f.t.Helper()
	seed := ed25519.NewKeyFromSeed(f.bytes(32))
	_, err := f.msg.CreateInvitation(f.ctx, &consortium.MsgCreateInvitation{
		Inviter: f.admins[member-1], Key: public(seed), Role: consortium.ROLE_PATIENT, ExpiresAt: f.now() + 600,
	})
	require.NoError(f.t, err)
	return seed
}

func public(seed ed25519.PrivateKey) []byte { return seed[ed25519.SeedSize:] }

// opening is what an invited person's page hands in.
func (f *fixture) opening(seed ed25519.PrivateKey, address string) *consortium.MsgOpenAccount {
	account, err := sdk.AccAddressFromBech32(address)
	require.NoError(f.t, err)
	return &consortium.MsgOpenAccount{
		Node: f.nodes[0], Invitation: public(seed), Address: address,
		Signature: ed25519.Sign(seed, consortium.InvitationDigest(f.network, public(seed), account)),
	}
}

// patient opens an account by an invitation of the member.
func (f *fixture) patient(member int) string {
	f.t.Helper()
	address := f.address()
	res, err := f.msg.OpenAccount(f.ctx, f.opening(f.invite(member), address))
	require.NoError(f.t, err)
	require.Equal(f.t, audit.OUTCOME_OK, res.Outcome)
	return address
}

// member reads a member.
func (f *fixture) member(number uint64) consortium.Member {
	f.t.Helper()
	m, err := f.keeper.Member(f.ctx, number)
	require.NoError(f.t, err)
	return m
}

func (f *fixture) suspend(member uint64) {
	f.t.Helper()
	_, err := f.msg.SuspendMember(f.ctx, &consortium.MsgSuspendMember{Authority: f.keeper.Authority(), Member: member})
	require.NoError(f.t, err)
}

func (f *fixture) principal(address string) consortium.Principal {
	f.t.Helper()
	p, err := f.keeper.Principal(f.ctx, address)
	require.NoError(f.t, err)
	return p
}

func (f *fixture) now() int64 { return f.ctx.BlockTime().Unix() }

// pass lets seconds pass.
func (f *fixture) pass(seconds int64) {
	f.ctx = f.ctx.WithBlockTime(f.ctx.BlockTime().Add(time.Duration(seconds) * time.Second))
}

// fakeAudit remembers entries and refuses what the log refuses.
type fakeAudit struct{ entries []audit.Entry }

func (a *fakeAudit) Append(_ context.Context, e audit.Entry) (uint64, error) {
	if err := e.Validate(); err != nil {
		return 0, err
	}
	a.entries = append(a.entries, e)
	return uint64(len(a.entries)), nil
}

func (a *fakeAudit) HasSubject(_ context.Context, patient string) (bool, error) {
	return slices.ContainsFunc(a.entries, func(e audit.Entry) bool { return e.Patient == patient }), nil
}

// last is the newest entry.
func (a *fakeAudit) last() audit.Entry { return a.entries[len(a.entries)-1] }

// kinds are the kinds of the entries from the first on.
func (a *fakeAudit) kinds(from int) []string {
	var kinds []string
	for _, e := range a.entries[from:] {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// fakeAccounts gives numbers to addresses.
type fakeAccounts struct{ known map[string]uint64 }

func (a *fakeAccounts) HasAccount(_ context.Context, address sdk.AccAddress) bool {
	_, known := a.known[address.String()]
	return known
}

func (a *fakeAccounts) NewAccountWithAddress(_ context.Context, address sdk.AccAddress) sdk.AccountI {
	return auth.NewBaseAccount(address, nil, uint64(len(a.known))+1, 0)
}

func (a *fakeAccounts) SetAccount(_ context.Context, account sdk.AccountI) {
	a.known[account.GetAddress().String()] = account.GetAccountNumber()
}

type handler = func(sdk.Context, sdk.Msg) (*sdk.Result, error)

// fakeRouter has the module's own handlers of voted messages, and those it was given.
type fakeRouter struct{ handlers map[string]handler }

func (r *fakeRouter) Handler(msg sdk.Msg) handler { return r.handlers[sdk.MsgTypeURL(msg)] }

func (r *fakeRouter) serve(s consortium.MsgServer) {
	handle(r, s.AdmitMember)
	handle(r, s.SuspendMember)
	handle(r, s.ReinstateMember)
	handle(r, s.RemoveMember)
	handle(r, s.ReplaceAdmin)
	handle(r, s.AppointAuditor)
	handle(r, s.DismissAuditor)
	handle(r, s.UpdateParams)
}

// handle routes one type of message, with an event manager of its own as the SDK's
// router has.
func handle[M, R any, P interface {
	*M
	sdk.Msg
}](r *fakeRouter, serve func(context.Context, P) (*R, error)) {
	r.handlers[sdk.MsgTypeURL(P(new(M)))] = func(ctx sdk.Context, msg sdk.Msg) (*sdk.Result, error) {
		ctx = ctx.WithEventManager(sdk.NewEventManager())
		typed, ok := msg.(P)
		if !ok {
			return nil, fmt.Errorf("got %T", msg)
		}
		if _, err := serve(ctx, typed); err != nil {
			return nil, err
		}
		return &sdk.Result{Events: ctx.EventManager().ABCIEvents()}, nil
	}
}

// fakePrincipals knows patients by their accounts.
type fakePrincipals map[string]string

func (p fakePrincipals) PatientOf(_ context.Context, address string) (string, bool, error) {
	return p[address], false, nil
}

// blockInfo is a block that carries evidence.
type blockInfo struct{ evidence []comet.Evidence }

func (b blockInfo) GetEvidence() comet.EvidenceList { return evidenceList(b.evidence) }
func (blockInfo) GetValidatorsHash() []byte         { return nil }
func (blockInfo) GetProposerAddress() []byte        { return nil }
func (blockInfo) GetLastCommit() comet.CommitInfo   { return nil }

type evidenceList []comet.Evidence

func (l evidenceList) Len() int                 { return len(l) }
func (l evidenceList) Get(i int) comet.Evidence { return l[i] }

// fakeEvidence is against the validator with that consensus key.
type fakeEvidence struct {
	kind comet.MisbehaviorType
	key  []byte
}

func (e fakeEvidence) Type() comet.MisbehaviorType { return e.kind }
func (e fakeEvidence) Validator() comet.Validator  { return e }
func (e fakeEvidence) Address() []byte {
	digest := sha256.Sum256(e.key)
	return digest[:20]
}
func (fakeEvidence) Power() int64            { return 1 }
func (fakeEvidence) Height() int64           { return 9 }
func (fakeEvidence) Time() time.Time         { return time.Unix(start, 0) }
func (fakeEvidence) TotalVotingPower() int64 { return 4 }

// consensusParams is a change of consensus in bounds.
func (f *fixture) consensusParams() *consensus.MsgUpdateParams {
	return &consensus.MsgUpdateParams{
		Authority: f.keeper.Authority(),
		Block:     &cmtproto.BlockParams{MaxBytes: 2 << 20, MaxGas: 200_000_000},
		Evidence:  &cmtproto.EvidenceParams{MaxAgeNumBlocks: 100_000, MaxAgeDuration: 48 * time.Hour, MaxBytes: 1 << 20},
		Validator: &cmtproto.ValidatorParams{PubKeyTypes: []string{"ed25519"}},
	}
}
