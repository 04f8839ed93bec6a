package wallet

import (
	"encoding/base64"
	"fmt"
)

// ArbitraryDocument is the ADR-36 sign document for data by signer: what a wallet signs off the chain. It can never be a
// transaction, since its chain id is empty and its message is of a type that no chain carries out.
func ArbitraryDocument(signer string, data []byte) []byte {
	return fmt.Appendf(nil, `{"account_number":"0","chain_id":"","fee":{"amount":[],"gas":"0"},"memo":"","msgs":[{"type":"sign/MsgSignData","value":{"data":%q,"signer":%q}}],"sequence":"0"}`,
		base64.StdEncoding.EncodeToString(data), signer)
}

// SignArbitrary signs data by ADR-36 and returns r‖s, 64 bytes.
func (k *Key) SignArbitrary(data []byte) []byte { return k.Sign(ArbitraryDocument(k.Address(), data)) }

// VerifyArbitrary tells whether signature is an ADR-36 signature of data by publicKey, and returns the signer's address.
func VerifyArbitrary(publicKey, data, signature []byte) (address string, ok bool) {
	address = AddressOf(publicKey)
	return address, Verify(publicKey, ArbitraryDocument(address, data), signature)
}
