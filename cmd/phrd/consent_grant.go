package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
	"github.com/phrd/phrd/wallet"
)

// errNotConsented says that the patient did not say yes.
var errNotConsented = errors.New("not granted: you did not say yes")

// grantFlags are what the command line says of a consent.
type grantFlags struct {
	hospital         uint64
	clinician        string
	ward             uint16
	all              bool
	classes, records []string
	purpose, until   string
	usesADay         uint32
	yes, newOnly     bool
}

// grant reads the flags.
func (f grantFlags) grant() (phr.Grant, error) {
	g := phr.Grant{Hospital: f.hospital, Staff: f.clinician, Ward: uint32(f.ward), Purpose: f.purpose, UsesADay: f.usesADay}
	named := 0
	for _, set := range []bool{f.clinician != "", f.ward != 0, f.all} {
		if set {
			named++
		}
	}
	switch {
	case f.hospital == 0:
		return g, usage("--hospital: the number of whose clinicians may ask? `phrd hospital list`")
	case named != 1:
		return g, usage("who may ask? one of --clinician, --ward and --all-clinicians")
	case (len(f.classes) == 0) == (len(f.records) == 0):
		return g, usage("what may they open? either --class or --record")
	}
	if f.clinician != "" {
		if _, err := wallet.ParseAddress(f.clinician); err != nil {
			return g, usage("--clinician: %v", err)
		}
	}
	for _, text := range f.classes {
		class, err := parseClass(text)
		if err != nil {
			return g, err
		}
		g.Classes = append(g.Classes, class)
	}
	for _, text := range f.records {
		id, err := lock.ParseID(text)
		if err != nil {
			return g, usage("--record: %v", err)
		}
		g.Records = append(g.Records, id)
	}
	var err error
	g.Until, err = parseUntil(f.until, time.Now())
	return g, err
}

// parseUntil reads a time such as 2027-01-31 or 2027-01-31T08:00:00Z, or a time span such as 90d from now on.
func parseUntil(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	span, err := parseLifetime(text)
	if err != nil {
		return time.Time{}, usage("--until %q: want a time span like 90d, or a day like 2027-01-31", text)
	}
	return now.Add(span), nil
}

// rows are what the patient is shown before signing.
func (f grantFlags) rows(g phr.Grant, hospital string) [][]string {
	to := fmt.Sprintf("ward %d", g.Ward)
	switch {
	case g.Staff != "":
		to = g.Staff
	case f.all:
		to = phr.AllClinicians
	}
	rows := [][]string{{"hospital", hospital}, {"to", to}}
	for _, what := range slices.Sorted(slices.Values(append(slices.Clone(f.classes), f.records...))) {
		rows = append(rows, []string{"what", what})
	}
	return append(rows, []string{"purpose", g.Purpose}, []string{"until", timeText(g.Until.Unix())}, []string{"a day", strconv.FormatUint(uint64(g.UsesADay), 10)})
}

// granted is a consent and how many versions were sealed for it.
type granted struct {
	Consent uint64 `json:"consent"`
	Sealed  int    `json:"sealed_anew"`
}

