package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/access"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/custody"
	"github.com/phrd/phrd/x/records"
)

// gasPerGuardians is what the proof of a guardian slot costs: four multiplications on the curve.
const gasPerGuardians storetypes.Gas = 6_000

// Guardians answers a patient's guardians; access.ErrUnknownGuardians where there are none.
func (k *Keeper) Guardians(ctx context.Context, patient string) (access.Guardians, error) {
	number, err := lock.ParseCanonicalID(patient)
	if err != nil {
		return access.Guardians{}, access.ErrUnknownGuardians.Wrapf("patient: %v", err)
	}
	g, err := k.guardians.Get(ctx, number.Bytes())
	if errors.Is(err, collections.ErrNotFound) {
		return g, access.ErrUnknownGuardians.Wrapf("of patient %q", patient)
	}
	return g, err
}

// SetGuardians names who together can open the signer's vault as it is written now. They are the
// guardians until the vault is written anew.
func (s msgServer) SetGuardians(ctx context.Context, msg *access.MsgSetGuardians) (*access.MsgSetGuardiansResponse, error) {
	g, err := msg.Named()
	if err != nil {
		return nil, err
	}
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	entry.Kind, entry.Patient = audit.KindGuardiansSet, owner.Patient
	g.Patient, g.Since = owner.Patient, blockTime(ctx)
	reason, err := s.whyNotName(ctx, owner, &g, msg)
	if err != nil {
		return nil, err
	}
	if reason != "" {
		return &access.MsgSetGuardiansResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	if err := s.records.KeepShares(ctx, g.Patient, msg.Shares, msg.SharesSize, msg.Hospital); err != nil {
		return nil, err
	}
	if err := s.records.NamePoint(ctx, g.U); err != nil {
		return nil, err
	}
	if err := s.addGuardians(ctx, g); err != nil {
		return nil, err
	}
	if err := s.acceptGuardians(ctx, entry, g); err != nil {
		return nil, err
	}
	return &access.MsgSetGuardiansResponse{Outcome: audit.OUTCOME_OK}, s.cancelOpen(ctx, g.Patient)
}

// whyNotName answers the reason to refuse guardians, or nothing; then they have their vault.
func (k *Keeper) whyNotName(ctx context.Context, owner consortium.Principal, g *access.Guardians, msg *access.MsgSetGuardians) (string, error) {
	switch {
	case !owner.Active:
		return access.ReasonInactive, nil
	case owner.Role != consortium.ROLE_PATIENT || owner.Patient == "":
		return access.ReasonWrongRole, nil
	}
	for _, check := range []func() (string, error){
		func() (string, error) { return k.whyNotThisVault(ctx, g) },
		func() (string, error) { return k.whyNotThese(ctx, g) },
		func() (string, error) {
			return k.records.WhyNotKeepShares(ctx, msg.Shares, msg.SharesSize, msg.Hospital)
		},
		func() (string, error) { return k.whyNotThisSlot(ctx, g) },
	} {
		if reason, err := check(); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// whyNotThisVault demands that the guardians are for the vault as it is, and the first for it.
func (k *Keeper) whyNotThisVault(ctx context.Context, g *access.Guardians) (string, error) {
	p, err := k.records.Patient(ctx, g.Patient)
	if err != nil {
		return "", err
	}
	g.Vault = p.Vault.Id
	if g.Revision != p.Vault.Revision {
		return access.ReasonStaleRevision, nil
	}
	_, err = k.Guardians(ctx, g.Patient)
	if errors.Is(err, access.ErrUnknownGuardians) {
		return "", nil
	}
	return access.ReasonGuardiansNamed, err
}

// whyNotThese demands other patients of the network, and a delay that is long enough.
func (k *Keeper) whyNotThese(ctx context.Context, g *access.Guardians) (string, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return "", err
	}
	if g.Delay < params.LeastDelay() {
		return access.ReasonDelayTooShort, nil
	}
	for _, number := range g.Guardians {
		if number == g.Patient {
			return access.ReasonSamePerson, nil
		}
		_, err := k.records.Patient(ctx, number)
		if errors.Is(err, records.ErrUnknownPatient) {
			return access.ReasonUnknownGuardian, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", nil
}

// whyNotThisSlot demands a slot under the newest key for guardians whose point was never seen, and
// that the signer knows what it encapsulates: else a release for a record could be had by
// relabelling its point.
func (k *Keeper) whyNotThisSlot(ctx context.Context, g *access.Guardians) (string, error) {
	key, err := k.custody.Key(ctx, custody.KEY_KIND_GUARDIANS, 0)
	if errors.Is(err, custody.ErrNoKey) || errors.Is(err, custody.ErrKeyInMaking) {
		return access.ReasonNoGuardianKey, nil
	}
	if err != nil {
		return "", err
	}
	if key.Generation != g.Generation {
		return access.ReasonStaleGeneration, nil
	}
	known, err := k.records.HasPoint(ctx, g.U)
	if err != nil {
		return "", err
	}
	if known {
		return access.ReasonRepeatedPoint, nil
	}
	slot, err := k.guardianSlot(ctx, g)
	if err != nil {
		return "", err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(gasPerGuardians, "proof of a guardian slot")
	err = slot.Verify(g.Proof)
	if errors.Is(err, lock.ErrProof) {
		return access.ReasonBadProof, nil
	}
	return "", err
}

// guardianSlot is what the proof of the guardians' slot speaks for.
func (k *Keeper) guardianSlot(ctx context.Context, g *access.Guardians) (lock.GuardianSlot, error) {
	network, err := k.consortium.NetworkID(ctx)
	if err != nil {
		return lock.GuardianSlot{}, err
	}
	key, err := k.custody.Key(ctx, custody.KEY_KIND_GUARDIANS, g.Generation)
	if err != nil {
		return lock.GuardianSlot{}, err
	}
	return g.Statement(network, key.PublicKey)
}

// addGuardians writes guardians and the ways to find them.
func (k *Keeper) addGuardians(ctx context.Context, g access.Guardians) error {
	return k.eachGuarded(ctx, g, func(patient []byte) error { return k.guardians.Set(ctx, patient, g) }, k.guarded.Set)
}

// removeGuardians is the reverse of addGuardians.
func (k *Keeper) removeGuardians(ctx context.Context, g access.Guardians) error {
	return k.eachGuarded(ctx, g, func(patient []byte) error { return k.guardians.Remove(ctx, patient) }, k.guarded.Remove)
}

// eachGuarded calls once with the patient, and each with every guardian and the patient.
func (k *Keeper) eachGuarded(
	ctx context.Context, g access.Guardians, once func(patient []byte) error, each func(context.Context, collections.Pair[[]byte, []byte]) error,
) error {
	patient, err := lock.ParseCanonicalID(g.Patient)
	if err != nil {
		return err
	}
	for _, text := range g.Guardians {
		guardian, err := lock.ParseCanonicalID(text)
		if err != nil {
			return err
		}
		if err := each(ctx, collections.Join(guardian.Bytes(), patient.Bytes())); err != nil {
			return err
		}
	}
	return once(patient.Bytes())
}

// VaultWritten implements records.LockHooks: who guarded the vault as it was before guards nothing
// now, and whoever wrote it has not lost the wallet.
func (k *Keeper) VaultWritten(ctx context.Context, patient string) error {
	g, err := k.Guardians(ctx, patient)
	if err == nil {
		if err := k.removeGuardians(ctx, g); err != nil {
			return err
		}
		entry := byChain()
		entry.Kind, entry.Patient, entry.Target = audit.KindGuardiansEnded, patient, numberText(g.Revision)
		err = k.acceptGuardians(ctx, entry, g)
	}
	if err != nil && !errors.Is(err, access.ErrUnknownGuardians) {
		return err
	}
	return k.cancelOpen(ctx, patient)
}

// acceptGuardians writes the entry of what became of guardians and tells those who watch.
func (k *Keeper) acceptGuardians(ctx context.Context, entry audit.Entry, g access.Guardians) error {
	entry.Outcome = audit.OUTCOME_OK
	if _, err := k.audit.Append(ctx, entry); err != nil {
		return err
	}
	return sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(&access.EventGuardiansChanged{
		Patient: g.Patient, Guardians: g.Guardians, Kind: entry.Kind,
	})
}
