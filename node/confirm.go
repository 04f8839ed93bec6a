package node

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

// confirm confirms objects that were read back, in batches.
func (r *Replicator) confirm(ctx context.Context, done <-chan string) {
	for {
		batch := gather(ctx, done)
		if len(batch) == 0 {
			return
		}
		slices.Sort(batch)
		confirmed := r.sendConfirmation(ctx, batch)
		for _, cid := range batch {
			r.finish(cid, confirmed[cid])
		}
	}
}

// gather waits for the first object and takes what finishes soon after. It returns nothing
// when ctx has ended.
func gather(ctx context.Context, done <-chan string) []string {
	var batch []string
	select {
	case cid := <-done:
		batch = append(batch, cid)
	case <-ctx.Done():
		return nil
	}
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	for len(batch) < maxBatch {
		select {
		case cid := <-done:
			batch = append(batch, cid)
		case <-timer.C:
			return batch
		case <-ctx.Done():
			return nil
		}
	}
	return batch
}

// sendConfirmation returns the objects with which the chain is done.
func (r *Replicator) sendConfirmation(ctx context.Context, batch []string) map[string]bool {
	var response storagev1.MsgConfirmCopiesResponse
	message := &storagev1.MsgConfirmCopies{Node: r.config.Chain.Account(), Objects: batch}
	err := r.send(ctx, message, &response)
	if isTooMuch(err) && len(batch) > 1 {
		confirmed := r.sendConfirmation(ctx, batch[:len(batch)/2])
		if confirmed == nil {
			confirmed = map[string]bool{}
		}
		maps.Copy(confirmed, r.sendConfirmation(ctx, batch[len(batch)/2:]))
		return confirmed
	}
	if err != nil {
		r.config.Log.Warn("copies were not confirmed and are read back again", "objects", len(batch), "reason", err)
		return nil
	}
	return r.outcomes("confirmation", response.GetResults())
}

// isTooMuch tells whether a message took more gas than it had: what an object takes grows
// with its number of copies, and a batch of many may be too large.
func isTooMuch(err error) bool {
	var refused *TxError
	return errors.As(err, &refused) && code{refused.Codespace, refused.Code} == outOfGas
}

// send submits a message and reads its response.
func (r *Replicator) send(ctx context.Context, message, response proto.Message) error {
	result, err := r.config.Chain.Submit(ctx, message)
	if err != nil {
		return err
	}
	return result.Response(response)
}

// outcomes returns the objects whose result was accepted, and logs the others. A refusal is
// not final: the next scan shows whether the object is still assigned.
func (r *Replicator) outcomes(what string, results []*storagev1.CopyResult) map[string]bool {
	accepted := map[string]bool{}
	for _, result := range results {
		if result.GetOutcome() == auditv1.Outcome_OUTCOME_OK {
			accepted[result.GetObject()] = true
			continue
		}
		r.config.Log.Warn(what+" was refused", "object", result.GetObject(), "reason", result.GetReason())
	}
	return accepted
}
