package phr

import (
	"context"
	"fmt"
	"io"
	"slices"

	"google.golang.org/protobuf/proto"

	cmtservice "cosmossdk.io/api/cosmos/base/tendermint/v1beta1"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/logproof"
)

// Export is what is to be exported of the log.
type Export struct {
	// Head says which entries: see logproof.Head. The account must be allowed to read them: a patient what is about the patient, an
	// auditor of the whole log everything, an auditor of some hospitals a selection of what concerns them.
	logproof.Head
	// Block is the height of one more block to put in, so that the file can be verified by its hash; 0 for none.
	Block int64
	// Witnesses are notes of witnesses, checkpoints that they have signed, to put in. They do not sign a patient's log, which has none.
	Witnesses [][]byte
}

// ExportLog writes entries of the log with all that proves them to somebody who trusts no hospital: the file of docs/audit-export.md,
// which logproof.Verify reads. Everything is in it that stood in the log when it was called; it waits for the block that names that
// state, at most as long as hospitals leave between two blocks. Errors are logproof.ErrFormat where the
// export is none, ErrForbidden, ErrNotFound where there is no entry about a patient, ErrUnreachable, and those of w.
func (c *Client) ExportLog(ctx context.Context, w io.Writer, export Export) error {
	if export.Kind == logproof.Patient && len(export.Witnesses) > 0 {
		return fmt.Errorf("witnesses sign the whole log, and not a patient's: %w", logproof.ErrFormat)
	}
	if export.Kind == logproof.Period {
		if err := c.seesAll(ctx); err != nil {
			return err
		}
	}
	out, err := logproof.NewWriter(w, export.Head)
	if err != nil {
		return err
	}
	newest, err := c.nextHeader(ctx)
	if err != nil {
		return err
	}
	blocks, err := c.trail(ctx, newest.Height, export.Block)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		if err := out.Block(b); err != nil {
			return err
		}
	}
	// A block names the state after the one before it.
	e := &exporter{client: c, out: out, head: export.Head, height: newest.Height - 1, witnesses: export.Witnesses}
	switch export.Kind {
	case logproof.Patient:
		err = e.patient(ctx)
	case logproof.Period:
		err = e.period(ctx)
	case logproof.Growth:
		err = e.growth(ctx)
	default:
		err = e.selection(ctx)
	}
	if err != nil {
		return err
	}
	return out.Close()
}

// seesAll answers ErrForbidden where the account does not see the whole log.
func (c *Client) seesAll(ctx context.Context) error {
	who, err := c.Principal(ctx)
	if err == nil && (who.Audits == nil || !who.Audits.All) {
		err = fmt.Errorf("all of a time is exported by auditors of the whole log: %w", ErrForbidden)
	}
	return err
}

// exporter writes an export's entries.
type exporter struct {
	client *Client
	out    *logproof.Writer
	head   logproof.Head
	height int64  // of the state
	size   uint64 // of the log in it

	witnesses [][]byte
}

func (e *exporter) log() auditv1.QueryClient { return auditv1.NewQueryClient(e.client) }

// state writes a value of the state and its proof, and decodes it.
func (e *exporter) state(ctx context.Context, key []byte, value proto.Message) error {
	answer, err := cmtservice.NewServiceClient(e.client).ABCIQuery(ctx, &cmtservice.ABCIQueryRequest{
		Path: "/store/" + logproof.Store + "/key", Data: key, Height: e.height, Prove: true,
	})
	if err != nil {
		return fmt.Errorf("state of block %d: %w", e.height, err)
	}
	if answer.GetCode() != 0 {
		return fmt.Errorf("state of block %d: %s: %w", e.height, answer.GetLog(), ErrUnreachable)
	}
	if len(answer.GetValue()) == 0 {
		return fmt.Errorf("state of block %d: no entry: %w", e.height, ErrNotFound)
	}
	s := &logproof.State{Key: key, Value: answer.GetValue()}
	for _, op := range answer.GetProofOps().GetOps() {
		s.Proof = append(s.Proof, op.GetData())
	}
	if err := proto.Unmarshal(s.Value, value); err != nil {
		return fmt.Errorf("state of block %d: %w", e.height, err)
	}
	return e.out.State(s)
}

// frontier writes the log's end.
func (e *exporter) frontier(ctx context.Context) error {
	var end auditv1.Frontier
	err := e.state(ctx, logproof.FrontierKey(), &end)
	if err != nil {
		return err
	}
	e.size = end.GetSize()
	for _, text := range e.witnesses {
		signed, err := logproof.OpenCosigned(text)
		if err != nil {
			return err
		}
		after, err := e.after(ctx, signed[0].Checkpoint.Size)
		if err != nil {
			return fmt.Errorf("from what %s has seen: %w", signed[0].Name, err)
		}
		if err := e.out.Witness(&logproof.Cosigned{Note: text, After: after}); err != nil {
			return err
		}
	}
	return nil
}

