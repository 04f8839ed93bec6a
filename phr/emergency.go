package phr

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// EmergencyAgreement is how a patient agrees to be opened in an emergency.
type EmergencyAgreement struct {
	// Approvals is how many hospitals other than the one that asks must approve, 2 to 8.
	Approvals uint32
	// Delay between the last approval and the release, ten seconds to a day; it is the time in which the patient can stop it.
	Delay time.Duration
	// Hospitals that may approve, by number; none stands for all that have an emergency vault.
	Hospitals []uint64
}

// EnableEmergency agrees, in place of what was agreed before, that clinicians may open the patient's records in an emergency. Versions that
// are there already get their boxes by [Client.SealEmergency]. The error is *Refused where too few hospitals have an emergency vault.
func (c *Client) EnableEmergency(ctx context.Context, a EmergencyAgreement) (Receipt, error) {
	msg := &accessv1.MsgEnableEmergency{Owner: c.key.Address(), Approvals: a.Approvals, Delay: uint64(max(a.Delay, 0) / time.Second)}
	for _, number := range slices.Sorted(slices.Values(a.Hospitals)) {
		member, err := c.Member(ctx, number)
		if err != nil {
			return Receipt{}, err
		}
		msg.Hospitals = append(msg.Hospitals, fmt.Sprintf("%d %s", number, member.GetName()))
	}
	return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgEnableEmergencyResponse{})
}

// DisableEmergency takes the agreement back. From the next block on the network refuses; the boxes go with [Client.SealEmergency], and only
// then can nobody open them any more.
func (c *Client) DisableEmergency(ctx context.Context) (Receipt, error) {
	return c.send(ctx, c.amino, gasFor(MaxOwned), &accessv1.MsgDisableEmergency{Owner: c.key.Address()}, &accessv1.MsgDisableEmergencyResponse{})
}

// Unseen says who together could open what a patient agreed to without any entry in the log: so many holders of the emergency key, of which
// enough hold the records key too, and one hospital whose emergency vault the boxes are sealed to.
type Unseen struct {
	// Emergency and Records are how many shares of each key open, of how many hospitals.
	Emergency, Records, Hospitals uint64
	// Vaults are the hospitals whose emergency vaults open the inner layer.
	Vaults []uint64
}

// Unseen tells it of a patient; the zero value where no terms are in force, or the hospitals have no emergency key.
func (c *Client) Unseen(ctx context.Context, patient string) (Unseen, error) {
	agreed, err := c.EmergencyTerms(ctx, patient)
	if err != nil || len(agreed.GetVaults()) == 0 {
		return Unseen{}, err
	}
	keys, err := c.NetworkKeys(ctx)
	if err != nil {
		return Unseen{}, err
	}
	var u Unseen
	for _, k := range keys { // of each kind the newest is the last
		switch k.Key.GetKind() {
		case custodyv1.KeyKind_KEY_KIND_RECORDS:
			u.Records = k.Key.GetThreshold()
		case custodyv1.KeyKind_KEY_KIND_EMERGENCY:
			u.Emergency, u.Hospitals = k.Key.GetThreshold(), uint64(len(k.Holders))
		}
	}
	if u.Emergency == 0 {
		return Unseen{}, nil
	}
	for _, v := range agreed.GetVaults() {
		u.Vaults = append(u.Vaults, v.GetHospital())
	}
	return u, nil
}

// EmergencyRequest asks in an emergency.
type EmergencyRequest struct {
	// Versions of one patient in one custody, 1 to 64. Version 0 stands for a record's newest one.
	Versions []Ref
	// Purpose is ETREAT or BTG.
	Purpose string
	// Reason is unconscious, incapacitated, life_threat or unreachable.
	Reason string
	// Lifetime until it ends by itself, at most two days.
	Lifetime time.Duration
}

