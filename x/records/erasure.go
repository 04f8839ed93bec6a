package records

import (
	"fmt"
	"math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// What the network keeps of an erased version for ever, in certificates.
const (
	// RemainsTombstone is who erased the version, and when.
	RemainsTombstone = "tombstone"
	// RemainsLockHeader is the lock header, which opens nothing by itself.
	RemainsLockHeader = "lock_header"
	// RemainsLogEntries are the entries of the log about the version.
	RemainsLogEntries = "log_entries"
	// RemainsSharedLeaves are leaves that the version shares with others that are not erased.
	RemainsSharedLeaves = "shared_leaves"
)

// Validate answers ErrInvalidErasure for a tombstone that no version can have.
func (t Tombstone) Validate() error {
	if _, err := sdk.AccAddressFromBech32(t.By); err != nil {
		return ErrInvalidErasure.Wrapf("by: %v", err)
	}
	if t.ApprovedBy != "" {
		if _, err := sdk.AccAddressFromBech32(t.ApprovedBy); err != nil {
			return ErrInvalidErasure.Wrapf("approved by: %v", err)
		}
	}
	if t.At < 0 || t.Erasure < 1 || t.Erasure > math.MaxInt64 {
		return ErrInvalidErasure.Wrapf("time %d, erasure %d", t.At, t.Erasure)
	}
	return nil
}

// tombstone takes a version's tombstone: each has an erasure of its own.
func (g genesisCheck) tombstone(v Version) error {
	if v.Tombstone == nil {
		return nil
	}
	if err := v.Tombstone.Validate(); err != nil {
		return err
	}
	if g.erasures[v.Tombstone.Erasure] {
		return ErrInvalidGenesis.Wrapf("erasure %d is of two versions", v.Tombstone.Erasure)
	}
	g.erasures[v.Tombstone.Erasure] = true
	g.buried[v.Record]++
	g.erased[fmt.Sprintf("%s/%d", v.Record, v.Version)] = true
	return nil
}

// requests takes the erasures that wait, after all versions.
func (g genesisCheck) requests(list []ErasureRequest, sequence uint64) error {
	var last uint64
	asked := map[string]bool{}
	for _, r := range list {
		if r.Number <= last || r.Number > sequence {
			return ErrInvalidGenesis.Wrapf("erasure request %d after %d, of %d", r.Number, last, sequence)
		}
		last = r.Number
		if _, err := sdk.AccAddressFromBech32(r.By); err != nil {
			return ErrInvalidGenesis.Wrapf("erasure request %d: %v", r.Number, err)
		}
		refs, err := ParseRefs(r.Versions)
		if err != nil {
			return ErrInvalidGenesis.Wrapf("erasure request %d: %v", r.Number, err)
		}
		for i, ref := range refs {
			text := r.Versions[i]
			record := g.records[ref.Record.String()]
			if record.Versions < ref.Version || record.Patient != r.Patient || record.Custodian != r.Custodian || g.erased[text] || asked[text] {
				return ErrInvalidGenesis.Wrapf("erasure request %d: version %q is unknown, of others, erased or asked for twice", r.Number, text)
			}
			asked[text] = true
		}
	}
	return nil
}
