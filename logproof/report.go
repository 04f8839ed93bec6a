package logproof

import (
	"fmt"
	"strconv"
	"time"
)

// Lines say to people what a file proves and under what it was verified, each a word and what it stands for.
func (r *Report) Lines(t Trust) [][]string {
	h := r.Head
	lines := [][]string{{"chain", r.ChainID}}
	if len(t.Network) > 0 {
		lines = append(lines, []string{"network", fmt.Sprintf("%x", []byte(t.Network))})
	}
	entries := strconv.FormatUint(r.Entries, 10)
	switch h.Kind {
	case Patient:
		lines = append(lines, []string{"entries", entries + ", all about patient " + h.Patient + " up to block " + strconv.FormatInt(r.Height, 10)})
	case Period:
		from := "the beginning of the log"
		if h.From != 0 {
			from = text(h.From)
		}
		lines = append(lines, []string{"entries", entries + ", all from " + from + " until " + text(r.Until)})
	case Growth:
		lines = append(lines, []string{"entries", fmt.Sprintf("none; the log of %d goes on", h.Size)})
	default:
		lines = append(lines, []string{"entries", entries + ", a selection: there may be others that match"})
	}
	if r.Size > 0 {
		lines = append(lines, []string{"log", fmt.Sprintf("%d entries, root %x", r.Size, []byte(r.Root))})
	}
	for _, w := range r.Witnesses {
		what := "whose key was not given"
		if w.Verified {
			what = "signed " + text(w.Time.Unix())
		}
		lines = append(lines, []string{"witness", fmt.Sprintf("%s, the log up to entry %d at block %d, %s", w.Name, w.Checkpoint.Size, w.Checkpoint.Height, what)})
	}
	trusted := fmt.Sprintf("the genesis file, %x", []byte(t.Genesis))
	if t.Height != 0 {
		trusted = fmt.Sprintf("block %d, %x", t.Height, []byte(t.Hash))
	}
	return append(lines,
		[]string{"block", fmt.Sprintf("%d of %s, %x", r.Height, text(r.Time.Unix()), []byte(r.Hash))},
		[]string{"signed", fmt.Sprintf("with %d of %d votes", r.Signed, r.Votes)},
		[]string{"trusted", trusted})
}

func text(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }
