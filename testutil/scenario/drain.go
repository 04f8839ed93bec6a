package scenario

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	"github.com/cosmos/gogoproto/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

// OpenUnlocks sets how many unlocks of one owner may be open for one requester; 8 without it, 64 at most.
func OpenUnlocks(n uint32) Option { return func(s *settings) { s.open = n } }

// asksAtOnce is how many proposals of one person are on their way at the same time.
const asksAtOnce = 16

// AskOften proposes to open a version so often, several proposals at a time.
func (p Person) AskOften(v Version, times int) []Unlock {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	unlocks, errs := make([]Unlock, times), make([]error, times)
	places := make(chan struct{}, asksAtOnce)
	var all sync.WaitGroup
	for i := range times {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			id, err := p.client.Propose(ctx, phr.Request{Purpose: Treatment, Lifetime: lifetime, Versions: []phr.Ref{v.Ref}})
			unlocks[i], errs[i] = Unlock{ID: id, Requester: p, Versions: []Version{v}}, err
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		p.t.Fatalf("propose to open %s %d times: %v", v.Name, times, err)
	}
	return unlocks
}

// Drain is what became of unlocks that were approved at once.
type Drain struct {
	// Blocks from the one with the first approval to the one with the last release, the time between them, and the longest between
	// two of them.
	Blocks        int
	Took, Longest time.Duration
	// Approved, Asked, Shares and Released are how many approvals came into one of the blocks at most, for how many unlocks one asked the
	// hospitals for shares, how many shares came, and how many unlocks were released.
	Approved, Asked, Shares, Released int
}

// ApproveAtOnce has every patient approve unlocks of their own, all of them signed before the first is handed in, and waits until the
// hospitals have released all of them.
func (n *Network) ApproveAtOnce(unlocks map[*Patient][]Unlock) Drain {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 5*StepTime)
	defer cancel()
	before := n.Height()
	var handIns []func() error
	for p, list := range unlocks {
		txs, err := p.approvals(ctx, list)
		if err != nil {
			n.t.Fatalf("sign approvals of %s: %v", p.Name, err)
		}
		handIns = append(handIns, func() error {
			for _, tx := range txs {
				if _, err := p.handIn(ctx, tx, &accessv1.MsgApproveUnlock{}); err != nil {
					return fmt.Errorf("approvals of %s: %w", p.Name, err)
				}
			}
			return nil
		})
	}
	errs := make([]error, len(handIns))
	var all sync.WaitGroup
	for i, handIn := range handIns {
		all.Go(func() { errs[i] = handIn() })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		n.t.Fatalf("hand in approvals: %v", err)
	}
	drain, err := n.drained(ctx, before, unlocks)
	if err != nil {
		n.t.Fatalf("wait for the shares: %v", err)
	}
	return drain
}

// approvals signs approvals of unlocks, for one transaction of the patient's after the other.
func (p *Patient) approvals(ctx context.Context, unlocks []Unlock) ([][]byte, error) {
	info, err := authv1.NewQueryClient(p.client).AccountInfo(ctx, &authv1.QueryAccountInfoRequest{Address: p.Address()})
	if err != nil {
		return nil, err
	}
	account := wallet.Account{ChainID: ChainID, Number: info.GetInfo().GetAccountNumber(), Sequence: info.GetInfo().GetSequence()}
	var txs [][]byte
	for _, u := range unlocks {
		tx, err := p.key.SignDirect(account, sendGas, p.Approval(u))
		if err != nil {
			return nil, err
		}
		txs = append(txs, tx)
		account.Sequence++
	}
	return txs, nil
}

// drained waits until all unlocks are released, and reads the log and the blocks since a height.
func (n *Network) drained(ctx context.Context, before int64, unlocks map[*Patient][]Unlock) (Drain, error) {
	for p, list := range unlocks {
		if err := p.released(ctx, len(list)); err != nil {
			return Drain{}, err
		}
	}
	entries, err := n.Hospital(names[0]).Auditor().log(ctx)
	if err != nil {
		return Drain{}, err
	}
	counts := map[string]map[int64]int{audit.KindApproved: {}, audit.KindShareGiven: {}, audit.KindReleased: {}}
	for _, e := range entries {
		if at := counts[e.GetKind()]; at != nil && e.GetHeight() > before {
			at[e.GetHeight()]++
		}
	}
	most := func(kind string) int { return slices.Max(slices.Collect(maps.Values(counts[kind]))) }
	d := Drain{Approved: most(audit.KindApproved), Shares: most(audit.KindShareGiven), Released: most(audit.KindReleased)}
	first, last := slices.Min(slices.Collect(maps.Keys(counts[audit.KindApproved]))), slices.Max(slices.Collect(maps.Keys(counts[audit.KindReleased])))
	client, err := n.hospitals[0].rpc()
	if err != nil {
		return d, err
	}
	var previous time.Time
	for height := first; height <= last; height++ {
		h, err := headerAt(ctx, client, height)
		if err != nil {
			return d, err
		}
		if height > first {
			d.Longest, d.Took = max(d.Longest, h.Time.Sub(previous)), d.Took+h.Time.Sub(previous)
		}
		previous = h.Time
		d.Blocks++
		results, err := client.BlockResults(ctx, &height)
		if err != nil {
			return d, err
		}
		asked := 0
		for _, e := range results.FinalizeBlockEvents {
			if e.Type == proto.MessageName(&custody.EventReleaseRequested{}) {
				asked++
			}
		}
		d.Asked = max(d.Asked, asked)
	}
	return d, nil
}

// released waits until so many of the patient's unlocks are released.
func (p *Patient) released(ctx context.Context, want int) error {
	for {
		got := 0
		for _, err := range p.client.Unlocks(ctx, phr.UnlockFilter{Patient: p.Number, Status: accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED}) {
			if err != nil {
				return err
			}
			got++
		}
		if got == want {
			return nil
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return fmt.Errorf("%d of %d unlocks of %s were released: %w", got, want, p.Name, context.Cause(ctx))
		}
	}
}
