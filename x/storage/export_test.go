package storage

// NegLog2 is negLog2 for its test.
func NegLog2(x uint64) uint64 { return negLog2(x) }
