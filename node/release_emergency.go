package node

import (
	"context"
	"fmt"
	"slices"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
)

const (
	// leastApprovals is how many other hospitals must approve an emergency, whatever else was agreed.
	leastApprovals = 2
	// maxDelay is how many seconds pass at most between the last approval and the release.
	maxDelay = 24 * 60 * 60
)

// checkEmergency makes sure, where an unlock is part of an emergency, that its patient agreed, that as many other hospitals approved as
// the patient asks for, that the delay is over, and that it has not ended. What ended a moment ago is no fault.
func (r *round) checkEmergency(ctx context.Context, u *accessv1.Unlock) error {
	if u.GetEmergency() == "" {
		if u.GetBox() {
			return fmt.Errorf("a box without an emergency: %w", errNotVerified)
		}
		return nil
	}
	return emergencies{r.access, r.consortium}.check(ctx, u, r.head.Time.Unix())
}

// emergencies checks what the chain tells of an emergency.
type emergencies struct {
	access     accessv1.QueryClient
	consortium consortiumv1.QueryClient
}

// check answers errNotDue or errNotVerified unless an unlock is part of an emergency that is due at a time.
func (e emergencies) check(ctx context.Context, u *accessv1.Unlock, now int64) error {
	got, err := e.access.EmergencyAccess(ctx, &accessv1.QueryEmergencyAccessRequest{Id: u.GetEmergency()})
	if err != nil {
		return fmt.Errorf("ask for the emergency: %w", err)
	}
	agreed, err := e.access.EmergencyTerms(ctx, &accessv1.QueryEmergencyTermsRequest{Patient: u.GetPatient()})
	if err != nil {
		return fmt.Errorf("ask what the patient agreed to: %w", err)
	}
	of, terms := got.GetEmergency(), agreed.GetTerms()
	part := of.GetId()
	if u.GetBox() {
		part = of.GetBoxUnlock()
	}
	switch {
	case of.GetId() != u.GetEmergency() || part != u.GetId():
		return fmt.Errorf("unlock is no part of emergency %s: %w", of.GetId(), errNotVerified)
	case of.GetPatient() != u.GetPatient() || of.GetPatient() == "" || of.GetRequester() != u.GetRequester() || of.GetHospital() != u.GetHospital() ||
		of.GetCustodian() != u.GetCustodian():
		return fmt.Errorf("the emergency is of others: %w", errNotVerified)
	case of.GetEndedAt() != 0 || of.GetExpiresAt() <= now || terms.GetPatient() == u.GetPatient() && terms.GetDisabledAt() != 0:
		return fmt.Errorf("the emergency has ended: %w", errNotDue)
	case terms.GetPatient() != u.GetPatient() || terms.GetEnabledAt() == 0:
		return fmt.Errorf("the patient did not agree: %w", errNotVerified)
	case of.GetApprovedAt() == 0 || of.GetDelay() > maxDelay || of.GetApprovedAt()+int64(of.GetDelay()) > now:
		return fmt.Errorf("the delay is not over: %w", errNotVerified)
	}
	return e.checkApprovals(ctx, of, terms)
}

// checkApprovals makes sure that officers of enough distinct hospitals approved, of those that the patient named and other than the
// requester's.
func (e emergencies) checkApprovals(ctx context.Context, of *accessv1.Emergency, terms *accessv1.EmergencyTerms) error {
	var hospitals []uint64
	for _, a := range of.GetApprovals() {
		who, err := e.consortium.Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: a.GetOfficer()})
		if err != nil {
			return fmt.Errorf("ask who approved: %w", err)
		}
		p := who.GetPrincipal()
		named := len(terms.GetHospitals()) == 0 || slices.Contains(terms.GetHospitals(), a.GetHospital())
		if p.GetRole() != consortiumv1.Role_ROLE_OFFICER || p.GetHospital() != a.GetHospital() || a.GetHospital() == of.GetHospital() || !named {
			return fmt.Errorf("%s of hospital %d may not approve the emergency: %w", a.GetOfficer(), a.GetHospital(), errNotVerified)
		}
		if !slices.Contains(hospitals, a.GetHospital()) {
			hospitals = append(hospitals, a.GetHospital())
		}
	}
	if n := len(hospitals); n < leastApprovals || n < int(of.GetApprovalsNeeded()) {
		return fmt.Errorf("%d hospitals approved: %w", n, errNotVerified)
	}
	return nil
}

// lockedBox is what the second part of an emergency covers of a version's box.
func (r *round) lockedBox(ctx context.Context, key *heldKey, record lock.ID, v *recordsv1.Version) (bound [64]byte, u lock.Point, c []byte, err error) {
	records, err := generationOf(ctx, r.custody, r.network, v.GetHeader().GetGeneration())
	if err != nil {
		return bound, u, nil, err
	}
	statement := lock.EmergencyBox{Generation: key.hash}
	if statement.Context, err = lockContextOf(r.network, records, record, v); err != nil {
		return bound, u, nil, fmt.Errorf("%w: %w", errNotVerified, err)
	}
	if statement.U, err = lock.ParseEncapsulation(v.GetBox().GetU()); err != nil {
		return bound, u, nil, fmt.Errorf("point U of the box: %w: %w", errNotVerified, err)
	}
	if statement.UBar, err = lock.ParsePoint(v.GetBox().GetUBar()); err != nil {
		return bound, u, nil, fmt.Errorf("point Ū of the box: %w: %w", errNotVerified, err)
	}
	if pc := v.GetHeader().GetPc(); len(pc) != len(statement.Pc) || len(v.GetBox().GetHash()) != len(statement.Box) {
		return bound, u, nil, fmt.Errorf("commitment of %d bytes: %w", len(pc), errNotVerified)
	}
	copy(statement.Pc[:], v.GetHeader().GetPc())
	bound, err = statement.Hash()
	return bound, statement.U, v.GetBox().GetHash(), err
}

// generationOf is gen of a generation of the records key.
func generationOf(ctx context.Context, custody custodyv1.QueryClient, network lock.Network, number uint64) ([64]byte, error) {
	got, err := custody.Key(ctx, &custodyv1.QueryKeyRequest{Kind: custodyv1.KeyKind_KEY_KIND_RECORDS, Generation: number})
	if err != nil {
		return [64]byte{}, err
	}
	x, err := lock.ParsePoint(got.GetKey().GetPublicKey())
	if err != nil {
		return [64]byte{}, fmt.Errorf("public key: %w", err)
	}
	return lock.Generation{Network: network, Kind: lock.KeyRecords, Number: number, X: x}.Hash()
}
