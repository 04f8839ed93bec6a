package consortium

import sdk "github.com/cosmos/cosmos-sdk/types"

// addressSize is the length of the address of an account with a secp256k1 key.
const addressSize = 20

// ParseAccount reads the bech32 address of an account that a person or a node may
// have: 20 bytes, and not the consortium's own. Others are refused with
// ErrInvalidAddress.
func ParseAccount(address string) (sdk.AccAddress, error) {
	account, err := sdk.AccAddressFromBech32(address)
	if err != nil {
		return nil, ErrInvalidAddress.Wrapf("%q: %v", address, err)
	}
	if len(account) != addressSize || account.Equals(Account()) || account.String() != address {
		return nil, ErrInvalidAddress.Wrapf("%q: want the 20 bytes of a person's or a node's account, in lower case", address)
	}
	return account, nil
}
