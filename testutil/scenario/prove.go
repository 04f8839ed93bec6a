package scenario

import (
	"time"

	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/x/storage"
)

// Epochs sets how often storage nodes prove what they hold; without it they do every ten minutes.
func Epochs(interval time.Duration) Option {
	return func(s *settings) {
		s.storage = append(s.storage, func(p *storage.Params) { p.ChallengeInterval = int64(interval.Seconds()) })
	}
}

// HaveProven waits until so many hospitals have given their proofs in an epoch later than one, and answers it.
func (n *Network) HaveProven(hospitals uint32, later uint64) *storagev1.Epoch {
	n.t.Helper()
	node := n.Hospital(names[0]).Node()
	ctx, cancel := node.step()
	defer cancel()
	query := storagev1.NewQueryClient(node.client)
	for {
		asked, err := query.Challenges(ctx, &storagev1.QueryChallengesRequest{})
		if err != nil {
			n.t.Fatalf("challenges: %v", err)
		}
		if e := asked.GetEpoch(); e.GetNumber() > later && e.GetProven() >= hospitals {
			return e
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("no %d hospitals give their proofs: %v", hospitals, asked)
		}
	}
}
