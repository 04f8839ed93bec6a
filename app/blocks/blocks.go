// Package blocks keeps the database of CometBFT's blocks small.
//
// CometBFT v0.40 writes the signatures of a block three times: into the next block, beside it as the block's commit, and before both as
// the commit that this node saw first. The last is read for the newest block alone: to go on after a restart, to answer for a block that no
// next one has confirmed, and to help a peer that is one block behind. In a network that idles it is a fifth of all that stays
// (docs/adr/0045-kept-once.md).
package blocks

import (
	"bytes"
	"fmt"
	"strconv"

	cometdb "github.com/cometbft/cometbft-db"
)

// SeenCommits is how many blocks back the commits that were seen stay: more than a node is ever set back by hand.
const SeenCommits = 100

// seenCommit is how the keys of commits that were seen begin; the height follows in digits.
var seenCommit = []byte("SC:")

// Thin is a database of blocks that forgets the commit that was seen of a block when [SeenCommits] more were written, with the same write.
// What was written before stays.
func Thin(db cometdb.DB) cometdb.DB { return thin{db} }

type thin struct{ cometdb.DB }

// NewBatch implements cometdb.DB.
func (t thin) NewBatch() cometdb.Batch { return batch{t.DB.NewBatch()} }

type batch struct{ cometdb.Batch }

// Set implements cometdb.Batch.
func (b batch) Set(key, value []byte) error {
	if err := b.Batch.Set(key, value); err != nil {
		return err
	}
	digits, isSeen := bytes.CutPrefix(key, seenCommit)
	if !isSeen {
		return nil
	}
	height, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return fmt.Errorf("commit that was seen: %w", err)
	}
	if height <= SeenCommits {
		return nil
	}
	return b.Batch.Delete(strconv.AppendInt(bytes.Clone(seenCommit), height-SeenCommits, 10))
}
