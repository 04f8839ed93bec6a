package scenario

import (
	"context"
	"fmt"
	"slices"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/x/audit"
)

// HasWholeLog has the hospital's auditor read the whole log through its own server: it has no gap, from the first entry on it is the
// log whose root the chain's state has, and the server's index proves that the first entry is in it.
func (h *Hospital) HasWholeLog() {
	h.t.Helper()
	auditor := h.Auditor()
	ctx, cancel := step(h.t)
	defer cancel()
	if err := auditor.checkLog(ctx); err != nil {
		h.t.Fatalf("log of %s: %v", h.name, err)
	}
}

func (p Person) checkLog(ctx context.Context) error {
	size, root, err := p.client.LogHead(ctx)
	if err != nil {
		return err
	}
	entries, err := p.entries(ctx, phr.LogFilter{})
	if err != nil {
		return err
	}
	var log audit.Frontier
	var first []byte
	for _, e := range entries[:min(size, uint64(len(entries)))] {
		if e.GetSequence() != log.Size_+1 {
			return fmt.Errorf("entry %d stands where entry %d should", e.GetSequence(), log.Size_+1)
		}
		hash, err := leafOf(e)
		if err != nil {
			return err
		}
		if log.Size_ == 0 {
			first = hash[:]
		}
		log.Append(hash)
	}
	if got := log.Root(); log.Size_ != size || !slices.Equal(got[:], root) {
		return fmt.Errorf("%d entries with the root %x, the state has %d with %x", log.Size_, got, size, root)
	}
	included, err := auditv1.NewQueryClient(p.client).InclusionProof(ctx, &auditv1.QueryInclusionProofRequest{Sequence: 1, Size: size})
	if err != nil {
		return err
	}
	return proof.VerifyInclusion(rfc6962.DefaultHasher, 0, size, first, included.GetPath(), root)
}

// leafOf is the hash of an entry in the log's tree.
func leafOf(e *auditv1.Entry) (hash [32]byte, err error) {
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	return [32]byte(rfc6962.DefaultHasher.HashLeaf(encoded)), err
}
