package custody

import (
	"github.com/phrd/phrd/lock"
)

// IsRight says whether the share is D_k = x_i·M_k for every M_k of the release, by
// its proof (docs/custody.md, appendix A, share). Key, holder and release come from
// the state: the release is one that the key answers, and the holder is of the
// share's epoch and index. An error is a fault of theirs, never of the share.
func (s Share) IsRight(network lock.Network, k Key, h Holder, r Release) (bool, error) {
	request, err := r.request(network, k)
	if err != nil {
		return false, err
	}
	public, err := lock.ParsePoint(h.PublicShare)
	if err != nil {
		return false, err
	}
	points, err := parsePoints(s.Points)
	if err != nil {
		return false, nil //nolint:nilerr // what is no point is a fault of the share
	}
	share := lock.Share{Epoch: s.ShareEpoch, Index: s.Index, D: points, Proof: s.Proof}
	return request.Verify(share, public) == nil, nil
}

// request is what the holders answer.
func (r Release) request(network lock.Network, k Key) (lock.Release, error) {
	unlock, err := ParseUnlockID(r.Unlock)
	if err != nil {
		return lock.Release{}, err
	}
	x, err := lock.ParsePoint(k.PublicKey)
	if err != nil {
		return lock.Release{}, err
	}
	generation, err := lock.Generation{Network: network, Kind: lock.KeyKind(k.Kind), Number: k.Generation, X: x}.Hash()
	if err != nil {
		return lock.Release{}, err
	}
	blinded, err := parsePoints(r.Blinded)
	return lock.Release{Network: network, Unlock: unlock, Generation: generation, M: blinded}, err
}

func parsePoints(encoded [][]byte) ([]lock.Point, error) {
	points := make([]lock.Point, len(encoded))
	for i, b := range encoded {
		p, err := lock.ParsePoint(b)
		if err != nil {
			return nil, err
		}
		points[i] = p
	}
	return points, nil
}
