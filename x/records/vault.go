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
	return nil
}

// FirstVault is the vault that a registration brings: epoch 1, revision 1. It
// answers ErrInvalidVault where a field is malformed. The key travels in 19 parts
// of 64 bytes, because a hardware wallet shows no longer field.
func (m *MsgRegisterPatient) FirstVault() (Vault, error) {
	if len(m.VaultKey) != vaultKeyParts {
		return Vault{}, ErrInvalidVault.Wrapf("key: got %d parts, want %d", len(m.VaultKey), vaultKeyParts)
	}
	key := make([]byte, 0, VaultKeySize)
	for i, part := range m.VaultKey {
		if len(part) != vaultKeyPartSize {
			return Vault{}, ErrInvalidVault.Wrapf("key: part %d has %d bytes, want %d", i+1, len(part), vaultKeyPartSize)
		}
		key = append(key, part...)
	}
	if m.VaultSize < 1 || m.VaultSize > MaxVaultSize {
		return Vault{}, ErrInvalidVault.Wrapf("blob: got %d bytes, want 1 to %d", m.VaultSize, MaxVaultSize)
	}
	v := Vault{Id: m.Vault, Epoch: 1, Key: key, Revision: 1, Blob: m.VaultBlob}
	return v, v.Validate()
}