// Emergency is an opening without the patient's live approval, with where it stands.
type Emergency struct {
	*accessv1.Emergency
	// Status at the newest block.
	Status accessv1.EmergencyStatus
	// ReleaseAt is when the holders are asked; the zero time as long as approvals are missing.
	ReleaseAt time.Time
	// ReviewDue is until when it is to be reviewed; the zero time where there is nothing to review.
	ReviewDue time.Time
}

func emergencyOf(a *accessv1.QueryEmergencyAccessResponse) Emergency {
	at := func(seconds int64) time.Time {
		if seconds == 0 {
			return time.Time{}
		}
		return time.Unix(seconds, 0).UTC()
	}
	return Emergency{a.GetEmergency(), a.GetStatus(), at(a.GetReleaseAt()), at(a.GetReviewDue())}
}

// RequestEmergency asks to open versions of a patient who can't answer, and returns the emergency's id. It draws two sessions, one for each of
// the network's keys, and keeps their seeds in Secrets. The account is a clinician's. The error is *Refused where the chain does not take
// it, and ErrNoBox where a version is not sealed for emergencies.
func (c *Client) RequestEmergency(ctx context.Context, r EmergencyRequest) (string, error) {
	who, err := c.Principal(ctx)
	if err != nil {
		return "", err
	}
	versions, err := c.locksOf(ctx, r.Versions)
	if err != nil {
		return "", err
	}
	if len(versions) == 0 {
		return "", fmt.Errorf("no versions: %w", lock.ErrField)
	}
	key, _, err := generationOf(ctx, c.network, custodyv1.NewQueryClient(c), custodyv1.KeyKind_KEY_KIND_EMERGENCY, versions[0].stored.GetBox().GetGeneration())
	if err != nil {
		return "", fmt.Errorf("emergency key: %w", err)
	}
	requester, err := wallet.ParseAddress(c.key.Address())
	if err != nil {
		return "", err
	}
	now, err := c.blockTime(ctx)
	if err != nil {
		return "", err
	}
	expires := now.Add(r.Lifetime).Unix()
	if r.Lifetime <= 0 || expires <= 0 {
		return "", fmt.Errorf("lifetime %s: %w", r.Lifetime, lock.ErrField)
	}
	ask := lock.Proposal{
		Network: c.network, Requester: [wallet.AddressSize]byte(requester), Hospital: who.Hospital, Purpose: r.Purpose, Expiry: uint64(expires),
	}
	locks, err := c.partOf(ask, versions, func(v *lockedVersion) (boxLock, error) { return boxLock{v.context, v.header.U, v.header.C[:]}, nil })
	if err != nil {
		return "", err
	}
	boxes, err := c.partOf(ask, versions, func(v *lockedVersion) (boxLock, error) { return boxLockOf(key, v) })
	if err != nil {
		return "", err
	}
	return c.ask(ctx, r.Reason, locks, boxes)
}

// emergencyPart is one of the two proposals of an emergency, with the session that receives what it releases.
type emergencyPart struct {
	id      string
	session *lock.Session
	msg     *accessv1.MsgProposeUnlock
}

// partOf draws a session and makes its proposal over one lock of each version.
func (c *Client) partOf(p lock.Proposal, versions []*lockedVersion, of func(*lockedVersion) (boxLock, error)) (*emergencyPart, error) {
	session, err := newSession()
	if err != nil {
		return nil, err
	}
	p.RequestKeyCID, p.B, p.Versions = session.Key().Public().CID(), session.B(), nil
	for _, v := range versions {
		l, err := of(v)
		if err != nil {
			return nil, err
		}
		p.Versions = append(p.Versions, lock.ProposedVersion{
			Record: v.ref.Record, Number: v.ref.Version, Context: l.context, U: l.u, M: session.Blind(l.u), C: l.hash,
		})
	}
	msg, err := proposalMessage(session, p, c.key.Address())
	if err != nil {
		return nil, err
	}
	id := p.ID()
	return &emergencyPart{hex.EncodeToString(id[:]), session, msg}, nil
}

