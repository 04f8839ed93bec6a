package phr

import "time"

// SetPatience shortens how long an upload, or an account that sends too much, goes on trying.
func (c *Client) SetPatience(d time.Duration) { c.patience = d }

// SetSegment says how many bytes of an upload are in one request.
func (c *Client) SetSegment(bytes int) { c.segment = bytes }

// SameButFee compares sign documents.
var SameButFee = sameButFee
