package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/logproof"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/witness"
)

func witnessCommand() *cobra.Command {
	return group("witness", "somebody outside the hospitals who follows the log and signs how far it has grown", witnessInitCommand(), witnessRunCommand())
}

// witnessedView is a checkpoint that a witness has signed.
type witnessedView struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"log_size"`
	Root   string `json:"log_root"`
	Height int64  `json:"height"`
	Hash   string `json:"block_hash"`
	Path   string `json:"path"`
}

func witnessInitCommand() *cobra.Command {
	var name, genesis, hash string
	cmd := &cobra.Command{
		Use: "init", Short: "make a witness: a key, and the network that it follows", Args: exactArgs(),
		Long: "Make a witness in the home: a new key, and the genesis of the network that it is to follow. Its public key is printed, and lies\n" +
			"in key.pub: give it to whoever verifies exports of the log. A witness needs no account and belongs to no hospital.",
		Example: "  phrd witness init --home witness --name auditor.example --genesis genesis.json --hash 5f1c…",
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			if name == "" || genesis == "" || hash == "" {
				return usage("--name, --genesis and --hash are needed")
			}
			g, err := home.ReadGenesis(genesis)
			if err != nil {
				return err
			}
			if got := home.HashText(g.Hash); !strings.EqualFold(got, hash) {
				return fmt.Errorf("%w: %s, agreed on %s", home.ErrWrongHash, got, hash)
			}
			key, err := witness.Create(dir, name, g.Text)
			if err != nil {
				return err
			}
			// The gateways of the founders; the client learns of others from them.
			member := g.Consortium.Members[0]
			door := home.NewDoor(member.GatewayUrl, member.GatewayFingerprint, g.ChainID, g.ID[:])
			if err := home.WriteDoor(dir, door); err != nil {
				return err
			}
			return newOutput(cmd).print(map[string]string{"name": name, "key": key, "home": dir}, nil, [][]string{{"witness", name}, {"key", key}, {"home", dir}})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "name of the witness, best a domain name")
	flags.StringVar(&genesis, "genesis", "", "the network's genesis.json")
	flags.StringVar(&hash, "hash", "", "hash of the genesis, as the hospitals publish it")
	return cmd
}

func witnessRunCommand() *cobra.Command {
	var every time.Duration
	var once bool
	cmd := &cobra.Command{
		Use: "run", Short: "follow the log, and sign how far it has grown", Args: exactArgs(),
		Long: "Ask the hospitals' gateways for the newest block and the log's end; check that the block follows from the last one that was seen,\n" +
			"signed by more than two thirds of the hospitals, and that the log has grown and not changed; then sign it. The newest checkpoint lies\n" +
			"in the file checkpoint of the home, to be published: `phrd audit export --witness` puts it into exports. Where the hospitals have\n" +
			"signed two different pasts, the proof is kept in the home, and the command ends with an error.",
		Example: "  phrd witness run --home witness\n  phrd witness run --home witness --once",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < time.Second {
				return usage("--every must be at least 1s")
			}
			dir, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			return runWitness(cmd.Context(), dir, every, once, newOutput(cmd))
		},
	}
	cmd.Flags().DurationVar(&every, "every", time.Minute, "time between two looks")
	cmd.Flags().BoolVar(&once, "once", false, "look once and end")
	return cmd
}

// runWitness looks at the log again and again. A gateway that is away or shows what nobody signed is asked again the next time.
func runWitness(ctx context.Context, dir string, every time.Duration, once bool, o *output) error {
	w, err := witness.Open(dir)
	if err != nil {
		return err
	}
	c, err := witnessClient(ctx, dir)
	if err != nil {
		return err
	}
	defer c.Close()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		seen, err := w.Look(ctx, c)
		switch {
		case err == nil:
			err = o.print(witnessed(dir, seen), nil, [][]string{
				{"signed", fmt.Sprintf("%d entries, root %x", seen.Size, []byte(seen.Root))}, {"block", fmt.Sprintf("%d, %x", seen.Height, []byte(seen.Hash))},
				{"file", filepath.Join(dir, witness.CheckpointFile)},
			})
			if err != nil || once {
				return err
			}
		case once || errors.Is(err, witness.ErrFork) || ctx.Err() != nil:
			return err
		default:
			if _, err := fmt.Fprintln(o.err, "phrd: warning:", err); err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func witnessed(dir string, c logproof.Checkpoint) witnessedView {
	return witnessedView{
		Origin: c.Origin, Size: c.Size, Root: hex.EncodeToString(c.Root), Height: c.Height, Hash: hex.EncodeToString(c.Hash), Path: filepath.Join(dir, witness.CheckpointFile),
	}
}

// witnessClient calls the gateway of the home's client.json, without an account.
func witnessClient(ctx context.Context, dir string) (*phr.Client, error) {
	file, err := readClientFile(dir)
	if err != nil {
		return nil, err
	}
	config, err := file.config()
	if err != nil {
		return nil, err
	}
	return phr.Dial(ctx, config)
}
