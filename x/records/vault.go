package records

import (
	"math"

	"github.com/phrd/phrd/lock"
)

const (
	vaultKeyParts    = 19
	vaultKeyPartSize = 64
	// VaultKeySize is the size of a vault's public key in bytes.
	VaultKeySize = vaultKeyParts * vaultKeyPartSize
)

// Validate answers ErrInvalidVault where the vault's public side is malformed.
func (v Vault) Validate() error {
	if _, err := lock.ParseCanonicalID(v.Id); err != nil {
		return ErrInvalidVault.Wrapf("id: %v", err)
	}
	if v.Epoch < 1 || v.Epoch > math.MaxInt64 || v.Revision < 1 || v.Revision > math.MaxInt64 {
		return ErrInvalidVault.Wrapf("epoch %d, revision %d", v.Epoch, v.Revision)
	}
	if _, err := lock.ParsePublicKey(v.Key); err != nil {
		return ErrInvalidVault.Wrapf("key: %v", err)
	}
	if _, err := lock.ParseRawCID(v.Blob); err != nil {
		return ErrInvalidVault.Wrapf("blob: %v", err)
	}
	if v.Shares == "" {
		return nil
	}
	if _, err := lock.ParseRawCID(v.Shares); err != nil {
		return ErrInvalidVault.Wrapf("shares: %v", err)
	}
	return nil
}

// FirstVault is the vault that a registration brings: epoch 1, revision 1. It
// answers ErrInvalidVault where a field is malformed. The key travels in 19 parts
// of 64 bytes, because a hardware wallet shows no longer field.
func (m *MsgRegisterPatient) FirstVault() (Vault, error) {
	key, err := joinVaultKey(m.VaultKey)
	if err != nil {
		return Vault{}, err
	}
	v := Vault{Id: m.Vault, Epoch: 1, Key: key, Revision: 1, Blob: m.VaultBlob}
	return v, v.validate(m.VaultSize)
}

// Next is the vault after the message: its next revision, and with a key its next epoch. It
// answers ErrInvalidVault where a field is malformed; whether the revision is the next one is
// not said.
func (m *MsgRotateVault) Next(v Vault) (Vault, error) {
	v.Revision, v.Blob, v.Shares = m.Revision, m.VaultBlob, ""
	if len(m.VaultKey) > 0 {
		key, err := joinVaultKey(m.VaultKey)
		if err != nil {
			return Vault{}, err
		}
		v.Epoch, v.Key = v.Epoch+1, key
	}
	return v, v.validate(m.VaultSize)
}

// Vault is what the message does to the vault, as a message that leaves the wallet as it is.
func (m *MsgRotateWallet) Vault() *MsgRotateVault {
	return &MsgRotateVault{
		Address: m.Address, VaultKey: m.VaultKey, Revision: m.Revision, VaultBlob: m.VaultBlob, VaultSize: m.VaultSize, Hospital: m.Hospital,
	}
}

// joinVaultKey puts a vault's key together that travelled in parts.
func joinVaultKey(parts [][]byte) ([]byte, error) {
	if len(parts) != vaultKeyParts {
		return nil, ErrInvalidVault.Wrapf("key: got %d parts, want %d", len(parts), vaultKeyParts)
	}
	key := make([]byte, 0, VaultKeySize)
	for i, part := range parts {
		if len(part) != vaultKeyPartSize {
			return nil, ErrInvalidVault.Wrapf("key: part %d has %d bytes, want %d", i+1, len(part), vaultKeyPartSize)
		}
		key = append(key, part...)
	}
	return key, nil
}

// validate is Validate with the size of the blob.
func (v Vault) validate(size uint64) error {
	if size < 1 || size > MaxVaultSize {
		return ErrInvalidVault.Wrapf("blob: got %d bytes, want 1 to %d", size, MaxVaultSize)
	}
	return v.Validate()
}
