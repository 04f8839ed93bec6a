package pack

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"time"

	"github.com/phrd/phrd/lock"
)

// HeaderOfVersion returns an intact pack header of any version.
func HeaderOfVersion(version uint32) []byte {
	b := appendPackHeader(nil, sharedKind, time.Unix(0, 0))
	binary.BigEndian.PutUint32(b[8:], version)
	binary.BigEndian.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
	return b
}

// Scan returns the intact blocks of the first size bytes of a pack, and where the last
// record ends.
func Scan(path string, size int64) (found []lock.CID, end int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	end, err = scan(f, min(packHeader, size), size, visitor{
		found: func(r record, _ int64, _ []byte, intact bool) error {
			if intact {
				found = append(found, r.cid)
			}
			return nil
		},
		unreadable: func(int64, int64) error { return nil },
	})
	return found, end, errors.Join(err, f.Close())
}

// AppendRecord appends a block as a pack has it.
func AppendRecord(b []byte, c lock.CID, block []byte) []byte {
	return append(appendRecordHeader(b, c, block), block...)
}

// AppendTombstone appends an entry of the journal.
func AppendTombstone(b []byte, c lock.CID, pack [16]byte, offset int64) []byte {
	return tombstone{cid: c, pack: pack, offset: offset}.append(b)
}

// ParseTombstone reads an entry of the journal.
func ParseTombstone(b []byte) (c lock.CID, pack [16]byte, offset int64, ok bool) {
	t, ok := parseTombstone(b)
	return t.cid, t.pack, t.offset, ok
}

// ParsePackName reads the name of a pack, and PackFile is the path of a pack.
func ParsePackName(name string) (pack [16]byte, ok bool) {
	id, ok := parsePackName(name)
	return id, ok
}

// PackFile is the path of a pack within the folder.
func PackFile(pack [16]byte) string { return packID(pack).file() }