// after proves that the log of a size goes on as that of the state. Of a log that had more entries there is no proof, which whoever
// verifies the file sees.
func (e *exporter) after(ctx context.Context, size uint64) ([][]byte, error) {
	if size > e.size {
		return nil, nil
	}
	answer, err := e.log().ConsistencyProof(ctx, &auditv1.QueryConsistencyProofRequest{First: size, Second: e.size})
	if err != nil {
		return nil, fmt.Errorf("log up to entry %d: %w", size, err)
	}
	return answer.GetPath(), nil
}

// growth writes that the log of the head's size goes on.
func (e *exporter) growth(ctx context.Context) error {
	if err := e.frontier(ctx); err != nil || e.head.Size == 0 {
		return err
	}
	after, err := e.after(ctx, e.head.Size)
	if err != nil {
		return err
	}
	return e.out.Range(&logproof.Range{Last: e.head.Size, After: after})
}

// leaf is an entry as it is in the tree.
func leaf(entry *auditv1.Entry) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(entry)
}

func (e *exporter) entry(entry *auditv1.Entry, path [][]byte) error {
	encoded, err := leaf(entry)
	if err != nil {
		return err
	}
	return e.out.Entry(encoded, path)
}

// patient writes all entries about a patient.
func (e *exporter) patient(ctx context.Context) error {
	id, err := lock.ParseCanonicalID(e.head.Patient)
	if err != nil {
		return fmt.Errorf("patient %q: %w: %w", e.head.Patient, err, logproof.ErrFormat)
	}
	var end auditv1.SubjectHead
	if err := e.state(ctx, logproof.SubjectKey(id), &end); err != nil {
		return err
	}
	entries, err := e.matching(ctx, end.GetLast())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := e.entry(entry, nil); err != nil {
			return err
		}
	}
	return nil
}

// matching lists the entries that match the head up to a sequence, in their order.
func (e *exporter) matching(ctx context.Context, last uint64) ([]*auditv1.Entry, error) {
	h := e.head
	filter := LogFilter{Patient: h.Patient, Record: h.Record, Actor: h.Actor, Hospital: h.Hospital, Kind: h.What, Unlock: h.Unlock, From: h.From, To: h.To}
	var found []*auditv1.Entry
	for entry, err := range e.client.Log(ctx, filter) {
		if err != nil {
			return nil, err
		}
		if entry.GetSequence() <= last {
			found = append(found, entry)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// selection writes the entries that match, each with its path.
func (e *exporter) selection(ctx context.Context) error {
	if err := e.frontier(ctx); err != nil {
		return err
	}
	entries, err := e.matching(ctx, e.size)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path, err := e.log().InclusionProof(ctx, &auditv1.QueryInclusionProofRequest{Sequence: entry.GetSequence(), Size: e.size})
		if err != nil {
			return fmt.Errorf("entry %d: %w", entry.GetSequence(), err)
		}
		if err := e.entry(entry, path.GetPath()); err != nil {
			return err
		}
	}
	return nil
}

// period writes every entry of a time, with the one before it and the one after.
func (e *exporter) period(ctx context.Context) error {
	if err := e.frontier(ctx); err != nil {
		return err
	}
	first, last, err := e.stretch(ctx)
	if err != nil {
		return err
	}
	included, err := e.log().InclusionProof(ctx, &auditv1.QueryInclusionProofRequest{Sequence: first, Size: e.size})
	if err != nil {
		return fmt.Errorf("entry %d: %w", first, err)
	}
	after, err := e.after(ctx, last)
	if err != nil {
		return err
	}
	r := &logproof.Range{First: first, Last: last, Before: logproof.Before(first, e.size, included.GetPath()), After: after}
	if err := e.out.Range(r); err != nil {
		return err
	}
	for next := first; next <= last; {
		n := min(pageSize, last-next+1)
		page, err := e.log().Entries(ctx, &auditv1.QueryEntriesRequest{Before: next + n, Limit: uint32(n)})
		if err != nil {
			return err
		}
		entries := page.GetEntries()
		if uint64(len(entries)) != n {
			return fmt.Errorf("entries %d to %d: the gateway shows %d: %w", next, next+n-1, len(entries), ErrUnreachable)
		}
		for _, entry := range slices.Backward(entries) {
			if err := e.entry(entry, nil); err != nil {
				return err
			}
		}
		next += n
	}
	return nil
}

// stretch finds the period's entries with those at its sides: the last one before it and the first one after it, where there are any.
func (e *exporter) stretch(ctx context.Context) (first, last uint64, err error) {
	first, last = 1, e.size
	if e.head.From != 0 {
		// The number of entries before the period.
		n, err := e.search(ctx, e.head.From)
		if err != nil {
			return 0, 0, err
		}
		first = max(1, n)
	}
	if e.head.To != 0 {
		n, err := e.search(ctx, e.head.To)
		if err != nil {
			return 0, 0, err
		}
		last = min(e.size, n+1)
	}
	return first, last, nil
}

// search counts the entries before a time, which grows along the log.
func (e *exporter) search(ctx context.Context, at int64) (uint64, error) {
	low, high := uint64(0), e.size
	for low < high {
		middle := low + (high-low)/2
		entry, err := e.client.Entry(ctx, middle+1)
		if err != nil {
			return 0, fmt.Errorf("entry %d: %w", middle+1, err)
		}
		if entry.GetTime() < at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}
