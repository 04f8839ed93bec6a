package pack_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/phrd/phrd/blob/pack"
	"github.com/phrd/phrd/lock"
)

// What is on a disk may be anything: reading it ends, and what is taken for intact is what the writers write.

func FuzzScan(f *testing.F) {
	c, block := lock.RawCID([32]byte{1}), []byte("ciphertext")
	whole := pack.AppendRecord(nil, c, block)
	f.Add(whole)
	f.Add(append(whole[:20:20], whole...))
	f.Add(whole[:len(whole)-1])
	f.Fuzz(func(t *testing.T, records []byte) {
		path := filepath.Join(t.TempDir(), "pack")
		if err := os.WriteFile(path, append(pack.HeaderOfVersion(1), records...), 0o600); err != nil {
			t.Fatal(err)
		}
		size := int64(len(pack.HeaderOfVersion(1)) + len(records))
		found, end, err := pack.Scan(path, size)
		if err != nil || end > size {
			t.Fatalf("%d blocks up to %d of %d: %v", len(found), end, size, err)
		}
		for _, c := range found {
			if !bytes.Contains(records, c.Bytes()) {
				t.Fatalf("block %s is not in it", c)
			}
		}
	})
}

// FuzzTombstone changes what is under the checksum, which hides it from chance.
func FuzzTombstone(f *testing.F) {
	whole := pack.AppendTombstone(nil, lock.DagCID([32]byte{2}), [16]byte{3}, 32)
	f.Add(whole[:60])
	f.Add(make([]byte, 60))
	f.Fuzz(func(t *testing.T, entry []byte) {
		entry = binary.BigEndian.AppendUint32(entry, crc32.Checksum(entry, crc32.MakeTable(crc32.Castagnoli)))
		c, id, offset, ok := pack.ParseTombstone(entry)
		if ok && !bytes.Equal(pack.AppendTombstone(nil, c, id, offset), entry) {
			t.Fatalf("accepted %x, which is written otherwise", entry)
		}
	})
}

func FuzzPackName(f *testing.F) {
	f.Add("00112233445566778899aabbccddeeff.pack")
	f.Add("../00112233445566778899aabbccddee.pack")
	f.Fuzz(func(t *testing.T, name string) {
		if id, ok := pack.ParsePackName(name); ok && filepath.Base(pack.PackFile(id)) != name {
			t.Fatalf("%q is taken for %s", name, pack.PackFile(id))
		}
	})
}
