package audit

import "context"

// Index answers searches of the log. Each node builds its own from the entries in
// state; it is no part of consensus. The node sets it once on the keeper.
type Index interface {
	// Entries answers one page of the entries that match the filter, newest first, and the value of before for the next
	// page, 0 at the end. What one page costs is bounded, so a page may be short, even empty, and not the last. The filter
	// is valid and its limit is set. The error is ErrIndexBuilding, with how far it is, until the index has read the log
	// once.
	Entries(ctx context.Context, filter *QueryEntriesRequest) (page []Entry, next uint64, err error)
	// InclusionProof proves that the entry of a sequence is in the log of a size (RFC 9162, section 2.1.3), ConsistencyProof
	// that the log of the first size goes on as that of the second (section 2.1.4). Size or second 0 stands for the log as far
	// as it is in the index; they answer the size that the proof is for. Errors are ErrInvalidFilter where the log of that
	// size has no such entry or is shorter than the first, and ErrIndexBuilding where it is not read as far.
	InclusionProof(ctx context.Context, sequence, size uint64) ([][]byte, uint64, error)
	ConsistencyProof(ctx context.Context, first, second uint64) ([][]byte, uint64, error)
	// Indexed is the highest sequence in the index.
	Indexed() uint64
}
