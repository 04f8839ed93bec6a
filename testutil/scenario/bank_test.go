package scenario_test

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	bankv1beta1 "cosmossdk.io/api/cosmos/bank/v1beta1"
	basev1beta1 "cosmossdk.io/api/cosmos/base/v1beta1"
	"cosmossdk.io/log/v2"
	sdkmath "cosmossdk.io/math"
	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/address"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/std"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authante "github.com/cosmos/cosmos-sdk/x/auth/ante"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	txsigning "github.com/cosmos/cosmos-sdk/x/tx/signing"
	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

// bank is the smallest application of the SDK that carries out bank sends: what our messages are compared with.
type bank struct {
	*baseapp.BaseApp
	t        *testing.T
	payers   []*wallet.Key
	height   int64
	sequence uint64
}

func newBank(t *testing.T, at *state, payers int) *bank {
	t.Helper()
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: gogoproto.HybridResolver,
		SigningOptions: txsigning.Options{
			AddressCodec: address.NewBech32Codec(wallet.Prefix), ValidatorAddressCodec: address.NewBech32Codec(wallet.Prefix + "valoper"),
		},
	})
	require.NoError(t, err)
	std.RegisterInterfaces(registry)
	authtypes.RegisterInterfaces(registry)
	banktypes.RegisterInterfaces(registry)
	cdc := codec.NewProtoCodec(registry)
	config := authtx.NewTxConfig(cdc, authtx.DefaultSignModes)
	b := &bank{t: t, BaseApp: baseapp.NewBaseApp("bank", log.NewNopLogger(), at.db, config.TxDecoder(), append(at.options, baseapp.SetChainID("phrd-test"))...)}
	b.SetInterfaceRegistry(registry)
	b.SetTxEncoder(config.TxEncoder())
	stores := storetypes.NewKVStoreKeys(authtypes.StoreKey, banktypes.StoreKey)
	authority := authtypes.NewModuleAddress("authority").String()
	accounts := authkeeper.NewAccountKeeper(cdc, runtime.NewKVStoreService(stores[authtypes.StoreKey]), authtypes.ProtoBaseAccount,
		map[string][]string{authtypes.FeeCollectorName: nil}, address.NewBech32Codec(wallet.Prefix), wallet.Prefix, authority)
	coins := bankkeeper.NewBaseKeeper(cdc, runtime.NewKVStoreService(stores[banktypes.StoreKey]), accounts, nil, authority, log.NewNopLogger())
	banktypes.RegisterMsgServer(b.MsgServiceRouter(), bankkeeper.NewMsgServerImpl(coins))
	checks, err := authante.NewAnteHandler(authante.HandlerOptions{
		AccountKeeper: accounts, BankKeeper: coins, SignModeHandler: config.SignModeHandler(), SigGasConsumer: authante.DefaultSigVerificationGasConsumer,
	})
	require.NoError(t, err)
	b.SetAnteHandler(checks)
	b.MountKVStores(stores)

	people := authtypes.DefaultGenesisState()
	wealth := banktypes.DefaultGenesisState()
	for range payers {
		key := newWallet(t)
		owner, err := sdk.AccAddressFromBech32(key.Address())
		require.NoError(t, err)
		packed, err := authtypes.PackAccounts(authtypes.GenesisAccounts{authtypes.NewBaseAccount(owner, nil, uint64(len(b.payers)), 0)})
		require.NoError(t, err)
		people.Accounts = append(people.Accounts, packed...)
		wealth.Balances = append(wealth.Balances, banktypes.Balance{Address: key.Address(), Coins: sdk.NewCoins(sdk.NewCoin("coin", sdkmath.NewInt(1_000_000)))})
		b.payers = append(b.payers, key)
	}
	b.SetInitChainer(func(ctx sdk.Context, _ *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
		accounts.InitGenesis(ctx, *people)
		coins.InitGenesis(ctx, wealth)
		return &abci.ResponseInitChain{}, nil
	})
	require.NoError(t, b.LoadLatestVersion())
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	_, err = b.InitChain(&abci.RequestInitChain{Time: genesisDay, ChainId: "phrd-test", InitialHeight: 1})
	require.NoError(t, err)
	b.carriesOut()
	return b
}

// carriesOut commits a block of transactions, of which each must be carried out, and answers the processor time that took.
func (b *bank) carriesOut(txs ...[]byte) time.Duration {
	b.t.Helper()
	b.height++
	begin := processorTime(b.t)
	res, err := b.FinalizeBlock(&abci.RequestFinalizeBlock{Height: b.height, Time: genesisDay.Add(time.Duration(b.height) * 5 * time.Second), Txs: txs})
	require.NoError(b.t, err)
	_, err = b.Commit()
	took := processorTime(b.t) - begin
	require.NoError(b.t, err)
	for i, r := range res.TxResults {
		require.Zero(b.t, r.Code, "transaction %d: %s", i, r.Log)
	}
	return took
}

