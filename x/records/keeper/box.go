package keeper

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// newBox is an emergency box that a message brings.
type newBox struct {
	box   records.BoxLock
	proof []byte
	// of is the version's header, under which the box is to open, and named the version
	of     records.Header
	record string
	number uint64
}

// checkBox demands, where a version has an emergency box, that its patient agreed, and that who
// made the box knows what opens it: otherwise the U of another record could be released as one
// of a box.
func (b *batch) checkBox(ctx context.Context, n records.NewVersion) (string, error) {
	if n.Box == nil {
		return "", nil
	}
	box := newBox{box: *n.Box, proof: n.BoxProof, of: n.Header, record: n.Record, number: n.Version}
	fresh := func(u []byte) bool { return !b.points[string(u)] && string(u) != string(n.Header.U) }
	reason, err := b.whyNotBox(ctx, box, b.signer, fresh)
	if reason == "" && err == nil {
		b.points[string(n.Box.U)] = true
	}
	return reason, err
}

// whyNotBox answers the reason why a box is not taken, or nothing; fresh says whether a point was
// not named before in the message itself.
func (k *Keeper) whyNotBox(ctx context.Context, n newBox, signer []byte, fresh func([]byte) bool) (string, error) {
	agreed, err := k.isAgreed(ctx, n.of.Patient)
	if err != nil {
		return "", err
	}
	if !agreed {
		return records.ReasonNotAgreed, nil
	}
	key, err := k.custody.Key(ctx, custody.KEY_KIND_EMERGENCY, 0)
	if errors.Is(err, custody.ErrNoKey) || errors.Is(err, custody.ErrKeyInMaking) || err == nil && key.Generation != n.box.Generation {
		return records.ReasonStaleGeneration, nil
	}
	if err != nil {
		return "", err
	}
	known, err := k.points.Has(ctx, n.box.U)
	if err != nil {
		return "", err
	}
	if known || !fresh(n.box.U) {
		return records.ReasonRepeatedPoint, nil
	}
	lockContext, _, err := k.LockContext(ctx, records.Version{Record: n.record, Version: n.number, Header: n.of})
	if err != nil {
		return "", err
	}
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return "", err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerEncapsulation, "proof of an emergency box")
	statement, err := n.box.Statement(network, key.PublicKey, lockContext, n.of.Pc, signer)
	if err != nil {
		return "", err
	}
	err = statement.Verify(n.proof)
	if errors.Is(err, lock.ErrProof) {
		return records.ReasonBadProof, nil
	}
	return "", err
}

// whyNotBoxes answers the reason why the boxes of an owner's message are not taken, or nothing;
// headers are those under which they are to open.
func (k *Keeper) whyNotBoxes(ctx context.Context, owner string, versions []records.Version, headers []records.Header, boxes records.Boxes) (string, error) {
	signer, err := sdk.AccAddressFromBech32(owner)
	if err != nil {
		return "", err
	}
	seen := map[string]bool{}
	for _, h := range headers {
		seen[string(h.U)] = true
	}
	for i, l := range boxes.Locks {
		n := newBox{box: l, proof: boxes.Proofs[i], of: headers[i], record: versions[i].Record, number: versions[i].Version}
		if reason, err := k.whyNotBox(ctx, n, signer, func(u []byte) bool { return !seen[string(u)] }); reason != "" || err != nil {
			return reason, err
		}
		seen[string(l.U)] = true
	}
	return "", nil
}

// isAgreed says whether a patient agreed to be opened in emergencies; a hospital's own records
// never are.
func (k *Keeper) isAgreed(ctx context.Context, patient string) (bool, error) {
	if patient == "" || k.agreements == nil {
		return false, nil
	}
	return k.agreements.AgreedToEmergencies(ctx, patient)
}

// useBox notes the point of the i-th of the boxes, which must never be seen again, and answers the
// box for the version; without new boxes that is the one that it had, as long as its patient
// agrees.
func (k *Keeper) useBox(ctx context.Context, boxes records.Boxes, i int, had *records.BoxLock, patient string) (*records.BoxLock, error) {
	if len(boxes.Locks) > 0 {
		return &boxes.Locks[i], k.points.Set(ctx, boxes.Locks[i].U)
	}
	agreed, err := k.isAgreed(ctx, patient)
	if err != nil || !agreed {
		return nil, err
	}
	return had, nil
}
