package ipfs_test

import (
	"bytes"
	"testing"

	"github.com/phrd/phrd/blob/ipfs"
	"github.com/phrd/phrd/lock"
)

func FuzzReadRequest(f *testing.F) {
	one, two := lock.RawCID([32]byte{1}), lock.DagCID([32]byte{2})
	f.Add(append(append([]byte{2}, one.Bytes()...), two.Bytes()...))
	f.Add(append([]byte{2}, one.Bytes()...))
	f.Add([]byte{0})
	f.Add([]byte{255})
	f.Fuzz(func(t *testing.T, b []byte) {
		cids, err := ipfs.ReadRequest(b)
		if err != nil {
			return
		}
		again := []byte{byte(len(cids))}
		for _, c := range cids {
			again = append(again, c.Bytes()...)
		}
		if !bytes.HasPrefix(b, again) {
			t.Fatalf("read %d blocks from %x", len(cids), b)
		}
	})
}
