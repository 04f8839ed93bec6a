package seal

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/phrd/phrd/lock"
	"google.golang.org/protobuf/encoding/protowire"
)

// maxLevels counts the levels of a manifest in leaves, root and bottom included.
const maxLevels = 3

// indexEntry describes one leaf of a manifest or of a lower index.
type indexEntry struct {
	cid    lock.CID
	key    [KeySize]byte
	length uint32 // bytes of its plaintext
}

func (e *indexEntry) append(b []byte) []byte {
	body := make([]byte, 0, 80)
	body = appendBytes(body, 1, e.cid[:])
	body = appendBytes(body, 2, e.key[:])
	body = appendUint(body, 3, uint64(e.length))
	return appendMessage(b, fieldIndex, body)
}

func appendIndex(b []byte, entries []indexEntry) []byte {
	for i := range entries {
		b = entries[i].append(b)
	}
	return b
}

// isIndex reports whether a message is an index: its first field is number 15. One
// with other fields beside it is refused by either decoder.
func isIndex(message []byte) bool {
	num, typ, n := protowire.ConsumeTag(message)
	return n > 0 && num == fieldIndex && typ == protowire.BytesType
}

// decodeIndex reads an index and returns it with the length in bytes of what it
// names. All leaves but the last must be full, the last a multiple of the frame's
// granule, and there must be two at least: one leaf needs no index.
func decodeIndex(b []byte) (entries []indexEntry, total uint64, err error) {
	_, err = walk(b, fieldIndex, func(f field) error {
		data, err := f.bytes()
		if err != nil {
			return err
		}
		if f.num != fieldIndex {
			return f.unknown()
		}
		var e indexEntry
		if err := e.decode(data); err != nil {
			return fmt.Errorf("index entry %d: %w", len(entries), err)
		}
		entries = append(entries, e)
		total += uint64(e.length)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if len(entries) < 2 {
		return nil, 0, errors.New("index of fewer than two leaves")
	}
	for i, e := range entries {
		last := i == len(entries)-1
		if (!last && e.length != ChunkSize) || e.length%frameBlock != 0 || e.length > ChunkSize {
			return nil, 0, fmt.Errorf("index entry %d: length %d is not what a writer gives", i, e.length)
		}
	}
	if !bytes.Equal(appendIndex(nil, entries), b) {
		return nil, 0, errNotCanonical
	}
	return entries, total, nil
}

func (e *indexEntry) decode(b []byte) error {
	var length uint64
	seen, err := walk(b, 0, func(f field) error {
		switch f.num {
		case 1:
			return f.cid(&e.cid)
		case 2:
			return f.fixed(e.key[:])
		case 3:
			return f.uint(&length)
		}
		return f.unknown()
	})
	if err != nil {
		return err
	}
	if err := seen.need(1, 2, 3); err != nil {
		return err
	}
	if length > math.MaxUint32 {
		return errors.New("length is over 32 bits")
	}
	e.length = uint32(length)
	return nil
}
