package phr

import (
	"context"
	"fmt"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// HandOver says until when a patient's wallet is somebody else's. The patient, officers, and accounts that are nobody's yet may ask; the error
// is ErrNotFound where the wallet is the patient's own.
func (c *Client) HandOver(ctx context.Context, patient string) (*accessv1.HandOver, error) {
	answer, err := accessv1.NewQueryClient(c).HandOver(ctx, &accessv1.QueryHandOverRequest{Patient: patient})
	return answer.GetHandOver(), err
}

// SetHandOver says when the client's wallet ends, because the client has it for somebody else: whole seconds, at most 25 years ahead. It can be
// set again, earlier, and not taken back. Everybody who runs a hospital's server sees it: the first of a month tells less than a birthday.
func (c *Client) SetHandOver(ctx context.Context, on time.Time) (Receipt, error) {
	msg := &accessv1.MsgSetHandOver{Owner: c.key.Address(), On: untilText(on)}
	return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgSetHandOverResponse{})
}

// untilText is a time as a wallet shows it, nothing for the zero time.
func untilText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Until is until when the account acts for the patient, the zero time where it is the patient's own.
func (r Recovery) Until() time.Time {
	if r.GetUntil() == 0 {
		return time.Time{}
	}
	return time.Unix(r.GetUntil(), 0).UTC()
}

// PrepareEmptyVault makes a vault for the patient of a recovery that hospitals approved and that is ready, where nobody has the recovery code: with
// a fresh key, to which versions are locked from then on. What was stored before stays shut. It returns the former vault as the network names it and
// the next one, for [Client.FinishRecovery]. Errors are as those of [Client.ReadyVault].
func (c *Client) PrepareEmptyVault(ctx context.Context, number uint64, site string) (VaultFile, *PreparedVault, error) {
	r, err := c.Recovery(ctx, number)
	if err != nil {
		return VaultFile{}, nil, err
	}
	if err := r.Ready(); err != nil {
		return VaultFile{}, nil, err
	}
	if r.IsByGuardians() {
		return VaultFile{}, nil, fmt.Errorf("guardians open the vault of recovery %d: %w", number, ErrVault)
	}
	id, err := lock.ParseCanonicalID(r.Vault.GetId())
	if err != nil {
		return VaultFile{}, nil, fmt.Errorf("vault: %w: %w", err, ErrVault)
	}
	former := VaultFile{
		Patient: r.GetPatient(), Address: r.GetFormer(), ChainID: c.chainID, Network: c.network[:], Vault: r.Vault.GetId(), Epoch: r.Vault.GetEpoch(),
		Revision: r.Vault.GetRevision(), Key: r.Vault.GetKey(),
	}
	vault, err := seal.NewVaultAt(id, former.Epoch+1)
	if err != nil {
		return VaultFile{}, nil, err
	}
	next := former
	next.Revision++
	next.Address = c.key.Address()
	if err := c.drop(vaultSecretOf(next.Revision)); err != nil {
		return VaultFile{}, nil, err
	}
	prepared, err := c.prepareVault(next, vault, c.key, site, nil)
	return former, prepared, err
}

// RecoveryRules bound recoveries; zero keeps what is in force.
type RecoveryRules struct {
	// Delay is the least time between the last approval and the end, whole seconds, at most 60 days.
	Delay time.Duration
	// Hospitals is of how many hospitals an officer approves a recovery that guardians don't, 2 to 16.
	Hospitals uint32
}

// ProposeRecoveryRules asks the members to change the bounds of recoveries, and returns the proposal's number.
func (c *Client) ProposeRecoveryRules(ctx context.Context, rules RecoveryRules) (uint64, error) {
	answer, err := accessv1.NewQueryClient(c).Params(ctx, &accessv1.QueryParamsRequest{})
	if err != nil {
		return 0, err
	}
	params := answer.GetParams()
	if rules.Delay < 0 {
		return 0, fmt.Errorf("delay of %s: %w", rules.Delay, lock.ErrField)
	}
	if rules.Delay > 0 {
		params.RecoveryDelay = uint64(rules.Delay / time.Second) // #nosec G115 -- above zero
	}
	if rules.Hospitals > 0 {
		params.RecoveryHospitals = rules.Hospitals
	}
	return c.ProposeToMembers(ctx, &accessv1.MsgUpdateParams{Authority: Authority(), Params: params})
}
