package consortium

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"strings"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
)

// ConsensusAddress is the address by which CometBFT names a validator, 20 bytes of
// the SHA-256 of its ed25519 key.
func ConsensusAddress(key []byte) []byte { return cmted25519.PubKey(key).Address() }

// CometID is the CometBFT node id of an ed25519 key of 32 bytes: its address in 40
// lower-case hex digits.
func CometID(key []byte) string { return hex.EncodeToString(cmted25519.PubKey(key).Address()) }

// peerPrefix comes before an ed25519 key in a libp2p peer id: the identity multihash
// of 36 bytes, which are the protobuf {1: Ed25519, 2: 32 bytes of key}.
var peerPrefix = []byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}

// peerIDSize is the length of the text of such a peer id.
const peerIDSize = 52

// PeerID is the libp2p peer id of an ed25519 key of 32 bytes, in base58btc.
func PeerID(key []byte) string { return encodeBase58(slices.Concat(peerPrefix, key)) }

// ParsePeerID is the ed25519 key in a peer id; ErrInvalidKey where the text is not
// what PeerID writes.
func ParsePeerID(text string) ([]byte, error) {
	if len(text) == peerIDSize {
		raw, ok := decodeBase58(text)
		if key, found := bytes.CutPrefix(raw, peerPrefix); ok && found && len(key) == ed25519.PublicKeySize {
			return key, nil
		}
	}
	return nil, ErrInvalidKey.Wrapf("peer id %q: want one of an ed25519 key, 12D3Koo…", text)
}

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// encodeBase58 writes a number in base 58 after a 1 for each leading zero byte.
func encodeBase58(b []byte) string {
	var text []byte
	n, base, rest := new(big.Int).SetBytes(b), big.NewInt(int64(len(base58))), new(big.Int)
	for n.Sign() > 0 {
		n.DivMod(n, base, rest)
		text = append(text, base58[rest.Int64()])
	}
	for _, c := range b {
		if c != 0 {
			break
		}
		text = append(text, base58[0])
	}
	slices.Reverse(text)
	return string(text)
}

// decodeBase58 reads what encodeBase58 writes. The caller bounds the text.
func decodeBase58(text string) ([]byte, bool) {
	n, base := new(big.Int), big.NewInt(int64(len(base58)))
	for i := range len(text) {
		digit := strings.IndexByte(base58, text[i])
		if digit < 0 {
			return nil, false
		}
		n.Add(n.Mul(n, base), big.NewInt(int64(digit)))
	}
	zeros := 0
	for zeros < len(text) && text[zeros] == base58[0] {
		zeros++
	}
	return append(make([]byte, zeros), n.Bytes()...), true
}