// ask hands in both proposals.
func (c *Client) ask(ctx context.Context, reason string, locks, boxes *emergencyPart) (string, error) {
	for _, part := range []*emergencyPart{locks, boxes} {
		if err := c.keepSession(ctx, part.session, part.id); err != nil {
			return "", err
		}
	}
	l, b := locks.msg, boxes.msg
	msg := &accessv1.MsgRequestEmergency{
		Requester: l.GetRequester(), Purpose: l.GetPurpose(), Reason: reason, ExpiresAt: l.GetExpiresAt(), Records: l.GetRecords(), Versions: l.GetVersions(),
		RequestKey: l.GetRequestKey(), B: l.GetB(), Proof: l.GetProof(), M: l.GetM(),
		BoxRequestKey: b.GetRequestKey(), BoxB: b.GetB(), BoxProof: b.GetProof(), BoxM: b.GetM(),
	}
	answer := &accessv1.MsgRequestEmergencyResponse{}
	_, err := c.send(ctx, c.direct, 2*gasFor(len(l.GetRecords())), msg, answer)
	var refused *Refused
	if errors.As(err, &refused) {
		return "", errors.Join(err, c.forget(locks.id), c.forget(boxes.id))
	}
	if err != nil {
		return "", err
	}
	if answer.GetEmergency() != locks.id || answer.GetBoxUnlock() != boxes.id {
		return "", fmt.Errorf("the chain calls the emergency %s, not %s: %w", answer.GetEmergency(), locks.id, ErrProposal)
	}
	return locks.id, nil
}

// ApproveEmergency supports an emergency as an officer of a hospital other than the requester's. The error is *Refused.
func (c *Client) ApproveEmergency(ctx context.Context, id string) (Receipt, error) {
	if _, err := c.arrived(ctx, id); err != nil {
		return Receipt{}, err
	}
	return c.send(ctx, c.amino, gasFor(MaxOwned), &accessv1.MsgApproveEmergency{Officer: c.key.Address(), Emergency: id}, &accessv1.MsgApproveEmergencyResponse{})
}

// ReviewEmergency says what an officer found who looked at the use of an emergency: justified or not_justified. The error is *Refused.
func (c *Client) ReviewEmergency(ctx context.Context, id, finding string) (Receipt, error) {
	msg := &accessv1.MsgReviewEmergency{Officer: c.key.Address(), Emergency: id, Finding: finding}
	return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgReviewEmergencyResponse{})
}

// Emergency is an emergency by its id in hex.
func (c *Client) Emergency(ctx context.Context, id string) (Emergency, error) {
	answer, err := accessv1.NewQueryClient(c).EmergencyAccess(ctx, &accessv1.QueryEmergencyAccessRequest{Id: id})
	return emergencyOf(answer), err
}

// EmergencyFilter says which emergencies are wanted; every field that is set must match.
type EmergencyFilter struct {
	// Patient is the owner's number, Requester an address.
	Patient, Requester string
	// Status to match; the zero value matches all.
	Status accessv1.EmergencyStatus
	// Unreviewed lists those alone that were used and not reviewed.
	Unreviewed bool
}

// Emergencies lists emergencies, newest first.
func (c *Client) Emergencies(ctx context.Context, f EmergencyFilter) iter.Seq2[Emergency, error] {
	return pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]Emergency, *queryv1.PageResponse, error) {
		answer, err := accessv1.NewQueryClient(c).EmergencyAccesses(ctx, &accessv1.QueryEmergencyAccessesRequest{
			Patient: f.Patient, Requester: f.Requester, Status: f.Status, Unreviewed: f.Unreviewed, Pagination: page,
		})
		found := make([]Emergency, len(answer.GetEmergencies()))
		for i, e := range answer.GetEmergencies() {
			found[i] = emergencyOf(e)
		}
		return found, answer.GetPagination(), err
	})
}

