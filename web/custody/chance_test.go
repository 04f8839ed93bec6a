package custody_test

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// chance is what a seed gives: whoever prints the seed can have the same cases again.
type chance struct {
	*rand.Rand
	stream *rand.ChaCha8
}

func newChance(seed uint64) *chance {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	stream := rand.NewChaCha8(key)
	return &chance{Rand: rand.New(stream), stream: stream} // #nosec G404 -- cases of a test, which a seed must give again
}

// Read implements io.Reader and never fails.
func (c *chance) Read(p []byte) (int, error) { return c.stream.Read(p) }

func (c *chance) octets(n int) []byte {
	b := make([]byte, n)
	_, _ = c.Read(b)
	return b
}

func (c *chance) text(n int) string { return text(c.octets(n)) }

func (c *chance) below(n int) int { return c.IntN(n) }

// count is a number from 1 of any length in bits up to the given one, so that small and large ones come alike.
func (c *chance) count(bits int) uint64 { return c.Uint64()>>(64-1-c.below(bits)) | 1 }

// flip changes one bit of bytes in hexadecimal.
func (c *chance) flip(hexadecimal string) string {
	b := unhex(hexadecimal)
	if len(b) == 0 {
		return "00" // there was nothing, now there is
	}
	bit := c.below(8 * len(b))
	b[bit/8] ^= 1 << (bit % 8)
	return text(b)
}

func (c *chance) scalar() lock.Scalar { return must(lock.RandomScalar(c)) }

func (c *chance) point() lock.Point { return c.scalar().Public() }

func (c *chance) network() lock.Network { return lock.Network(c.octets(32)) }

func (c *chance) id() lock.ID { return must(lock.NewID(c)) }

func (c *chance) raw() lock.CID { return lock.RawCID([32]byte(c.octets(32))) }

func (c *chance) dag() lock.CID { return lock.DagCID([32]byte(c.octets(32))) }

func (c *chance) key() *lock.PrivateKey { return must(lock.GeneratePrivateKey(c)) }

func (c *chance) owner() lock.Owner {
	if c.below(2) == 0 {
		return lock.PatientOwner(c.id())
	}
	return must(lock.HospitalOwner(c.count(64)))
}

// recipient is one whose half may stand in an envelope.
func (c *chance) recipient() seal.Recipient {
	switch c.below(3) {
	case 0:
		return seal.PatientRecipient(c.id())
	case 1:
		return must(seal.HospitalRecipient(c.count(64)))
	default:
		return seal.StaffRecipient([20]byte(c.octets(20)))
	}
}

// members are distinct member numbers, ascending.
func (c *chance) members(n int) []uint64 {
	var all []uint64
	next := uint64(0)
	for range n {
		next += 1 + c.Uint64N(1<<c.below(20))
		all = append(all, next)
	}
	return all
}

func (c *chance) generation(n lock.Network, kind lock.KeyKind) (lock.Generation, lock.Scalar) {
	x := c.scalar()
	return lock.Generation{Network: n, Kind: kind, Number: c.count(32), X: x.Public()}, x
}
