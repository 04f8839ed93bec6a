package keeper

import (
	"context"
	"errors"
	"strconv"

	"cosmossdk.io/collections"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/records"
)

// SetLockHooks names who is told of erased versions. The application calls it once,
// before the first block.
func (k *Keeper) SetLockHooks(h records.LockHooks) { k.hooks = h }

// EraseVersions erases versions of one owner, or, where the network's rules ask for it,
// has them wait for an officer of the custodian. Versions of several owners or
// custodians are an error: they need several messages.
func (s msgServer) EraseVersions(ctx context.Context, msg *records.MsgEraseVersions) (*records.MsgEraseVersionsResponse, error) {
	refs, err := records.ParseRefs(msg.Versions)
	if err != nil {
		return nil, err
	}
	owner, entry, err := s.consortium.Actor(ctx, msg.Owner)
	if err != nil {
		return nil, err
	}
	entry.Kind, entry.Subjects = audit.KindErasureAsked, subjectsOf(refs)
	versions, reason, err := s.versionsOf(ctx, refs)
	if err != nil {
		return nil, err
	}
	if reason == "" {
		entry.Patient = versions[0].Header.Patient
		if reason, err = s.whyNotErase(ctx, owner, refs, versions); err != nil {
			return nil, err
		}
	}
	if reason != "" {
		return &records.MsgEraseVersionsResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	params, err := s.Params(ctx)
	if err != nil {
		return nil, err
	}
	if !params.ErasureCountersign {
		t := records.Tombstone{By: owner.Address, At: blockTime(ctx)}
		return &records.MsgEraseVersionsResponse{Outcome: audit.OUTCOME_OK}, s.erase(ctx, entry, refs, versions, t)
	}
	number, err := s.ask(ctx, entry, records.ErasureRequest{
		Versions: msg.Versions, Patient: versions[0].Header.Patient, Custodian: versions[0].Header.Custodian, By: owner.Address, At: blockTime(ctx),
	})
	return &records.MsgEraseVersionsResponse{Outcome: audit.OUTCOME_OK, Request: number}, err
}

// ApproveErasure erases what an owner asked to have erased.
func (s msgServer) ApproveErasure(ctx context.Context, msg *records.MsgApproveErasure) (*records.MsgApproveErasureResponse, error) {
	officer, entry, err := s.consortium.Actor(ctx, msg.Officer)
	if err != nil {
		return nil, err
	}
	entry.Kind, entry.Target = audit.KindErased, strconv.FormatUint(msg.Request, 10)
	r, err := s.requests.Get(ctx, msg.Request)
	if errors.Is(err, collections.ErrNotFound) {
		reason := records.ReasonNotAsked
		return &records.MsgApproveErasureResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	if err != nil {
		return nil, err
	}
	refs, err := records.ParseRefs(r.Versions)
	if err != nil {
		return nil, err
	}
	entry.Patient, entry.Subjects = r.Patient, subjectsOf(refs)
	if reason := whyNotApprove(officer, r); reason != "" {
		return &records.MsgApproveErasureResponse{Outcome: audit.OUTCOME_REFUSED, Reason: reason}, s.refuse(ctx, entry, reason)
	}
	versions, reason, err := s.versionsOf(ctx, refs)
	if err != nil {
		return nil, err
	}
	if reason != "" { // what was asked for is never gone
		return nil, records.ErrUnknownVersion.Wrapf("request %d: %s", r.Number, reason)
	}
	if err := s.removeRequest(ctx, r, refs); err != nil {
		return nil, err
	}
	t := records.Tombstone{By: r.By, ApprovedBy: officer.Address, At: blockTime(ctx)}
	return &records.MsgApproveErasureResponse{Outcome: audit.OUTCOME_OK}, s.erase(ctx, entry, refs, versions, t)
}

// whyNotErase answers the reason why this account may not erase versions of one owner,
// or nothing.
func (k *Keeper) whyNotErase(ctx context.Context, p consortium.Principal, refs []records.Ref, versions []records.Version) (string, error) {
	if !p.Active {
		return records.ReasonInactive, nil
	}
	owns, err := k.isOwner(ctx, p, versions[0].Header)
	if err != nil {
		return "", err
	}
	if !owns {
		return records.ReasonNotOwner, nil
	}
	for i, v := range versions {
		if v.Tombstone != nil {
			return records.ReasonErased, nil
		}
		asked, err := k.requestsByVersion.Has(ctx, collections.Join(refs[i].Record.Bytes(), v.Version))
		if err != nil {
			return "", err
		}
		if asked {
			return records.ReasonAskedAlready, nil
		}
	}
	return "", nil
}

// whyNotApprove answers the reason why this account may not approve a request, or
// nothing.
func whyNotApprove(p consortium.Principal, r records.ErasureRequest) string {
	switch {
	case !p.Active:
		return records.ReasonInactive
	case p.Role != consortium.ROLE_OFFICER:
		return records.ReasonWrongRole
	case p.Hospital != r.Custodian:
		return records.ReasonWrongHospital
	case p.Address == r.By:
		return records.ReasonSamePerson
	default:
		return ""
	}
}

// ask has versions wait for an officer, and answers the number of the request.
func (k *Keeper) ask(ctx context.Context, entry audit.Entry, r records.ErasureRequest) (uint64, error) {
	last, err := k.lastRequest(ctx)
	if err != nil {
		return 0, err
	}
	r.Number = last + 1
	if err := k.requestSequence.Set(ctx, r.Number); err != nil {
		return 0, err
	}
	if err := k.addRequest(ctx, r); err != nil {
		return 0, err
	}
	entry.Target = strconv.FormatUint(r.Number, 10)
	return r.Number, k.accept(ctx, entry)
}

// lastRequest is the number of the last request, 0 for none.
func (k *Keeper) lastRequest(ctx context.Context) (uint64, error) {
	number, err := k.requestSequence.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return 0, nil
	}
	return number, err
}

func (k *Keeper) addRequest(ctx context.Context, r records.ErasureRequest) error {
	refs, err := records.ParseRefs(r.Versions)
	if err != nil {
		return err
	}
	if err := k.requests.Set(ctx, r.Number, r); err != nil {
		return err
	}
	for _, ref := range refs {
		if err := k.requestsByVersion.Set(ctx, collections.Join(ref.Record.Bytes(), ref.Version)); err != nil {
			return err
		}
	}
	return k.requestsByCustodian.Set(ctx, collections.Join(r.Custodian, r.Number))
}

func (k *Keeper) removeRequest(ctx context.Context, r records.ErasureRequest, refs []records.Ref) error {
	for _, ref := range refs {
		if err := k.requestsByVersion.Remove(ctx, collections.Join(ref.Record.Bytes(), ref.Version)); err != nil {
			return err
		}
	}
	if err := k.requestsByCustodian.Remove(ctx, collections.Join(r.Custodian, r.Number)); err != nil {
		return err
	}
	return k.requests.Remove(ctx, r.Number)
}

// erase gives versions their tombstones, has their ciphertext deleted everywhere and
// their unlocks ended, and writes the entry.
func (k *Keeper) erase(ctx context.Context, entry audit.Entry, refs []records.Ref, versions []records.Version, t records.Tombstone) error {
	things := make([][]string, len(versions))
	for i, v := range versions {
		var err error
		if versions[i], things[i], err = k.strip(ctx, v); err != nil {
			return err
		}
	}
	numbers, err := k.storage.Erase(ctx, things...)
	if err != nil {
		return err
	}
	entry.Kind = audit.KindErased
	if err := k.accept(ctx, entry); err != nil {
		return err
	}
	for i, v := range versions {
		tombstone := t
		tombstone.Erasure = numbers[i]
		v.Tombstone = &tombstone
		if err := k.versions.Set(ctx, collections.Join(refs[i].Record.Bytes(), v.Version), v); err != nil {
			return err
		}
		r, err := k.records.Get(ctx, refs[i].Record.Bytes())
		if err != nil {
			return err
		}
		r.Erased++
		if err := k.records.Set(ctx, refs[i].Record.Bytes(), r); err != nil {
			return err
		}
		event := &records.EventVersionErased{Record: v.Record, Version: v.Version, Object: v.Object}
		if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
			return err
		}
	}
	if k.hooks == nil {
		return nil
	}
	return k.hooks.VersionsErased(ctx, refs)
}

