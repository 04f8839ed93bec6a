package lock

import (
	"bytes"
	"cmp"
	"slices"
)

// Rank is a holder's place for an unlock: holders answer in ascending order of rank.
func Rank(n Network, unlock [32]byte, index uint64) [32]byte {
	return H32("phrd/v1/rank", n[:], unlock[:], Uint(index))
}

// Order returns the holders' numbers by ascending rank for an unlock. It leaves its argument as it is.
func Order(n Network, unlock [32]byte, indexes []uint64) []uint64 {
	type ranked struct {
		index uint64
		rank  [32]byte
	}
	holders := make([]ranked, len(indexes))
	for i, index := range indexes {
		holders[i] = ranked{index, Rank(n, unlock, index)}
	}
	slices.SortFunc(holders, func(a, b ranked) int {
		return cmp.Or(bytes.Compare(a.rank[:], b.rank[:]), cmp.Compare(a.index, b.index))
	})
	order := make([]uint64, len(holders))
	for i, h := range holders {
		order[i] = h.index
	}
	return order
}
