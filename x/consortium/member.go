package consortium

import (
	"encoding/hex"

	"github.com/cometbft/cometbft/crypto"
)

// ValidatorPower is the power of every member's validator: one hospital, one vote.
const ValidatorPower = 1

// Validate answers what is wrong with a member's fields.
func (m *Member) Validate() error {
	for _, err := range []error{
		CheckName(m.Name), checkEd25519(m.ConsensusKey), checkCometID(m.CometId), CheckHostPort(m.CometAddress),
		checkVaultKey(m.VaultKey), CheckGatewayURL(m.GatewayUrl), checkFingerprint(m.GatewayFingerprint),
	} {
		if err != nil {
			return err
		}
	}
	if _, err := ParseAccount(m.NodeAccount); err != nil {
		return err
	}
	if m.VaultEpoch == 0 {
		return ErrInvalidKey.Wrap("vault_epoch counts from 1")
	}
	if (m.EmergencyEpoch == 0) != (len(m.EmergencyKey) == 0) {
		return ErrInvalidKey.Wrapf("emergency vault: a key of %d bytes, epoch %d", len(m.EmergencyKey), m.EmergencyEpoch)
	}
	if m.EmergencyEpoch != 0 {
		if err := checkVaultKey(m.EmergencyKey); err != nil {
			return err
		}
	}
	if m.Status < MEMBER_STATUS_ACTIVE || m.Status > MEMBER_STATUS_LEAVING {
		return ErrWrongStatus.Wrapf("%d", m.Status)
	}
	return nil
}

// IsActive says whether the member validates, votes and writes. One that is leaving
// does until it has left.
func (m *Member) IsActive() bool {
	return m.Status == MEMBER_STATUS_ACTIVE || m.Status == MEMBER_STATUS_LEAVING
}

// Stays says whether the member takes part and has not asked to leave, so that it may
// be given copies.
func (m *Member) Stays() bool { return m.Status == MEMBER_STATUS_ACTIVE }

// Validate answers ErrInvalidName or ErrInvalidZone where a field is not allowed.
func (s *Site) Validate() error {
	if err := CheckName(s.Name); err != nil {
		return err
	}
	return CheckZone(s.TimeZone)
}

// Validate answers what is wrong with a storage node's own fields; whose it is and
// where it stands is for the caller to check.
func (n *StorageNode) Validate() error {
	if _, err := ParseAccount(n.Account); err != nil {
		return err
	}
	if _, err := ParsePeerID(n.PeerId); err != nil {
		return err
	}
	if err := checkCometID(n.CometId); err != nil {
		return err
	}
	if err := CheckMultiaddr(n.Address); err != nil {
		return err
	}
	return CheckCapacity(n.Capacity)
}

func checkCometID(id string) error {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != crypto.AddressSize || hex.EncodeToString(raw) != id {
		return ErrInvalidKey.Wrapf("comet id %q: want %d lower-case hex digits", id, 2*crypto.AddressSize)
	}
	return nil
}