// isDelayed tells whether an unlock is part of an emergency that enough hospitals approved and that waits for the patient's delay alone.
func (c *Client) isDelayed(ctx context.Context, u Unlock) (bool, error) {
	if u.GetEmergency() == "" {
		return false, nil
	}
	e, err := c.Emergency(ctx, u.GetEmergency())
	return e.GetApprovedAt() != 0, err
}

// emergencyHalves are the owner's halves of an emergency's versions: the network's emergency half opens their boxes, and the emergency vault
// of a hospital that approved opens what is in them. The first hospital that answers is enough.
func (c *Client) emergencyHalves(ctx context.Context, session *lock.Session, u *checkedUnlock) ([]*seal.Half, error) {
	e, err := c.Emergency(ctx, u.GetEmergency())
	if err != nil {
		return nil, err
	}
	inner, err := c.session(e.GetBoxUnlock())
	if err != nil {
		return nil, err
	}
	if _, err := c.WaitForRelease(ctx, e.GetBoxUnlock()); err != nil {
		return nil, err
	}
	box, err := c.checkUnlock(ctx, c, e.GetBoxUnlock())
	if err != nil {
		return nil, err
	}
	combined, err := c.combine(ctx, c, inner, box)
	if err != nil {
		return nil, err
	}
	entries := map[uint64][]byte{}
	counts := map[uint64]int{}
	for i, v := range u.versions {
		source := &versionSource{client: c, ref: v.ref, unlock: u.GetId()}
		envelope, err := source.envelope(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("envelope of %s: %w", v.ref, err)
		}
		list, err := envelope.OpenBox(v.header, box.generation, combined.K[i])
		if err != nil {
			return nil, fmt.Errorf("version %s: %w", v.ref, err)
		}
		for _, entry := range list {
			if counts[entry.Hospital] == i { // the first of a hospital
				entries[entry.Hospital], counts[entry.Hospital] = seal.AppendBoxEntry(entries[entry.Hospital], entry), i+1
			}
		}
	}
	faults := []error{ErrNotReleased}
	for _, a := range e.GetApprovals() {
		if counts[a.GetHospital()] < len(u.versions) {
			faults = append(faults, fmt.Errorf("hospital %d: %w", a.GetHospital(), ErrNoBox))
			continue
		}
		halves, err := c.halvesFrom(ctx, a.GetHospital(), session, u, entries[a.GetHospital()])
		if err == nil {
			return halves, nil
		}
		faults = append(faults, fmt.Errorf("hospital %d: %w", a.GetHospital(), err))
	}
	return nil, fmt.Errorf("no hospital that approved hands over the owner's halves: %w", errors.Join(faults...))
}

// halvesFrom has a hospital open the owner's halves with its emergency vault and seal them to the session.
func (c *Client) halvesFrom(ctx context.Context, hospital uint64, session *lock.Session, u *checkedUnlock, entries []byte) ([]*seal.Half, error) {
	there, err := c.doorOf(ctx, hospital)
	if err != nil {
		return nil, err
	}
	var capsule []byte
	if err := c.attempt(ctx, there, false, func(ctx context.Context, d *door) error {
		var err error
		capsule, err = d.emergencyHalf(ctx, u.GetId(), entries)
		return err
	}); err != nil {
		return nil, err
	}
	return seal.OpenCapsule(session.Key(), c.network, u.id, askedAll(u), capsule)
}

// emergencyHalf has a hospital's server open halves of an emergency that it approved.
func (d *door) emergencyHalf(ctx context.Context, id string, entries []byte) ([]byte, error) {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	resp, err := d.request(ctx, http.MethodPost, "/emergencies/"+id+"/half", header, func() io.Reader { return bytes.NewReader(entries) })
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	capsule, err := io.ReadAll(io.LimitReader(resp.Body, maxSmallBlock))
	if err != nil {
		return nil, d.unreachable(ctx, err)
	}
	return capsule, nil
}
