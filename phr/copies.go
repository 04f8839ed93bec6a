package phr

import (
	"context"
	"fmt"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

// Copies says how many copies of a version there are.
type Copies struct {
	// Held is the number of distinct places whose copy was confirmed.
	Held uint32
	// Target is how many are wanted, Minimum how many make a store safe.
	Target, Minimum uint32
	// Nodes that hold one or are to fetch it, by number, and where each of them stands.
	Nodes    []*storagev1.Copy
	Statuses []storagev1.NodeStatus
	// Standing is how safe the version is.
	Standing storagev1.Standing
}

// Copies asks how many copies of a version there are.
func (c *Client) Copies(ctx context.Context, ref Ref) (Copies, error) {
	v, err := c.Version(ctx, ref)
	if err != nil {
		return Copies{}, err
	}
	return c.copiesOf(ctx, v.GetObject())
}

func (c *Client) copiesOf(ctx context.Context, object string) (Copies, error) {
	answer, err := storagev1.NewQueryClient(c).Object(ctx, &storagev1.QueryObjectRequest{Cid: object})
	if err != nil {
		return Copies{}, err
	}
	return Copies{
		Held: answer.GetHeld(), Target: answer.GetObject().GetTarget(), Minimum: answer.GetObject().GetMinimum(),
		Nodes: answer.GetCopies(), Statuses: answer.GetNodes(), Standing: answer.GetStanding(),
	}, nil
}

// WaitForCopies waits until as many copies of a version are held as wanted, or as its target says where that is 0 or
// less, and returns the last count. tell, which may be nil, is told each new count. When the context ends first the error
// is ErrNotCopied.
func (c *Client) WaitForCopies(ctx context.Context, ref Ref, want uint32, tell func(Copies)) (Copies, error) {
	// It was stored a moment ago, and another gateway than that one may be asked.
	v, err := arrived(ctx, func() (*recordsv1.Version, error) { return c.Version(ctx, ref) })
	if err != nil {
		return Copies{}, err
	}
	var last Copies
	first := true
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		now, err := arrived(ctx, func() (Copies, error) { return c.copiesOf(ctx, v.GetObject()) })
		if err != nil {
			return false, err
		}
		if tell != nil && (first || now.Held != last.Held || now.Target != last.Target) {
			tell(now)
		}
		first, last = false, now
		goal := want
		if goal == 0 || goal > now.Target {
			goal = now.Target
		}
		return now.Held >= goal, nil
	})
	if err != nil && ctx.Err() != nil {
		return last, fmt.Errorf("%d of %d: %w: %w", last.Held, last.Target, err, ErrNotCopied)
	}
	return last, err
}
