package seal_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// chest is a vault block with a wallet slot and a code slot.
func chest() *seal.Chest {
	return &seal.Chest{Blob: bytes.Repeat([]byte{7}, 4108), Slots: []seal.Slot{
		{Kind: lock.SlotWallet, ID: lock.ID{1}, Revision: 1, Site: "phrd", Wrapped: bytes.Repeat([]byte{8}, seal.SlotSize)},
		{Kind: lock.SlotCode, ID: lock.ID{2}, Revision: 3, Wrapped: bytes.Repeat([]byte{9}, seal.SlotSize)},
	}}
}

func cidOf(block []byte) lock.CID { return lock.RawCID(sha256.Sum256(block)) }

func TestChest(t *testing.T) {
	block, err := chest().Encode()
	require.NoError(t, err)
	again, err := seal.DecodeChest(cidOf(block), block)
	require.NoError(t, err)
	require.Equal(t, chest(), again)

	none := &seal.Chest{Blob: []byte{1}}
	block, err = none.Encode()
	require.NoError(t, err)
	again, err = seal.DecodeChest(cidOf(block), block)
	require.NoError(t, err)
	require.Equal(t, none, again)
}

// Each is one change away from a valid vault block.
func TestChestRefusals(t *testing.T) {
	for name, change := range map[string]func(*seal.Chest){
		"no blob":               func(c *seal.Chest) { c.Blob = nil },
		"a blob too large":      func(c *seal.Chest) { c.Blob = make([]byte, 64<<10) },
		"slots turned round":    func(c *seal.Chest) { slices.Reverse(c.Slots) },
		"a slot twice":          func(c *seal.Chest) { c.Slots[1].ID = c.Slots[0].ID },
		"too many slots":        func(c *seal.Chest) { c.Slots = make([]seal.Slot, seal.MaxSlots+1) },
		"no kind":               func(c *seal.Chest) { c.Slots[0].Kind = 0 },
		"no revision":           func(c *seal.Chest) { c.Slots[0].Revision = 0 },
		"a short key":           func(c *seal.Chest) { c.Slots[1].Wrapped = c.Slots[1].Wrapped[:79] },
		"a wallet without site": func(c *seal.Chest) { c.Slots[0].Site = "" },
		"a code with a site":    func(c *seal.Chest) { c.Slots[1].Site = "phrd" },
		"a site with a space":   func(c *seal.Chest) { c.Slots[0].Site = "a b" },
		"a site too long":       func(c *seal.Chest) { c.Slots[0].Site = strings.Repeat("a", 254) },
	} {
		c := chest()
		change(c)
		_, err := c.Encode()
		require.ErrorIs(t, err, lock.ErrField, name)
	}
	block, err := chest().Encode()
	require.NoError(t, err)
	for i := range block {
		other := bytes.Clone(block)
		other[i] ^= 1
		_, err := seal.DecodeChest(cidOf(block), other)
		require.ErrorIs(t, err, seal.ErrChest, i)
	}
	for _, cut := range []int{0, 1, len(block) - 1} {
		_, err = seal.DecodeChest(cidOf(block[:cut]), block[:cut])
		require.ErrorIs(t, err, seal.ErrChest, cut)
	}
	trailing := append(bytes.Clone(block), 0x18, 1)
	_, err = seal.DecodeChest(cidOf(trailing), trailing)
	require.ErrorIs(t, err, seal.ErrChest)
}

func FuzzDecodeChest(f *testing.F) {
	block, err := chest().Encode()
	require.NoError(f, err)
	f.Add(block)
	f.Add(block[:len(block)-3])
	f.Fuzz(func(t *testing.T, block []byte) {
		c, err := seal.DecodeChest(cidOf(block), block)
		if err != nil {
			require.ErrorIs(t, err, seal.ErrChest)
			return
		}
		again, err := c.Encode()
		require.NoError(t, err)
		require.Equal(t, block, again)
	})
}
