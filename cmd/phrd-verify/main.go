// Command phrd-verify verifies an export of the log, made by `phrd audit export`, against the network's genesis file or against a
// block that is known by its hash. It has no program of the chain in it, and asks no server.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"google.golang.org/protobuf/encoding/protojson"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/logproof"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "phrd-verify: error:", err)
		os.Exit(1)
	}
}

// run verifies the file that the arguments name and says what it proves.
func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("phrd-verify", flag.ExitOnError)
	genesis := flags.String("genesis", "", "the network's genesis.json; compare its hash, which is printed, with that of the hospitals")
	block := flags.String("trust", "", "a block that is trusted, as HEIGHT:HASH, in place of the genesis")
	var witnesses []string
	flags.Func("witness", "key of a witness who must have signed the log; can be repeated", func(key string) error {
		witnesses = append(witnesses, key)
		return nil
	})
	list := flags.Bool("list", false, "print the entries too, one JSON object a line; they are verified when the program ends without an error")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: phrd-verify [--list] --genesis FILE | --trust HEIGHT:HASH EXPORT")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || (*genesis == "") == (*block == "") {
		flags.Usage()
		os.Exit(2)
	}
	trust, err := trusted(*genesis, *block)
	if err != nil {
		return err
	}
	for _, text := range witnesses {
		key, err := logproof.WitnessKey(text)
		if err != nil {
			return err
		}
		trust.Witnesses = append(trust.Witnesses, key)
	}
	f, err := os.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := logproof.Verify(f, trust, func(e *auditv1.Entry) error {
		if !*list {
			return nil
		}
		text, err := protojson.Marshal(e)
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\n", text)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s proves nothing: %w", flags.Arg(0), err)
	}
	if err := report.SignedBy(trust.Witnesses); err != nil {
		return fmt.Errorf("%s: %w", flags.Arg(0), err)
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "verified\t%s\n", flags.Arg(0))
	for _, line := range report.Lines(trust) {
		fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
	}
	return table.Flush()
}

func trusted(genesis, block string) (logproof.Trust, error) {
	if block != "" {
		return logproof.ParseTrust(block)
	}
	file, err := os.ReadFile(genesis)
	if err != nil {
		return logproof.Trust{}, err
	}
	return logproof.ReadGenesis(file)
}
