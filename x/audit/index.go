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
	// Indexed is the highest sequence in the index.
	Indexed() uint64
}
