package phr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
	"github.com/phrd/phrd/wallet"
)

// staffVaultName is where Secrets keep the seed of one epoch of a clinician's vault.
func staffVaultName(address string, epoch uint64) string {
	return fmt.Sprintf("vault/staff/%s/%d", address, epoch)
}

// principalNow is what the chain says about the account now.
func (c *Client) principalNow(ctx context.Context) (*consortiumv1.Principal, error) {
	if c.key == nil {
		return nil, fmt.Errorf("no key to log in with: %w", ErrNoAccount)
	}
	answer, err := c.consortium().Principal(ctx, &consortiumv1.QueryPrincipalRequest{Address: c.key.Address()})
	return answer.GetPrincipal(), err
}

// PublishVault makes sure that the clinician has a vault whose newest key this program holds, and returns its epoch. Where there is none,
// or a former device had the key, it draws one, keeps it in Secrets, and publishes its public half; patients who consent have records
// sealed to it. What was sealed to a key that is lost opens with the patient's approval. The error is *Refused for accounts that are
// no clinician's.
func (c *Client) PublishVault(ctx context.Context) (uint64, error) {
	who, err := c.principalNow(ctx)
	if err != nil {
		return 0, err
	}
	if epoch := who.GetVaultEpoch(); epoch > 0 {
		if key, err := c.staffKey(epoch); key != nil || err != nil {
			return epoch, err
		}
	}
	return c.publishVault(ctx, who.GetVaultEpoch()+1)
}

// RotateVault gives the clinician's vault another key and returns its epoch. Former keys stay with this program and open what was sealed to them.
func (c *Client) RotateVault(ctx context.Context) (uint64, error) {
	who, err := c.principalNow(ctx)
	if err != nil {
		return 0, err
	}
	return c.publishVault(ctx, who.GetVaultEpoch()+1)
}

// publishVault publishes the key of an epoch. It is kept first: a key that was drawn by a try that was cut is taken up again.
func (c *Client) publishVault(ctx context.Context, epoch uint64) (uint64, error) {
	key, err := c.staffKey(epoch)
	if err != nil {
		return 0, err
	}
	if key == nil {
		if key, err = lock.GeneratePrivateKey(rand.Reader); err != nil {
			return 0, fmt.Errorf("draw vault key: %w", err)
		}
		seed := key.Seed()
		defer clear(seed)
		if err := c.secrets.Put(staffVaultName(c.Address(), epoch), seed); err != nil {
			return 0, fmt.Errorf("keep vault key: %w", err)
		}
	}
	msg := &consortiumv1.MsgPublishStaffVault{Staff: c.Address(), Epoch: epoch, VaultKey: inParts(key.Public().Bytes())}
	_, err = c.send(ctx, c.amino, gasBase, msg, &consortiumv1.MsgPublishStaffVaultResponse{})
	return epoch, err
}

// staffKey is the key of an epoch of the clinician's vault, nil where this program does not hold it. One that is there and can't be read is an
// error: another device can't have it.
func (c *Client) staffKey(epoch uint64) (*lock.PrivateKey, error) {
	seed, err := c.secrets.Get(staffVaultName(c.Address(), epoch))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("vault key of epoch %d: %w", epoch, err)
	}
	defer clear(seed)
	return lock.NewPrivateKey(seed)
}

// staffVault is the clinician's vault: it opens halves that patients' consents had sealed to it.
func (c *Client) staffVault() (*Vault, error) {
	address, err := wallet.ParseAddress(c.Address())
	if err != nil {
		return nil, err
	}
	return &Vault{recipient: seal.StaffRecipient([wallet.AddressSize]byte(address)), key: c.staffKey}, nil
}
