package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/node"
)

// Rogue runs, in place of the hospital's server, which is stopped, a program of its operator's that takes part in rounds of keys as it
// likes: what change returns is sent in place of each message, and nothing is where it returns nil. It has all keys of the hospital and
// speaks through another one's gateway. It ends when stop is called.
func (h *Hospital) Rogue(through *Hospital, change func(proto.Message) proto.Message) (stop func()) {
	h.t.Helper()
	if h.server != nil {
		h.Stop()
	}
	ctx, cancel := context.WithCancel(h.t.Context())
	key, err := h.keys.Account(home.AccountNode)
	if err != nil {
		h.t.Fatalf("node account of %s: %v", h.name, err)
	}
	p, err := through.dial(ctx, key)
	if err != nil {
		h.t.Fatalf("%s at %s: %v", h.name, through.name, err)
	}
	maker, err := node.NewKeyMaker(node.KeyMakerConfig{
		Chain: &rogueChain{ClientConnInterface: p.client, person: Person{h.t, p}, through: through.hospital, change: change},
		Store: h.keys, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		h.t.Fatalf("%s: %v", h.name, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- maker.Run(ctx) }()
	return func() {
		h.t.Helper()
		cancel()
		if err := <-ended; err != nil {
			h.t.Errorf("%s: %v", h.name, err)
		}
	}
}

// rogueChain is the network as a rogue's program sees it.
type rogueChain struct {
	grpc.ClientConnInterface
	person  Person
	through *hospital
	change  func(proto.Message) proto.Message
}

var _ node.Chain = (*rogueChain)(nil)

// Account implements node.Chain.
func (r *rogueChain) Account() string { return r.person.Address() }

// Ready implements node.Chain. A rogue asks nobody for signatures.
func (r *rogueChain) Ready(ctx context.Context) (node.Head, error) {
	client, err := r.through.rpc()
	if err != nil {
		return node.Head{}, err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return node.Head{}, errors.Join(err, node.ErrNotReady)
	}
	return node.Head{ChainID: ChainID, Height: status.SyncInfo.LatestBlockHeight, Time: status.SyncInfo.LatestBlockTime, Signed: true}, nil
}

// Submit implements node.Chain.
func (r *rogueChain) Submit(ctx context.Context, message proto.Message) (node.Result, error) {
	name := message.ProtoReflect().Descriptor().FullName()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(string(name) + "Response"))
	if err != nil {
		return node.Result{}, err
	}
	answer := kind.New().Interface()
	changed := r.change(message)
	if changed == nil {
		field := kind.Descriptor().Fields().ByName("outcome")
		answer.ProtoReflect().Set(field, protoreflect.ValueOfEnum(auditv1.Outcome_OUTCOME_OK.Number())) // it shall believe that it was heard
		return node.NewResult(1, "", answer)
	}
	sent, err := r.person.broadcast(ctx, changed)
	if err != nil {
		return node.Result{}, fmt.Errorf("send %s: %w", name, err)
	}
	height, err := r.person.included(ctx, sent, changed, answer)
	if err != nil {
		return node.Result{}, fmt.Errorf("send %s: %w", name, err)
	}
	return node.NewResult(height, sent, answer)
}

// Committed implements node.Chain.
func (r *rogueChain) Committed() <-chan struct{} {
	next := make(chan struct{})
	time.AfterFunc(pollTime, func() { close(next) })
	return next
}
