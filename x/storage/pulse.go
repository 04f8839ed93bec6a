package storage

// Now is what the clock shows at a block time. With heartbeats coming in, it goes as
// time goes. While there are none, be it that the chain makes no blocks or that every
// node is silent, it stops after two intervals: nobody can say of a single node that it
// is missing when all are.
func (c Clock) Now(at, interval int64) int64 {
	return c.Running + min(max(at-c.At, 0), 2*interval)
}

// Status is where a node stands when the clock shows now.
func (p Pulse) Status(now int64, params Params) NodeStatus {
	switch {
	case p.Lost:
		return NODE_STATUS_LOST
	case p.Draining:
		return NODE_STATUS_DRAINING
	case p.BeatAt == 0:
		return NODE_STATUS_NEW
	case p.Silence(now) > params.SuspectAfter:
		return NODE_STATUS_SUSPECT
	default:
		return NODE_STATUS_ALIVE
	}
}

// Silence is for how many seconds the network ran without hearing of the node, by a
// clock that shows now; 0 for a node that was never heard of.
func (p Pulse) Silence(now int64) int64 {
	if p.BeatAt == 0 {
		return 0
	}
	return max(now-p.Running, 0)
}

// TakesCopies says whether the node may be given copies.
func (p Pulse) TakesCopies() bool { return p.BeatAt != 0 && !p.Lost && !p.Draining }

// Room is how many more bytes fit on a node of that capacity, by what is placed on it
// and by what its disk had room for, of which what is still to come is taken away.
func (p Pulse) Room(capacity uint64, usage NodeUsage) uint64 {
	return min(less(capacity, usage.Bytes), less(p.Free, usage.PendingBytes))
}

// less is a-b, and 0 where b is greater.
func less(a, b uint64) uint64 { return a - min(a, b) }
