package scenario

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/access"
)

// Treatment is the purpose of most unlocks (HL7 v3 ActReason).
const Treatment = "TREAT"

// lifetime of unlocks whose end no story cares for.
const lifetime = time.Hour

// Unlock is a proposal to open versions.
type Unlock struct {
	// ID in hex.
	ID string
	// Requester who proposed it.
	Requester Person
	// Versions that it names.
	Versions []Version
}

// Propose has the hospital's clinician ask for a version.
func (h *Hospital) Propose(v Version, purpose string) Unlock {
	h.t.Helper()
	return h.Clinician().Propose(v, purpose)
}

// Propose asks for a version.
func (p Person) Propose(v Version, purpose string) Unlock {
	p.t.Helper()
	return p.Ask(lifetime, purpose, v)
}

// Ask asks for versions for a time.
func (p Person) Ask(lifetime time.Duration, purpose string, versions ...Version) Unlock {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	request := phr.Request{Purpose: purpose, Lifetime: lifetime}
	for _, v := range versions {
		request.Versions = append(request.Versions, v.Ref)
	}
	id, err := p.client.Propose(ctx, request)
	if err != nil {
		p.t.Fatalf("propose to open %s: %v", versions[0].Name, err)
	}
	u := Unlock{ID: id, Requester: p, Versions: versions}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unlocks = append(p.unlocks, u)
	return u
}

// CannotPropose tries to ask for a version, which fails.
func (p Person) CannotPropose(v Version, want error) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.Propose(ctx, phr.Request{Purpose: Treatment, Lifetime: lifetime, Versions: []phr.Ref{v.Ref}})
	mustBe(p.t, "propose", err, want)
}

// newest is the person's newest unlock that names a version.
func (p Person) newest(v Version) Unlock {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range slices.Backward(p.unlocks) {
		if slices.ContainsFunc(u.Versions, func(named Version) bool { return named.Ref == v.Ref }) {
			return u
		}
	}
	p.t.Fatalf("nobody here has proposed to open %s", v.Name)
	return Unlock{}
}

// Endorse has the hospital's officer support an unlock.
func (h *Hospital) Endorse(u Unlock) { h.t.Helper(); h.Officer().Endorse(u) }

// Endorse supports an unlock.
func (p Person) Endorse(u Unlock) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.Endorse(ctx, u.ID); err != nil {
		p.t.Fatalf("endorse: %v", err)
	}
}

// CannotEndorse tries to support an unlock, which the chain refuses for a reason.
func (p Person) CannotEndorse(u Unlock, reason string) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.Endorse(ctx, u.ID)
	p.mustRefuse("endorse", reason, err)
}

// Approve reviews an unlock at two hospitals and approves it with the patient's vault.
func (p *Patient) Approve(u Unlock) { p.t.Helper(); p.approve(u, p.vault) }

// Approve has a second officer approve to open records that the hospital owns.
func (h *Hospital) Approve(u Unlock) {
	h.t.Helper()
	vault, err := h.vault()
	if err != nil {
		h.t.Fatalf("vault of %s: %v", h.name, err)
	}
	h.Director().approve(u, vault)
}

func (p Person) approve(u Unlock, vault *phr.Vault) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	review, err := p.review(ctx, u)
	if err != nil {
		p.t.Fatalf("review: %v", err)
	}
	if !review.Independent {
		p.t.Errorf("unlock %s was reviewed at the requester's hospital", u.ID)
	}
	if _, err := review.Approve(ctx, vault); err != nil {
		p.t.Fatalf("approve: %v", err)
	}
}

// review reviews an unlock that is endorsed, at hospitals that may not have the block yet which the endorsing one has.
func (p Person) review(ctx context.Context, u Unlock) (*phr.Review, error) {
	return past(ctx, func() (*phr.Review, error) { return p.client.Review(ctx, u.ID) }, phr.ErrNotFound, phr.ErrNotApproved)
}

// CannotApproveWithVault reviews an unlock, which the patient's vault can't approve.
func (p *Patient) CannotApproveWithVault(u Unlock, want error) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	review, err := p.review(ctx, u)
	if err != nil {
		p.t.Fatalf("review: %v", err)
	}
	_, err = review.Approve(ctx, p.vault)
	mustBe(p.t, "approve", err, want)
}

// CannotApprove tries to review an unlock, which is not due for an approval.
func (p *Patient) CannotApprove(u Unlock, want error) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.Review(ctx, u.ID)
	mustBe(p.t, "review", err, want)
}

// Deny ends an unlock that was not approved.
func (p Person) Deny(u Unlock) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.Deny(ctx, u.ID); err != nil {
		p.t.Fatalf("deny: %v", err)
	}
}

// CannotDeny tries to deny an unlock, which the chain refuses for a reason.
func (p Person) CannotDeny(u Unlock, reason string) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.Deny(ctx, u.ID)
	p.mustRefuse("deny", reason, err)
}

