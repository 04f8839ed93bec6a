package keeper

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/custody"
)

// endKeys fixes who gets shares, and how many of them open. As long as those who gave a
// round key would make a committee that opens less surely than the network can have,
// the round goes on waiting.
func (k *Keeper) endKeys(ctx context.Context, r custody.Round) error {
	receivers, err := k.keyed(ctx, r)
	if err != nil {
		return err
	}
	serving, err := k.countServing(ctx)
	if err != nil {
		return err
	}
	n := uint64(len(receivers))
	var old []lock.Holder
	floor := uint64(0)
	if !r.IsFirst() {
		key, err := k.Key(ctx, r.Kind, r.Generation)
		if err != nil {
			return err
		}
		if renewable, err := k.canRenew(ctx, key); err != nil || !renewable {
			return err // as long as members are missing
		}
		floor = key.Floor()
		if old, err = k.confirmed(ctx, key); err != nil {
			return err
		}
	}
	t := max(custody.Threshold(r.Kind, n), floor)
	if !suffices(n, t, serving, max(custody.Threshold(r.Kind, serving), floor), r.IsFirst()) {
		return nil
	}
	r.Receivers, r.Dealers, r.Threshold = receivers, receivers, t
	if !r.IsFirst() {
		r.Dealers = nil
		for _, h := range old {
			r.Dealers = append(r.Dealers, h.Index)
		}
	}
	made, err := k.lockRound(ctx, r)
	if err != nil {
		return err
	}
	hash, err := made.Hash()
	if err != nil {
		return err
	}
	r.Hash = hash[:]
	awaited, err := k.countActing(ctx, r.Dealers)
	if err != nil {
		return err
	}
	return k.enter(ctx, r, custody.ROUND_PHASE_DEALS, awaited)
}

// suffices says whether n receivers with threshold t make a committee good enough, where
// all who serve could make one of that size and threshold. A new key is made by the
// share of them that a threshold is, for without it nothing can be stored; those that
// are late get theirs when it is renewed. What is renewed still has shares in force, so
// that it can wait: the new committee must bear the loss of a holder if it can.
func suffices(n, t, serving, all uint64, first bool) bool {
	if n < t || n < all {
		return false
	}
	if first || serving <= all {
		return true
	}
	return n > t
}

// keyed are the members that gave a round key and are to get a share, by number.
func (k *Keeper) keyed(ctx context.Context, r custody.Round) ([]uint64, error) {
	var numbers []uint64
	if err := k.roundKeys.Walk(ctx, collections.NewSuperPrefixedTripleRange[uint64, uint64, uint64](uint64(r.Kind), r.Generation),
		func(id memberKey, _ []byte) (bool, error) {
			numbers = append(numbers, id.K3())
			return false, nil
		}); err != nil {
		return nil, err
	}
	return k.staying(ctx, numbers)
}

// staying are those of these members that take part and have not asked to leave.
func (k *Keeper) staying(ctx context.Context, numbers []uint64) ([]uint64, error) {
	var staying []uint64
	for _, number := range numbers {
		m, err := k.consortium.Member(ctx, number)
		if err != nil {
			return nil, err
		}
		if m.Stays() {
			staying = append(staying, number)
		}
	}
	return staying, nil
}

// confirmed are the holders of a key's active epoch that proved possession, by index.
func (k *Keeper) confirmed(ctx context.Context, key custody.Key) ([]lock.Holder, error) {
	holders, err := k.Holders(ctx, key, key.ShareEpoch)
	if err != nil {
		return nil, err
	}
	var list []lock.Holder
	for _, h := range holders {
		if !h.Confirmed {
			continue
		}
		x, err := lock.ParsePoint(h.PublicShare)
		if err != nil {
			return nil, err
		}
		list = append(list, lock.Holder{Index: h.Index, X: x})
	}
	return list, nil
}

// lockRound is a round for lock.
func (k *Keeper) lockRound(ctx context.Context, r custody.Round) (lock.Round, error) {
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return lock.Round{}, err
	}
	keys := make([][]byte, len(r.Receivers))
	for i, number := range r.Receivers {
		if keys[i], err = k.roundKeys.Get(ctx, collections.Join3(uint64(r.Kind), r.Generation, number)); err != nil {
			return lock.Round{}, err
		}
	}
	return r.Lock(network, keys)
}

