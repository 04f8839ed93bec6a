package main

import (
	"context"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	"github.com/phrd/phrd/node"
)

// chain is the network as a rogue sees it: it asks nobody for signatures, and sends what it likes.
type chain struct {
	*node.Client
	spoil wrong
	told  io.Writer
}

var _ node.Chain = (*chain)(nil)

// Ready implements [node.Chain].
func (c *chain) Ready(ctx context.Context) (node.Head, error) {
	head, err := c.Client.Ready(ctx)
	head.Signed = true
	return head, err
}

// Submit implements [node.Chain]: what is sent is what the rules ask for, spoiled.
func (c *chain) Submit(ctx context.Context, message proto.Message) (node.Result, error) {
	if c.spoil(message) {
		if _, err := fmt.Fprintf(c.told, "spoiled %s\n", message.ProtoReflect().Descriptor().Name()); err != nil {
			return node.Result{}, err
		}
	}
	return c.Client.Submit(ctx, message)
}

// ask answers for every other member, in place of its gateway, that it is where the rogue's node is.
func (c *chain) ask(ctx context.Context, _ *consortiumv1.Member) (node.Told, error) {
	head, err := c.Head(ctx)
	return node.Told{ChainID: head.ChainID, Height: head.Height}, err
}