// strip takes from a version the lock that waits and counts it no more, and answers it with all
// that is to be erased of it.
func (k *Keeper) strip(ctx context.Context, v records.Version) (records.Version, []string, error) {
	gone := []string{v.Object}
	envelopes := []string{v.Envelope}
	if v.Relock != nil {
		envelopes = append(envelopes, v.Relock.Envelope)
		var err error
		if v, err = k.unsetRelock(ctx, v); err != nil {
			return v, nil, err
		}
	}
	for _, cid := range envelopes {
		blocks, err := k.dismiss(ctx, cid)
		if err != nil {
			return v, nil, err
		}
		gone = append(gone, blocks...)
	}
	return v, gone, k.countLock(ctx, v.Header, -1)
}

// mayShare says whether another version of the record that is not erased may name leaves of
// this one: it shares with an earlier one, or a later one does. What exactly they share stands
// in their trees alone.
func (k *Keeper) mayShare(ctx context.Context, v records.Version) (bool, error) {
	id, err := lock.ParseCanonicalID(v.Record)
	if err != nil {
		return false, err
	}
	found := false
	err = k.versions.Walk(ctx, collections.NewPrefixedPairRange[[]byte, uint64](id.Bytes()), func(_ versionKey, other records.Version) (bool, error) {
		isSharing := other.Version < v.Version && v.SharesWith != 0 || other.Version > v.Version && other.SharesWith != 0
		found = other.Tombstone == nil && isSharing
		return found, nil
	})
	return found, err
}

