package seal_test

import (
	"crypto/sha256"
	"encoding/binary"
	"io"
)

// stream is SHA-256(seed ‖ counter): chance that is the same in every run.
type stream struct {
	seed    uint64
	counter uint64
	rest    []byte
}

func chance(seed uint64) io.Reader { return &stream{seed: seed} }

func (s *stream) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if len(s.rest) == 0 {
			block := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, s.seed), s.counter))
			s.counter++
			s.rest = block[:]
		}
		m := copy(p[n:], s.rest)
		s.rest = s.rest[m:]
		n += m
	}
	return n, nil
}
