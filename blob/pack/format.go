package pack

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"strings"
	"time"

	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
)

// The pack header is 32 bytes: magic (8), version and kind (uint32 each), the time of
// creation in unix seconds (uint64), 0 (uint32), and the CRC32C of these 28 bytes.
//
// The record header is 52 bytes: magic (4), CID (36), length of the block (uint32), its
// CRC32C, and the CRC32C of these 48 bytes. The block follows. All numbers are
// big-endian.
const (
	packMagic     = "phrdpack"
	packVersion   = 1
	packHeader    = 32
	recordMagic   = "phrb"
	recordHeader  = 52
	sharedKind    = 1
	ownKind       = 2
	idSize        = 16
	journalRecord = 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// packID names a pack. It is random, so that no two packs ever share one.
type packID [idSize]byte

func newPackID() (packID, error) {
	var id packID
	_, err := rand.Read(id[:])
	return id, err
}

// file is the path of the pack within the store's folder.
func (id packID) file() string {
	return filepath.Join(packFolder, hex.EncodeToString(id[:])+packSuffix)
}

// parsePackName reads the name of a pack; other names are not ours.
func parsePackName(name string) (packID, bool) {
	digits, found := strings.CutSuffix(name, packSuffix)
	id, err := hex.DecodeString(digits)
	if !found || err != nil || len(id) != idSize || hex.EncodeToString(id) != digits {
		return packID{}, false
	}
	return packID(id), true
}

// A place is where a record lies.
type place struct {
	pack   packID
	offset int64 // of the record header
	length uint32
	bad    bool // found damaged: never read again, but still to be erased
}

// end is the offset behind the record.
func (p place) end() int64 { return p.offset + recordHeader + int64(p.length) }

// sound returns the places that are not known to be damaged.
func sound(places []place) []place {
	kept := places[:0]
	for _, p := range places {
		if !p.bad {
			kept = append(kept, p)
		}
	}
	return kept
}

func appendPackHeader(b []byte, kind uint32, created time.Time) []byte {
	start := len(b)
	b = append(b, packMagic...)
	b = binary.BigEndian.AppendUint32(b, packVersion)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint64(b, uint64(created.Unix()))
	b = binary.BigEndian.AppendUint32(b, 0)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// checkPackHeader tells whether the header is intact. An intact header of another
// version is an error.
func checkPackHeader(b []byte) (intact bool, err error) {
	if len(b) < packHeader || crc32.Checksum(b[:28], castagnoli) != binary.BigEndian.Uint32(b[28:]) || string(b[:8]) != packMagic {
		return false, nil
	}
	if version := binary.BigEndian.Uint32(b[8:]); version != packVersion {
		return false, fmt.Errorf("pack has version %d, this program reads version %d", version, packVersion)
	}
	return true, nil
}

func appendRecordHeader(b []byte, c lock.CID, block []byte) []byte {
	start := len(b)
	b = append(b, recordMagic...)
	b = append(b, c[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(block)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(block, castagnoli))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// A record is what a record header says.
type record struct {
	cid    lock.CID
	length uint32
	sum    uint32
}

// parseRecordHeader reads an intact header of an acceptable block.
func parseRecordHeader(b []byte) (record, bool) {
	if len(b) < recordHeader || string(b[:4]) != recordMagic || crc32.Checksum(b[:48], castagnoli) != binary.BigEndian.Uint32(b[48:]) {
		return record{}, false
	}
	c, err := lock.CIDFromBytes(b[4:40])
	r := record{cid: c, length: binary.BigEndian.Uint32(b[40:]), sum: binary.BigEndian.Uint32(b[44:])}
	if err != nil || blob.CheckSize(int(r.length)) != nil {
		return record{}, false
	}
	return r, true
}

// A tombstone is a journal entry: CID (36), pack (16), offset (uint64), CRC32C of these.
type tombstone struct {
	cid    lock.CID
	pack   packID
	offset int64
}

func (t tombstone) append(b []byte) []byte {
	start := len(b)
	b = append(b, t.cid[:]...)
	b = append(b, t.pack[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(t.offset))
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

func parseTombstone(b []byte) (tombstone, bool) {
	if len(b) != journalRecord || crc32.Checksum(b[:60], castagnoli) != binary.BigEndian.Uint32(b[60:]) {
		return tombstone{}, false
	}
	c, err := lock.CIDFromBytes(b[:36])
	offset := binary.BigEndian.Uint64(b[52:])
	if err != nil || offset > 1<<62 || bytes.Equal(b[36:52], make([]byte, idSize)) {
		return tombstone{}, false
	}
	return tombstone{cid: c, pack: packID(b[36:52]), offset: int64(offset)}, true
}
