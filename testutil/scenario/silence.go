package scenario

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/phrd/phrd/app"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/storage"
)

// Silence sets how often storage nodes beat, and after what silence they are suspect and lost; without it a node is lost after an
// hour.
func Silence(interval, suspect, lost time.Duration) Option {
	return func(s *settings) {
		s.storage = append(s.storage, func(p *storage.Params) {
			p.HeartbeatInterval, p.SuspectAfter, p.LostAfter = int64(interval.Seconds()), int64(suspect.Seconds()), int64(lost.Seconds())
		})
	}
}

// changeState changes the state of modules in a genesis that nobody has accepted yet.
func changeState(n *home.Network, change func(codec codec.Codec, state map[string]json.RawMessage) error) error {
	codec, _, err := app.DefaultGenesis()
	if err != nil {
		return err
	}
	var file, state map[string]json.RawMessage
	if err := json.Unmarshal(n.Genesis, &file); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	if err := json.Unmarshal(file["app_state"], &state); err != nil {
		return fmt.Errorf("state of the genesis: %w", err)
	}
	if err := change(codec, state); err != nil {
		return err
	}
	if file["app_state"], err = json.Marshal(state); err != nil {
		return err
	}
	if n.Genesis, err = json.MarshalIndent(file, "", "  "); err != nil {
		return err
	}
	n.Hash = sha256.Sum256(n.Genesis)
	return nil
}

// setRules changes the rules of modules in a genesis.
func setRules(n *home.Network, set settings) error {
	return changeState(n, func(codec codec.Codec, state map[string]json.RawMessage) (err error) {
		var copies storage.GenesisState
		if err := codec.UnmarshalJSON(state[storage.ModuleName], &copies); err != nil {
			return fmt.Errorf("storage of the genesis: %w", err)
		}
		for _, change := range set.storage {
			change(&copies.Params)
		}
		if state[storage.ModuleName], err = codec.MarshalJSON(&copies); err != nil {
			return err
		}
		var keys custody.GenesisState
		if err := codec.UnmarshalJSON(state[custody.ModuleName], &keys); err != nil {
			return fmt.Errorf("custody of the genesis: %w", err)
		}
		keys.Params.RoundWindow = uint64(set.window.Seconds())
		if state[custody.ModuleName], err = codec.MarshalJSON(&keys); err != nil {
			return err
		}
		var unlocks access.GenesisState
		if err := codec.UnmarshalJSON(state[access.ModuleName], &unlocks); err != nil {
			return fmt.Errorf("access of the genesis: %w", err)
		}
		if set.open != 0 {
			unlocks.Params.MaxOpen = set.open
		}
		unlocks.Params.RecoveryDelay = uint64(set.delay.Seconds())
		if state[access.ModuleName], err = codec.MarshalJSON(&unlocks); err != nil {
			return err
		}
		return nil
	})
}
