package custody

import (
	"fmt"
	"slices"
)

// DefaultGenesis has no key: a network without one stores nothing.
func DefaultGenesis() *GenesisState { return &GenesisState{Params: DefaultParams()} }

// Validate answers ErrInvalidGenesis, or what is wrong with the parameters, where
// the state is not one that the module could have exported. The proofs of the
// shares are not checked again.
func (g *GenesisState) Validate() error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	v := genesisCheck{
		keys: map[keyID]Key{}, holders: map[epochID][]Holder{},
		releases: map[string]Release{}, shares: map[string]map[uint64]uint64{},
		roundKeys: map[keyID][]uint64{},
	}
	for _, k := range g.Keys {
		if err := v.key(k); err != nil {
			return ErrInvalidGenesis.Wrapf("key %s/%d: %v", k.Kind, k.Generation, err)
		}
	}
	for _, h := range g.Holders {
		if err := v.holder(h); err != nil {
			return ErrInvalidGenesis.Wrapf("key %s/%d epoch %d holder %d: %v", h.Kind, h.Generation, h.ShareEpoch, h.Index, err)
		}
	}
	for _, k := range g.Keys {
		if err := checkCommittee(k, v.holders[epochID{k.id(), k.ShareEpoch}]); err != nil {
			return ErrInvalidGenesis.Wrapf("key %s/%d: %v", k.Kind, k.Generation, err)
		}
	}
	for _, r := range g.Releases {
		if err := v.release(r); err != nil {
			return ErrInvalidGenesis.Wrapf("release %q: %v", r.Unlock, err)
		}
	}
	for _, s := range g.Shares {
		if err := v.share(s); err != nil {
			return ErrInvalidGenesis.Wrapf("share of %d for unlock %q: %v", s.Index, s.Unlock, err)
		}
	}
	for _, r := range g.Releases {
		if err := v.counts(r); err != nil {
			return ErrInvalidGenesis.Wrapf("release %q: %v", r.Unlock, err)
		}
	}
	for _, key := range g.RoundKeys {
		if err := v.roundKey(key); err != nil {
			return ErrInvalidGenesis.Wrapf("round key of %d for %s/%d: %v", key.Member, key.Kind, key.Generation, err)
		}
	}
	rounds := map[keyID]bool{}
	for _, r := range g.Rounds {
		if err := v.round(r, rounds); err != nil {
			return ErrInvalidGenesis.Wrapf("round for %s/%d: %v", r.Kind, r.Generation, err)
		}
	}
	for id := range v.roundKeys {
		if !rounds[id] {
			return ErrInvalidGenesis.Wrapf("round keys for %s/%d without a round", id.kind, id.generation)
		}
	}
	return nil
}

// roundKey takes the round keys of a key by member.
func (g *genesisCheck) roundKey(k RoundKey) error {
	if err := k.Validate(); err != nil {
		return err
	}
	id := keyID{k.Kind, k.Generation}
	if others := g.roundKeys[id]; len(others) > 0 && k.Member <= others[len(others)-1] {
		return fmt.Errorf("member %d after member %d", k.Member, others[len(others)-1])
	}
	g.roundKeys[id] = append(g.roundKeys[id], k.Member)
	return nil
}

// round takes a round that makes the next epoch of a key, or the key. Its hash is not
// computed again: that takes the network's id.
func (g *genesisCheck) round(r Round, known map[keyID]bool) error {
	if err := r.Validate(); err != nil {
		return err
	}
	id := keyID{r.Kind, r.Generation}
	k, made := g.keys[id]
	_, before := g.keys[keyID{r.Kind, r.Generation - 1}]
	switch {
	case known[id]:
		return fmt.Errorf("repeated")
	case made && (r.ShareEpoch != k.ShareEpoch+1 || r.OldThreshold != k.Threshold):
		return fmt.Errorf("share epoch %d after %d, of %d dealers", r.ShareEpoch, k.ShareEpoch, r.OldThreshold)
	case !made && (r.ShareEpoch != 1 || r.OldThreshold != 0 || r.Generation > 1 && !before):
		return fmt.Errorf("share epoch %d of a key that is not there", r.ShareEpoch)
	case !slices.Equal(r.Receivers, g.roundKeys[id]):
		return fmt.Errorf("%d round keys for %d receivers", len(g.roundKeys[id]), len(r.Receivers))
	}
	known[id] = true
	return nil
}

// keyID names a key.
type keyID struct {
	kind       KeyKind
	generation uint64
}

