package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/x/consortium"
)

const (
	// maxLocal is how many hospitals a network on one machine has at most.
	maxLocal = 16
	// portStep lies between the ports of two of them.
	portStep = 10
)

// createOptions say what network to make on this machine.
type createOptions struct {
	Dir        string // made; its folders are hospital-1, hospital-2, … and passphrases
	Hospitals  int
	ChainID    string
	PortOffset int // of the first hospital
	Fast       bool
	Capacity   uint64
}

// created is the network that was made.
type created struct {
	Dir   string   `json:"dir"`
	Homes []string `json:"homes"`
	assembled
}

func networkCreateCommand() *cobra.Command {
	o := createOptions{Capacity: 64 << 30}
	cmd := &cobra.Command{
		Use: "create", Short: "make a network of hospitals on this machine",
		Long: "Make a network whose hospitals all run on this machine, each with a home of its own, as real hospitals make it: `phrd init`\n" +
			"for each, `phrd network assemble`, and `phrd init --genesis` for each. The passphrases lie in a folder beside the homes, so\n" +
			"such a network is for demonstrations and tests.",
		Example: "  phrd network create --hospitals 4 --home demo && phrd network start --home demo", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Dir, err = networkHome(cmd); err != nil {
				return err
			}
			c, err := createNetwork(cmd.Context(), o)
			if err != nil {
				return err
			}
			out := newOutput(cmd)
			if out.json {
				return out.value(c)
			}
			if err := c.print(out); err != nil {
				return err
			}
			out.note("Next: `phrd network start --home %s`.", c.Dir)
			return nil
		},
	}
	cmd.Flags().IntVar(&o.Hospitals, "hospitals", 4, "number of hospitals")
	cmd.Flags().StringVar(&o.ChainID, "chain-id", "phrd-1", "id of the chain")
	cmd.Flags().IntVar(&o.PortOffset, "port-offset", 0, fmt.Sprintf("number added to the ports of the first hospital; each further one adds %d", portStep))
	cmd.Flags().BoolVar(&o.Fast, "fast", true, "make blocks as fast as one machine can")
	return cmd
}

// createNetwork makes a network on this machine. Where it fails or is interrupted, nothing is left of it.
func createNetwork(ctx context.Context, o createOptions) (_ created, err error) {
	if o.Hospitals < 1 || o.Hospitals > maxLocal {
		return created{}, usage("--hospitals %d: 1 to %d", o.Hospitals, maxLocal)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return created{}, err
	}
	if _, err := localNetwork(dir); err == nil {
		return created{}, fmt.Errorf("%s: a network %w", dir, home.ErrExists)
	} else if !errors.Is(err, errNoNetwork) {
		return created{}, err
	}
	_, statErr := os.Stat(dir)
	if err := os.MkdirAll(filepath.Join(dir, passphraseFolder), 0o700); err != nil {
		return created{}, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeNetwork(dir, o.Hospitals, errors.Is(statErr, fs.ErrNotExist)))
		}
	}()
	homes, members, err := createHomes(ctx, dir, o)
	if err != nil {
		return created{}, err
	}
	c := created{Dir: dir}
	if c.assembled, err = assemble(o.ChainID, time.Now(), filepath.Join(dir, "network"), members); err != nil {
		return created{}, err
	}
	for _, made := range homes {
		if err := ctx.Err(); err != nil {
			return created{}, err
		}
		if _, _, err := made.Home.Accept(made.Keys, c.Genesis, c.Hash); err != nil {
			return created{}, err
		}
		c.Homes = append(c.Homes, made.Home.Dir())
	}
	return c, nil
}

// createHomes makes the homes, two at a time.
func createHomes(ctx context.Context, dir string, o createOptions) ([]*home.Created, []consortium.SignedDeclaration, error) {
	homes := make([]*home.Created, o.Hospitals)
	members := make([]consortium.SignedDeclaration, o.Hospitals)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for i := range o.Hospitals {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			name := hospitalPrefix + strconv.Itoa(i+1)
			passphrase, err := newPassphrase(filepath.Join(dir, passphraseFolder, name))
			if err != nil {
				return err
			}
			// Two digits keep the order of the names, and so of the hospitals' numbers.
			homes[i], err = home.Create(filepath.Join(dir, name), home.Options{
				Hospital: fmt.Sprintf("Hospital %02d", i+1), Site: fmt.Sprintf("Site %02d", i+1), TimeZone: "Etc/UTC",
				Host: "127.0.0.1", Listen: "127.0.0.1", PortOffset: o.PortOffset + portStep*i,
				Capacity: o.Capacity, Fast: o.Fast, Passphrase: passphrase, KeyOptions: []keys.Option{keys.WithDrawnPassphrase()},
			})
			if err != nil {
				return err
			}
			members[i], _, err = home.ReadMember(homes[i].Home.Member())
			return err
		})
	}
	return homes, members, group.Wait()
}

// newPassphrase draws a passphrase of 128 bits and writes it into a file.
func newPassphrase(path string) ([]byte, error) {
	random := make([]byte, 16)
	if _, err := rand.Read(random); err != nil {
		return nil, err
	}
	passphrase := []byte(hex.EncodeToString(random))
	return passphrase, os.WriteFile(path, append(passphrase, '\n'), 0o600)
}

// removeNetwork removes what createNetwork made.
func removeNetwork(dir string, hospitals int, whole bool) error {
	if whole {
		return os.RemoveAll(dir)
	}
	var errs []error
	for i := range hospitals {
		errs = append(errs, os.RemoveAll(filepath.Join(dir, hospitalPrefix+strconv.Itoa(i+1))))
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Join(dir, passphraseFolder)), os.RemoveAll(filepath.Join(dir, "network")))...)
}
