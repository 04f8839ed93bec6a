package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/records"
)

// setBlock writes a block, and has it wait for its successor's copies where it has one.
func (k *Keeper) setBlock(ctx context.Context, b records.Block) error {
	cid, err := lock.ParseRawCID(b.Cid)
	if err != nil {
		return records.ErrInvalidCID.Wrap(err.Error())
	}
	if err := k.blocks.Set(ctx, cid.Bytes(), b); err != nil || b.Successor == "" {
		return err
	}
	successor, err := lock.ParseRawCID(b.Successor)
	if err != nil {
		return records.ErrInvalidCID.Wrap(err.Error())
	}
	return k.replaced.Set(ctx, successor.Bytes(), cid.Bytes())
}

// replace has a block erased once enough hospitals hold its successor. Where it is a successor
// itself that too few hold, it is erased at once, and the one before it waits in its place: there
// is never more than one that waits.
func (k *Keeper) replace(ctx context.Context, former records.Block, successor string) error {
	waiting, err := k.waiting(ctx, former.Cid)
	if err != nil {
		return err
	}
	former.Successor = successor
	if waiting == nil {
		return k.setBlock(ctx, former)
	}
	if err := k.forget(ctx, former.Cid); err != nil {
		return err
	}
	waiting.Successor, former.Successor = successor, ""
	if err := k.setBlock(ctx, *waiting); err != nil {
		return err
	}
	if err := k.setBlock(ctx, former); err != nil {
		return err
	}
	_, err = k.storage.Erase(ctx, []string{former.Cid})
	return err
}

// waiting is the block that waits for the copies of a successor, nil for none.
func (k *Keeper) waiting(ctx context.Context, successor string) (*records.Block, error) {
	cid, err := lock.ParseRawCID(successor)
	if err != nil {
		return nil, records.ErrInvalidCID.Wrap(err.Error())
	}
	former, err := k.replaced.Get(ctx, cid.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := k.blocks.Get(ctx, former)
	return &b, err
}

// forget has nobody wait any more for the copies of a successor.
func (k *Keeper) forget(ctx context.Context, successor string) error {
	cid, err := lock.ParseRawCID(successor)
	if err != nil {
		return records.ErrInvalidCID.Wrap(err.Error())
	}
	if err := k.replaced.Remove(ctx, cid.Bytes()); err != nil {
		return err
	}
	return k.copied.Remove(ctx, cid.Bytes())
}

// dismiss answers a block, and the one that waits for its copies, for the caller to have both
// erased: none waits any more.
func (k *Keeper) dismiss(ctx context.Context, cid string) ([]string, error) {
	waiting, err := k.waiting(ctx, cid)
	if err != nil || waiting == nil {
		return []string{cid}, err
	}
	if err := k.forget(ctx, cid); err != nil {
		return nil, err
	}
	waiting.Successor = ""
	return []string{cid, waiting.Cid}, k.setBlock(ctx, *waiting)
}

// noteCopied has a block that was replaced erased at the end of the block of transactions, once
// enough hospitals hold its successor.
func (k *Keeper) noteCopied(ctx context.Context, successor lock.CID) error {
	isSuccessor, err := k.replaced.Has(ctx, successor.Bytes())
	if err != nil || !isSuccessor {
		return err
	}
	safe, err := k.storage.IsSafe(ctx, successor.String())
	if err != nil || !safe {
		return err
	}
	return k.copied.Set(ctx, successor.Bytes())
}

// eraseCopied erases blocks whose successors are held by enough hospitals, at most so many, and
// answers how many it looked at.
func (k *Keeper) eraseCopied(ctx context.Context, limit int) (int, error) {
	var due []lock.CID
	if err := k.copied.Walk(ctx, nil, func(key []byte) (bool, error) {
		successor, err := lock.CIDFromBytes(key)
		due = append(due, successor)
		return len(due) >= limit, err
	}); err != nil {
		return 0, err
	}
	var things [][]string
	for _, successor := range due {
		if err := k.copied.Remove(ctx, successor.Bytes()); err != nil {
			return 0, err
		}
		// Copies may have been lost since.
		safe, err := k.storage.IsSafe(ctx, successor.String())
		if err != nil {
			return 0, err
		}
		if !safe {
			continue
		}
		former, err := k.waiting(ctx, successor.String())
		if err != nil {
			return 0, err
		}
		if former == nil {
			return 0, fmt.Errorf("nothing waits for the copies of %s", successor)
		}
		if err := k.forget(ctx, successor.String()); err != nil {
			return 0, err
		}
		former.Successor = ""
		if err := k.setBlock(ctx, *former); err != nil {
			return 0, err
		}
		things = append(things, []string{former.Cid})
	}
	if len(things) == 0 {
		return len(due), nil
	}
	_, err := k.storage.Erase(ctx, things...)
	return len(due), err
}
