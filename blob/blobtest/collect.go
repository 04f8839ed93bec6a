package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// day is the least time that the cases tell apart.
const day = 24 * time.Hour

// list returns what a store lists behind a CID, up to a number of blocks.
func list(ctx context.Context, s blob.Collector, after lock.CID, most int) ([]blob.Held, error) {
	errEnough := errors.New("enough")
	var all []blob.Held
	err := s.List(ctx, after, func(h blob.Held) error {
		if len(all) == most {
			return errEnough
		}
		all = append(all, h)
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return all, err
}

func listed(ctx context.Context, s CollectorStore, advance func(time.Duration)) error {
	begin := time.Now().Add(-time.Second)
	cids, blocks, err := stored(ctx, s, 1300, 40)
	if err != nil {
		return err
	}
	o := NewObject(7, 5000)
	if err := o.Put(ctx, s); err != nil {
		return err
	}
	cids = append(cids, o.CIDs...)
	slices.SortFunc(cids, func(a, b lock.CID) int { return bytes.Compare(a[:], b[:]) })
	advance(day)
	if err := Store(ctx, s, blob.Hint{}, blocks[3]); err != nil {
		return err
	}
	all, err := list(ctx, s, lock.CID{}, len(cids)+1)
	if err != nil || len(all) != len(cids) {
		return fmt.Errorf("%d blocks are listed, want %d: %w", len(all), len(cids), err)
	}
	for i, h := range all {
		again := h.CID == rawCID(blocks[3])
		if h.CID != cids[i] || h.Used.Before(begin) || h.Used.After(begin.Add(day)) != again || h.CID.IsRaw() && h.Bytes != 40 && h.Bytes != 5000 {
			return fmt.Errorf("block %d is listed as %v, want %s", i, h, cids[i])
		}
	}
	some, err := list(ctx, s, cids[1100], 5)
	if err != nil || len(some) != 5 || some[0].CID != cids[1101] {
		return fmt.Errorf("behind %s are listed %v: %w", cids[1100], some, err)
	}
	// While it lists, the store goes on.
	n := 0
	err = s.List(ctx, lock.CID{}, func(h blob.Held) error {
		if n++; n%300 != 0 {
			return nil
		}
		done, err := s.Collect(ctx, []lock.CID{h.CID}, begin.Add(2*day))
		if err == nil && done.Blocks != 1 {
			err = fmt.Errorf("collected %v", done)
		}
		return err
	})
	if err != nil {
		return err
	}
	if left, err := list(ctx, s, lock.CID{}, len(cids)); err != nil || len(left) != len(cids)-n/300 {
		return fmt.Errorf("%d blocks are left of %d: %w", len(left), n, err)
	}
	return s.Close()
}

func collected(ctx context.Context, s CollectorStore, advance func(time.Duration)) error {
	cids, blocks, err := stored(ctx, s, 4, 3000)
	if err != nil {
		return err
	}
	advance(10 * day)
	_, fresh := Block(99, 3000)
	unknown, _ := Block(100, 3000)
	if err := Store(ctx, s, blob.Hint{}, fresh); err != nil {
		return err
	}
	limit := time.Now().Add(5 * day)
	if done, err := s.Collect(ctx, cids, time.Now().Add(-day)); err != nil || done != (blob.Collected{}) {
		return fmt.Errorf("collected %v before anything was put: %w", done, err)
	}
	done, err := s.Collect(ctx, []lock.CID{cids[0], unknown, cids[2], rawCID(fresh)}, limit)
	if err != nil || done != (blob.Collected{Blocks: 2, Bytes: 6000}) {
		return fmt.Errorf("collected %v: %w", done, err)
	}
	return errors.Join(Lacks(ctx, s, cids[0]), Holds(ctx, s, blocks[1]), Lacks(ctx, s, cids[2]), Holds(ctx, s, blocks[3]), Holds(ctx, s, fresh), s.Close())
}

func putProtects(ctx context.Context, s CollectorStore, advance func(time.Duration)) error {
	cids, blocks, err := stored(ctx, s, 2, 3000)
	if err != nil {
		return err
	}
	advance(10 * day)
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	if err := batch.Put(cids[0], blocks[0]); err != nil {
		return err
	}
	// The batch has not synced yet.
	done, err := s.Collect(ctx, cids, time.Now().Add(5*day))
	if err != nil || done.Blocks != 1 {
		return fmt.Errorf("collected %v: %w", done, err)
	}
	advance(10 * day)
	if err := errors.Join(batch.Sync(ctx), batch.Close()); err != nil {
		return err
	}
	// It was put ten days before it was acknowledged, and that counts too.
	if done, err = s.Collect(ctx, cids, time.Now().Add(15*day)); err != nil || done.Blocks != 0 {
		return fmt.Errorf("collected %v after the Sync: %w", done, err)
	}
	return errors.Join(Holds(ctx, s, blocks[0]), Lacks(ctx, s, cids[1]), s.Close())
}

func touchProtects(ctx context.Context, s CollectorStore, advance func(time.Duration)) error {
	cids, blocks, err := stored(ctx, s, 2, 3000)
	if err != nil {
		return err
	}
	advance(10 * day)
	if held, err := s.Touch(ctx, cids[0]); err != nil || !held {
		return fmt.Errorf("touch: %t, %w", held, err)
	}
	done, err := s.Collect(ctx, cids, time.Now().Add(5*day))
	if err != nil || done.Blocks != 1 {
		return fmt.Errorf("collected %v: %w", done, err)
	}
	if held, err := s.Touch(ctx, cids[1]); err != nil || held {
		return fmt.Errorf("touch what was collected: %t, %w", held, err)
	}
	if err := errors.Join(Holds(ctx, s, blocks[0]), Lacks(ctx, s, cids[1])); err != nil {
		return err
	}
	// The touch ages as well.
	if done, err = s.Collect(ctx, cids, time.Now().Add(15*day)); err != nil || done.Blocks != 1 {
		return fmt.Errorf("collected %v in the end: %w", done, err)
	}
	return errors.Join(Lacks(ctx, s, cids[0]), s.Close())
}

func collectedAndPut(ctx context.Context, s CollectorStore, advance func(time.Duration)) error {
	cids, blocks, err := stored(ctx, s, 2, 3000)
	if err != nil {
		return err
	}
	for n := range 2 {
		advance(10 * day)
		limit := time.Now().Add(time.Duration(10*n+5) * day)
		if done, err := s.Collect(ctx, cids[:1], limit); err != nil || done.Blocks != 1 {
			return fmt.Errorf("round %d: collected %v: %w", n, done, err)
		}
		err := errors.Join(Lacks(ctx, s, cids[0]), Store(ctx, s, blob.Hint{}, blocks[0]), Holds(ctx, s, blocks[0]), Holds(ctx, s, blocks[1]))
		if err != nil {
			return err
		}
		if done, err := s.Collect(ctx, cids[:1], limit); err != nil || done.Blocks != 0 {
			return fmt.Errorf("round %d: collected %v that was just put: %w", n, done, err)
		}
	}
	return s.Close()
}

// collectedTogether has several use the same old blocks while others collect them. What a
// Touch found or a Put took stays, whoever came first.
func collectedTogether(ctx context.Context, s CollectorStore, advance func(time.Duration)) error {
	const rounds, users, collectors = 12, 3, 2
	cids, blocks, err := stored(ctx, s, 8, 300)
	if err != nil {
		return err
	}
	for n := range rounds {
		advance(10 * day)
		limit := time.Now().Add(time.Duration(10*n+5) * day)
		errs := make(chan error, users+collectors)
		var group sync.WaitGroup
		for range collectors {
			group.Go(func() {
				_, err := s.Collect(ctx, cids, limit)
				errs <- err
			})
		}
		for w := range users {
			group.Go(func() { errs <- useAgain(ctx, s, cids, blocks, w) })
		}
		group.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				return fmt.Errorf("round %d: %w", n, err)
			}
		}
		for _, b := range blocks {
			if err := Holds(ctx, s, b); err != nil {
				return fmt.Errorf("round %d: %w", n, err)
			}
		}
	}
	return s.Close()
}

// useAgain uses blocks as those do who rely on them: it touches some, puts what is missing,
// and finds all of them afterwards.
func useAgain(ctx context.Context, s CollectorStore, cids []lock.CID, blocks [][]byte, from int) error {
	batch, err := s.Begin(ctx, blob.Hint{})
	if err != nil {
		return err
	}
	for i := range cids {
		at := (from + i) % len(cids)
		held := false
		if i%2 == 0 {
			if held, err = s.Touch(ctx, cids[at]); err != nil {
				return errors.Join(err, batch.Close())
			}
		}
		if !held {
			if err := batch.Put(cids[at], blocks[at]); err != nil {
				return errors.Join(err, batch.Close())
			}
		}
	}
	// Nothing that was found by Put or Touch can go before the Sync: ErrNotFound is an error.
	if err := errors.Join(batch.Sync(ctx), batch.Close()); err != nil {
		return err
	}
	for _, c := range cids {
		if has, err := s.Has(ctx, c); err != nil || !has {
			return fmt.Errorf("has %s after it was used: %t, %w", c, has, err)
		}
	}
	return nil
}

func rawCID(block []byte) lock.CID { return lock.RawCID(sha256.Sum256(block)) }
