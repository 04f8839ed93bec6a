package custody

// Validate says what is malformed in a share: an error that is ErrInvalidUnlock or
// ErrInvalidShare. Whether its points are points, and whether it is right, is for
// IsRight to say: a share that fails there counts against its holder.
func (s Share) Validate() error {
	if _, err := ParseUnlockID(s.Unlock); err != nil {
		return err
	}
	if !isCount(s.ShareEpoch) || s.Index < 1 || s.Index > maxIndex {
		return ErrInvalidShare.Wrapf("share epoch %d, index %d", s.ShareEpoch, s.Index)
	}
	if n := len(s.Points); n < 1 || n > MaxPoints {
		return ErrInvalidShare.Wrapf("got %d points, want 1 to %d", n, MaxPoints)
	}
	for i, d := range s.Points {
		if len(d) != pointSize {
			return ErrInvalidShare.Wrapf("point %d has %d bytes, want %d", i+1, len(d), pointSize)
		}
	}
	if len(s.Proof) != proofSize {
		return ErrInvalidShare.Wrapf("proof has %d bytes, want %d", len(s.Proof), proofSize)
	}
	return nil
}

// Validate says what is malformed in a message of shares: ErrInvalidBatch where it
// has too many, none, or two for one unlock, else the fault of the first bad share.
func (m *MsgSubmitShares) Validate() error {
	if n := len(m.Shares); n < 1 || n > MaxShares {
		return ErrInvalidBatch.Wrapf("got %d shares, want 1 to %d", n, MaxShares)
	}
	seen := make(map[string]bool, len(m.Shares))
	for i, s := range m.Shares {
		if err := s.Validate(); err != nil {
			return ErrInvalidBatch.Wrapf("share %d: %v", i+1, err)
		}
		if seen[s.Unlock] {
			return ErrInvalidBatch.Wrapf("share %d: second share for unlock %s", i+1, s.Unlock)
		}
		seen[s.Unlock] = true
	}
	return nil
}
