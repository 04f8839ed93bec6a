package records

import "math/bits"

const (
	// MinSize is the smallest padded size of a version in bytes.
	MinSize = 4096
	// MaxBatch is how many versions one message stores at most. Their proofs take some 40 ms.
	MaxBatch = 100
	// MaxRefs is how many versions one message of their owner names at most.
	MaxRefs = 64
	// MaxEnded is how many blocks that were replaced, and locks that wait for too long, a block gives up at most.
	MaxEnded = 100
	// RelockTime is how long a new lock waits for its confirmation, in seconds: 30 days.
	RelockTime = 30 * 24 * 3600
	// MaxReports is how many access reports one message carries at most.
	MaxReports = 100
	// MaxOwnKeys is how many recipients an envelope has at most.
	MaxOwnKeys = 48
	// MaxEnvelopeSize is the largest envelope in bytes.
	MaxEnvelopeSize = 64 << 10
	// MaxVaultSize is the largest vault blob in bytes.
	MaxVaultSize = 64 << 10
	// MaxPageSize is how many things a query lists at most.
	MaxPageSize = 200

	limitMaxSize     = 1 << 44
	limitMaxVersions = 100_000
)

// DefaultParams are 1 TiB for one version and 10,000 versions for one record.
func DefaultParams() Params {
	return Params{MaxSize: 1 << 40, MaxVersions: 10_000}
}

// Validate answers ErrInvalidParams where a bound is outside its range.
func (p Params) Validate() error {
	if p.MaxSize < MinSize || p.MaxSize > limitMaxSize {
		return ErrInvalidParams.Wrapf("max_size: got %d, want %d to %d", p.MaxSize, MinSize, uint64(limitMaxSize))
	}
	if p.MaxVersions < 1 || p.MaxVersions > limitMaxVersions {
		return ErrInvalidParams.Wrapf("max_versions: got %d, want 1 to %d", p.MaxVersions, limitMaxVersions)
	}
	return nil
}

// IsPaddedSize says whether a writer that follows docs/custody.md, appendix A
// (padme, object) can make data leaves of this many bytes together: at least
// MinSize and a fixed point of the padding. Each such size is made by some length
// of plaintext, because the steps of the padding are wider than an
// authentication tag.
func IsPaddedSize(size uint64) bool {
	if size < MinSize || size > limitMaxSize {
		return false
	}
	exponent := bits.Len64(size) - 1
	significant := bits.Len64(uint64(exponent))
	return size&(1<<(exponent-significant)-1) == 0
}

// Text is the class as placement rules and the log name it; empty for a class
// that does not exist.
func (c Class) Text() string {
	switch c {
	case CLASS_IMAGING:
		return "imaging"
	case CLASS_DOCUMENT:
		return "document"
	case CLASS_RECORDING:
		return "recording"
	case CLASS_RESULT:
		return "result"
	case CLASS_OTHER:
		return "other"
	default:
		return ""
	}
}

// VaultClass names the placement rule of vault blobs.
const VaultClass = "vault"

// ParseClass is the class of that word, and whether there is one.
func ParseClass(text string) (Class, bool) {
	for c := CLASS_IMAGING; c <= CLASS_OTHER; c++ {
		if c.Text() == text {
			return c, true
		}
	}
	return CLASS_UNSPECIFIED, false
}