func consentGrantCommand() *cobra.Command {
	var f grantFlags
	cmd := &cobra.Command{
		Use: "grant --hospital N --clinician|--ward|--all-clinicians --class|--record --until TIME", Short: "consent once, for a time",
		Long: "Consent once: this clinician, or those of a ward or of all of a hospital, may open records of these classes, or these records,\n" +
			"for this purpose, until then, at most so often a day. An officer of the hospital that keeps a record still endorses each\n" +
			"time, the hospitals' shares are still needed, and each use stands in your log; you are not asked again.\n\n" +
			"What is stored from now on is sealed for them. What is there already is sealed anew once, which this command does at the\n" +
			"end unless --new-only is given; if it is cut, `phrd consent seal` goes on. `phrd consent withdraw` ends it at any time.",
		Example: "  phrd consent grant --hospital 2 --clinician phrd1… --class imaging --until 90d\n" +
			"  phrd consent grant --hospital 2 --ward 4711 --class imaging,result --until 2027-06-30 --a-day 5\n" +
			"  phrd consent grant --hospital 2 --all-clinicians --record 7ABC… --until 14d --yes",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			g, err := f.grant()
			if err != nil {
				return err
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				return f.run(ctx, cmd.InOrStdin(), u, o, g)
			})
		},
	}
	userFlags(cmd)
	flags := cmd.Flags()
	flags.Uint64Var(&f.hospital, "hospital", 0, "number of the hospital whose clinicians may ask")
	flags.StringVar(&f.clinician, "clinician", "", "address of the one clinician who may")
	flags.Uint16Var(&f.ward, "ward", 0, "number of the ward whose clinicians may")
	flags.BoolVar(&f.all, "all-clinicians", false, "all clinicians of the hospital may")
	flags.StringSliceVar(&f.classes, "class", nil, "classes of records: "+strings.Join(recordClasses, ", "))
	flags.StringSliceVar(&f.records, "record", nil, "records by id, at most 64")
	flags.StringVar(&f.purpose, "purpose", "TREAT", "code of the purpose, HL7 v3 ActReason")
	flags.StringVar(&f.until, "until", "", "end: a time span like 90d or a day like 2027-01-31, at most two years ahead")
	flags.Uint32Var(&f.usesADay, "a-day", 20, "how many times a day at most, 1 to 1000")
	flags.BoolVar(&f.yes, "yes", false, "do not ask; for programs that showed it themselves")
	flags.BoolVar(&f.newOnly, "new-only", false, "leave what is there already as it is")
	return cmd
}

// run shows the grant, asks, signs it, and seals what is there already.
func (f grantFlags) run(ctx context.Context, in io.Reader, u *user, o *output, g phr.Grant) error {
	member, err := u.client.Member(ctx, g.Hospital)
	if err != nil {
		return err
	}
	vault, err := u.vault(ctx)
	if err != nil {
		return err
	}
	rows := f.rows(g, member.GetName())
	if !f.yes {
		if err := askPatient(ctx, in, o, rows); err != nil {
			return err
		}
	}
	var done granted
	if done.Consent, err = u.client.GrantConsent(ctx, g); err != nil {
		return err
	}
	if !f.newOnly {
		if done.Sealed, err = sealConsented(ctx, u.client, vault, o); err != nil {
			return fmt.Errorf("consent %d is granted; `phrd consent seal` goes on with sealing what is there: %w", done.Consent, err)
		}
	}
	return o.print(done, nil, append([][]string{{"consent", strconv.FormatUint(done.Consent, 10)}, {"sealed anew", strconv.Itoa(done.Sealed)}}, rows...))
}

// askPatient shows a grant and waits for a yes on the terminal.
func askPatient(ctx context.Context, in io.Reader, o *output, rows [][]string) error {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || o.json {
		return usage("nobody to ask here: grant with --yes")
	}
	if err := o.print(nil, nil, rows); err != nil {
		return err
	}
	return askYes(ctx, in, o, "Let them open these without asking you again? Type yes: ", errNotConsented)
}

// sealConsented seals what is there already for those who may open it now.
func sealConsented(ctx context.Context, c *phr.Client, vault *phr.Vault, o *output) (int, error) {
	return c.SealConsented(ctx, vault, func(done int) { o.note("%d versions sealed anew", done) })
}

func consentSealCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "seal", Short: "seal what is there already for those to whom you consented",
		Long: "Seal versions that were stored before a consent for those whom it lets open them. It goes on where it was cut, and leaves\n" +
			"alone what is sealed for them already. The ciphertext stays where it is.",
		Example: "  phrd consent seal",
		Args:    exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				vault, err := u.vault(ctx)
				if err != nil {
					return err
				}
				done, err := sealConsented(ctx, u.client, vault, o)
				if err != nil {
					return err
				}
				return o.print(granted{Sealed: done}, nil, [][]string{{"sealed anew", strconv.Itoa(done)}})
			})
		},
	}
	userFlags(cmd)
	return cmd
}
