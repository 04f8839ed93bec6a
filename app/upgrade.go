package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"
)

var (
	// ErrUpgradeDue says that the members voted for an upgrade at the next block that this program does not know.
	ErrUpgradeDue = errors.New("an upgrade is due that this program does not know")
	// ErrUpgradeEarly says that this program is for an upgrade that is not due yet.
	ErrUpgradeEarly = errors.New("this program is for an upgrade that is not due yet")
	// ErrOutdated says that this program is older than an upgrade that the network has made.
	ErrOutdated = errors.New("this program is older than the network's last upgrade")
)

// change is a change of the chain's state or rules that all hospitals make at one height.
type change struct {
	// name as the members vote on it.
	name string
	// stores that come, go or change their name with it.
	stores storetypes.StoreUpgrades
}

// upgrades are those that this program can make, oldest first. What a module changes of its own state it registers as a migration of its
// consensus version; all of them run with the upgrade.
var upgrades = []change{
	{name: "v0.2.0"}, // hospitals join and leave
}

// Upgrades names the upgrades that this program can make, oldest first.
func Upgrades() []string {
	names := make([]string, len(upgrades))
	for i, u := range upgrades {
		names[i] = u.name
	}
	return names
}

// registerUpgrades makes the upgrades known before the state is loaded.
func (app *App) registerUpgrades(home string) error {
	for _, u := range upgrades {
		app.Upgrade.SetUpgradeHandler(u.name, func(ctx context.Context, _ upgradetypes.Plan, from module.VersionMap) (module.VersionMap, error) {
			return app.modules.RunMigrations(ctx, app.configurator, from)
		})
	}
	if home == "" {
		return nil
	}
	plan, err := ReadPlan(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(upgrades, func(u change) bool { return u.name == plan.Name }); i >= 0 {
		// It changes the stores if the next block is the plan's, and nothing otherwise.
		app.SetStoreLoader(upgradetypes.UpgradeStoreLoader(plan.Height, &upgrades[i].stores))
	}
	return nil
}

func planPath(home string) string {
	return filepath.Join(home, "data", upgradetypes.UpgradeInfoFilename)
}

// forgetPlan removes the note of an upgrade that was made.
func (app *App) forgetPlan(home string) error {
	if home == "" {
		return nil
	}
	plan, err := ReadPlan(home)
	if errors.Is(err, fs.ErrNotExist) || err == nil && plan.Height > app.LastBlockHeight() {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(planPath(home))
}

// ReadPlan is the upgrade for which the program of a home has ended, and that was not made yet; [fs.ErrNotExist] where there is none.
func ReadPlan(home string) (upgradetypes.Plan, error) {
	path := planPath(home)
	content, err := os.ReadFile(path)
	if err != nil {
		return upgradetypes.Plan{}, err
	}
	var plan upgradetypes.Plan
	if err := json.Unmarshal(content, &plan); err != nil {
		return upgradetypes.Plan{}, fmt.Errorf("%s: %w", path, err)
	}
	return plan, nil
}

// preBlock runs before everything else in a block. A block that is for another program is not begun: the caller of New is told, and the
// block waits for the process to end, with nothing of it written.
func (app *App) preBlock(ctx sdk.Context) (*sdk.ResponsePreBlock, error) {
	if err := app.checkProgram(ctx, ctx.BlockHeight()); err != nil {
		if app.unfit == nil {
			return nil, err
		}
		app.unfit(err)
		select {} // An error would make CometBFT panic, in places where it ends the process with a stack trace.
	}
	return app.modules.PreBlock(ctx)
}

// checkProgram tells whether this program may make the block of a height from the state before it. Errors are ErrUpgradeDue, after the
// plan was noted in the home, ErrUpgradeEarly and ErrOutdated.
func (app *App) checkProgram(ctx context.Context, height int64) error {
	last, _, err := app.Upgrade.GetLastCompletedUpgrade(ctx)
	if err != nil {
		return fmt.Errorf("last upgrade: %w", err)
	}
	if last != "" && !app.Upgrade.HasHandler(last) {
		return fmt.Errorf("%q: %w", last, ErrOutdated)
	}
	plan, err := app.Upgrade.GetUpgradePlan(ctx)
	if errors.Is(err, upgradetypes.ErrNoUpgradePlanFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("plan of an upgrade: %w", err)
	}
	known, due := app.Upgrade.HasHandler(plan.Name), plan.ShouldExecute(height)
	switch {
	case due && !known:
		if err := app.Upgrade.DumpUpgradeInfoToDisk(plan.Height, plan); err != nil {
			return fmt.Errorf("note the plan of an upgrade: %w", err)
		}
		return fmt.Errorf("%q at height %d: %w", plan.Name, plan.Height, ErrUpgradeDue)
	case known && !due:
		return fmt.Errorf("%q at height %d, the next block is %d: %w", plan.Name, plan.Height, height, ErrUpgradeEarly)
	}
	return nil
}

// checkNextBlock is checkProgram of the block behind the state that was loaded.
func (app *App) checkNextBlock() error {
	if app.LastBlockHeight() == 0 {
		return nil
	}
	ctx, err := app.latest()
	if err != nil {
		return err
	}
	return app.checkProgram(ctx, app.LastBlockHeight()+1)
}
