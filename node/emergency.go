package node

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// errNoHalf says that there is no emergency for which this hospital hands anything to the account that asks, and nothing of why.
var errNoHalf = status.Error(codes.NotFound, "there is no emergency here that your hospital asked for and this one approved")

// EmergencyHalf opens the owner's halves of an emergency's versions, which the requester took out of their boxes by the network's
// emergency half, with this hospital's emergency vault, checks each against its commitment, and seals them to the requester's one-time
// key. sealed is one entry for each version, in the emergency's order; block gets a small block.
//
// The error is a status: NotFound unless the account is the requester of an emergency that this hospital approved, that is due, and
// of which the holders have released both parts, as this hospital's own node sees it; InvalidArgument where the entries are none of
// its versions'; Unavailable where other hospitals do not vouch for what the own node says.
func (c *Capsules) EmergencyHalf(
	ctx context.Context, emergency, requester string, hospital uint64, sealed []byte, now int64, block func(context.Context, lock.CID) ([]byte, error),
) ([]byte, error) {
	f := capsuleFor{emergency, requester, hospital, block}
	u, err := c.due(ctx, hospital, func(ctx context.Context) (*accessv1.Unlock, error) { return c.released(ctx, f, now) })
	if err != nil {
		return nil, err
	}
	id, err := parseUnlock(u.GetId())
	if err != nil {
		return nil, err
	}
	network, err := networkID(ctx, c.consortium)
	if err != nil {
		return nil, err
	}
	entries, err := seal.ParseBoxEntries(hospital, sealed)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if len(entries) != len(u.GetVersions()) {
		return nil, status.Errorf(codes.InvalidArgument, "%d entries for %d versions", len(entries), len(u.GetVersions()))
	}
	asked, halves := make([]seal.Asked, len(entries)), make([]*seal.Half, len(entries))
	for i, v := range u.GetVersions() {
		header, err := c.header(ctx, network, v)
		if err != nil {
			return nil, err
		}
		asked[i] = seal.Asked{Record: header.Context.Record, Version: header.Context.Version, Lock: header.Context.Lock}
		key, err := c.config.Vault.EmergencyVault(entries[i].Epoch)
		if err != nil {
			return nil, fmt.Errorf("epoch %d of the hospital's emergency vault: %w", entries[i].Epoch, err)
		}
		half, err := header.OpenBoxEntry(entries[i], key)
		if err != nil {
			return nil, status.Errorf(codes.InvalidArgument, "entry %d is none of the version's: %v", i+1, err)
		}
		halves[i] = &half
	}
	key, err := requestKey(ctx, f, u)
	if err != nil {
		return nil, err
	}
	return seal.NewCapsule(key, network, id, asked, halves)
}

// released reads the first part of an emergency, if both were released, the hospital approved it, and the account asked for it.
func (c *Capsules) released(ctx context.Context, f capsuleFor, now int64) (*accessv1.Unlock, error) {
	got, err := c.access.EmergencyAccess(ctx, &accessv1.QueryEmergencyAccessRequest{Id: f.unlock})
	if code := status.Code(err); code == codes.NotFound || code == codes.InvalidArgument {
		return nil, errNoHalf
	}
	if err != nil {
		return nil, err
	}
	of := got.GetEmergency()
	approved := slices.ContainsFunc(of.GetApprovals(), func(a *accessv1.EmergencyApproval) bool { return a.GetHospital() == f.hospital })
	if f.hospital == 0 || !approved || of.GetRequester() != f.account || got.GetStatus() != accessv1.EmergencyStatus_EMERGENCY_STATUS_RELEASED {
		return nil, errNoHalf
	}
	var first *accessv1.Unlock
	for _, id := range []string{of.GetBoxUnlock(), of.GetId()} {
		part, err := c.access.Unlock(ctx, &accessv1.QueryUnlockRequest{Id: id})
		if err != nil {
			return nil, err
		}
		if first = part.GetUnlock(); part.GetStatus() != accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED {
			return nil, errNoHalf
		}
		if err := (emergencies{c.access, c.consortium}).check(ctx, first, now); err != nil {
			return nil, errNoHalf
		}
	}
	return first, nil
}
