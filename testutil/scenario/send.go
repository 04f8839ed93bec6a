package scenario

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
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
)

// sendGas is enough for every message.
const sendGas = 5_000_000

// Node acts with the account of the hospital's node, which its server uses too.
func (h *Hospital) Node() Staff {
	h.t.Helper()
	ctx, cancel := step(h.t)
	defer cancel()
	key, err := h.keys.Account(home.AccountNode)
	if err != nil {
		h.t.Fatalf("node account of %s: %v", h.name, err)
	}
	p, err := h.dial(ctx, key)
	if err != nil {
		h.t.Fatalf("node account of %s: %v", h.name, err)
	}
	return Staff{Person{h.t, p}, h.hospital}
}

// Send sends any message of the person's account and decodes the answer of its handler. It is for what no program of ours would
// send. The error is *phr.Refused where the chain did not carry it out; its reason is "codespace/code" where the transaction failed.
func (p Person) Send(message, answer proto.Message) error {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	sent, err := p.broadcast(ctx, message)
	if err != nil {
		return err
	}
	_, err = p.included(ctx, sent, message, answer)
	return err
}

// CannotSend sends a message that the chain refuses for a reason.
func (p Person) CannotSend(message, answer proto.Message, reason string) {
	p.t.Helper()
	p.mustRefuse(fmt.Sprintf("send %s", message.ProtoReflect().Descriptor().Name()), reason, p.Send(message, answer))
}

// wrongSequence is the reason of a transaction that another one of the same account has overtaken.
const wrongSequence = "sdk/32"

// broadcast signs a message for the account's next transaction and hands it in, again where another story acted for the account
// meanwhile. It returns the transaction's hash.
func (p Person) broadcast(ctx context.Context, message proto.Message) (string, error) {
	for {
		hash, err := p.tryBroadcast(ctx, message)
		if Reason(err) != wrongSequence {
			return hash, err
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}

func (p Person) tryBroadcast(ctx context.Context, message proto.Message) (string, error) {
	tx, err := p.sign(ctx, ChainID, message)
	if err != nil {
		return "", err
	}
	return p.handIn(ctx, tx, message)
}

// sign signs a message for the account's next transaction on a chain.
func (p Person) sign(ctx context.Context, chain string, message proto.Message) ([]byte, error) {
	info, err := authv1.NewQueryClient(p.client).AccountInfo(ctx, &authv1.QueryAccountInfoRequest{Address: p.Address()})
	if err != nil {
		return nil, err
	}
	account := wallet.Account{ChainID: chain, Number: info.GetInfo().GetAccountNumber(), Sequence: info.GetInfo().GetSequence()}
	return p.key.SignDirect(account, sendGas, message)
}

// handIn gives a transaction to the person's gateway, and returns its hash.
func (p Person) handIn(ctx context.Context, tx []byte, message proto.Message) (string, error) {
	answer, err := txv1.NewServiceClient(p.client).BroadcastTx(ctx, &txv1.BroadcastTxRequest{TxBytes: tx, Mode: txv1.BroadcastMode_BROADCAST_MODE_SYNC})
	if err != nil {
		return "", err
	}
	return answer.GetTxResponse().GetTxhash(), failure(message, answer.GetTxResponse())
}

// Sign signs a message for the account's next transaction on a chain.
func (p Person) Sign(chain string, message proto.Message) []byte {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	tx, err := p.sign(ctx, chain, message)
	if err != nil {
		p.t.Fatalf("sign: %v", err)
	}
	return tx
}

// Broadcast hands in a transaction, whoever signed it, and returns its hash. The message is the one in it.
func (p Person) Broadcast(tx []byte, message proto.Message) (string, error) {
	p.t.Helper()
	ctx, cancel := p.step()
	defer cancel()
	return p.handIn(ctx, tx, message)
}

// failure is the error of a transaction that failed.
func failure(message proto.Message, r *abciv1.TxResponse) error {
	if r.GetCode() == 0 {
		return nil
	}
	return &phr.Refused{
		Message: string(message.ProtoReflect().Descriptor().FullName()), Reason: fmt.Sprintf("%s/%d", r.GetCodespace(), r.GetCode()), Detail: r.GetRawLog(),
	}
}

// included waits until a transaction is in a block, and returns that block's height.
func (p Person) included(ctx context.Context, hash string, message, answer proto.Message) (int64, error) {
	for {
		found, err := txv1.NewServiceClient(p.client).GetTx(ctx, &txv1.GetTxRequest{Hash: hash})
		if err == nil {
			return found.GetTxResponse().GetHeight(), readAnswer(message, found.GetTxResponse(), answer)
		}
		if !errors.Is(err, phr.ErrNotFound) {
			return 0, err
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// readAnswer decodes the answer to the one message of a transaction.
func readAnswer(message proto.Message, r *abciv1.TxResponse, answer proto.Message) error {
	if err := failure(message, r); err != nil {
		return err
	}
	encoded, err := hex.DecodeString(r.GetData())
	if err != nil {
		return err
	}
	var all abciv1.TxMsgData
	if err := proto.Unmarshal(encoded, &all); err != nil {
		return err
	}
	if len(all.GetMsgResponses()) != 1 {
		return fmt.Errorf("%d answers to one message", len(all.GetMsgResponses()))
	}
	if err := proto.Unmarshal(all.GetMsgResponses()[0].GetValue(), answer); err != nil {
		return err
	}
	if refused(answer) {
		return &phr.Refused{Message: string(message.ProtoReflect().Descriptor().FullName()), Reason: reasonOf(answer)}
	}
	return nil
}

// decided is the answer of a handler that may refuse.
type decided interface {
	GetOutcome() auditv1.Outcome
	GetReason() string
}

func refused(answer proto.Message) bool {
	d, ok := answer.(decided)
	return ok && d.GetOutcome() == auditv1.Outcome_OUTCOME_REFUSED
}

func reasonOf(answer proto.Message) string {
	if d, ok := answer.(decided); ok {
		return d.GetReason()
	}
	return ""
}