// Withdraw ends an unlock.
func (p Person) Withdraw(u Unlock) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	if _, err := p.client.Withdraw(ctx, u.ID); err != nil {
		p.t.Fatalf("withdraw: %v", err)
	}
}

// CannotWithdraw tries to end an unlock, which the chain refuses for a reason.
func (p Person) CannotWithdraw(u Unlock, reason string) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	_, err := p.client.Withdraw(ctx, u.ID)
	p.mustRefuse("withdraw", reason, err)
}

// Approval is an approval of an unlock by the person, with a capsule that opens nothing, for who may not approve.
func (p Person) Approval(u Unlock) *accessv1.MsgApproveUnlock {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	shown, err := u.Requester.client.Unlock(ctx, u.ID)
	if err != nil {
		p.t.Fatalf("read unlock: %v", err)
	}
	m := &accessv1.MsgApproveUnlock{
		Owner: p.Address(), Hospital: access.OwnReading, Purpose: shown.GetPurpose(), Until: time.Unix(shown.GetExpiresAt(), 0).UTC().Format(time.RFC3339),
		Unlock: u.ID, Capsule: lock.RawCID(sha256.Sum256([]byte(u.ID))).String(),
	}
	if shown.GetHospital() != 0 {
		member, err := p.client.Member(ctx, shown.GetHospital())
		if err != nil {
			p.t.Fatalf("read member: %v", err)
		}
		m.Hospital = member.GetName()
	}
	for _, v := range shown.GetVersions() {
		m.Records = append(m.Records, fmt.Sprintf("%s/%d", v.GetRecord(), v.GetVersion()))
	}
	return m
}

// ApproveAndWithdraw sends an approval by the owner and right behind it a withdrawal by somebody else, and tells whether both came
// into one block, in this order.
func (n *Network) ApproveAndWithdraw(u Unlock, owner *Patient, other Person) bool {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	approve, withdraw := owner.Approval(u), &accessv1.MsgWithdrawUnlock{Signer: other.Address(), Unlock: u.ID}
	first, err := owner.broadcast(ctx, approve)
	if err != nil {
		n.t.Fatalf("approve: %v", err)
	}
	second, err := other.broadcast(ctx, withdraw)
	if err != nil {
		n.t.Fatalf("withdraw: %v", err)
	}
	approved, err := owner.included(ctx, first, approve, &accessv1.MsgApproveUnlockResponse{})
	withdrawn, also := other.included(ctx, second, withdraw, &accessv1.MsgWithdrawUnlockResponse{})
	n.note(ctx, owner.at)
	n.note(ctx, other.at)
	if also != nil {
		n.t.Fatalf("withdraw: %v", also)
	}
	if err != nil && Reason(err) != access.ReasonWithdrawn {
		n.t.Fatalf("approve: %v", err)
	}
	return err == nil && approved == withdrawn
}

// Stands waits until an unlock has a status.
func (n *Network) Stands(u Unlock, want accessv1.UnlockStatus) {
	n.t.Helper()
	auditor := n.Hospital(names[0]).Auditor()
	ctx, cancel := auditor.step() // who acts upon it does so where it is known
	defer cancel()
	for {
		got, err := auditor.client.Unlock(ctx, u.ID)
		if err != nil {
			n.t.Fatalf("read unlock: %v", err)
		}
		if got.Status == want {
			return
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("the unlock is %s, want %s", got.Status, want)
		}
	}
}

// HasNoShares checks that no holder gave a share for an unlock.
func (n *Network) HasNoShares(u Unlock) {
	n.t.Helper()
	if given := n.shares(u); len(given) != 0 {
		n.t.Fatalf("%d holders gave shares", len(given))
	}
}

// HasShares waits until so many holders have given shares for an unlock.
func (n *Network) HasShares(u Unlock, want int) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	for len(n.shares(u)) != want {
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			n.t.Fatalf("%d holders gave shares, want %d", len(n.shares(u)), want)
		}
	}
}

func (n *Network) shares(u Unlock) []*custodyv1.Share {
	n.t.Helper()
	auditor := n.Hospital(names[0]).Auditor()
	ctx, cancel := step(n.t)
	defer cancel()
	answer, err := custodyv1.NewQueryClient(auditor.client).Shares(ctx, &custodyv1.QuerySharesRequest{Unlock: u.ID})
	if err != nil && !errors.Is(err, phr.ErrNotFound) {
		n.t.Fatalf("read shares: %v", err)
	}
	return answer.GetShares()
}

// ShareOfOthers is a share that another holder than the hospital gave for an unlock.
func (n *Network) ShareOfOthers(u Unlock, h *Hospital) *custodyv1.Share {
	n.t.Helper()
	for _, share := range n.shares(u) {
		if share.GetIndex() != h.number {
			return share
		}
	}
	n.t.Fatal("no other holder gave a share")
	return nil
}
