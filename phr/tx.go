package phr

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	authv1 "cosmossdk.io/api/cosmos/auth/v1beta1"
	abciv1 "cosmossdk.io/api/cosmos/base/abci/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"google.golang.org/protobuf/proto"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/wallet"
)

const (
	// commitTime bounds the wait for a transaction to come into a block, beyond what the context allows.
	commitTime = time.Minute
	// maxTries is how often a transaction is signed anew because another one of the account came first, or the node
	// that takes it is a moment behind.
	maxTries = 5
	// gasBase is asked for a message, gasItem for each version that it names beside, gasStored for each that it stores,
	// gasGrantee for each vault that one is sealed to beside its owner's, and gasConsents for each patient who consented, whose consents the chain
	// reads: there is no fee, so too much costs only room in a block. maxGas is the most that the chain allows.
	gasBase, gasItem, gasStored, gasGrantee, gasConsents, maxGas = 1_000_000, 500_000, 150_000, 20_000, 800_000, 20_000_000

	sdkSpace         = "sdk"
	codeUnauthorized = 4  // also a signature over another account number or sequence
	codeInCache      = 19 // the node has this very transaction already
	codeMempoolFull  = 20
	codeSequence     = 32
)

// gasFor is what a message that names n versions asks for.
func gasFor(n int) uint64 { return min(gasBase+gasItem*uint64(n), maxGas) }

// Receipt says where a transaction stands on the chain.
type Receipt struct {
	// Hash of the transaction in upper-case hex.
	Hash string
	// Height of its block.
	Height int64
}

// outcome is what answers of handlers have that decide.
type outcome interface {
	GetOutcome() auditv1.Outcome
	GetReason() string
}

// signer signs a message for an account's next transaction.
type signer func(a wallet.Account, gas uint64, message proto.Message) ([]byte, error)

// direct signs what programs send.
func (c *Client) direct(a wallet.Account, gas uint64, message proto.Message) ([]byte, error) {
	return c.key.SignDirect(a, gas, message)
}

// amino signs what a person reads in a wallet, and refuses a signature under anything else than the message.
func (c *Client) amino(a wallet.Account, gas uint64, message proto.Message) ([]byte, error) {
	tx, document, err := c.key.SignAmino(a, gas, message)
	if err != nil {
		return nil, err
	}
	want, err := wallet.AminoDocument(a, gas, message)
	if err != nil {
		return nil, err
	}
	return tx, sameButFee(want, document)
}

// send signs a message, has it committed and reads the handler's answer. The error is *Refused where the chain did not
// carry it out, ErrNoAccount, ErrNotCommitted or ErrUnreachable.
func (c *Client) send(ctx context.Context, sign signer, gas uint64, message, answer proto.Message) (Receipt, error) {
	if c.key == nil {
		return Receipt{}, fmt.Errorf("no key to sign with: %w", ErrNoAccount)
	}
	name := string(message.ProtoReflect().Descriptor().FullName())
	for try := 1; ; try++ {
		sent, err := c.handIn(ctx, sign, gas, name, message)
		if err != nil {
			return Receipt{}, err
		}
		if sent.Code == 0 || sent.Codespace == sdkSpace && sent.Code == codeInCache {
			receipt, err := c.committed(ctx, sent.Txhash, name, answer)
			c.sending.Lock()
			c.waiting--
			c.sending.Unlock()
			return receipt, err
		}
		passing := sent.Codespace == sdkSpace && (sent.Code == codeSequence || sent.Code == codeMempoolFull || sent.Code == codeUnauthorized)
		if !passing || try == maxTries {
			return Receipt{}, refusedByCode(name, sent)
		}
		if err := sleep(ctx, time.Duration(try)*pollLast); err != nil {
			return Receipt{}, err
		}
	}
}

