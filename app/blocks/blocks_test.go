package blocks_test

import (
	"testing"
	"time"

	cometdb "github.com/cometbft/cometbft-db"
	"github.com/cometbft/cometbft/store"
	comet "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/app/blocks"
)

// CometBFT's own store finds all of each block in a thin database, and of commits that were seen the newest ones; in one that is not thin it
// finds all of them.
func TestThinKeepsNewestSeenCommits(t *testing.T) {
	const height = blocks.SeenCommits + 5
	for name, tc := range map[string]struct {
		db     cometdb.DB
		oldest int64
	}{
		"thin":     {blocks.Thin(cometdb.NewMemDB()), height - blocks.SeenCommits + 1},
		"not thin": {cometdb.NewMemDB(), 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := store.NewBlockStore(tc.db)
			last := &comet.Commit{}
			for h := int64(1); h <= height; h++ {
				last = save(t, s, h, last)
			}
			for h := int64(1); h <= height; h++ {
				require.Equal(t, h, s.LoadBlock(h).Height)
				require.Equal(t, h >= tc.oldest, s.LoadSeenCommit(h) != nil, h)
				if h < height {
					require.Equal(t, h, s.LoadBlockCommit(h).Height)
				}
			}
		})
	}
}

// A node that is set back by some blocks finds what it goes on with, and those behind it stay forgotten.
func TestThinIsSetBack(t *testing.T) {
	const height = 2 * blocks.SeenCommits
	db := cometdb.NewMemDB()
	s := store.NewBlockStore(blocks.Thin(db))
	last := &comet.Commit{}
	commits := map[int64]*comet.Commit{}
	for h := int64(1); h <= height; h++ {
		commits[h] = save(t, s, h, last)
		last = commits[h]
	}
	for range blocks.SeenCommits - 1 {
		require.NoError(t, s.DeleteLatestBlock())
	}
	require.EqualValues(t, blocks.SeenCommits+1, s.Height())
	require.NotNil(t, s.LoadSeenCommit(s.Height()))
	save(t, s, s.Height()+1, commits[s.Height()])
	require.NotNil(t, s.LoadSeenCommit(s.Height()))

	keys, err := db.Iterator([]byte("SC:"), []byte("SC;"))
	require.NoError(t, err)
	count := 0
	for ; keys.Valid(); keys.Next() {
		count++
	}
	require.NoError(t, keys.Close())
	require.Equal(t, 2, count)
}

// save saves an empty block and answers its commit.
func save(t *testing.T, s *store.BlockStore, height int64, last *comet.Commit) *comet.Commit {
	t.Helper()
	block := comet.MakeBlock(height, nil, last, nil)
	block.ProposerAddress = make([]byte, 20)
	parts, err := block.MakePartSet(comet.BlockPartSizeBytes)
	require.NoError(t, err)
	seen := &comet.Commit{
		Height: height, BlockID: comet.BlockID{Hash: block.Hash(), PartSetHeader: parts.Header()},
		Signatures: []comet.CommitSig{{BlockIDFlag: comet.BlockIDFlagCommit, ValidatorAddress: make([]byte, 20), Timestamp: time.Unix(height, 0).UTC(), Signature: make([]byte, 64)}},
	}
	s.SaveBlock(block, parts, seen)
	return seen
}
