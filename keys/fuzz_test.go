package keys_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/lock"
)

func FuzzDecodeShare(f *testing.F) {
	scalar, err := lock.ParseSecretScalar(append([]byte{9}, make([]byte, 31)...))
	if err != nil {
		f.Fatal(err)
	}
	whole, err := keys.Share{Network: lock.Network{7}, Kind: lock.KeyRecords, Generation: 1, Epoch: 2, Index: 3, Scalar: scalar}.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(append(bytes.Clone(whole), whole...))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		share, err := keys.DecodeShare(encoded)
		if err != nil {
			if !errors.Is(err, keys.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if again, err := share.Encode(); err != nil || !bytes.Equal(again, encoded) {
			t.Fatalf("accepted %q, which is written %q (%v)", encoded, again, err)
		}
	})
}
