package main

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/x/consortium"
)

func networkAssembleCommand() *cobra.Command {
	var chainID, at, out string
	cmd := &cobra.Command{
		Use: "assemble MEMBER.JSON...", Short: "make the first state of a network of these hospitals",
		Long: "Make the first state of a network of the hospitals that wrote these member.json files, in any order. It is the same for the\n" +
			"same files, time and chain id, and holds no secret.\n\n" +
			"Read the printed fingerprints to each hospital and have it compare them with what its `phrd init` printed; then have all\n" +
			"hospitals compare the hash of the genesis before they accept it.\n\n" +
			"The hospitals make the network's key together as soon as enough of their servers run; nobody ever knows it.",
		Example: "  phrd network assemble --chain-id phrd-1 --out network vienna.member.json graz.member.json linz.member.json wels.member.json",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("%s needs the member.json of each hospital", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			started := time.Now()
			if at != "" {
				var err error
				if started, err = time.Parse(time.RFC3339, at); err != nil {
					return usage("--time %q: want one like 2027-01-31T12:00:00Z", at)
				}
			}
			members := make([]consortium.SignedDeclaration, len(args))
			for i, path := range args {
				var err error
				if members[i], _, err = home.ReadMember(path); err != nil {
					return err
				}
			}
			a, err := assemble(chainID, started, out, members)
			if err != nil {
				return err
			}
			return a.print(newOutput(cmd))
		},
	}
	cmd.Flags().StringVar(&chainID, "chain-id", "phrd-1", "id of the chain")
	cmd.Flags().StringVar(&at, "time", "", "time of the first block (default: now)")
	cmd.Flags().StringVar(&out, "out", ".", "folder to write to")
	return cmd
}

// assembled is what `phrd network assemble` made.
type assembled struct {
	ChainID   string            `json:"chain_id"`
	NetworkID string            `json:"network_id"`
	Time      string            `json:"time"`
	Genesis   string            `json:"genesis"`
	Hash      string            `json:"hash"`
	Threshold uint64            `json:"threshold"` // how many shares of the records key are to open
	Members   []assembledMember `json:"members"`
}

// assembledMember is a member and what its keys look like.
type assembledMember struct {
	Number uint64 `json:"number"`
	fingerprint
}

// assemble makes a network of declarations that were read from member.json files, and writes it into folder dir.
func assemble(chainID string, at time.Time, dir string, members []consortium.SignedDeclaration) (assembled, error) {
	n, err := home.Assemble(chainID, at, members)
	if err != nil {
		return assembled{}, err
	}
	genesis, err := n.Write(dir)
	if err != nil {
		return assembled{}, err
	}
	a := assembled{
		ChainID: n.ChainID, NetworkID: hex.EncodeToString(n.ID[:]), Time: at.UTC().Truncate(time.Second).Format(time.RFC3339),
		Genesis: genesis, Hash: home.HashText(n.Hash),
		Threshold: n.Round.Threshold,
	}
	declared := map[string]consortium.Declaration{} // by consensus key
	for _, m := range members {
		d, err := consortium.ParseDeclaration(m.Declaration)
		if err != nil {
			return assembled{}, err
		}
		declared[string(d.ConsensusKey)] = d
	}
	for _, m := range n.Consortium.Members {
		a.Members = append(a.Members, assembledMember{Number: m.Number, fingerprint: fingerprintOf(declared[string(m.ConsensusKey)])})
	}
	return a, nil
}

func (a assembled) print(o *output) error {
	rows := [][]string{
		{"chain", a.ChainID}, {"network", a.NetworkID}, {"first block", a.Time}, {"genesis", a.Genesis}, {"hash", a.Hash},
		{"records key", fmt.Sprintf("to be made by %d hospitals, %d of which open", len(a.Members), a.Threshold)},
	}
	for _, m := range a.Members {
		rows = append(rows, []string{""}, []string{fmt.Sprintf("hospital %d", m.Number), m.Hospital})
		rows = append(rows, m.rows()[1:]...)
	}
	return o.print(a, nil, rows)
}
