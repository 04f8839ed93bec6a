package pack

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// HeaderOfVersion returns an intact pack header of any version.
func HeaderOfVersion(version uint32) []byte {
	b := appendPackHeader(nil, sharedKind, time.Unix(0, 0))
	binary.BigEndian.PutUint32(b[8:], version)
	binary.BigEndian.PutUint32(b[28:], crc32.Checksum(b[:28], castagnoli))
	return b
}
