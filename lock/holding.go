package lock

// HoldingDigest is what the holder of an object answers to the question for one of its leaves: it binds the seed of the epoch, the
// storage node's number, the object and the number of the leaf, and hashes the whole leaf and the blocks that travel with the object, in
// their order. Nobody can compute it who does not have all these bytes at that time.
func HoldingDigest(seed [32]byte, node uint64, root CID, leaf uint64, block []byte, attached ...[]byte) [32]byte {
	fields := [][]byte{seed[:], Uint(node), root.Bytes(), Uint(leaf), block}
	return H32("phrd/v1/leaf", append(fields, List(attached...)...)...)
}

// RevealCommitment binds a storage node to the 32 bytes that it reveals in an epoch.
func RevealCommitment(epoch, node uint64, reveal [32]byte) [32]byte {
	return H32("phrd/v1/commit", Uint(epoch), Uint(node), reveal[:])
}
