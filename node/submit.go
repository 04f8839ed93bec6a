package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	abciv1 "cosmossdk.io/api/cosmos/base/abci/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/phrd/phrd/wallet"
)

const (
	// resendAfter is how long a transaction may stay out before it is sent again, in case
	// the mempool lost it.
	resendAfter = 10 * time.Second
	// firstPause and lastPause bound the pauses between tries.
	firstPause = 250 * time.Millisecond
	lastPause  = 15 * time.Second
	// firstLook is the first pause between looks for an included transaction: the index of
	// transactions follows a block within moments.
	firstLook = 20 * time.Millisecond
)

// errExpired says that a transaction was not included in its lifetime.
var errExpired = errors.New("transaction was not included in time")

// A code names an error that a module registered.
type code struct {
	space  string
	number uint32
}

// transient lists the refusals that pass by themselves.
var transient = map[code]bool{
	{"sdk", 20}:       true, // the mempool is full
	{"consortium", 3}: true, // the account's rate is used up
}

// outOfGas is the code of a transaction that took more gas than it had.
var outOfGas = code{"sdk", 11}

// inMempool is the answer to a transaction that is on its way already.
var inMempool = code{"sdk", 19}

// invalidRequest is the code under which unordered transactions are refused.
var invalidRequest = code{"sdk", 18}

// isTransient tells whether a refusal passes by itself.
func isTransient(e *TxError) bool {
	c := code{e.Codespace, e.Code}
	if c == invalidRequest {
		// A node that just started checks against year 1, and a timeout may have been used
		// before a restart. Neither has a code of its own.
		return strings.Contains(e.Log, "ttl exceeds") || strings.Contains(e.Log, "unordered nonce")
	}
	return transient[c]
}

// Submit implements [Chain].
func (c *Client) Submit(ctx context.Context, message proto.Message) (Result, error) {
	name := message.ProtoReflect().Descriptor().Name()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		result, last := c.try(ctx, message)
		if last == nil {
			return result, nil
		}
		if !passes(last) {
			return Result{}, fmt.Errorf("send %s: %w", name, last)
		}
		c.config.Log.Warn("transaction is tried again", "message", string(name), "pause", pause, "reason", last)
		if err := c.pause(ctx, nil, pause); err != nil {
			return Result{}, fmt.Errorf("send %s: %w: %w", name, err, last)
		}
	}
}

// passes tells whether an error of a try may be gone at the next.
func passes(err error) bool {
	var refused *TxError
	if errors.As(err, &refused) {
		return isTransient(refused)
	}
	if errors.Is(err, ErrNotReady) || errors.Is(err, errExpired) {
		return true
	}
	answer, ok := status.FromError(err)
	if !ok {
		return false
	}
	switch answer.Code() {
	case codes.InvalidArgument, codes.Unimplemented, codes.PermissionDenied, codes.Unauthenticated, codes.Canceled:
		return false
	default:
		return true
	}
}

// try sends a message once and waits for what becomes of it.
func (c *Client) try(ctx context.Context, message proto.Message) (Result, error) {
	head, err := c.awaitReady(ctx)
	if err != nil {
		return Result{}, err
	}
	number, err := c.accountNumber(ctx)
	if err != nil {
		return Result{}, err
	}
	timeout, err := c.timeout(head.Time)
	if err != nil {
		return Result{}, err
	}
	account := wallet.Account{ChainID: head.ChainID, Number: number}
	tx, err := c.config.Key.SignUnordered(account, gasFor(message), timeout, message)
	if err != nil {
		return Result{}, err
	}
	if err := c.broadcast(ctx, tx); err != nil {
		return Result{}, err
	}
	return c.await(ctx, tx, timeout)
}

// awaitReady returns the newest block as soon as the node may write.
func (c *Client) awaitReady(ctx context.Context) (Head, error) {
	for {
		committed := c.Committed()
		head, err := c.Ready(ctx)
		if !errors.Is(err, ErrNotReady) {
			return head, err
		}
		if err := c.pause(ctx, committed, c.config.PollInterval); err != nil {
			return Head{}, fmt.Errorf("%w: %w", err, ErrNotReady)
		}
	}
}