func (k Key) id() keyID { return keyID{k.Kind, k.Generation} }

// epochID names a committee.
type epochID struct {
	key   keyID
	epoch uint64
}

// genesisCheck is what was met so far.
type genesisCheck struct {
	keys     map[keyID]Key
	holders  map[epochID][]Holder
	releases map[string]Release
	// shares counts the shares of an unlock by epoch
	shares map[string]map[uint64]uint64
	// last is the share before
	last Share
	// roundKeys are the members that gave one, by key
	roundKeys map[keyID][]uint64
}

// key takes the keys by kind and generation, each kind's from 1 without a gap.
func (g *genesisCheck) key(k Key) error {
	if err := k.Validate(); err != nil {
		return err
	}
	if _, known := g.keys[k.id()]; known {
		return fmt.Errorf("repeated")
	}
	if _, known := g.keys[keyID{k.Kind, k.Generation - 1}]; !known && k.Generation > 1 {
		return fmt.Errorf("generation %d is missing before it", k.Generation-1)
	}
	g.keys[k.id()] = k
	return nil
}

// holder takes the holders of an epoch by index.
func (g *genesisCheck) holder(h Holder) error {
	if err := h.Validate(); err != nil {
		return err
	}
	id := keyID{h.Kind, h.Generation}
	k, known := g.keys[id]
	if !known || h.ShareEpoch > k.ShareEpoch {
		return fmt.Errorf("no such key or epoch")
	}
	committee := epochID{id, h.ShareEpoch}
	if others := g.holders[committee]; len(others) > 0 && h.Index <= others[len(others)-1].Index {
		return fmt.Errorf("index %d after index %d", h.Index, others[len(others)-1].Index)
	}
	g.holders[committee] = append(g.holders[committee], h)
	return nil
}

func (g *genesisCheck) release(r Release) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := r.validateState(); err != nil {
		return err
	}
	if _, known := g.releases[r.Unlock]; known {
		return fmt.Errorf("repeated")
	}
	if _, known := g.keys[keyID{r.Kind, r.Generation}]; !known {
		return fmt.Errorf("no such key")
	}
	g.releases[r.Unlock] = r
	g.shares[r.Unlock] = map[uint64]uint64{}
	return nil
}

// share takes the shares by unlock, epoch and index.
func (g *genesisCheck) share(s Share) error {
	if err := s.Validate(); err != nil {
		return err
	}
	r, known := g.releases[s.Unlock]
	if !known {
		return fmt.Errorf("no such release")
	}
	if !s.isAfter(g.last) {
		return fmt.Errorf("repeated or out of order")
	}
	g.last = s
	if len(s.Points) != len(r.Blinded) {
		return fmt.Errorf("got %d points, want %d", len(s.Points), len(r.Blinded))
	}
	if _, err := parsePoints(s.Points); err != nil {
		return err
	}
	for _, h := range g.holders[epochID{keyID{r.Kind, r.Generation}, s.ShareEpoch}] {
		if h.Index == s.Index {
			g.shares[s.Unlock][s.ShareEpoch]++
			return nil
		}
	}
	return fmt.Errorf("index %d holds no share in epoch %d", s.Index, s.ShareEpoch)
}

// isAfter says whether the share stands behind the other by unlock, epoch and index.
func (s Share) isAfter(other Share) bool {
	if s.Unlock != other.Unlock {
		return s.Unlock > other.Unlock
	}
	if s.ShareEpoch != other.ShareEpoch {
		return s.ShareEpoch > other.ShareEpoch
	}
	return s.Index > other.Index
}

// counts checks a release's status against its shares. The threshold of an epoch
// that is over is not known any more.
func (g *genesisCheck) counts(r Release) error {
	k := g.keys[keyID{r.Kind, r.Generation}]
	given := g.shares[r.Unlock]
	switch {
	case r.Status == RELEASE_STATUS_PENDING && given[k.ShareEpoch] >= k.Threshold:
		return fmt.Errorf("pending with %d shares, threshold %d", given[k.ShareEpoch], k.Threshold)
	case r.Status == RELEASE_STATUS_RELEASED && r.ShareEpoch == k.ShareEpoch && given[k.ShareEpoch] < k.Threshold:
		return fmt.Errorf("released with %d shares, threshold %d", given[k.ShareEpoch], k.Threshold)
	case r.Status == RELEASE_STATUS_RELEASED && given[r.ShareEpoch] == 0:
		return fmt.Errorf("released without a share of epoch %d", r.ShareEpoch)
	}
	return nil
}
