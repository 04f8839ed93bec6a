package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/logs"
	"github.com/phrd/phrd/app/server"
)

// stopTime is how long a server may take to stop.
const stopTime = 30 * time.Second

func startCommand() *cobra.Command {
	var signAtOnce, storageOnly bool
	cmd := &cobra.Command{
		Use: "start", Short: "run the hospital's server, or a further storage node",
		Long: "Run the hospital's server: the chain's node, the blob store, the holder of the hospital's share, and the gateway. After `phrd join`\n" +
			"it waits until the hospitals admit it, and fetches the state of the chain; `phrd status` says how far it is. From a home\n" +
			"that `phrd init --storage-only` made: run a node of the chain and the blob store. It may be started before it is registered, and\n" +
			"waits.\n\n" +
			"It writes its log to standard error, as JSON under --json, and stops at the first signal.",
		Example: "  phrd start --home /var/lib/phrd --passphrase-file /etc/phrd/passphrase", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			return startServer(cmd.Context(), o, startOptions{storageOnly: storageOnly, signAtOnce: signAtOnce}, newOutput(cmd))
		},
	}
	cmd.Flags().BoolVar(&storageOnly, "storage-only", false, "start only if the home is that of a further storage node")
	cmd.Flags().BoolVar(&signAtOnce, "sign-at-once", false, "let a restored validator sign without watching first: only where the network stands still without it, and no other server has its key")
	return cmd
}

// startOptions are the flags of `phrd start`.
type startOptions struct{ storageOnly, signAtOnce bool }

// startServer runs a hospital's server, or a storage node, until ctx ends or a part of it fails.
func startServer(ctx context.Context, o userOptions, start startOptions, out *output) error {
	h, err := home.Open(o.Home)
	if err != nil {
		return err
	}
	if start.storageOnly && !h.StorageOnly() {
		return usage("--storage-only: %s is the home of a hospital's own server; `phrd init --storage-only` makes that of a storage node", h.Dir())
	}
	files, err := h.Config()
	if err != nil {
		return err
	}
	logger, err := logs.New(out.err, files.Comet.LogLevel, out.json)
	if err != nil {
		return fmt.Errorf("%s: log_level: %w", h.CometConfig(), err)
	}
	store, err := openKeys(o)
	if err != nil {
		return err
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	config := server.Config{Home: h, Keys: store, Logger: logger, Version: thisVersion().Version, SignAtOnce: start.signAtOnce}
	logger = logger.With(log.ModuleKey, "phrd")
	for {
		err := runServer(ctx, config, hangup, logger)
		if !errors.Is(err, server.ErrNewKeys) || ctx.Err() != nil {
			return err
		}
		logger.Info("starts again with its new keys")
		// Who restored the home said so for the first start.
		config.SignAtOnce = false
	}
}

// runServer starts a server and stops it when ctx ends or a part of it fails.
func runServer(ctx context.Context, config server.Config, hangup <-chan os.Signal, logger log.Logger) error {
	s, err := server.New(config)
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	awaitEnd(ctx, s, hangup, logger)
	failed := s.Err()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := errors.Join(failed, s.Stop(ctx)); err != nil {
		return err
	}
	logger.Info("stopped")
	return nil
}

// awaitEnd returns when ctx ends or a part of the server fails. Until then a hangup has the server read anew what may change.
func awaitEnd(ctx context.Context, s *server.Server, hangup <-chan os.Signal, logger log.Logger) {
	for {
		select {
		case <-ctx.Done():
			logger.Info("stopping")
			return
		case <-s.Failed():
			return
		case <-hangup:
			if err := s.Reload(); err != nil {
				logger.Error("all stays as it was", "error", err)
			} else {
				logger.Info("what may change was read anew")
			}
		}
	}
}
