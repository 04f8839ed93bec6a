package consortium

import (
	"math"

	"github.com/phrd/phrd/lock"
)

const (
	// MaxWards is at how many wards a member of staff works at most.
	MaxWards = 16
	// MaxWard is the highest number of a ward.
	MaxWard = math.MaxUint16

	vaultKeyParts    = 19
	vaultKeyPartSize = 64
)

// CheckWards answers ErrInvalidWards unless the numbers are of wards, ascending and
// distinct, and not too many. A ward has no name on the chain, where "oncology" would
// be readable about somebody's health.
func CheckWards(wards []uint32) error {
	if len(wards) > MaxWards {
		return ErrInvalidWards.Wrapf("got %d, want at most %d", len(wards), MaxWards)
	}
	var last uint32
	for _, ward := range wards {
		if ward <= last || ward > MaxWard {
			return ErrInvalidWards.Wrapf("%v: want numbers of 1 to %d, ascending and distinct", wards, MaxWard)
		}
		last = ward
	}
	return nil
}

// Key is the vault's public key of a message that publishes one. It answers ErrInvalidKey
// where it is malformed. The key travels in 19 parts of 64 bytes, because a hardware
// wallet shows no longer field.
func (m *MsgPublishStaffVault) Key() ([]byte, error) {
	if len(m.VaultKey) != vaultKeyParts {
		return nil, ErrInvalidKey.Wrapf("vault key: got %d parts, want %d", len(m.VaultKey), vaultKeyParts)
	}
	key := make([]byte, 0, vaultKeyParts*vaultKeyPartSize)
	for i, part := range m.VaultKey {
		if len(part) != vaultKeyPartSize {
			return nil, ErrInvalidKey.Wrapf("vault key: part %d has %d bytes, want %d", i+1, len(part), vaultKeyPartSize)
		}
		key = append(key, part...)
	}
	if _, err := lock.ParsePublicKey(key); err != nil {
		return nil, ErrInvalidKey.Wrapf("vault key: %v", err)
	}
	return key, nil
}

// HasVault says whether the person published the key of a vault.
func (s Staff) HasVault() bool { return s.VaultEpoch > 0 }

// IsActive says whether the person has the role at a block time.
func (s Staff) IsActive(at int64) bool { return !s.Revoked && (s.Until == 0 || at < s.Until) }

// Validate answers ErrInvalidRole, ErrInvalidScope, ErrInvalidWards or ErrInvalidKey where the
// person's role, hospitals, wards or vault is none that a hospital or the members can have
// registered.
func (s Staff) Validate() error {
	if !s.Role.IsStaff() {
		return ErrInvalidRole.Wrapf("%d", s.Role)
	}
	if err := s.validateAuditor(); err != nil {
		return err
	}
	if err := CheckWards(s.Wards); err != nil {
		return err
	}
	if s.VaultEpoch == 0 && len(s.VaultKey) == 0 {
		return nil
	}
	if s.Role != ROLE_CLINICIAN || s.VaultEpoch == 0 || s.VaultEpoch > math.MaxInt64 {
		return ErrInvalidKey.Wrapf("vault of a %s, epoch %d", s.Role.Text(), s.VaultEpoch)
	}
	if _, err := lock.ParsePublicKey(s.VaultKey); err != nil {
		return ErrInvalidKey.Wrapf("vault key: %v", err)
	}
	return nil
}
