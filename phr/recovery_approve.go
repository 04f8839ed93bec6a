package phr

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

func shareName(recovery uint64) string { return "guardian/" + strconv.FormatUint(recovery, 10) }

// RecoveryReview is a recovery as a guardian or an officer sees it before approving. Everything in it was read from the nodes of two hospitals
// that show the same, and where guardians approve, hashes to the recovery's unlock.
type RecoveryReview struct {
	Recovery
	// InvitedBy is the name of the hospital whose invitation opened the account: it has checked who the person is. Ask the person, too.
	InvitedBy string
	// Witnesses are the gateways that it was read from.
	Witnesses []Door

	client  *Client
	doors   []*door
	checked *checkedRecovery
}

// ReviewRecovery reads a recovery from the nodes of two hospitals and checks all that can be checked. Errors are ErrDisagree, ErrProposal,
// ErrUnreachable where no two hospitals answer, and ErrEnded.
func (c *Client) ReviewRecovery(ctx context.Context, number uint64) (*RecoveryReview, error) {
	first, err := arrived(ctx, func() (Recovery, error) { return c.Recovery(ctx, number) })
	if err != nil {
		return nil, err
	}
	doors, _, err := c.witnesses(ctx, first.GetInviter())
	if err != nil {
		return nil, err
	}
	height, err := meet(ctx, doors, c.height())
	if err != nil {
		return nil, err
	}
	at := atHeight(ctx, height)
	review := &RecoveryReview{client: c, doors: doors}
	for _, d := range doors {
		seen, err := c.checkRecovery(at, d, number)
		if err != nil {
			return nil, fmt.Errorf("as %s shows it: %w", d.describe().Name, err)
		}
		member, err := consortiumv1.NewQueryClient(d).Member(at, &consortiumv1.QueryMemberRequest{Number: seen.GetInviter()})
		if err != nil {
			return nil, fmt.Errorf("as %s shows it: %w", d.describe().Name, err)
		}
		name := member.GetMember().GetName()
		if review.checked != nil && (!proto.Equal(review.checked.Recovery.Recovery, seen.Recovery.Recovery) ||
			!proto.Equal(review.checked.guardians, seen.guardians) || review.InvitedBy != name) {
			return nil, fmt.Errorf("%s and %s show another recovery: %w", doors[0].describe().Name, d.describe().Name, ErrDisagree)
		}
		review.checked, review.Recovery, review.InvitedBy = seen, seen.Recovery, name
		review.Witnesses = append(review.Witnesses, d.describe())
	}
	if !review.IsOpen() {
		return nil, fmt.Errorf("recovery %d is %s: %w", number, review.Status, ErrEnded)
	}
	return review, nil
}

// Approve signs that the account is the patient's: as a guardian, whose vault opens the own share, which is sealed to the one-time key of who
// proposed the recovery, and handed in only when both hospitals show the approval; as an officer without a vault. An approval whose share did
// not arrive is completed by a second call.
func (r *RecoveryReview) Approve(ctx context.Context, vault *Vault) (Receipt, error) {
	c := r.client
	msg := &accessv1.MsgApproveRecovery{
		Approver: c.Address(), Recovery: r.GetNumber(), Patient: r.GetPatient(), Account: r.GetAccount(), InvitedBy: r.InvitedBy, Unlock: r.GetUnlock(),
		Until: untilText(r.Until()),
	}
	if !r.IsByGuardians() {
		return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgApproveRecoveryResponse{})
	}
	capsule, err := r.capsule(ctx, vault)
	if err != nil {
		return Receipt{}, err
	}
	cid := lock.RawCID(sha256.Sum256(capsule))
	msg.Capsule = cid.String()
	var receipt Receipt
	if !r.hasApproved(r.Recovery, "") {
		if receipt, err = c.send(ctx, c.amino, 2*gasBase, msg, &accessv1.MsgApproveRecoveryResponse{}); err != nil {
			var refused *Refused
			if errors.As(err, &refused) {
				err = errors.Join(err, c.drop(shareName(r.GetNumber())))
			}
			return receipt, err
		}
	}
	if err := r.committed(ctx, msg.Capsule); err != nil {
		return receipt, err
	}
	if err := r.handIn(ctx, cid, capsule); err != nil {
		return receipt, err
	}
	return receipt, c.drop(shareName(r.GetNumber()))
}

// capsule is the guardian's share, sealed to who proposed the recovery. It is kept until it was handed in: the approval names its CID.
func (r *RecoveryReview) capsule(ctx context.Context, vault *Vault) ([]byte, error) {
	c := r.client
	if kept, err := c.secrets.Get(shareName(r.GetNumber())); !errors.Is(err, fs.ErrNotExist) {
		return kept, err
	}
	if vault == nil {
		return nil, fmt.Errorf("a guardian's vault is needed: %w", ErrVault)
	}
	share, err := c.ownShare(ctx, vault, r.checked.guardians)
	if err != nil {
		return nil, err
	}
	block, err := c.recoveryBlock(ctx, r.GetNumber(), r.checked.proposal.RequestKeyCID)
	if err != nil {
		return nil, fmt.Errorf("request key: %w", err)
	}
	key, err := lock.ParsePublicKey(block)
	if err != nil {
		return nil, fmt.Errorf("request key: %w: %w", err, ErrProposal)
	}
	capsule, err := seal.NewShareCapsule(key, c.network, r.checked.id, share)
	if err != nil {
		return nil, err
	}
	if err := c.secrets.Put(shareName(r.GetNumber()), capsule); err != nil {
		return nil, fmt.Errorf("keep share: %w", err)
	}
	return capsule, nil
}

// hasApproved tells whether the account has approved, with that capsule where one is named.
func (r *RecoveryReview) hasApproved(now Recovery, capsule string) bool {
	for _, a := range now.GetApprovals() {
		if a.GetBy() == r.client.Address() && (capsule == "" || a.GetCapsule() == capsule) {
			return true
		}
	}
	return false
}

// committed waits until both hospitals show the approval with this capsule.
func (r *RecoveryReview) committed(ctx context.Context, capsule string) error {
	waiting, stop := context.WithTimeout(ctx, commitTime)
	defer stop()
	for _, d := range r.doors {
		err := poll(waiting, func(ctx context.Context) (bool, error) {
			now, err := recoveryAt(ctx, d, r.GetNumber())
			if err != nil || !r.hasApproved(now, "") {
				return false, err
			}
			if !r.hasApproved(now, capsule) {
				return false, fmt.Errorf("it was approved with another share than this program keeps: %w", ErrSession)
			}
			if !now.IsOpen() {
				return false, fmt.Errorf("it is %s: %w", now.Status, ErrEnded)
			}
			return true, nil
		})
		if err != nil && waiting.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("%s does not show the approval, so the share stays here: %w: %w", d.describe().Name, err, ErrUnreachable)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// handIn gives the share to both hospitals, of which one is enough.
func (r *RecoveryReview) handIn(ctx context.Context, cid lock.CID, capsule []byte) error {
	if err := r.client.giveTo(ctx, r.doors, cid, capsule); err != nil {
		return fmt.Errorf("hand in share: %w", err)
	}
	return nil
}
