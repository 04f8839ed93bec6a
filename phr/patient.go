package phr

import (
	"context"
	"crypto/rand"
	"fmt"

	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

const (
	// vaultKeyPart is the longest field that a hardware wallet shows; the vault's key travels in parts of it.
	vaultKeyPart = 64
	// firstRevision of a vault's blob.
	firstRevision = 1
	// DefaultSite stands in the text that a wallet signs to open a vault, where the consortium has fixed no host for it.
	DefaultSite = "phrd"
)

// PreparePatient draws a patient number, a vault with its first key, and a recovery code, and keeps what opens the vault
// in Secrets. Nothing leaves the program. The caller keeps the file, shows the code, and then calls
// [Client.RegisterPatient]; so a crash at any point loses nothing that anybody knows of.
func (c *Client) PreparePatient(site string) (*PreparedVault, error) {
	number, err := lock.NewID(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw patient number: %w", err)
	}
	id, err := lock.NewID(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("draw vault id: %w", err)
	}
	vault, err := seal.NewVault(id)
	if err != nil {
		return nil, err
	}
	return c.prepareVault(VaultFile{
		Patient: number.String(), Address: c.key.Address(), ChainID: c.chainID, Network: c.network[:], Vault: id.String(), Revision: firstRevision,
	}, vault, c.key, site, nil)
}

// RegisterPatient uploads the vault and binds the client's account to the patient number. The account was opened with an
// invitation. The error is *Refused where the account, the number or the vault are known already.
func (c *Client) RegisterPatient(ctx context.Context, f VaultFile) (Receipt, error) {
	cid, block, err := f.block()
	if err != nil {
		return Receipt{}, err
	}
	if err := c.putBlock(ctx, cid, block); err != nil {
		return Receipt{}, fmt.Errorf("upload vault: %w", err)
	}
	msg := &recordsv1.MsgRegisterPatient{
		Address: c.key.Address(), Patient: f.Patient, Vault: f.Vault, VaultKey: inParts(f.Key), VaultBlob: cid.String(), VaultSize: uint64(len(block)),
	}
	receipt, err := c.send(ctx, c.amino, 2*gasBase, msg, &recordsv1.MsgRegisterPatientResponse{})
	return receipt, err
}

// inParts is a vault's key as messages carry it.
func inParts(key []byte) [][]byte {
	var parts [][]byte
	for len(key) > 0 {
		n := min(vaultKeyPart, len(key))
		parts, key = append(parts, key[:n]), key[n:]
	}
	return parts
}

// Patient is a patient by number, with the public key of the vault. Staff and the patient may ask.
func (c *Client) Patient(ctx context.Context, number string) (*recordsv1.Patient, error) {
	answer, err := c.records().Patient(ctx, &recordsv1.QueryPatientRequest{Id: number})
	return answer.GetPatient(), err
}

// self is the patient of the account. The error is ErrNotFound where it has registered none.
func (c *Client) self(ctx context.Context) (*recordsv1.Patient, error) {
	answer, err := c.records().PatientByAddress(ctx, &recordsv1.QueryPatientByAddressRequest{Address: c.key.Address()})
	return answer.GetPatient(), err
}
