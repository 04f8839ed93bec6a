package audit

import (
	"crypto/sha256"

	"github.com/phrd/phrd/lock"
)

const subjectTag = "phrd/v1/audit/subject"

// Append links the next entry about the patient to the chain.
func (h *SubjectHead) Append(sequence uint64, leaf [sha256.Size]byte) {
	head := lock.H32(subjectTag, h.Head, lock.Uint(sequence), leaf[:])
	h.Head = head[:]
	h.Last = sequence
	h.Count++
}
