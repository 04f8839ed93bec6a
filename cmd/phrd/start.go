package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"cosmossdk.io/log/v2"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/app/server"
)

// stopTime is how long a server may take to stop.
const stopTime = 30 * time.Second

func startCommand() *cobra.Command {
	var signAtOnce bool
	cmd := &cobra.Command{
		Use: "start", Short: "run the hospital's server",
		Long: "Run the hospital's server: the chain's node, the blob store, the holder of the hospital's share, and the gateway.\n\n" +
			"It writes its log to standard error, as JSON under --json, and stops at the first signal.",
		Example: "  phrd start --home /var/lib/phrd --passphrase-file /etc/phrd/passphrase", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := homeOptionsOf(cmd)
			if err != nil {
				return err
			}
			return startServer(cmd.Context(), o, signAtOnce, newOutput(cmd))
		},
	}
	cmd.Flags().BoolVar(&signAtOnce, "sign-at-once", false, "let a restored validator sign without watching first: only where the network stands still without it, and no other server has its key")
	return cmd
}

// startServer runs a hospital's server until ctx ends or a part of it fails.
func startServer(ctx context.Context, o userOptions, signAtOnce bool, out *output) error {
	h, err := home.Open(o.Home)
	if err != nil {
		return err
	}
	files, err := h.Config()
	if err != nil {
		return err
	}
	logger, err := newLogger(out.err, files.Comet.LogLevel, out.json)
	if err != nil {
		return fmt.Errorf("%s: log_level: %w", h.CometConfig(), err)
	}
	store, err := openKeys(o)
	if err != nil {
		return err
	}
	// What a crash leaves on the disk must not hold keys.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("turn core dumps off: %w", err)
	}
	s, err := server.New(server.Config{Home: h, Keys: store, Logger: logger, Version: thisVersion().Version, SignAtOnce: signAtOnce})
	if err != nil {
		return err
	}
	if err := s.Start(ctx); err != nil {
		return err
	}
	logger = logger.With(log.ModuleKey, "phrd")
	logger.Info("hospital's server is up", "home", h.Dir(), "gateway", files.Services.GatewayListen)
	select {
	case <-ctx.Done():
		logger.Info("stopping")
	case <-s.Failed():
	}
	failed := s.Err()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	if err := errors.Join(failed, s.Stop(ctx)); err != nil {
		return err
	}
	logger.Info("stopped")
	return nil
}

// newLogger writes the log of a server.
func newLogger(w io.Writer, level string, asJSON bool) (log.Logger, error) {
	filter, err := log.ParseLogLevel(level)
	if err != nil {
		return nil, err
	}
	options := []log.Option{log.FilterOption(filter), log.ColorOption(false), log.TimeFormatOption(time.RFC3339)}
	if asJSON {
		options = append(options, log.OutputJSONOption())
	}
	return log.NewLogger(w, options...), nil
}
