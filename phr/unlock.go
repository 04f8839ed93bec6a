package phr

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"
	"google.golang.org/grpc"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

// arriveTime is how long an unlock that is to be signed is awaited where it is not known. The hospitals' nodes are a block or two apart.
const arriveTime = 5 * time.Second

// Unlock is a proposal to open versions, with its approvals, and where it stands.
type Unlock struct {
	*accessv1.Unlock
	// Status at the newest block.
	Status accessv1.UnlockStatus
}

// IsOpen tells whether the unlock can still change by a signature or a share.
func (u Unlock) IsOpen() bool {
	return u.Status >= accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED && u.Status <= accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED
}

// Refs are the versions that the unlock names.
func (u Unlock) Refs() ([]Ref, error) {
	refs := make([]Ref, len(u.GetVersions()))
	for i, v := range u.GetVersions() {
		record, err := lock.ParseCanonicalID(v.GetRecord())
		if err != nil {
			return nil, err
		}
		refs[i] = Ref{record, v.GetVersion()}
	}
	return refs, nil
}

// Unlock is an unlock by its id in hex.
func (c *Client) Unlock(ctx context.Context, id string) (Unlock, error) { return unlockAt(ctx, c, id) }

func unlockAt(ctx context.Context, conn grpc.ClientConnInterface, id string) (Unlock, error) {
	answer, err := accessv1.NewQueryClient(conn).Unlock(ctx, &accessv1.QueryUnlockRequest{Id: id})
	return Unlock{answer.GetUnlock(), answer.GetStatus()}, err
}

// arrived reads an unlock that may have been proposed elsewhere a moment ago. A gateway whose node is a block behind does not know it yet,
// so what is not found is asked for again until arriveTime has passed.
func (c *Client) arrived(ctx context.Context, id string) (Unlock, error) {
	if _, err := parseUnlockID(id); err != nil {
		return Unlock{}, err
	}
	return arrived(ctx, func() (Unlock, error) { return c.Unlock(ctx, id) })
}

// arrived reads something that may have come to the chain a moment ago, again where it is not found until arriveTime has passed.
func arrived[T any](ctx context.Context, read func() (T, error)) (T, error) {
	for until := time.Now().Add(arriveTime); ; {
		found, err := read()
		if !errors.Is(err, ErrNotFound) || time.Now().After(until) {
			return found, err
		}
		if err := sleep(ctx, pollLast); err != nil {
			return found, err
		}
	}
}

// UnlockFilter says whose unlocks are wanted: exactly one of Patient, Requester and Custodian.
type UnlockFilter struct {
	// Patient is the owner's number, Requester an address, Custodian a member's number.
	Patient, Requester string
	Custodian          uint64
	// Status to match; the zero value matches all.
	Status accessv1.UnlockStatus
}

// Unlocks lists unlocks, newest first.
func (c *Client) Unlocks(ctx context.Context, f UnlockFilter) iter.Seq2[Unlock, error] {
	return pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]Unlock, *queryv1.PageResponse, error) {
		answer, err := accessv1.NewQueryClient(c).Unlocks(ctx, &accessv1.QueryUnlocksRequest{
			Patient: f.Patient, Requester: f.Requester, Custodian: f.Custodian, Status: f.Status, Pagination: page,
		})
		found := make([]Unlock, len(answer.GetUnlocks()))
		for i, u := range answer.GetUnlocks() {
			found[i] = Unlock{u.GetUnlock(), u.GetStatus()}
		}
		return found, answer.GetPagination(), err
	})
}

// checkedUnlock is an unlock whose id was recomputed from the fields that it shows: they are what was proposed.
type checkedUnlock struct {
	Unlock
	id       [32]byte
	proposal lock.Proposal
	versions []*lockedVersion // in the proposal's order
	key      *custodyv1.Key
	// generation is gen of that key
	generation [64]byte
	// boxes are the locks of the versions' emergency boxes where the unlock is about these
	boxes []boxLock
}

