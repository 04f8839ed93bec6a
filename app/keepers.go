package app

import (
	"errors"
	"fmt"

	"cosmossdk.io/core/store"
	"github.com/cosmos/cosmos-sdk/codec/address"
	"github.com/cosmos/cosmos-sdk/runtime"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	consensuskeeper "github.com/cosmos/cosmos-sdk/x/consensus/keeper"
	consensustypes "github.com/cosmos/cosmos-sdk/x/consensus/types"
	upgradekeeper "github.com/cosmos/cosmos-sdk/x/upgrade/keeper"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/access"
	accesskeeper "github.com/phrd/phrd/x/access/keeper"
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

// keepers hold the state of the modules.
type keepers struct {
	Accounts  authkeeper.AccountKeeper
	Bank      bankkeeper.BaseKeeper
	Consensus consensuskeeper.Keeper
	Upgrade   *upgradekeeper.Keeper

	Audit      *auditkeeper.Keeper
	Consortium *consortiumkeeper.Keeper
	Custody    *custodykeeper.Keeper
	Storage    *storagekeeper.Keeper
	Records    *recordskeeper.Keeper
	Access     *accesskeeper.Keeper
}

// makeKeepers makes the keepers from audit to access, so that each is given those it stands on, and then sets the few upward calls.
func (app *App) makeKeepers(c Config) error {
	service := func(key string) store.KVStoreService { return runtime.NewKVStoreService(app.stores[key]) }
	// What only a vote may do is signed by the consortium's account.
	authority := consortium.Account().String()
	accounts := address.NewBech32Codec(wallet.Prefix)

	app.Consensus = consensuskeeper.NewKeeper(app.codec, service(consensustypes.StoreKey), authority, runtime.EventService{})
	app.Accounts = authkeeper.NewAccountKeeper(app.codec, service(authtypes.StoreKey), authtypes.ProtoBaseAccount, nil, accounts, wallet.Prefix,
		authority, authkeeper.WithUnorderedTransactions(true))
	app.Bank = bankkeeper.NewBaseKeeper(app.codec, service(banktypes.StoreKey), app.Accounts, nil, authority, c.Logger)
	app.Upgrade = upgradekeeper.NewKeeper(nil, service(upgradetypes.StoreKey), app.codec, c.Home, app.BaseApp, authority)

	var err error
	if app.Audit, err = auditkeeper.New(app.codec, service(audit.StoreKey)); err != nil {
		return err
	}
	if app.Consortium, err = consortiumkeeper.New(app.codec, service(consortium.StoreKey), consortiumkeeper.Neighbours{
		Accounts: app.Accounts, Audit: app.Audit, Router: app.MsgServiceRouter(),
	}); err != nil {
		return err
	}
	if app.Custody, err = custodykeeper.New(app.codec, service(custody.StoreKey), app.Audit, app.Consortium); err != nil {
		return err
	}
	if app.Storage, err = storagekeeper.New(app.codec, service(storage.StoreKey), app.Audit, app.Consortium); err != nil {
		return err
	}
	if app.Records, err = recordskeeper.New(app.codec, service(records.StoreKey), recordskeeper.Neighbours{
		Audit: app.Audit, Consortium: app.Consortium, Custody: app.Custody, Storage: app.Storage,
	}); err != nil {
		return err
	}
	if app.Access, err = accesskeeper.New(app.codec, service(access.StoreKey), accesskeeper.Neighbours{
		Audit: app.Audit, Consortium: app.Consortium, Records: app.Records, Custody: app.Custody,
	}); err != nil {
		return err
	}

	app.Consortium.SetPrincipals(app.Records)
	app.Custody.SetReleaseHooks(app.Access)
	app.Storage.SetObjectHooks(app.Records)
	app.Consortium.SetNodeHooks(app.Storage, app.Custody)
	app.Consortium.SetMembershipHooks(app.Storage, app.Custody)
	app.Consortium.SetKeyholders(app.Custody)
	app.Records.SetLockHooks(app.Access)
	app.Records.SetGrantees(app.Access)
	app.Records.SetAgreements(app.Access)
	return nil
}

// members lists the members by number.
func (app *App) members(ctx sdk.Context) ([]consortium.Member, error) {
	var list []consortium.Member
	for number := uint64(1); ; number++ { // without a gap
		m, err := app.Consortium.Member(ctx, number)
		if errors.Is(err, consortium.ErrUnknownMember) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", number, err)
		}
		list = append(list, m)
	}
}
