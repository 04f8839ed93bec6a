package keeper

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/consortium"
	"github.com/phrd/phrd/x/storage"
)

// ConfirmCopies notes that a node holds objects: it read every leaf back from its
// disk. Each object stands for itself: a refused one leaves the others alone. To
// confirm a copy that is held already is fine and changes nothing, so it writes no
// second entry.
func (s msgServer) ConfirmCopies(ctx context.Context, msg *storage.MsgConfirmCopies) (*storage.MsgConfirmCopiesResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	results, err := s.changeCopies(ctx, msg.Node, msg.Objects, storage.COPY_STATUS_HELD, audit.KindReplicated)
	return &storage.MsgConfirmCopiesResponse{Results: results}, err
}

// ReportLostCopies notes that a node no longer holds objects that it had
// confirmed; it is to fetch them again. To report a copy that is lost already is
// fine and changes nothing, so it writes no second entry.
func (s msgServer) ReportLostCopies(ctx context.Context, msg *storage.MsgReportLostCopies) (*storage.MsgReportLostCopiesResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	results, err := s.changeCopies(ctx, msg.Node, msg.Objects, storage.COPY_STATUS_LOST, audit.KindCopyLost)
	return &storage.MsgReportLostCopiesResponse{Results: results}, err
}

// changeCopies brings a node's copies of the objects to a status.
func (k *Keeper) changeCopies(ctx context.Context, signer string, objects []string, to storage.CopyStatus, kind string) ([]storage.CopyResult, error) {
	p, entry, err := k.consortium.Actor(ctx, signer)
	if err != nil {
		return nil, err
	}
	node, refusal, err := k.signingNode(ctx, p)
	if err != nil {
		return nil, err
	}
	entry.Kind = kind
	results := make([]storage.CopyResult, len(objects))
	for i, cid := range objects {
		reason, changed := refusal, false
		if reason == "" {
			if reason, changed, err = k.changeCopy(ctx, node, cid, to, entry); err != nil {
				return nil, err
			}
		}
		results[i] = storage.CopyResult{Object: cid, Outcome: audit.OUTCOME_OK, Reason: reason, Changed: changed}
		if reason != "" {
			results[i].Outcome = audit.OUTCOME_REFUSED
			if err := k.refuse(ctx, entry, cid, reason); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

// signingNode is the storage node whose account signed, or the reason why there is
// none. A member's first node signs with the member's node account. A retired node
// gets nothing new, and still says what became of what it has.
func (k *Keeper) signingNode(ctx context.Context, p consortium.Principal) (node consortium.StorageNode, refusal string, err error) {
	if p.Role != consortium.ROLE_STORAGE && p.Role != consortium.ROLE_NODE {
		return node, storage.ReasonWrongRole, nil
	}
	if !p.Active {
		return node, storage.ReasonInactive, nil
	}
	node, err = k.consortium.StorageNodeByAccount(ctx, p.Address)
	return node, "", err
}

// changeCopy brings one copy to a status and writes its entry, answers that it was so
// before, or why not.
func (k *Keeper) changeCopy(ctx context.Context, node consortium.StorageNode, cid string, to storage.CopyStatus, entry audit.Entry) (refusal string, changed bool, err error) {
	object, copies, err := k.Object(ctx, cid)
	if errors.Is(err, storage.ErrUnknownObject) {
		return storage.ReasonUnknownObject, false, nil
	}
	if err != nil {
		return "", false, err
	}
	at := -1
	for i, c := range copies {
		if c.Node == node.Number {
			at = i
		}
	}
	switch {
	case at < 0:
		return storage.ReasonNotAssigned, false, nil
	case copies[at].Status == to:
		return "", false, nil
	case to == storage.COPY_STATUS_LOST && copies[at].Status != storage.COPY_STATUS_HELD:
		return storage.ReasonNotHeld, false, nil
	}
	root, err := lock.ParseCID(cid)
	if err != nil {
		return "", false, err
	}
	was := copies[at].Status
	copies[at].Status, copies[at].Since = to, blockTime(ctx)
	if err := k.changeStatus(ctx, root, object.Size_, copies[at], was); err != nil {
		return "", false, err
	}
	placed, err := k.placed(ctx, object, copies)
	if err != nil {
		return "", false, err
	}
	if placed, err = k.settle(ctx, root, object, placed); err != nil {
		return "", false, err
	}
	held := heldCopies(placed)
	entry.Outcome, entry.Target, entry.Count = audit.OUTCOME_OK, cid, uint64(held)
	if err := k.append(ctx, entry); err != nil {
		return "", false, err
	}
	event := &storage.EventCopyChanged{Cid: cid, Node: node.Number, Held: held}
	if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
		return "", false, err
	}
	if k.hooks == nil {
		return "", true, nil
	}
	return "", true, k.hooks.CopyChanged(ctx, cid, held, object.Target)
}

// refuse writes the entry of something that was refused.
func (k *Keeper) refuse(ctx context.Context, entry audit.Entry, cid, reason string) error {
	entry.Outcome, entry.Target, entry.Reason = audit.OUTCOME_REFUSED, cid, reason
	return k.append(ctx, entry)
}

// append writes an entry with what its object is about, where the object is known.
func (k *Keeper) append(ctx context.Context, entry audit.Entry) error {
	if k.hooks != nil {
		root, err := lock.ParseCID(entry.Target)
		if err != nil {
			return storage.ErrInvalidCID.Wrap(err.Error())
		}
		known, err := k.objects.Has(ctx, root.Bytes())
		if err != nil {
			return err
		}
		if known {
			if entry.Patient, entry.Subjects, err = k.hooks.Subject(ctx, entry.Target); err != nil {
				return err
			}
		}
	}
	_, err := k.audit.Append(ctx, entry)
	return err
}
