package scenario

import (
	"context"
	"fmt"

	abciv1 "cosmossdk.io/api/cosmos/base/abci/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	rpc "github.com/cometbft/cometbft/rpc/client/http"
	"google.golang.org/protobuf/proto"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/app/home"
)

// Operation is a message that was carried out or refused by its handler, and the handler's answer, as they stand in a block.
type Operation struct {
	Height  int64
	Message proto.Message
	Answer  proto.Message
}

// rpc asks the hospital's node directly, as nobody outside the hospital can.
func (h *hospital) rpc() (*rpc.HTTP, error) {
	return rpc.New("tcp://"+h.port(home.PortRPC), "/websocket")
}

// blockPage is how many headers a node tells at once.
const blockPage = 20

// operations reads every message in the blocks up to a height from the node itself. Transactions that failed left no trace in the
// state and are left out.
func (h *hospital) operations(ctx context.Context, upTo int64) ([]Operation, error) {
	client, err := h.rpc()
	if err != nil {
		return nil, err
	}
	var all []Operation
	for first := int64(1); first <= upTo; first += blockPage {
		page, err := client.BlockchainInfo(ctx, first, min(first+blockPage-1, upTo))
		if err != nil {
			return nil, err
		}
		for i := len(page.BlockMetas) - 1; i >= 0; i-- {
			meta := page.BlockMetas[i]
			if meta.NumTxs == 0 {
				continue
			}
			found, err := operationsOf(ctx, client, meta.Header.Height)
			if err != nil {
				return nil, fmt.Errorf("block %d: %w", meta.Header.Height, err)
			}
			all = append(all, found...)
		}
	}
	return all, nil
}

func operationsOf(ctx context.Context, client *rpc.HTTP, height int64) ([]Operation, error) {
	block, err := client.Block(ctx, &height)
	if err != nil {
		return nil, err
	}
	results, err := client.BlockResults(ctx, &height)
	if err != nil {
		return nil, err
	}
	var found []Operation
	for i, tx := range block.Block.Txs {
		if results.TxsResults[i].Code != 0 {
			continue
		}
		operations, err := decode(tx, results.TxsResults[i].Data)
		if err != nil {
			return nil, err
		}
		for _, o := range operations {
			o.Height = height
			found = append(found, o)
		}
	}
	return found, nil
}

func decode(tx, data []byte) ([]Operation, error) {
	var raw txv1.TxRaw
	if err := proto.Unmarshal(tx, &raw); err != nil {
		return nil, err
	}
	var body txv1.TxBody
	if err := proto.Unmarshal(raw.GetBodyBytes(), &body); err != nil {
		return nil, err
	}
	var answers abciv1.TxMsgData
	if err := proto.Unmarshal(data, &answers); err != nil {
		return nil, err
	}
	if len(answers.GetMsgResponses()) != len(body.GetMessages()) {
		return nil, fmt.Errorf("%d answers to %d messages", len(answers.GetMsgResponses()), len(body.GetMessages()))
	}
	operations := make([]Operation, len(body.GetMessages()))
	for i, m := range body.GetMessages() {
		var err error
		if operations[i].Message, err = m.UnmarshalNew(); err != nil {
			return nil, err
		}
		if operations[i].Answer, err = answers.GetMsgResponses()[i].UnmarshalNew(); err != nil {
			return nil, err
		}
	}
	return operations, nil
}

// MessageOf is what the clerk's program told the chain of a version.
func (n *Network) MessageOf(v Version) *recordsv1.NewVersion {
	n.t.Helper()
	for _, o := range n.operations() {
		m, ok := o.Message.(*recordsv1.MsgStoreVersions)
		if !ok {
			continue
		}
		for _, stored := range m.GetVersions() {
			if stored.GetRecord() == v.Record.String() && stored.GetVersion() == v.Ref.Version {
				return stored
			}
		}
	}
	n.t.Fatalf("no block has version %s", v.Ref)
	return nil
}

// ProposalOf is the message with which an unlock was proposed.
func (n *Network) ProposalOf(u Unlock) *accessv1.MsgProposeUnlock {
	n.t.Helper()
	for _, o := range n.operations() {
		m, ok := o.Message.(*accessv1.MsgProposeUnlock)
		answer, also := o.Answer.(*accessv1.MsgProposeUnlockResponse)
		if ok && also && answer.GetUnlock() == u.ID {
			return m
		}
	}
	n.t.Fatalf("no block has the proposal of unlock %s", u.ID)
	return nil
}

// operations are all up to now.
func (n *Network) operations() []Operation {
	n.t.Helper()
	ctx, cancel := step(n.t)
	defer cancel()
	operations, err := n.hospitals[0].operations(ctx, n.Height())
	if err != nil {
		n.t.Fatalf("read the blocks: %v", err)
	}
	return operations
}
