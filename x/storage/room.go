package storage

// Room is what a member may bring in, and what storage nodes have room for. It is read once for
// all objects of a message.
type Room struct {
	quota, brought uint64
	// largest is the most bytes that a node has room for
	largest uint64
}

// NewRoom is the room of a member that has brought in so many bytes under a quota, 0 for none,
// where these nodes take copies.
func NewRoom(quota, brought uint64, candidates []Candidate) Room {
	r := Room{quota: quota, brought: brought}
	for _, c := range candidates {
		if c.Used < c.Capacity {
			r.largest = max(r.largest, c.Capacity-c.Used)
		}
	}
	return r
}

// Admits answers why size more bytes may not be brought in, of which an object has at most
// largest, at least 1, or nothing where they may.
func (r Room) Admits(size, largest uint64) (reason string) {
	switch {
	case IsOverQuota(r.quota, r.brought, size):
		return ReasonOverQuota
	case largest > r.largest:
		return ReasonNoRoom
	default:
		return ""
	}
}

// IsOverQuota says whether a member that has brought in so many bytes may not bring in size more;
// quota 0 is none.
func IsOverQuota(quota, brought, size uint64) bool {
	return quota != 0 && (brought > quota || size > quota-brought)
}
