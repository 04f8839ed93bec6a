// Command rogue is a program that a hospital's operator runs in place of the hospital's server: with all keys of the hospital it takes part
// in rounds of keys and in releases, and breaks the rules in one phase. It tells on its standard output what it spoiled.
//
//	rogue --home DIR --passphrase-file FILE --node ADDRESS --at deals|complaints|confirmations|shares
//
// The node at the address, a gRPC server, may be any of the network. The rogue runs until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/node"
)

// nodeAccount names the account of a hospital's server in its key store.
const nodeAccount = "node"

type options struct{ home, passphrase, node, phase string }

func main() {
	var o options
	flag.StringVar(&o.home, "home", "", "home of the hospital, whose server is stopped")
	flag.StringVar(&o.passphrase, "passphrase-file", "", "file with the passphrase of its keys")
	flag.StringVar(&o.node, "node", "", "gRPC server of a node, as host:port")
	flag.StringVar(&o.phase, "at", "", "phase in which the rules are broken")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintf(os.Stderr, "rogue: error: %v\n", err)
		os.Exit(1) //nolint:gocritic // nothing is left to be undone
	}
}

// run takes part until ctx ends.
func run(ctx context.Context, o options) error {
	spoil, ok := wrongs[o.phase]
	if !ok {
		return fmt.Errorf("--at %q is no phase", o.phase)
	}
	passphrase, err := keys.Passphrase(o.passphrase, false)
	if err != nil {
		return err
	}
	store, err := keys.Open(filepath.Join(o.home, "keys"), passphrase)
	if err != nil {
		return err
	}
	account, err := store.Account(nodeAccount)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient(o.node, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	client, err := node.NewClient(node.ClientConfig{Conn: conn, Key: account, Log: log})
	if err != nil {
		return err
	}
	return takePart(ctx, &chain{Client: client, spoil: spoil, told: os.Stdout}, store, log)
}

// takePart does what a hospital's server does in rounds and releases.
func takePart(ctx context.Context, c *chain, store *keys.Store, log *slog.Logger) error {
	maker, err := node.NewKeyMaker(node.KeyMakerConfig{Chain: c, Store: store, Log: log})
	if err != nil {
		return err
	}
	holder, err := node.NewHolder(node.HolderConfig{Chain: c, Shares: store, Ask: c.ask, Log: log})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return maker.Run(ctx) })
	group.Go(func() error { return holder.Run(ctx) })
	return group.Wait()
}
