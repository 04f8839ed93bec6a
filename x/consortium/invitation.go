package consortium

import (
	"crypto/ed25519"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/phrd/phrd/lock"
)

// InvitationDigest is what an invitation's key signs to open the account of an
// address, 64 bytes: H("phrd/v1/open-account", network id, invitation key, address).
func InvitationDigest(n lock.Network, key []byte, address sdk.AccAddress) []byte {
	digest := lock.H("phrd/v1/open-account", n[:], key, address)
	return digest[:]
}

// Status is the reason for which an invitation opens nothing at that block time;
// empty for one that is good.
func (i *Invitation) Status(now int64) string {
	switch {
	case i.Address != "":
		return ReasonInvitationUsed
	case i.Revoked:
		return ReasonInvitationRevoked
	case i.ExpiresAt <= now:
		return ReasonInvitationExpired
	default:
		return ""
	}
}

// Opens says whether the signature is the invitation's over this address.
func (i *Invitation) Opens(n lock.Network, address sdk.AccAddress, signature []byte) bool {
	return len(i.Key) == ed25519.PublicKeySize && ed25519.Verify(i.Key, InvitationDigest(n, i.Key, address), signature)
}

// CheckInvitationKey answers ErrInvalidInvitation unless it is an ed25519 public key
// of 32 bytes.
func CheckInvitationKey(key []byte) error {
	if err := checkEd25519(key); err != nil {
		return ErrInvalidInvitation.Wrapf("key: %v", err)
	}
	return nil
}