// timeout returns a time at which a transaction ends that no other transaction of the
// account has: the chain takes one of each.
func (c *Client) timeout(blockTime time.Time) (time.Time, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return time.Time{}, fmt.Errorf("draw timeout: %w", err)
	}
	// The random part keeps timeouts distinct over a restart.
	at := blockTime.Add(TxLifetime - time.Duration(binary.BigEndian.Uint32(b[:])%1e9))
	c.mu.Lock()
	defer c.mu.Unlock()
	for used := range c.used {
		if used < blockTime.UnixNano() {
			delete(c.used, used)
		}
	}
	for c.used[at.UnixNano()] {
		at = at.Add(-1)
	}
	c.used[at.UnixNano()] = true
	return at, nil
}

// broadcast hands a transaction to the mempool.
func (c *Client) broadcast(ctx context.Context, tx []byte) error {
	answer, err := c.txs.BroadcastTx(ctx, &txv1.BroadcastTxRequest{TxBytes: tx, Mode: txv1.BroadcastMode_BROADCAST_MODE_SYNC})
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	r := answer.GetTxResponse()
	if r.GetCode() == 0 || (code{r.GetCodespace(), r.GetCode()}) == inMempool {
		return nil
	}
	return &TxError{Codespace: r.GetCodespace(), Code: r.GetCode(), Log: r.GetRawLog()}
}

// await returns what became of a transaction, or errExpired.
func (c *Client) await(ctx context.Context, tx []byte, timeout time.Time) (Result, error) {
	digest := sha256.Sum256(tx)
	hash := strings.ToUpper(hex.EncodeToString(digest[:]))
	sent := c.config.Now()
	look, ended := firstLook, false
	for {
		committed := c.Committed()
		result, err := c.find(ctx, hash)
		if c := status.Code(err); c != codes.NotFound && c != codes.Unavailable {
			return result, err
		}
		if ended {
			return Result{}, fmt.Errorf("transaction %s: %w", hash, errExpired)
		}
		if c.config.Now().Sub(sent) > resendAfter {
			sent = c.config.Now()
			// Whatever the answer, only a block decides: a refusal may say that the
			// transaction was included meanwhile.
			_ = c.broadcast(ctx, tx)
		}
		if err := c.pause(ctx, committed, look); err != nil {
			return Result{}, fmt.Errorf("transaction %s: %w", hash, err)
		}
		select {
		case <-committed:
			look = firstLook
		default:
			look = min(2*look, c.config.PollInterval)
		}
		if head, err := c.Head(ctx); err == nil {
			// One more look afterwards, for the index of transactions lags behind.
			ended = head.Time.After(timeout.Add(c.config.PollInterval))
		}
	}
}

// find looks for an included transaction. The error is codes.NotFound when there is none
// yet and a TxError when it failed.
func (c *Client) find(ctx context.Context, hash string) (Result, error) {
	got, err := c.txs.GetTx(ctx, &txv1.GetTxRequest{Hash: hash})
	if err != nil {
		return Result{}, fmt.Errorf("look for transaction %s: %w", hash, err)
	}
	r := got.GetTxResponse()
	if r.GetCode() != 0 {
		return Result{}, &TxError{Codespace: r.GetCodespace(), Code: r.GetCode(), Log: r.GetRawLog()}
	}
	result := Result{Height: r.GetHeight(), Hash: hash}
	data, err := hex.DecodeString(r.GetData())
	if err != nil {
		return Result{}, fmt.Errorf("result of transaction %s: %w", hash, err)
	}
	var messages abciv1.TxMsgData
	if err := proto.Unmarshal(data, &messages); err != nil {
		return Result{}, fmt.Errorf("result of transaction %s: %w", hash, err)
	}
	if len(messages.GetMsgResponses()) == 1 {
		result.response = messages.GetMsgResponses()[0]
	}
	return result, nil
}