// sends is a block in which everybody sends a coin to the next one.
func (b *bank) sends() time.Duration {
	b.t.Helper()
	txs := make([][]byte, len(b.payers))
	for i, key := range b.payers {
		var err error
		txs[i], err = key.SignDirect(wallet.Account{ChainID: "phrd-test", Number: uint64(i), Sequence: b.sequence}, 200_000, &bankv1beta1.MsgSend{
			FromAddress: key.Address(), ToAddress: b.payers[(i+1)%len(b.payers)].Address(), Amount: []*basev1beta1.Coin{{Denom: "coin", Amount: "1"}},
		})
		require.NoError(b.t, err)
	}
	b.sequence++
	return b.carriesOut(txs...)
}

// timed is carriesOut with the processor time of the block.
func (c *crowd) timed(txs ...[]byte) ([]*abci.ExecTxResult, time.Duration) {
	c.t.Helper()
	begin := processorTime(c.t)
	results := c.carriesOut(txs...)
	return results, processorTime(c.t) - begin
}

// processorTime is what this process has used, on all cores. Of what else goes on in it a test sees the time too: figures come of a test that
// runs alone.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// stores is a block in which the first hospital's clerk stores as many versions, each with a transaction of its own.
func (c *crowd) stores(count int) (versions []records.NewVersion, took time.Duration) {
	c.t.Helper()
	versions = c.versions(1, count)
	txs := make([][]byte, count)
	for i, v := range versions {
		txs[i] = c.storing(1, v)
	}
	results, took := c.timed(txs...)
	for _, r := range results {
		c.stored(r)
	}
	return versions, took
}

// opens is two blocks: an officer endorses an unlock of each version, and its patient approves it with the wallet's next sequence. The proposals
// before them are not counted.
func (c *crowd) opens(versions []records.NewVersion, sequences map[string]uint64) (took time.Duration) {
	c.t.Helper()
	var proposals, endorsements, approvals [][]byte
	for i, v := range versions {
		doctor := c.doctors[1+i%(hospitals-1)]
		stored, err := c.app.Records.Version(c.now(), v.Record, 1)
		require.NoError(c.t, err)
		proposals = append(proposals, c.tx(doctor, c.asking(doctor, stored)))
	}
	officer := c.officers[0]
	var unlocks []string
	for _, r := range c.carriesOut(proposals...) {
		var answer access.MsgProposeUnlockResponse
		c.reads(r, &answer)
		require.Empty(c.t, answer.Reason)
		unlocks = append(unlocks, answer.Unlock)
		endorsements = append(endorsements, c.tx(officer, &access.MsgEndorseUnlock{Officer: officer.Address(), Unlock: answer.Unlock}))
	}
	endorsed, took := c.timed(endorsements...)
	for _, r := range endorsed {
		var answer access.MsgEndorseUnlockResponse
		c.reads(r, &answer)
		require.Equal(c.t, audit.OUTCOME_OK, answer.Outcome, answer.Reason)
	}
	for i, v := range versions {
		owner := c.patients[slices.IndexFunc(c.patients, func(p crowdPatient) bool { return p.id == v.Header.Patient })]
		approvals = append(approvals, c.approving(owner.wallet, sequences[owner.id], unlocks[i]))
		sequences[owner.id]++
	}
	approved, more := c.timed(approvals...)
	for _, r := range approved {
		var answer access.MsgApproveUnlockResponse
		c.reads(r, &answer)
		require.Equal(c.t, audit.OUTCOME_OK, answer.Outcome, answer.Reason)
	}
	return took + more
}

// Stores of one version, and approvals with their endorsement, are carried out beside bank sends of the SDK in blocks of as many. `make growth`
// has five rounds of a hundred, for its figures.
func TestMessagesBesideBankSends(t *testing.T) {
	t.Parallel()
	rounds, count := 1, 10
	if text := os.Getenv("PHRD_ROUNDS"); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, "PHRD_ROUNDS is a number of rounds of a hundred messages")
		rounds, count = n, 100
	}
	coins, own := newState(t), newState(t)
	b := newBank(t, coins, count)
	c := newCrowd(t, own.db, own.options...)
	c.registers(20)
	sequences := map[string]uint64{}
	var store, open []float64
	for range rounds {
		send := b.sends().Seconds()
		versions, took := c.stores(count)
		store = append(store, send/took.Seconds())
		open = append(open, send/c.opens(versions, sequences).Seconds())
	}
	slices.SortFunc(store, cmp.Compare[float64])
	slices.SortFunc(open, cmp.Compare[float64])
	t.Logf("rate against bank sends by processor time, median (lowest … highest) of %d: a version stored %.2f (%.2f … %.2f), an unlock endorsed and approved %.2f (%.2f … %.2f)",
		rounds, store[rounds/2], store[0], store[rounds-1], open[rounds/2], open[0], open[rounds-1])
}
