package node

// QueueStats are what a [Replicator] had to do when it last looked at the chain.
type QueueStats struct {
	// Copies are objects that are new, and Repairs those that others lost.
	Copies, Repairs int
	// Retries are those of both that failed and are tried again later.
	Retries int
}

// QueueStats counts what is to be done.
func (r *Replicator) QueueStats() QueueStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.queued
	s.Retries = len(r.retries)
	return s
}

// ShareStats count what a [Holder] did since the start.
type ShareStats struct {
	// Waiting are releases that wait for a share of this holder now.
	Waiting int
	// Given are shares that the chain took, and Failed tries that failed.
	Given, Failed uint64
}

// Stats counts releases and shares.
func (h *Holder) Stats() ShareStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.stats
	for _, t := range h.tasks {
		if t.given == 0 {
			s.Waiting++
		}
	}
	return s
}

// EraseStats say how far an [Eraser] has come.
type EraseStats struct {
	// Deleted is the number of the last erasure that was carried out, Attested of the last one
	// that was attested.
	Deleted, Attested uint64
}

// Stats says how far the eraser has come.
func (e *Eraser) Stats() EraseStats {
	return EraseStats{Deleted: e.deletedUpTo.Load(), Attested: e.attestedUpTo.Load()}
}
