package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/doctor"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/keys"
	"github.com/phrd/phrd/phr"
)

// errUnwell says that checks of a server failed.
var errUnwell = errors.New("the server is not well")

// maxCallers is how many other hospitals are asked to call this one.
const maxCallers = 3

func doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "doctor", Short: "look for what is wrong with this server, and say what to do",
		Long: "Look at the home, this machine, the server that runs here, and the other hospitals: keys and who may read them, configuration,\n" +
			"clock, room on the disk, ports as the other hospitals see them, certificate, share of the network's key, backup, admins.\n\n" +
			"Run it on the server, as its user, whether the server runs or not; what could not be checked is shown as unknown. With the\n" +
			"passphrase and the account of an admin it looks at the share and has other hospitals call this one.\n\n" +
			"Ends with exit code 1 if a check failed. Warnings do not fail.",
		Example: "  phrd doctor --home /var/lib/phrd --passphrase-file /etc/phrd/passphrase\n  phrd doctor --json", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			o, err := userOptionsOf(cmd)
			if err != nil {
				return err
			}
			return examine(cmd.Context(), o, newOutput(cmd))
		},
	}
	userFlags(cmd)
	return cmd
}

// examine makes all checks of a home and shows what they found.
func examine(ctx context.Context, o userOptions, out *output) error {
	h, loose := home.Open(o.Home)
	if loose != nil && !errors.Is(loose, home.ErrLoose) {
		return loose
	}
	d := doctor.Doctor{Home: h, Loose: loose, Version: thisVersion().Version}
	// Whoever has no passphrase at hand, or whose keys are too loose to be opened, is told the rest.
	store, err := openKeys(o)
	switch {
	case errors.Is(err, keys.ErrPassphrase):
		return err
	case err != nil:
		out.note("without the keys: %v", err)
	default:
		d.Keys = store
		d.Reach = func(ctx context.Context, hospital uint64) ([]phr.Reach, error) {
			return askToCall(ctx, o, store, hospital)
		}
	}
	results := d.Examine(ctx)
	if err := printResults(out, results); err != nil {
		return err
	}
	if n := doctor.Failed(results); n > 0 {
		return fmt.Errorf("%d of %d checks failed: %w", n, len(results), errUnwell)
	}
	return nil
}

// askToCall has other hospitals call this one, for the account of an admin.
func askToCall(ctx context.Context, o userOptions, store *keys.Store, hospital uint64) (all []phr.Reach, err error) {
	file, err := readClientFile(o.Home)
	if err != nil {
		return nil, err
	}
	u, err := connect(ctx, o, file, store)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, u.close()) }()
	return u.client.Reach(ctx, hospital, maxCallers)
}

// printResults shows what was found, and below each what to do.
func printResults(out *output, results []doctor.Result) error {
	var rows [][]string
	for _, r := range results {
		rows = append(rows, []string{r.Check, string(r.Status), r.Finding})
		if r.Remedy != "" && r.Status != doctor.OK {
			rows = append(rows, []string{"", "", "-> " + r.Remedy})
		}
	}
	return out.print(results, []string{"CHECK", "STATUS", "FOUND"}, rows)
}