// handIn signs a message for the account's next transaction and hands it in. While others of this client wait for their blocks, the
// next one follows them: the chain does not count them yet.
func (c *Client) handIn(ctx context.Context, sign signer, gas uint64, name string, message proto.Message) (*abciv1.TxResponse, error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	account, err := c.account(ctx)
	if err != nil {
		return nil, err
	}
	if c.waiting > 0 {
		account.Sequence = max(account.Sequence, c.sequence)
	}
	tx, err := sign(account, gas, message)
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", name, err)
	}
	sent, err := c.broadcast(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("send %s: %w", name, err)
	}
	switch {
	case sent.Code == 0 || sent.Codespace == sdkSpace && sent.Code == codeInCache:
		c.sequence = account.Sequence + 1
		c.waiting++
	case sent.Codespace == sdkSpace && (sent.Code == codeSequence || sent.Code == codeUnauthorized):
		c.sequence = 0 // another program of the account came first, or one of ours was lost
	}
	return sent, nil
}

// account asks for the account's number and next sequence.
func (c *Client) account(ctx context.Context) (wallet.Account, error) {
	answer, err := authv1.NewQueryClient(c).AccountInfo(ctx, &authv1.QueryAccountInfoRequest{Address: c.key.Address()})
	if errors.Is(err, ErrNotFound) {
		return wallet.Account{}, fmt.Errorf("account %s: %w", c.key.Address(), ErrNoAccount)
	}
	if err != nil {
		return wallet.Account{}, err
	}
	return wallet.Account{ChainID: c.chainID, Number: answer.GetInfo().GetAccountNumber(), Sequence: answer.GetInfo().GetSequence()}, nil
}

func (c *Client) broadcast(ctx context.Context, tx []byte) (*abciv1.TxResponse, error) {
	answer, err := txv1.NewServiceClient(c).BroadcastTx(ctx, &txv1.BroadcastTxRequest{TxBytes: tx, Mode: txv1.BroadcastMode_BROADCAST_MODE_SYNC})
	if err != nil {
		return nil, err
	}
	if answer.TxResponse == nil {
		return nil, errors.New("the gateway gave no answer to a transaction")
	}
	return answer.TxResponse, nil
}

// committed waits until a transaction is in a block, also where meanwhile no gateway answers: what was handed in may be carried out.
func (c *Client) committed(ctx context.Context, hash, name string, answer proto.Message) (Receipt, error) {
	waiting, cancel := context.WithTimeout(ctx, commitTime)
	defer cancel()
	var done *abciv1.TxResponse
	var last error // why the last look found nothing
	err := poll(waiting, func(ctx context.Context) (bool, error) {
		found, err := txv1.NewServiceClient(c).GetTx(ctx, &txv1.GetTxRequest{Hash: hash})
		last = err
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnreachable) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		done = found.TxResponse
		return done != nil, nil
	})
	if err != nil {
		if ctx.Err() == nil && waiting.Err() == nil {
			return Receipt{}, fmt.Errorf("%s in transaction %s: %w", name, hash, err)
		}
		return Receipt{}, fmt.Errorf("%s in transaction %s: %w: %w: %v", name, hash, err, ErrNotCommitted, last) //nolint:errorlint // the last answer does not say what became of it
	}
	c.saw(done.Height)
	if done.Code != 0 {
		return Receipt{}, refusedByCode(name, done)
	}
	return Receipt{Hash: hash, Height: done.Height}, readAnswer(name, done.Data, answer)
}

// readAnswer decodes the answer to the one message of a transaction; where its handler refused, the error is *Refused.
func readAnswer(name, data string, answer proto.Message) error {
	encoded, err := hex.DecodeString(data)
	if err != nil {
		return fmt.Errorf("%s: answer: %w", name, err)
	}
	var all abciv1.TxMsgData
	if err := proto.Unmarshal(encoded, &all); err != nil {
		return fmt.Errorf("%s: answer: %w", name, err)
	}
	if len(all.MsgResponses) != 1 {
		return fmt.Errorf("%s: %d answers, want 1", name, len(all.MsgResponses))
	}
	if err := proto.Unmarshal(all.MsgResponses[0].Value, answer); err != nil {
		return fmt.Errorf("%s: answer: %w", name, err)
	}
	if decided, ok := answer.(outcome); ok && decided.GetOutcome() != auditv1.Outcome_OUTCOME_OK {
		return &Refused{Message: name, Reason: decided.GetReason()}
	}
	return nil
}

func refusedByCode(name string, r *abciv1.TxResponse) error {
	return &Refused{Message: name, Reason: fmt.Sprintf("%s/%d", r.Codespace, r.Code), Detail: r.RawLog}
}