// checkUnlock reads an unlock, its versions' locks and the network's key over one connection, and recomputes the
// unlock's hash from them. The error is ErrProposal where they do not give its id, or the request proof does not hold.
func (c *Client) checkUnlock(ctx context.Context, conn grpc.ClientConnInterface, id string) (*checkedUnlock, error) {
	want, err := parseUnlockID(id)
	if err != nil {
		return nil, err
	}
	read, err := unlockAt(ctx, conn, id)
	if err != nil {
		return nil, err
	}
	u := &checkedUnlock{Unlock: read, id: want}
	refs, err := u.Refs()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrProposal)
	}
	if len(refs) == 0 {
		return nil, fmt.Errorf("it names no versions: %w", ErrProposal)
	}
	var generation lock.Generation
	for i, ref := range refs {
		answer, err := recordsv1.NewQueryClient(conn).Version(ctx, &recordsv1.QueryVersionRequest{Record: ref.Record.String(), Version: ref.Version})
		if err != nil {
			return nil, err
		}
		stored := answer.GetVersion()
		if i == 0 {
			generation, u.key, err = c.generation(ctx, custodyv1.NewQueryClient(conn), stored.GetHeader().GetGeneration())
			if err != nil {
				return nil, err
			}
		}
		locked, err := lockOf(c.network, generation, stored)
		if err != nil {
			return nil, fmt.Errorf("version %s: %w: %w", ref, err, ErrProposal)
		}
		h := stored.GetHeader()
		if locked.ref != ref || h.GetPatient() != u.GetPatient() || h.GetCustodian() != u.GetCustodian() {
			return nil, fmt.Errorf("version %s: another version, owner or custodian is shown: %w", ref, ErrProposal)
		}
		u.versions = append(u.versions, locked)
	}
	if u.generation, err = generation.Hash(); err != nil {
		return nil, err
	}
	if u.GetBox() {
		if err := u.readBoxes(ctx, c.network, conn); err != nil {
			return nil, err
		}
	}
	if u.proposal, err = u.rebuild(c.network); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrProposal)
	}
	if got := u.proposal.ID(); got != want {
		return nil, fmt.Errorf("what is shown hashes to unlock %x, not %s: %w", got, id, ErrProposal)
	}
	if err := u.proposal.Verify(u.GetProof()); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrProposal)
	}
	return u, nil
}

// rebuild is the proposal in the form that its hash covers.
func (u *checkedUnlock) rebuild(network lock.Network) (lock.Proposal, error) {
	p := lock.Proposal{Network: network, Hospital: u.GetHospital(), Purpose: u.GetPurpose(), PolicyVersion: u.GetPolicyVersion()}
	requester, err := wallet.ParseAddress(u.GetRequester())
	if err != nil {
		return p, err
	}
	p.Requester = [wallet.AddressSize]byte(requester)
	if u.GetExpiresAt() <= 0 {
		return p, fmt.Errorf("expiry %d: %w", u.GetExpiresAt(), lock.ErrField)
	}
	p.Expiry = uint64(u.GetExpiresAt())
	if p.RequestKeyCID, err = lock.ParseRawCID(u.GetRequestKey()); err != nil {
		return p, err
	}
	if p.B, err = lock.ParseEncapsulation(u.GetB()); err != nil {
		return p, err
	}
	for i, v := range u.GetVersions() {
		m, err := lock.ParsePoint(v.GetM())
		if err != nil {
			return p, err
		}
		l := u.versions[i]
		proposed := lock.ProposedVersion{Record: l.ref.Record, Number: l.ref.Version, Context: l.context, U: l.header.U, M: m, C: l.header.C[:]}
		if u.GetBox() {
			proposed.Context, proposed.U, proposed.C = u.boxes[i].context, u.boxes[i].u, u.boxes[i].hash
		}
		p.Versions = append(p.Versions, proposed)
	}
	return p, p.Validate()
}

// parseUnlockID reads 64 lower-case hex digits.
func parseUnlockID(text string) ([32]byte, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 32 || !bytes.Equal([]byte(hex.EncodeToString(b)), []byte(text)) {
		return [32]byte{}, fmt.Errorf("%q: an unlock's id is 64 lower-case hex digits: %w", text, ErrNotFound)
	}
	return [32]byte(b), nil
}
