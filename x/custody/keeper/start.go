package keeper

import (
	"context"
	"errors"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/custody"
)

// StartReshare has the shares of a key renewed; only a vote does.
func (s msgServer) StartReshare(ctx context.Context, msg *custody.MsgStartReshare) (*custody.MsgStartReshareResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	name := collections.Join(uint64(msg.Kind), msg.Generation)
	if has, err := s.keys.Has(ctx, name); err != nil || !has {
		return nil, errors.Join(err, custody.ErrNoKey.Wrapf("kind %d, generation %d", msg.Kind, msg.Generation))
	}
	return &custody.MsgStartReshareResponse{}, s.wanted.Set(ctx, name)
}

// StartGeneration has the members make a new key; only a vote does.
func (s msgServer) StartGeneration(ctx context.Context, msg *custody.MsgStartGeneration) (*custody.MsgStartGenerationResponse, error) {
	if err := s.vote(msg.Authority); err != nil {
		return nil, err
	}
	if !msg.Kind.IsValid() {
		return nil, custody.ErrNoKey.Wrapf("there are no keys of kind %d", msg.Kind)
	}
	generation := uint64(1)
	newest, err := s.newest(ctx, msg.Kind)
	switch {
	case err == nil:
		generation = newest.Generation + 1
	case !errors.Is(err, custody.ErrNoKey) && !errors.Is(err, custody.ErrKeyInMaking):
		return nil, err
	}
	r := custody.Round{Kind: msg.Kind, Generation: generation, ShareEpoch: 1, Attempt: 1}
	if runs, err := s.running.Has(ctx, nameOf(r)); err != nil || runs {
		return nil, errors.Join(err, custody.ErrRoundRuns.Wrapf("kind %d, generation %d", msg.Kind, generation))
	}
	serving, err := s.countServing(ctx)
	if err != nil {
		return nil, err
	}
	if serving < msg.Kind.LeastMembers() || custody.Threshold(msg.Kind, serving) > serving {
		return nil, custody.ErrTooFewMembers.Wrapf("%d", serving)
	}
	return &custody.MsgStartGenerationResponse{Generation: generation}, s.begin(ctx, r)
}

// vote answers custody.ErrUnauthorized unless the consortium's account signs.
func (k *Keeper) vote(authority string) error {
	if want := k.consortium.Authority(); authority != want {
		return custody.ErrUnauthorized.Wrapf("got %q, want %q", authority, want)
	}
	return nil
}