// needed is how many deals a round needs.
func needed(r custody.Round) int {
	if r.IsFirst() {
		return int(r.Threshold)
	}
	return int(r.OldThreshold)
}

// endDeals takes the deals that are whole, and has the receivers look at them.
func (k *Keeper) endDeals(ctx context.Context, r custody.Round) error {
	for _, dealer := range r.Dealers {
		deal, found, err := k.deal(ctx, r, dealer)
		if err != nil {
			return err
		}
		if found && deal.Sealed == uint64(len(r.Receivers)) {
			r.Qualified = append(r.Qualified, dealer)
		}
	}
	if len(r.Qualified) < needed(r) {
		return k.fail(ctx, r, custody.ReasonFewDeals)
	}
	awaited, err := k.countActing(ctx, r.Receivers)
	if err != nil {
		return err
	}
	return k.enter(ctx, r, custody.ROUND_PHASE_COMPLAINTS, awaited)
}

// complaint is a receiver's word about a dealer, with the dealer's answer where it gave
// one.
type complaint struct {
	dealer, receiver uint64
	answer           []byte
}

// complaintsOf lists the complaints of a round by dealer and receiver.
func (k *Keeper) complaintsOf(ctx context.Context, r custody.Round) ([]complaint, error) {
	var list []complaint
	err := k.complaints.Walk(ctx, collections.NewSuperPrefixedQuadRange[uint64, uint64, uint64, uint64](uint64(r.Kind), r.Generation),
		func(id partiesKey, answer []byte) (bool, error) {
			list = append(list, complaint{id.K3(), id.K4(), answer})
			return false, nil
		})
	return list, err
}

// endComplaints puts out who complained about more dealers than can be at fault, and has
// the dealers answer the other complaints.
func (k *Keeper) endComplaints(ctx context.Context, r custody.Round) error {
	complaints, err := k.complaintsOf(ctx, r)
	if err != nil {
		return err
	}
	about := map[uint64]uint64{}
	for _, c := range complaints {
		about[c.receiver]++
	}
	most := custody.Faults(uint64(len(r.Dealers)))
	open := uint64(0)
	for _, c := range complaints {
		if about[c.receiver] <= most {
			open++
			continue
		}
		if err := k.complaints.Remove(ctx, collections.Join4(uint64(r.Kind), r.Generation, c.dealer, c.receiver)); err != nil {
			return err
		}
	}
	for _, receiver := range r.Receivers {
		if about[receiver] > most {
			r.Excluded = append(r.Excluded, receiver)
		}
	}
	if open == 0 {
		return k.sum(ctx, r)
	}
	return k.enter(ctx, r, custody.ROUND_PHASE_JUSTIFICATIONS, open)
}

// endJustifications puts out the dealers that left a complaint without an answer.
func (k *Keeper) endJustifications(ctx context.Context, r custody.Round) error {
	complaints, err := k.complaintsOf(ctx, r)
	if err != nil {
		return err
	}
	for _, c := range complaints {
		if len(c.answer) != 0 || !slices.Contains(r.Qualified, c.dealer) {
			continue
		}
		r.Qualified = slices.DeleteFunc(r.Qualified, func(dealer uint64) bool { return dealer == c.dealer })
		entry := audit.Entry{
			Kind: audit.KindDealerExcluded, Role: audit.RoleChain, Target: targetOf(r) + "/" + strconv.FormatUint(c.dealer, 10), Count: r.Attempt,
			Outcome: audit.OUTCOME_OK,
		}
		if _, err := k.audit.Append(ctx, entry); err != nil {
			return err
		}
	}
	return k.sum(ctx, r)
}

