package pack

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"os"

	"github.com/phrd/phrd/blob"
)

// A visitor is told what a scan meets, in the order of the file.
type visitor struct {
	// found is called for each record with an intact header; intact tells whether the
	// block has its CRC. The block is valid only during the call.
	found func(r record, offset int64, block []byte, intact bool) error
	// unreadable is called for bytes in which no record can be told.
	unreadable func(offset, length int64) error
}

// scan reads the records of a pack of size bytes from an offset at which one starts. It
// returns the offset behind the last record; what follows is a torn end. A stretch
// without a readable header is unreadable if a record follows it, else torn.
func scan(f *os.File, from, size int64, v visitor) (end int64, err error) {
	end = from
	header := make([]byte, recordHeader)
	block := make([]byte, min(blob.MaxBlock, max(size-from, 0)))
	for offset := from; offset < size; {
		r, ok, err := headerAt(f, header, offset, size)
		if err != nil {
			return end, err
		}
		if !ok {
			next, err := nextRecord(f, offset+1, size)
			if err != nil {
				return end, err
			}
			if next == size {
				return end, nil
			}
			if err := v.unreadable(offset, next-offset); err != nil {
				return end, err
			}
			offset = next
			continue
		}
		body := block[:r.length]
		if _, err := f.ReadAt(body, offset+recordHeader); err != nil {
			return end, err
		}
		intact := crc32.Checksum(body, castagnoli) == r.sum
		if err := v.found(r, offset, body, intact); err != nil {
			return end, err
		}
		offset += recordHeader + int64(r.length)
		end = offset
	}
	return end, nil
}

// headerAt reads the record header at an offset. It is not ok when it is damaged or its
// block does not fit into the file.
func headerAt(f *os.File, buffer []byte, offset, size int64) (record, bool, error) {
	if offset+recordHeader > size {
		return record{}, false, nil
	}
	if _, err := f.ReadAt(buffer[:recordHeader], offset); err != nil {
		return record{}, false, err
	}
	r, ok := parseRecordHeader(buffer)
	return r, ok && offset+recordHeader+int64(r.length) <= size, nil
}

// nextRecord searches for the next intact record header from an offset on and returns
// its offset, or size when there is none.
func nextRecord(f *os.File, offset, size int64) (int64, error) {
	const step = 1 << 20
	buffer := make([]byte, min(step, max(size-offset, 0)))
	header := make([]byte, recordHeader)
	for offset < size {
		n, err := f.ReadAt(buffer[:min(step, size-offset)], offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		window := buffer[:n]
		if len(window) < recordHeader {
			return size, nil
		}
		for at := 0; ; at++ {
			i := bytes.Index(window[at:], []byte(recordMagic))
			if i < 0 {
				break
			}
			at += i
			if _, ok, err := headerAt(f, header, offset+int64(at), size); err != nil {
				return 0, err
			} else if ok {
				return offset + int64(at), nil
			}
		}
		// The last bytes of the window may be the start of a magic.
		offset += int64(n - len(recordMagic) + 1)
	}
	return size, nil
}
