// Package sdk_test writes down what the chain expects of each message that a person signs, for the TypeScript of this
// folder to reproduce, and has it work with a network.
package sdk_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cosmossdk.io/api/amino"
	"cosmossdk.io/api/cosmos/msg/v1"
	txv1 "cosmossdk.io/api/cosmos/tx/v1beta1"
	"github.com/cosmos/cosmos-sdk/x/tx/signing"
	"github.com/cosmos/cosmos-sdk/x/tx/signing/aminojson"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/anypb"

	_ "github.com/phrd/phrd/api/phrd/access/v1"
	_ "github.com/phrd/phrd/api/phrd/consortium/v1"
	_ "github.com/phrd/phrd/api/phrd/custody/v1"
	_ "github.com/phrd/phrd/api/phrd/records/v1"
	_ "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/wallet"
)

var update = flag.Bool("update", false, "write testdata/messages/signed.json anew")

var golden = filepath.Join("..", "..", "testdata", "messages", "signed.json")

// account is where the account of every golden document stands on the chain. Numbers of accounts made at run time have bit 63 set.
var account = wallet.Account{ChainID: "phrd-golden-1", Number: 1<<63 + 7, Sequence: 42}

const gas = 1_500_000

// signedMessage is one message with what a person's signature covers.
type signedMessage struct {
	Name string `json:"name"`
	// Case is "zero" or "full".
	Case string `json:"case"`
	// Value is the message as protobuf's JSON, which fills it in on the other side.
	Value json.RawMessage `json:"value"`
	// Proto is its encoding in hex.
	Proto string `json:"proto"`
	// Amino is the whole SIGN_MODE_LEGACY_AMINO_JSON document; empty for a message that only programs sign.
	Amino string `json:"amino,omitempty"`
	// Tx is the transaction in hex that carries the message in amino mode, or without one in direct mode, signed by the key 1.
	Tx string `json:"tx"`
}

// direct are the messages of people that are not flat. Programs sign them, in SIGN_MODE_DIRECT.
var direct = []string{"phrd.consortium.v1.MsgSubmitProposal", "phrd.records.v1.MsgStoreVersions"}

// Every message that a person signs has a golden document, and it is what the chain computes.
func TestSignedMessages(t *testing.T) {
	var all []signedMessage
	for _, kind := range personal(t) {
		for _, c := range []string{"zero", "full"} {
			message := kind.New()
			if c == "full" {
				fill(message, 1)
			}
			all = append(all, sign(t, c, message.Interface()))
		}
	}
	got := must(json.MarshalIndent(all, "", "\t"))
	got = append(got, '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := must(os.ReadFile(golden)); !bytes.Equal(got, want) {
		t.Errorf("%s is not what the messages give; run go test ./web/sdk -update", golden)
	}
}

// The document that the wallet of package wallet signs is that of the chain.
func TestWalletSignsTheChainsDocument(t *testing.T) {
	for _, kind := range personal(t) {
		name := kind.Descriptor().FullName()
		if slices.Contains(direct, string(name)) {
			if _, err := wallet.AminoDocument(account, gas, filled(kind)); err == nil {
				t.Errorf("%s is flat, so a person's wallet can show it", name)
			}
			continue
		}
		for _, message := range []proto.Message{kind.New().Interface(), filled(kind)} {
			got, err := wallet.AminoDocument(account, gas, message)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if want := document(t, message); string(got) != want {
				t.Errorf("%s: document\n%s, want\n%s", name, got, want)
			}
		}
	}
}

// personal are the messages whose signer is a person: not a server, and not the vote of the members.
func personal(t *testing.T) []protoreflect.MessageType {
	t.Helper()
	var kinds []protoreflect.MessageType
	protoregistry.GlobalTypes.RangeMessages(func(kind protoreflect.MessageType) bool {
		d := kind.Descriptor()
		signers, ok := proto.GetExtension(d.Options(), msgv1.E_Signer).([]string)
		if ok && len(signers) == 1 && strings.HasPrefix(string(d.FullName()), "phrd.") && signers[0] != "authority" && signers[0] != "node" {
			kinds = append(kinds, kind)
		}
		return true
	})
	slices.SortFunc(kinds, func(a, b protoreflect.MessageType) int {
		return strings.Compare(string(a.Descriptor().FullName()), string(b.Descriptor().FullName()))
	})
	if len(kinds) < 40 {
		t.Fatalf("the registry names %d messages of people", len(kinds))
	}
	return kinds
}

