package storage

import "github.com/phrd/phrd/lock"

// maxBackupDays bounds for how long a node's backups may hold what was erased: some 100
// years.
const maxBackupDays = 36_500

// Validate answers ErrInvalidBatch for a malformed message.
func (m *MsgAttestErasures) Validate() error {
	if n := len(m.Numbers); n < 1 || n > MaxBatch {
		return ErrInvalidBatch.Wrapf("got %d erasures, want 1 to %d", n, MaxBatch)
	}
	for i, number := range m.Numbers {
		if number == 0 || i > 0 && number <= m.Numbers[i-1] {
			return ErrInvalidBatch.Wrapf("erasure %d: numbers must rise from 1", number)
		}
	}
	if m.BackupDays > maxBackupDays {
		return ErrInvalidBatch.Wrapf("backups of %d days, at most %d", m.BackupDays, maxBackupDays)
	}
	return nil
}

// Asks says whether the node is to attest the erasure.
func (e Erasure) Asks(node uint64) bool {
	for _, n := range e.Nodes {
		if n == node {
			return true
		}
	}
	return false
}

// validateErasures checks erasures against each other and against the blocks that are
// kept, which are known already.
func (g *GenesisState) validateErasures(blocks map[string]bool) error {
	for i, a := range g.Erasures {
		e := a.Erasure
		if e.Number != uint64(i)+1 {
			return ErrInvalidGenesis.Wrapf("erasure %d follows %d others", e.Number, i)
		}
		if _, err := lock.ParseCID(e.Object); err != nil {
			return ErrInvalidGenesis.Wrapf("erasure %d: object: %v", e.Number, err)
		}
		if err := validateAttached(e.Object, e.Attached); err != nil {
			return ErrInvalidGenesis.Wrapf("erasure %d: %v", e.Number, err)
		}
		for _, text := range append([]string{e.Object}, e.Attached...) {
			if blocks[text] {
				return ErrInvalidGenesis.Wrapf("erasure %d: block %q is known already", e.Number, text)
			}
			blocks[text] = true
		}
		if e.At < 0 || !rises(e.Nodes) {
			return ErrInvalidGenesis.Wrapf("erasure %d: time %d, nodes %v", e.Number, e.At, e.Nodes)
		}
		nodes := make([]uint64, len(a.Attestations))
		for j, attestation := range a.Attestations {
			nodes[j] = attestation.Node
			if !e.Asks(attestation.Node) || attestation.At < 0 || attestation.BackupDays > maxBackupDays {
				return ErrInvalidGenesis.Wrapf("erasure %d: attestation of node %d", e.Number, attestation.Node)
			}
		}
		if !rises(nodes) {
			return ErrInvalidGenesis.Wrapf("erasure %d: attestations of nodes %v", e.Number, nodes)
		}
	}
	return nil
}

// rises says whether numbers from 1 are sorted and distinct.
func rises(numbers []uint64) bool {
	var last uint64
	for _, n := range numbers {
		if n <= last {
			return false
		}
		last = n
	}
	return true
}
