package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/phrd/phrd/app/home"
	"github.com/phrd/phrd/phr"
)

// askingHospital is a hospital that asks to be admitted, as `hospital candidates` shows it.
type askingHospital struct {
	ID   string `json:"id"`
	Came string `json:"came"`
	File string `json:"file,omitempty"` // where its member.json was written
	fingerprint
}

func hospitalCandidatesCommand() *cobra.Command {
	var to string
	var forget bool
	cmd := &cobra.Command{
		Use: "candidates [NAME|ID]", Short: "list the hospitals that ask to be admitted, or get the member.json of one", Args: atMostOne,
		Long: "List the hospitals that handed their member.json in at your gateway (`phrd join`). Anybody may hand one in: that it is signed says\n" +
			"only that its keys belong together. Read the fingerprints to the hospital, by telephone, before you propose it.\n\n" +
			"With a name, or the beginning of an id: show its fingerprints, write its member.json (--out), or take it off the list (--forget).",
		Example: "  phrd hospital candidates\n  phrd hospital candidates \"Seaside Hospital\" --out member.json\n  phrd hospital candidates 5f1c --forget",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && (to != "" || forget) {
				return usage("which hospital? `phrd hospital candidates` lists them")
			}
			return withUser(cmd, func(ctx context.Context, u *user, o *output) error {
				list, err := u.client.Candidates(ctx)
				if err != nil {
					return err
				}
				if len(args) == 0 {
					return showCandidates(o, list)
				}
				chosen, err := chooseCandidate(list, args[0])
				if err != nil {
					return err
				}
				if forget {
					return u.client.ForgetCandidate(ctx, chosen.ID)
				}
				return showCandidate(o, chosen, to)
			})
		},
	}
	cmd.Flags().StringVarP(&to, "out", "o", "", "file to write the member.json to")
	cmd.Flags().BoolVar(&forget, "forget", false, "take the hospital off the list")
	userFlags(cmd)
	return cmd
}

// asking reads what a candidate says of itself, and checks again that all its keys signed it.
func asking(c phr.Candidate) (askingHospital, error) {
	_, declared, err := home.ParseMember(c.Member)
	if err != nil {
		return askingHospital{}, fmt.Errorf("candidate %q: %w", c.Name, err)
	}
	return askingHospital{ID: c.ID, Came: c.Came.UTC().Format(time.RFC3339), fingerprint: fingerprintOf(declared)}, nil
}

func showCandidates(o *output, list []phr.Candidate) error {
	all, rows := []askingHospital{}, [][]string{}
	for _, c := range list {
		a, err := asking(c)
		if err != nil {
			return err
		}
		all, rows = append(all, a), append(rows, []string{a.ID[:16], a.Hospital, a.URL, a.Came})
	}
	return o.print(all, []string{"ID", "NAME", "GATEWAY", "CAME"}, rows)
}

// chooseCandidate finds the one candidate of a name, or with the beginning of an id.
func chooseCandidate(list []phr.Candidate, text string) (phr.Candidate, error) {
	var found []phr.Candidate
	for _, c := range list {
		if strings.EqualFold(c.Name, text) || len(text) >= 4 && strings.HasPrefix(c.ID, strings.ToLower(text)) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return phr.Candidate{}, fmt.Errorf("no hospital %q asks here to be admitted: %w", text, phr.ErrNotFound)
	}
	return phr.Candidate{}, usage("%d hospitals are called %q here; name one by its id", len(found), text)
}

// showCandidate shows the fingerprints of a candidate and writes its member.json where a file is named, which must not be there.
func showCandidate(o *output, c phr.Candidate, to string) error {
	a, err := asking(c)
	if err != nil {
		return err
	}
	rows := append([][]string{{"id", a.ID}, {"came", a.Came}}, a.rows()...)
	if to != "" {
		f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(c.Member)
		if err := errors.Join(err, f.Close()); err != nil {
			return errors.Join(err, os.Remove(to))
		}
		a.File = to
		rows = append([][]string{{"file", to}}, rows...)
	}
	if err := o.print(a, nil, rows); err != nil {
		return err
	}
	o.note("Next: compare the fingerprints with the hospital, by telephone; then `phrd hospital propose admit` with its member.json.")
	return nil
}
