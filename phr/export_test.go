package phr

import "time"

// SetPatience shortens how long an upload goes on trying.
func (c *Client) SetPatience(d time.Duration) { c.patience = d }

// SegmentSize is how much of an upload is in one request.
const SegmentSize = segmentSize

// SameButFee compares sign documents.
var SameButFee = sameButFee