func filled(kind protoreflect.MessageType) proto.Message {
	message := kind.New()
	fill(message, 1)
	return message.Interface()
}

// fill sets every field of a message, and of the messages in it, to something that differs from field to field.
func fill(m protoreflect.Message, from int) {
	if m.Descriptor().FullName() == "google.protobuf.Any" {
		inner := must(anypb.New(&txv1.TxRaw{BodyBytes: []byte{byte(from)}}))
		proto.Merge(m.Interface(), inner)
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		n := from + i
		switch {
		case f.IsList():
			list := m.Mutable(f).List()
			for j := range 2 {
				if f.Message() != nil {
					element := list.NewElement()
					fill(element.Message(), n+j)
					list.Append(element)
				} else {
					list.Append(scalar(f, n+j))
				}
			}
		case f.Message() != nil:
			fill(m.Mutable(f).Message(), n)
		default:
			m.Set(f, scalar(f, n))
		}
	}
}

func scalar(f protoreflect.FieldDescriptor, n int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(strings.Repeat("a", n) + " A-1/2._:Z")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes.Repeat([]byte{byte(250 + n), 0, 62, 63}, n))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(values.Len() - 1).Number())
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(math.MaxUint64 - uint64(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(math.MinInt64 + int64(n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(math.MaxUint32 - uint32(n))
	default:
		panic("a field of kind " + f.Kind().String())
	}
}

func sign(t *testing.T, c string, message proto.Message) signedMessage {
	t.Helper()
	name := string(message.ProtoReflect().Descriptor().FullName())
	value := must(protojson.MarshalOptions{UseProtoNames: true}.Marshal(message))
	var compact bytes.Buffer
	if err := json.Compact(&compact, value); err != nil {
		t.Fatal(err)
	}
	s := signedMessage{Name: name, Case: c, Value: compact.Bytes(), Proto: hex.EncodeToString(must(proto.MarshalOptions{Deterministic: true}.Marshal(message)))}
	key := must(wallet.KeyFromBytes(append(make([]byte, 31), 1)))
	if slices.Contains(direct, name) {
		s.Tx = hex.EncodeToString(must(key.SignDirect(account, gas, message)))
		return s
	}
	s.Amino = document(t, message)
	tx, _, err := key.SignAmino(account, gas, message)
	if err != nil {
		t.Fatal(err)
	}
	s.Tx = hex.EncodeToString(tx)
	return s
}

// document is what the chain takes a signature in SIGN_MODE_LEGACY_AMINO_JSON for.
func document(t *testing.T, message proto.Message) string {
	t.Helper()
	name, ok := proto.GetExtension(message.ProtoReflect().Descriptor().Options(), amino.E_Name).(string)
	if !ok || name == "" || len(name) >= 40 {
		t.Fatalf("%s: amino name %q", message.ProtoReflect().Descriptor().FullName(), name)
	}
	handler := aminojson.NewSignModeHandler(aminojson.SignModeHandlerOptions{})
	body := &txv1.TxBody{Messages: []*anypb.Any{{
		TypeUrl: "/" + string(message.ProtoReflect().Descriptor().FullName()), Value: must(proto.MarshalOptions{Deterministic: true}.Marshal(message)),
	}}}
	document, err := handler.GetSignBytes(t.Context(), signing.SignerData{
		Address: "phrd1", ChainID: account.ChainID, AccountNumber: account.Number, Sequence: account.Sequence,
	}, signing.TxData{Body: body, AuthInfo: &txv1.AuthInfo{Fee: &txv1.Fee{GasLimit: gas}}})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return string(document)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
