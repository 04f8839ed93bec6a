// Package node is what runs beside consensus on a hospital's server or a storage node: it
// fetches the copies that the chain assigned, confirms them, gives the hospital's key
// shares and keeps the list of peers.
//
// Nothing here is called by block code, and nothing here is trusted by the chain. A worker
// reads committed state at its start and whenever a block was committed ([Chain].Committed),
// does what the state says is to be done, and writes by ordinary transactions. Where it was
// cut it goes on, since what is left to do stands in the state.
package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	// MaxHeadAge is the age of the last block from which on a node writes nothing: it may
	// have missed what others decided.
	MaxHeadAge = 30 * time.Second
	// TxLifetime is how long a transaction of a node may be included, in block time.
	TxLifetime = 5 * time.Minute
)

var (
	// ErrNotReady says that the node may not write now: it is catching up, its last block is
	// too old or not signed by enough validators, or no block came since it started.
	ErrNotReady = errors.New("node is not ready to write")
	// ErrRefused says that the chain refused a transaction; the error is a [*TxError].
	ErrRefused = errors.New("transaction was refused")
)

// Chain is the network as one account of this node sees it.
//
// It carries queries on committed state: the clients of api/phrd/<module>/v1 take it as
// their connection. Its methods may be called at the same time.
type Chain interface {
	grpc.ClientConnInterface

	// Account is the address that signs what Submit sends.
	Account() string
	// Ready returns the newest block if the node may act on it and write, else an error that
	// is ErrNotReady and says why. Other errors are those of the connection.
	Ready(ctx context.Context) (Head, error)
	// Submit signs one message as an unordered transaction, sends it as soon as the node is
	// ready, and returns when it was carried out. A full mempool, a used-up rate or a lost
	// connection makes it try again until ctx ends; a transaction that was not included in
	// its lifetime is signed and sent anew. When ctx ends the message may still be carried
	// out later, so what is sent must bear being sent twice. Other errors are ErrRefused.
	Submit(ctx context.Context, message proto.Message) (Result, error)
	// Committed returns a channel that is closed when the next block is committed. Who takes
	// it before reading state misses no block.
	Committed() <-chan struct{}
}

// Head is the newest block that a node knows.
type Head struct {
	// ChainID of the network.
	ChainID string
	// Height of the block, from 1.
	Height int64
	// Time of the block.
	Time time.Time
	// CatchingUp is true while the node fetches blocks that others have long committed.
	CatchingUp bool
	// Signed is true when the node verified that validators with over two thirds of the
	// power signed this very block.
	Signed bool
}

// Result is what became of a transaction that was carried out.
type Result struct {
	// Height of the block that holds it.
	Height int64
	// Hash of the transaction in upper-case hex.
	Hash string

	response *anypb.Any
}

// NewResult returns the result of a message that was carried out with this response, for
// implementations of [Chain].
func NewResult(height int64, hash string, response proto.Message) (Result, error) {
	packed, err := anypb.New(response)
	return Result{Height: height, Hash: hash, response: packed}, err
}

// Response reads the response of the message, of the type that its handler returns.
func (r Result) Response(into proto.Message) error {
	if r.response == nil {
		return fmt.Errorf("transaction %s has no response", r.Hash)
	}
	if err := r.response.UnmarshalTo(into); err != nil {
		return fmt.Errorf("response of transaction %s: %w", r.Hash, err)
	}
	return nil
}

// TxError is the chain's refusal of a transaction.
type TxError struct {
	// Codespace and Code name the error as the module registered it.
	Codespace string
	Code      uint32
	// Log is the text of the error.
	Log string
}

// Error implements error.
func (e *TxError) Error() string {
	return fmt.Sprintf("%s (%s %d)", e.Log, e.Codespace, e.Code)
}

// Is tells that the error is [ErrRefused].
func (e *TxError) Is(target error) bool { return target == ErrRefused }
