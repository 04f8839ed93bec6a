package scenario

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	rpc "github.com/cometbft/cometbft/rpc/client/http"
	comet "github.com/cometbft/cometbft/types"
)

// EmptyBlocks sets the time between two blocks that nobody asked for, which is 5 seconds in service.
func EmptyBlocks(d time.Duration) Option { return func(s *settings) { s.emptyBlocks = d } }

// setEmptyBlocks writes the time into a home's configuration, as an administrator would.
func (h *hospital) setEmptyBlocks(d time.Duration) error {
	text, err := os.ReadFile(h.home.CometConfig())
	if err != nil {
		return err
	}
	const setting = `create_empty_blocks_interval = "5s"`
	if !strings.Contains(string(text), setting) {
		return fmt.Errorf("%s has no %s", h.home.CometConfig(), setting)
	}
	changed := strings.Replace(string(text), setting, fmt.Sprintf("create_empty_blocks_interval = %q", d), 1)
	return os.WriteFile(h.home.CometConfig(), []byte(changed), 0o600)
}

// StaysQuiet waits for so many blocks in a row without a transaction, none of which may change the state.
func (n *Network) StaysQuiet(blocks int) {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	client, err := n.hospitals[0].rpc()
	if err != nil {
		n.t.Fatalf("blocks: %v", err)
	}
	height := n.Height()
	for quiet := 0; quiet < blocks; height++ {
		this, err := headerAt(ctx, client, height)
		if err != nil {
			n.t.Fatalf("block %d: %v", height, err)
		}
		next, err := headerAt(ctx, client, height+1)
		if err != nil {
			n.t.Fatalf("block %d: %v", height+1, err)
		}
		if this.transactions > 0 {
			quiet = 0
			continue
		}
		// The state after a block stands in the header of the next one.
		if !bytes.Equal(this.AppHash, next.AppHash) {
			n.t.Fatalf("block %d holds nothing and changes the state from %s to %s", height, this.AppHash, next.AppHash)
		}
		quiet++
	}
}

// Idles waits for so many blocks, whatever they hold, and answers how long they took and by how many bytes the home of each hospital grew.
func (n *Network) Idles(blocks int64) (took time.Duration, grown []int64) {
	n.t.Helper()
	client, err := n.hospitals[0].rpc()
	if err != nil {
		n.t.Fatalf("blocks: %v", err)
	}
	before := n.homeBytes()
	begin, height := time.Now(), n.Height()
	if _, err := headerAt(n.t.Context(), client, height+blocks); err != nil {
		n.t.Fatalf("wait for %d blocks: %v", blocks, err)
	}
	took = time.Since(begin)
	for i, size := range n.homeBytes() {
		grown = append(grown, size-before[i])
	}
	return took, grown
}

// homeBytes is how many bytes lie in the home of each hospital.
func (n *Network) homeBytes() (sizes []int64) {
	n.t.Helper()
	for _, h := range n.hospitals {
		size := int64(0)
		err := filepath.WalkDir(h.home.Dir(), func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return ifThere(err)
			}
			info, err := e.Info()
			if err == nil {
				size += info.Size()
			}
			return ifThere(err)
		})
		if err != nil {
			n.t.Fatalf("size of the home of %s: %v", h.name, err)
		}
		sizes = append(sizes, size)
	}
	return sizes
}

// ifThere is an error but for a file that a server removed meanwhile.
func ifThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

type header struct {
	comet.Header
	transactions int
}

// headerAt waits for the header of a height.
func headerAt(ctx context.Context, client *rpc.HTTP, height int64) (header, error) {
	for {
		status, err := client.Status(ctx)
		if err != nil {
			return header{}, err
		}
		if status.SyncInfo.LatestBlockHeight >= height {
			break
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return header{}, context.Cause(ctx)
		}
	}
	block, err := client.Block(ctx, &height)
	if err != nil {
		return header{}, err
	}
	return header{block.Block.Header, len(block.Block.Txs)}, nil
}
