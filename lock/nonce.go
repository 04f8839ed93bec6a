package lock

import (
	"fmt"
	"io"
)

// nonce draws the nonce of a proof, hedged: a hash of the secret, of what is proven, and of 32 fresh bytes. A source of chance that
// repeats itself does not repeat the nonce for another label.
func (k kind) nonce(secret Scalar, label [64]byte, random io.Reader) (Scalar, error) {
	var fresh [32]byte
	defer clear(fresh[:])
	for {
		if _, err := io.ReadFull(random, fresh[:]); err != nil {
			return Scalar{}, fmt.Errorf("draw nonce: %w", err)
		}
		if n := k.hedge(secret, label, fresh); !n.IsZero() {
			return n, nil
		}
	}
}

func (k kind) hedge(secret Scalar, label [64]byte, fresh [32]byte) Scalar {
	return reduce(H("phrd/v1/nonce", []byte(k), secret.Bytes(), label[:], fresh[:]))
}
