package access

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

// purposeGuardian is the purpose of releasing a guardian slot, which nobody
// proposes for a record.
const purposeGuardian = "GUARDIAN"

// Lock is what an unlock's hash covers of one version's lock.
type Lock struct {
	// Context is ctx of the version, 64 bytes.
	Context [64]byte
	// U of the version, a point, 32 bytes.
	U []byte
	// C of the version, 32 bytes.
	C []byte
}

// Proposal is the unlock in the form that its hash covers (docs/custody.md,
// appendix A), whose ID in hex is the unlock's id. The locks are those of the
// unlock's versions, in its order. It answers ErrInvalidVersions, ErrInvalidPoint,
// ErrInvalidCID or ErrUnauthorized where a field cannot be read.
func (u Unlock) Proposal(network lock.Network, locks []Lock) (lock.Proposal, error) {
	requester, err := sdk.AccAddressFromBech32(u.Requester)
	if err != nil || len(requester) != len(lock.Proposal{}.Requester) {
		return lock.Proposal{}, ErrUnauthorized.Wrapf("requester %q is no account of 20 bytes", u.Requester)
	}
	if len(locks) != len(u.Versions) {
		return lock.Proposal{}, ErrInvalidVersions.Wrapf("got %d locks, want %d", len(locks), len(u.Versions))
	}
	p := lock.Proposal{
		Network: network, Requester: [20]byte(requester), Hospital: u.Hospital, Purpose: u.Purpose, PolicyVersion: u.PolicyVersion,
		Expiry: uint64(u.ExpiresAt), Versions: make([]lock.ProposedVersion, len(locks)),
	}
	if p.RequestKeyCID, err = lock.ParseRawCID(u.RequestKey); err != nil {
		return lock.Proposal{}, ErrInvalidCID.Wrapf("request key: %v", err)
	}
	if p.B, err = lock.ParseEncapsulation(u.B); err != nil {
		return lock.Proposal{}, ErrInvalidPoint.Wrapf("B: %v", err)
	}
	for i, v := range u.Versions {
		proposed := lock.ProposedVersion{Number: v.Version, Context: locks[i].Context, C: locks[i].C}
		if proposed.Record, err = lock.ParseCanonicalID(v.Record); err != nil {
			return lock.Proposal{}, ErrInvalidVersions.Wrapf("record %d: %v", i+1, err)
		}
		if proposed.U, err = lock.ParseEncapsulation(locks[i].U); err != nil {
			return lock.Proposal{}, ErrInvalidPoint.Wrapf("U of record %d: %v", i+1, err)
		}
		if proposed.M, err = lock.ParsePoint(v.M); err != nil {
			return lock.Proposal{}, ErrInvalidPoint.Wrapf("M of record %d: %v", i+1, err)
		}
		p.Versions[i] = proposed
	}
	return p, nil
}
