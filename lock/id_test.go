package lock_test

import (
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/phrd/phrd/lock"
)

const idSymbols = "0123456789ABCDEFGHJKMNPQRSTVWXYZ*~$=U"

// idText is an id's text by its definition: the number in base 32, and its rest by 37.
func idText(n *big.Int) string {
	text := strings.ToUpper(n.Text(32))
	digits := make([]byte, 0, 26)
	for i := range len(text) {
		digits = append(digits, idSymbols[strings.IndexByte("0123456789ABCDEFGHIJKLMNOPQRSTUV", text[i])])
	}
	check := new(big.Int).Mod(n, big.NewInt(37)).Int64()
	return strings.Repeat("0", 26-len(digits)) + string(digits) + idSymbols[check:check+1]
}

func TestIDIsBase32WithACheckSymbol(t *testing.T) {
	same := func(t require.TestingT, id lock.ID) {
		text := idText(new(big.Int).SetBytes(id[:]))
		require.Equal(t, text, id.String())
		parsed, err := lock.ParseCanonicalID(text)
		require.NoError(t, err)
		require.Equal(t, id, parsed)
	}
	same(t, lock.ID{})
	rapid.Check(t, func(r *rapid.T) {
		same(r, lock.ID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(r, "id")))
	})
}

func TestIDOverItsBits(t *testing.T) {
	over := new(big.Int).Lsh(big.NewInt(1), 128)
	highest, err := lock.ParseID(idText(new(big.Int).Sub(over, big.NewInt(1))))
	require.NoError(t, err)
	require.Equal(t, lock.ID{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, highest)
	for _, n := range []*big.Int{over, new(big.Int).Lsh(over, 1), new(big.Int).Sub(new(big.Int).Lsh(over, 2), big.NewInt(1))} {
		_, err := lock.ParseID(idText(n))
		require.ErrorIs(t, err, lock.ErrID)
		require.ErrorContains(t, err, "over 128 bits")
	}
}
