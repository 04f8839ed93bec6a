package wallet

import (
	"errors"
	"fmt"
	"time"

	secp256k1v1 "cosmossdk.io/api/cosmos/crypto/secp256k1"
	signingv1 "cosmossdk.io/api/cosmos/tx/signing/v1beta1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Account is where an account stands on the chain.
type Account struct {
	// ChainID of the network, like "phrd-1".
	ChainID string
	// Number of the account.
	Number uint64
	// Sequence is the account's next sequence; not used by unordered transactions.
	Sequence uint64
}

// marshal is the deterministic encoding that is signed and sent.
var marshal = proto.MarshalOptions{Deterministic: true}

// SignUnordered signs messages in SIGN_MODE_DIRECT as an unordered transaction, which is valid until timeout by block time and
// needs no sequence: what programs send. The chain takes one transaction per account and timeout, so timeouts differ by at least a
// nanosecond. It returns the encoded transaction.
func (k *Key) SignUnordered(a Account, gas uint64, timeout time.Time, messages ...proto.Message) ([]byte, error) {
	body, err := newBody(messages)
	if err != nil {
		return nil, err
	}
	body.Unordered = true
	body.TimeoutTimestamp = timestamppb.New(timeout.UTC())
	a.Sequence = 0
	return k.signDirect(a, gas, body)
}

// SignDirect signs messages in SIGN_MODE_DIRECT with the account's sequence.
func (k *Key) SignDirect(a Account, gas uint64, messages ...proto.Message) ([]byte, error) {
	body, err := newBody(messages)
	if err != nil {
		return nil, err
	}
	return k.signDirect(a, gas, body)
}

func (k *Key) signDirect(a Account, gas uint64, body *txv1.TxBody) ([]byte, error) {
	bodyBytes, authBytes, err := k.parts(a, gas, body, signingv1.SignMode_SIGN_MODE_DIRECT)
	if err != nil {
		return nil, err
	}
	doc, err := marshal.Marshal(&txv1.SignDoc{BodyBytes: bodyBytes, AuthInfoBytes: authBytes, ChainId: a.ChainID, AccountNumber: a.Number})
	if err != nil {
		return nil, fmt.Errorf("encode sign document: %w", err)
	}
	return raw(bodyBytes, authBytes, k.Sign(doc))
}

// SignAmino signs one flat message in SIGN_MODE_LEGACY_AMINO_JSON, the mode in which a wallet can show what it signs. It returns
// the encoded transaction and the exact document that was signed.
func (k *Key) SignAmino(a Account, gas uint64, message proto.Message) (tx, document []byte, err error) {
	body, err := newBody([]proto.Message{message})
	if err != nil {
		return nil, nil, err
	}
	if document, err = AminoDocument(a, gas, message); err != nil {
		return nil, nil, err
	}
	bodyBytes, authBytes, err := k.parts(a, gas, body, signingv1.SignMode_SIGN_MODE_LEGACY_AMINO_JSON)
	if err != nil {
		return nil, nil, err
	}
	tx, err = raw(bodyBytes, authBytes, k.Sign(document))
	return tx, document, err
}

func newBody(messages []proto.Message) (*txv1.TxBody, error) {
	if len(messages) == 0 {
		return nil, errors.New("a transaction needs a message")
	}
	body := &txv1.TxBody{}
	for _, m := range messages {
		value, err := marshal.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
		}
		body.Messages = append(body.Messages, &anypb.Any{TypeUrl: "/" + string(m.ProtoReflect().Descriptor().FullName()), Value: value})
	}
	return body, nil
}

func (k *Key) parts(a Account, gas uint64, body *txv1.TxBody, mode signingv1.SignMode) (bodyBytes, authBytes []byte, err error) {
	if bodyBytes, err = marshal.Marshal(body); err != nil {
		return nil, nil, fmt.Errorf("encode transaction: %w", err)
	}
	key, err := marshal.Marshal(&secp256k1v1.PubKey{Key: k.PublicKey()})
	if err != nil {
		return nil, nil, fmt.Errorf("encode public key: %w", err)
	}
	authBytes, err = marshal.Marshal(&txv1.AuthInfo{
		SignerInfos: []*txv1.SignerInfo{{
			PublicKey: &anypb.Any{TypeUrl: "/cosmos.crypto.secp256k1.PubKey", Value: key},
			ModeInfo:  &txv1.ModeInfo{Sum: &txv1.ModeInfo_Single_{Single: &txv1.ModeInfo_Single{Mode: mode}}},
			Sequence:  a.Sequence,
		}},
		Fee: &txv1.Fee{GasLimit: gas},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("encode signer: %w", err)
	}
	return bodyBytes, authBytes, nil
}

func raw(body, auth, signature []byte) ([]byte, error) {
	return marshal.Marshal(&txv1.TxRaw{BodyBytes: body, AuthInfoBytes: auth, Signatures: [][]byte{signature}})
}
