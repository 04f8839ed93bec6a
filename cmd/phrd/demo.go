package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// minDemo is how many hospitals the demo needs: three hold the record, one more asks for it, and the network still works when
// one of them has stopped.
const minDemo = 4

// demoOptions say what the demo does.
type demoOptions struct {
	Dir        string // new or empty; empty for a temporary one
	File       string // to store; empty for the built-in study
	Hospitals  int
	PortOffset int
	Once       bool   // stop everything at the end
	Export     string // file for an export of the log; empty for none
	JSON       bool
}

// demoReport is what the demo did.
type demoReport struct {
	Record              string      `json:"record"`
	Version             uint64      `json:"version"`
	Bytes               uint64      `json:"bytes"`
	SHA256              string      `json:"sha256"`
	Copies              uint32      `json:"copies"`
	CopiesTarget        uint32      `json:"copies_target"`
	OpenedSHA256        string      `json:"opened_sha256"`
	OpenedPath          string      `json:"opened_path"`
	OpenedAfterLossSHA  string      `json:"opened_after_loss_sha256"`
	OpenedAfterLossPath string      `json:"opened_after_loss_path"`
	Audit               []string    `json:"audit"` // kinds of the record's entries, oldest first
	Export              *demoExport `json:"audit_export,omitempty"`
	Custody             demoCustody `json:"custody"`
	Seconds             demoSeconds `json:"seconds"`
	Homes               []string    `json:"homes"`
}

// demoCustody is how the records key came to be, how many hospitals proved that they hold a share, and how many of them open.
type demoCustody struct {
	Origin    string `json:"origin"`
	Holders   int    `json:"holders"`
	Threshold uint64 `json:"threshold"`
}

// demoExport is the export of the log, and the genesis against which it is verified.
type demoExport struct {
	exportedLog
	Genesis string `json:"genesis"`
}

// demoSeconds is how long the steps took.
type demoSeconds struct {
	Start     float64 `json:"start"`
	Key       float64 `json:"key"`
	Store     float64 `json:"store"`
	Replicate float64 `json:"replicate"`
	Unlock    float64 `json:"unlock"`
	Open      float64 `json:"open"`
}

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use: "demo", Short: "a network of four hospitals on this machine, from the first key to an opened scan",
		Long: "Run a network of hospitals on this machine: a patient opens an account, a CT study is stored and copied, asked for at a hospital\n" +
			"that holds no copy, endorsed, approved, opened there, and opened again after the hospital that stored it has stopped. Everything\n" +
			"is done as the other commands do it. The hospitals go on running at the end, unless --once is given.",
		Example: "  phrd demo\n  phrd demo --once --json\n  phrd demo --once --audit-export log.ndjson\n  phrd demo --home demo --file scan.dcm", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("home") {
				var err error
				if o.Dir, err = homeFlag(cmd); err != nil {
					return err
				}
			}
			out := newOutput(cmd)
			o.JSON = out.json
			return runDemo(cmd.Context(), o, out)
		},
	}
	cmd.Flags().StringVar(&o.File, "file", "", "file to store in place of the built-in study")
	cmd.Flags().IntVar(&o.Hospitals, "hospitals", minDemo, "number of hospitals")
	cmd.Flags().IntVar(&o.PortOffset, "port-offset", 0, fmt.Sprintf("number added to the ports of the first hospital; each further one adds %d", portStep))
	cmd.Flags().BoolVar(&o.Once, "once", false, "stop everything at the end")
	cmd.Flags().StringVar(&o.Export, "audit-export", "", "write the log to this file at the end, as an auditor exports it")
	return cmd
}

// runDemo tells the story and, unless it is to stay, ends every process that it started.
func runDemo(ctx context.Context, o demoOptions, out *output) (err error) {
	if o.Hospitals < minDemo {
		return usage("--hospitals %d: the demo needs at least %d", o.Hospitals, minDemo)
	}
	if o.File != "" {
		f, _, err := openRegular(o.File)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "phrd-demo-"); err != nil {
			return err
		}
	}
	d := &demo{options: o, out: out}
	if d.dir, err = filepath.Abs(o.Dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	stays := false
	defer func() {
		if !stays {
			// The context may have been cancelled: that is when processes must not stay.
			err = errors.Join(err, d.stopAll(context.WithoutCancel(ctx)))
		}
	}()
	if err := d.story(ctx); err != nil {
		return err
	}
	if !o.Once {
		if err := d.restart(ctx); err != nil {
			return err
		}
		stays = true
	}
	return d.end(ctx)
}

// end shows the log and what is running; under --json the report is the last line.
func (d *demo) end(ctx context.Context) error {
	if d.options.JSON {
		return json.NewEncoder(d.out.out).Encode(d.report)
	}
	if err := d.out.line("The record's log, oldest entry first:"); err != nil {
		return err
	}
	if err := d.out.print(nil, entryHeader, entryRows(d.entries)); err != nil {
		return err
	}
	if e := d.report.Export; e != nil {
		if err := errors.Join(d.out.line(""), d.out.line("Verify the log: %s audit verify %s --genesis %s", os.Args[0], e.Path, e.Genesis)); err != nil {
			return err
		}
	}
	said := "Everything has been stopped. The homes stay in " + d.dir + "."
	if !d.options.Once {
		said = fmt.Sprintf("%d hospitals are running:", len(d.hospitals))
	}
	for _, line := range []string{"", "Opened files: " + d.report.OpenedPath, "              " + d.report.OpenedAfterLossPath, "", said} {
		if err := d.out.line("%s", line); err != nil {
			return err
		}
	}
	if d.options.Once {
		return nil
	}
	if err := printNetwork(ctx, d.hospitals, d.out); err != nil {
		return err
	}
	if err := d.out.line("Stop them:    %s network stop --home %s", os.Args[0], d.dir); err != nil {
		return err
	}
	if err := d.out.line("The patient:  %s patient show --home %s --passphrase-file %s", os.Args[0], d.patientHome(), d.patientPassphrase()); err != nil {
		return err
	}
	return d.invite(ctx)
}

// invite ends the demo with a page on which somebody in a browser is a new patient.
func (d *demo) invite(ctx context.Context) error {
	made, err := invitePatient(ctx, d.clerk.client, demoLifetime)
	if err != nil {
		return err
	}
	file, err := readClientFile(d.hospitals[0].Home)
	if err != nil {
		return err
	}
	return errors.Join(d.out.line("In a browser: %s/#/join/%s", file.Gateway, made.Invitation),
		d.out.line("  The browser warns of a certificate that this machine made for itself. A wallet of the page alone is offered there, for trying things out."))
}

// step shows a step of the demo while it runs and how long it took.
func (d *demo) step(name string, took *float64, run func() error) error {
	started := time.Now()
	d.out.note("» %s", name)
	if err := run(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	spent := time.Since(started)
	if took != nil {
		*took = float64(spent.Milliseconds()) / 1000
	}
	d.out.note("  %.1f s", spent.Seconds())
	return nil
}
