package keeper

import (
	"context"
	"errors"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
	"github.com/phrd/phrd/x/storage"
)

// subjectsOf are versions as entries name them.
func subjectsOf(refs []records.Ref) []audit.Subject {
	subjects := make([]audit.Subject, len(refs))
	for i, r := range refs {
		subjects[i] = audit.Subject{Record: r.Record.String(), Version: r.Version}
	}
	return subjects
}

// versionsOf reads versions of one owner in one custody, or answers the reason why there
// are none.
func (k *Keeper) versionsOf(ctx context.Context, refs []records.Ref) ([]records.Version, string, error) {
	versions := make([]records.Version, len(refs))
	for i, r := range refs {
		v, err := k.Version(ctx, r.Record.String(), r.Version)
		if errors.Is(err, records.ErrUnknownVersion) {
			return nil, records.ReasonUnknownVersion, nil
		}
		if err != nil {
			return nil, "", err
		}
		first := v.Header
		if i > 0 {
			first = versions[0].Header
		}
		if v.Header.OwnerKind != first.OwnerKind || v.Header.Patient != first.Patient || v.Header.Custodian != first.Custodian {
			return nil, "", records.ErrInvalidVersions.Wrapf("%s and %s are of several owners or custodians", refs[0], r)
		}
		versions[i] = v
	}
	return versions, "", nil
}

// isOwner says whether an account acts for the owner of a lock: the patient's wallet, or an
// officer of the hospital that owns the record.
func (k *Keeper) isOwner(ctx context.Context, p consortium.Principal, h records.Header) (bool, error) {
	if h.Patient == "" {
		return p.Role == consortium.ROLE_OFFICER && p.Hospital == h.Custodian, nil
	}
	patient, err := k.Patient(ctx, h.Patient)
	return patient.Address == p.Address, err
}

// ownerKey is the owner's vault key of today and its epoch; records.ErrUnknownPatient where there
// is no such owner.
func (k *Keeper) ownerKey(ctx context.Context, h records.Header) (key []byte, epoch uint64, err error) {
	if h.OwnerKind == records.OWNER_KIND_PATIENT {
		patient, err := k.Patient(ctx, h.Patient)
		return patient.Vault.Key, patient.Vault.Epoch, err
	}
	member, err := k.consortium.Member(ctx, h.Custodian)
	return member.VaultKey, member.VaultEpoch, err
}

// owned is a message of an owner about versions, as far as it was checked.
type owned struct {
	refs     []records.Ref
	versions []records.Version
	// entry says who acts, about what, and nothing of the outcome.
	entry audit.Entry
	// reason to refuse the message, or nothing.
	reason string
}

// ofOwner reads what a message of an owner names, and demands that the account acts for the
// owner and that the versions are not erased.
func (k *Keeper) ofOwner(ctx context.Context, address, kind string, texts []string) (owned, error) {
	var o owned
	var err error
	if o.refs, err = records.ParseRefs(texts); err != nil {
		return o, err
	}
	who, entry, err := k.consortium.Actor(ctx, address)
	if err != nil {
		return o, err
	}
	o.entry = entry
	o.entry.Kind, o.entry.Subjects = kind, subjectsOf(o.refs)
	if o.versions, o.reason, err = k.versionsOf(ctx, o.refs); err != nil || o.reason != "" {
		return o, err
	}
	h := o.versions[0].Header
	o.entry.Patient = h.Patient
	owns, err := k.isOwner(ctx, who, h)
	switch {
	case err != nil:
		return o, err
	case !who.Active:
		o.reason = records.ReasonInactive
	case !owns:
		o.reason = records.ReasonNotOwner
	}
	for _, v := range o.versions {
		if o.reason == "" && v.Tombstone != nil {
			o.reason = records.ReasonErased
		}
	}
	return o, nil
}

// accept writes that the message was carried out.
func (k *Keeper) accept(ctx context.Context, entry audit.Entry) error {
	entry.Outcome = audit.OUTCOME_OK
	_, err := k.audit.Append(ctx, entry)
	return err
}

// refuse writes that the message was refused.
func (k *Keeper) refuse(ctx context.Context, entry audit.Entry, reason string) error {
	entry.Outcome, entry.Reason = audit.OUTCOME_REFUSED, reason
	_, err := k.audit.Append(ctx, entry)
	return err
}

// newEnvelopes are envelopes that an owner's program made, and had a hospital take in.
type newEnvelopes struct {
	hospital uint64
	cids     []string
	sizes    []uint32
	ownKeys  records.OwnKeys
}

// whyNotTake answers the reason why envelopes for versions of one owner are not taken, or nothing,
// and the epoch of the owner's vault that they are sealed to.
func (k *Keeper) whyNotTake(ctx context.Context, versions []records.Version, e newEnvelopes) (reason string, epoch uint64, err error) {
	key, epoch, err := k.ownerKey(ctx, versions[0].Header)
	if err != nil {
		return "", 0, err
	}
	if !e.ownKeys.Has(hashOf(key)) {
		return records.ReasonStaleVaultKey, 0, nil
	}
	if reason, err := k.whyNotSealedTo(ctx, versions, e.ownKeys, hashOf(key)); reason != "" || err != nil {
		return reason, 0, err
	}
	var sum, largest uint64
	for i, text := range e.cids {
		known, err := k.isKnownText(ctx, text)
		if err != nil {
			return "", 0, err
		}
		if known {
			return records.ReasonRepeatedCID, 0, nil
		}
		sum, largest = sum+uint64(e.sizes[i]), max(largest, uint64(e.sizes[i]))
	}
	reason, err = k.whyNotBring(ctx, e.hospital, sum, largest)
	return reason, epoch, err
}

// whyNotBring answers the reason why a hospital may not bring in so many bytes, of which a block
// has at most largest, or nothing.
func (k *Keeper) whyNotBring(ctx context.Context, hospital, sum, largest uint64) (string, error) {
	member, err := k.consortium.Member(ctx, hospital)
	if errors.Is(err, consortium.ErrUnknownMember) || err == nil && member.Status != consortium.MEMBER_STATUS_ACTIVE {
		return records.ReasonHospitalInactive, nil
	}
	if err != nil {
		return "", err
	}
	room, err := k.storage.Room(ctx, hospital)
	return room.Admits(sum, largest), err
}

// take has envelopes placed where their versions' ciphertext is.
func (k *Keeper) take(ctx context.Context, versions []records.Version, e newEnvelopes) error {
	placements := make([]storage.Placement, len(versions))
	for i, v := range versions {
		r, err := k.Record(ctx, v.Record)
		if err != nil {
			return err
		}
		key, err := k.placementKey(ctx, v)
		if err != nil {
			return err
		}
		if key == "" {
			key = v.Object
		}
		placements[i] = storage.Placement{CID: e.cids[i], Size: uint64(e.sizes[i]), Class: r.Class.Text(), Member: e.hospital, Key: key}
		if err := k.nameEnvelope(ctx, e.cids[i]); err != nil {
			return err
		}
		if err := k.setBlock(ctx, envelopeBlock(v, e.cids[i])); err != nil {
			return err
		}
	}
	return k.storage.PlaceAll(ctx, placements)
}

// envelopeBlock is an envelope of a version as a block.
func envelopeBlock(v records.Version, cid string) records.Block {
	return records.Block{Cid: cid, Record: v.Record, Version: v.Version}
}