// ErasureCertificate tells who attested that an erased version is gone, and what
// remains.
func (q queryServer) ErasureCertificate(ctx context.Context, req *records.QueryErasureCertificateRequest) (*records.QueryErasureCertificateResponse, error) {
	v, err := q.k.Version(ctx, req.GetRecord(), req.GetVersion())
	if err != nil {
		return nil, asStatus(err)
	}
	if v.Tombstone == nil {
		return nil, asStatus(records.ErrNotErased.Wrapf("%q version %d", v.Record, v.Version))
	}
	c := records.ErasureCertificate{
		Version: v, Remains: []string{records.RemainsTombstone, records.RemainsLockHeader, records.RemainsLogEntries},
	}
	shares, err := q.k.mayShare(ctx, v)
	if err != nil {
		return nil, asStatus(err)
	}
	if shares {
		c.Remains = append(c.Remains, records.RemainsSharedLeaves)
	}
	if c.Nodes, err = q.k.storage.NodeErasures(ctx, v.Tombstone.Erasure); err != nil {
		return nil, asStatus(err)
	}
	for _, n := range c.Nodes {
		switch {
		case n.Attestation != nil:
		case n.Left:
			c.Left++
		default:
			c.Missing++
		}
	}
	return &records.QueryErasureCertificateResponse{Certificate: c}, nil
}

// ErasureRequests lists the erasures that wait for an officer of a custodian, by number.
func (q queryServer) ErasureRequests(ctx context.Context, req *records.QueryErasureRequestsRequest) (*records.QueryErasureRequestsResponse, error) {
	page, err := pageOf(req.GetPagination())
	if err != nil {
		return nil, err
	}
	list, next, err := query.CollectionPaginate(ctx, q.k.requestsByCustodian, page,
		func(key collections.Pair[uint64, uint64], _ collections.NoValue) (records.ErasureRequest, error) {
			return q.k.requests.Get(ctx, key.K2())
		}, query.WithCollectionPaginationPairPrefix[uint64, uint64](req.GetCustodian()))
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryErasureRequestsResponse{Requests: list, Pagination: next}, nil
}

// VersionOf returns the version whose ciphertext an object is or was.
func (q queryServer) VersionOf(ctx context.Context, req *records.QueryVersionOfRequest) (*records.QueryVersionOfResponse, error) {
	root, err := lock.ParseCID(req.GetObject())
	if err != nil {
		return nil, asStatus(records.ErrInvalidID.Wrapf("object: %v", err))
	}
	key, err := q.k.versionsByObject.Get(ctx, root.Bytes())
	if err != nil {
		return nil, asStatus(err)
	}
	v, err := q.k.versions.Get(ctx, key)
	if err != nil {
		return nil, asStatus(err)
	}
	return &records.QueryVersionOfResponse{Version: v}, nil
}

// initErasures writes what waits in the first state, and demands that storage knows the
// erasures of the tombstones. The state was validated.
func (k *Keeper) initErasures(ctx context.Context, g *records.GenesisState) error {
	for _, v := range g.Versions {
		if v.Tombstone == nil {
			continue
		}
		if _, err := k.storage.NodeErasures(ctx, v.Tombstone.Erasure); err != nil {
			return err
		}
	}
	for _, r := range g.ErasureRequests {
		if err := k.addRequest(ctx, r); err != nil {
			return err
		}
	}
	if g.ErasureSequence == 0 {
		return nil
	}
	return k.requestSequence.Set(ctx, g.ErasureSequence)
}

// exportErasures reads what waits.
func (k *Keeper) exportErasures(ctx context.Context, g *records.GenesisState) error {
	var err error
	if g.ErasureSequence, err = k.lastRequest(ctx); err != nil {
		return err
	}
	return k.requests.Walk(ctx, nil, func(_ uint64, r records.ErasureRequest) (bool, error) {
		g.ErasureRequests = append(g.ErasureRequests, r)
		return false, nil
	})
}