// sum computes the key and the public shares from the deals that stand, and asks the
// holders to prove that they have theirs. With custody.MaxHolders dealers and receivers
// it multiplies some 20,000 points, once in a round.
func (k *Keeper) sum(ctx context.Context, r custody.Round) error {
	if len(r.Qualified) < needed(r) {
		return k.fail(ctx, r, custody.ReasonFewDeals)
	}
	result, err := k.result(ctx, r)
	if errors.Is(err, lock.ErrRound) {
		return k.fail(ctx, r, custody.ReasonNoResult)
	}
	if err != nil {
		return err
	}
	var holders []uint64
	for _, h := range result.Holders {
		if slices.Contains(r.Excluded, h.Index) {
			continue
		}
		holders = append(holders, h.Index)
		if err := k.addHolder(ctx, r, h); err != nil {
			return err
		}
	}
	if uint64(len(holders)) < r.Threshold {
		return k.fail(ctx, r, custody.ReasonFewHolders)
	}
	r.PublicKey = result.X.Bytes()
	return k.enter(ctx, r, custody.ROUND_PHASE_CONFIRMATIONS, custody.Confirmations(r.Threshold, uint64(len(holders))))
}

// addHolder notes a holder of the shares that a round made. What it said of an earlier
// share stays known, since its word counts once in a while only.
func (k *Keeper) addHolder(ctx context.Context, r custody.Round, h lock.Holder) error {
	before, _, err := k.holder(ctx, custody.Key{Kind: r.Kind, Generation: r.Generation}, r.ShareEpoch-1, h.Index)
	if err != nil {
		return err
	}
	return k.setHolder(ctx, custody.Holder{
		Kind: r.Kind, Generation: r.Generation, ShareEpoch: r.ShareEpoch, Index: h.Index, PublicShare: h.X.Bytes(), LostAt: before.LostAt,
	})
}

// result is what the deals that stand sum to; lock.ErrRound where that is nothing.
func (k *Keeper) result(ctx context.Context, r custody.Round) (lock.Result, error) {
	made, err := k.lockRound(ctx, r)
	if err != nil {
		return lock.Result{}, err
	}
	dealings := make([]lock.Dealing, len(r.Qualified))
	for i, dealer := range r.Qualified {
		if dealings[i], err = k.dealing(ctx, r, dealer); err != nil {
			return lock.Result{}, err
		}
	}
	if r.IsFirst() {
		return made.Sum(dealings)
	}
	key, err := k.Key(ctx, r.Kind, r.Generation)
	if err != nil {
		return lock.Result{}, err
	}
	old, err := k.confirmed(ctx, key)
	if err != nil {
		return lock.Result{}, err
	}
	x, err := lock.ParsePoint(key.PublicKey)
	if err != nil {
		return lock.Result{}, err
	}
	return made.SumReshare(x, old, dealings)
}

// endConfirmations puts the new shares in force when enough holders have theirs.
func (k *Keeper) endConfirmations(ctx context.Context, r custody.Round, over bool) error {
	switch {
	case r.Received >= r.Awaited:
		return k.activate(ctx, r)
	case over:
		return k.fail(ctx, r, custody.ReasonFewHolders)
	default:
		return nil
	}
}

// activate puts the shares of a round in force. Releases that were not made by then take
// shares of the new epoch alone: those of two epochs cannot be combined.
func (k *Keeper) activate(ctx context.Context, r custody.Round) error {
	now := blockTime(ctx)
	key := custody.Key{
		Kind: r.Kind, Generation: r.Generation, PublicKey: r.PublicKey, Origin: custody.ORIGIN_DKG, Since: now, FirstThreshold: r.Threshold,
	}
	kind := audit.KindKeyMade
	if !r.IsFirst() {
		var err error
		if key, err = k.Key(ctx, r.Kind, r.Generation); err != nil {
			return err
		}
		key.FirstThreshold, key.Renewed, kind = key.Floor(), now, audit.KindSharesRenewed
	}
	key.Threshold, key.ShareEpoch = r.Threshold, r.ShareEpoch
	if err := k.keys.Set(ctx, nameOf(r), key); err != nil {
		return err
	}
	if err := k.note(ctx, r, kind, ""); err != nil {
		return err
	}
	staying, err := k.staying(ctx, r.Receivers)
	if err != nil {
		return err
	}
	if len(staying) < len(r.Receivers) { // one went while its first share was being made
		if err := k.wanted.Set(ctx, nameOf(r)); err != nil {
			return err
		}
	}
	return k.enter(ctx, r, custody.ROUND_PHASE_DONE, 0)
}
