package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/logproof"
)

// verifyOptions say what a verifier trusts.
type verifyOptions struct{ genesis, hash, trust string }

func (v *verifyOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.genesis, "genesis", "", "the network's genesis.json")
	cmd.Flags().StringVar(&v.hash, "hash", "", "hash of the genesis, as the hospitals compare it")
	cmd.Flags().StringVar(&v.trust, "trust", "", "a block that is trusted, as HEIGHT:HASH")
}

// trusted reads what is trusted.
func (v verifyOptions) trusted() (logproof.Trust, error) {
	switch {
	case (v.genesis == "") == (v.trust == ""):
		return logproof.Trust{}, usage("say what you trust: --genesis FILE or --trust HEIGHT:HASH")
	case v.trust != "":
		trust, err := logproof.ParseTrust(v.trust)
		if err != nil {
			return trust, usage("--trust: %v", err)
		}
		return trust, nil
	}
	file, err := os.ReadFile(v.genesis)
	if err != nil {
		return logproof.Trust{}, err
	}
	trust, err := logproof.ReadGenesis(file)
	if got := hex.EncodeToString(trust.Genesis); err == nil && v.hash != "" && !strings.EqualFold(got, v.hash) {
		return trust, fmt.Errorf("%w: %s, agreed on %s", home.ErrWrongHash, got, v.hash)
	}
	return trust, err
}

func auditVerifyCommand() *cobra.Command {
	var v verifyOptions
	var list bool
	var witnesses []string
	cmd := &cobra.Command{
		Use: "verify FILE", Short: "verify an export of the log, without any hospital", Args: exactArgs("a file of `phrd audit export`"),
		Long: "Verify a file of `phrd audit export` against the network's genesis file, or against a block that you know by its hash, such as\n" +
			"two hospitals have read it out to you. Neither a server nor a network is asked. It says what the file proves; a file in which one bit was\n" +
			"changed, or an entry altered, left out, repeated or moved, is refused, with the place. phrd-verify does the same without this program.",
		Example: "  phrd audit verify log.ndjson --genesis genesis.json --hash 5f1c…\n  phrd audit verify log.ndjson --trust 4711:9AB0…\n" +
			"  phrd audit verify log.ndjson --genesis genesis.json --list",
		RunE: func(cmd *cobra.Command, args []string) error {
			trust, err := v.trusted()
			if err != nil {
				return err
			}
			for _, text := range witnesses {
				key, err := logproof.WitnessKey(text)
				if err != nil {
					return usage("--witness: %v", err)
				}
				trust.Witnesses = append(trust.Witnesses, key)
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			o := newOutput(cmd)
			visit := func(*auditv1.Entry) error { return nil }
			if list && !o.json {
				visit = func(e *auditv1.Entry) error {
					_, err := fmt.Fprintln(o.out, strings.Join(entryRows([]*auditv1.Entry{e})[0], "\t"))
					return err
				}
			}
			report, err := logproof.Verify(f, trust, visit)
			if err != nil {
				return fmt.Errorf("%s proves nothing: %w", args[0], err)
			}
			if err := report.SignedBy(trust.Witnesses); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return o.print(reportJSON(args[0], &report), nil, append([][]string{{"verified", args[0]}}, report.Lines(trust)...))
		},
	}
	v.flags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&witnesses, "witness", nil, "key of a witness who must have signed the log; can be repeated")
	flags.BoolVar(&list, "list", false, "list the entries too; they are verified when the command ends without an error")
	return cmd
}
