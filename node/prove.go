package node

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	auditv1 "github.com/phrd/phrd/api/phrd/audit/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
	"github.com/phrd/phrd/blob"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/wallet"
)

const (
	// maxDisputes is how many disputes one message has at most: each may place a copy anew.
	maxDisputes = 20
	// proveRetry is the pause after what could not be done.
	proveRetry = time.Second
)

// ProverConfig says what a [Prover] works with.
type ProverConfig struct {
	// Chain asks for proofs and takes them. Its account is the storage node's.
	Chain Chain
	// Store is where copies are kept; one that is a [blob.ColdReader] is read past the memory.
	Store blob.Getter
	// Key is the account's. What the node reveals follows from it, so nothing has to be kept.
	Key *wallet.Key
	// Former is the key of the account that the storage node had before; nil where it had none. What was committed with it is revealed
	// with it.
	Former *wallet.Key
	// Log is told what is disputed and what can't be done; slog.Default() if nil.
	Log *slog.Logger
}

// Prover shows the chain in each epoch that this node holds what it said: it reads the
// leaves that the chain picked from the disk, hashes them with the epoch's seed, and sends
// the digests. It does the same with the leaves that others were asked for, of objects that
// this node holds too, and disputes the digests that differ.
type Prover struct {
	config ProverConfig
	query  storagev1.QueryClient
	self   self

	begun    time.Time         // when the newest epoch was first seen
	seen     uint64            // that epoch
	answered uint64            // the last epoch that was answered
	checked  map[given]bool    // proofs of others that were looked at
	proven   map[uint64]uint32 // proofs that had been given at the last look, by epoch
}

// given names a proof.
type given struct{ epoch, node uint64 }

// NewProver returns a Prover that has not begun.
func NewProver(config ProverConfig) (*Prover, error) {
	if config.Chain == nil || config.Store == nil || config.Key == nil {
		return nil, errors.New("prover needs a chain, a store and a key")
	}
	if reader, ok := config.Store.(blob.ColdReader); ok {
		config.Store = reader.Cold()
	}
	if config.Log == nil {
		config.Log = slog.Default()
	}
	return &Prover{
		config: config, query: storagev1.NewQueryClient(config.Chain), self: self{chain: config.Chain},
		checked: map[given]bool{}, proven: map[uint64]uint32{},
	}, nil
}

// Run proves and checks until ctx ends; then it returns nil. It returns an error that is
// [blob.ErrClosed] when the store was closed.
func (p *Prover) Run(ctx context.Context) error {
	report := reporter{log: p.config.Log}
	return loop(ctx, p.config.Chain, func(ctx context.Context) (time.Duration, error) {
		err := p.round(ctx)
		if errors.Is(err, blob.ErrClosed) {
			return 0, err
		}
		report.changed(ctx, "copies can't be proven", err)
		var pause time.Duration
		if err != nil {
			pause = proveRetry
		}
		return pause, nil
	})
}

// round answers what this node is asked and has not answered, and looks at what others
// answered since the last look.
func (p *Prover) round(ctx context.Context) error {
	node, err := p.self.number(ctx)
	if err != nil {
		return err
	}
	asked, err := p.query.Challenges(ctx, &storagev1.QueryChallengesRequest{Node: node})
	if err != nil {
		return fmt.Errorf("ask what is to be proven: %w", err)
	}
	number := asked.GetEpoch().GetNumber()
	if number == 0 {
		return nil
	}
	if number != p.seen {
		p.begin(number)
	}
	err = p.answer(ctx, node, asked)
	if err != nil {
		err = fmt.Errorf("prove in epoch %d: %w", number, err)
	}
	for _, epoch := range []uint64{number - 1, number} {
		if epoch == 0 || ctx.Err() != nil {
			continue
		}
		if e := p.check(ctx, node, epoch); e != nil {
			err = errors.Join(err, fmt.Errorf("check the proofs of epoch %d: %w", epoch, e))
		}
	}
	return err
}

// begin forgets what was before the epoch and the one before it.
func (p *Prover) begin(number uint64) {
	p.seen, p.begun = number, time.Now()
	for g := range p.checked {
		if g.epoch+1 < number {
			delete(p.checked, g)
		}
	}
	for epoch := range p.proven {
		if epoch+1 < number {
			delete(p.proven, epoch)
		}
	}
}

// answer sends the proof of this node. For half of an epoch it tries again what the disk
// does not read; what it has not read by then, or what is not there, it says it can't prove.
func (p *Prover) answer(ctx context.Context, node uint64, asked *storagev1.QueryChallengesResponse) error {
	number := asked.GetEpoch().GetNumber()
	if len(asked.GetProofs()) == 0 || asked.GetProofs()[0].GetGiven() || p.answered == number {
		return nil
	}
	head, err := p.config.Chain.Ready(ctx)
	if err != nil {
		return err
	}
	rules, err := p.query.Params(ctx, &storagev1.QueryParamsRequest{})
	if err != nil {
		return fmt.Errorf("ask how long an epoch lasts: %w", err)
	}
	until := p.begun.Add(time.Duration(rules.GetParams().GetChallengeInterval()) * time.Second / 2)
	digests, err := p.read(ctx, until, node, asked)
	if err != nil {
		return err
	}
	message := &storagev1.MsgSubmitProofs{Node: p.config.Chain.Account(), Epoch: number, Digests: digests}
	if asked.GetCommitted() {
		reveal, err := reveal(p.config.Key, head.ChainID, number, node)
		if err != nil {
			return err
		}
		message.Reveal = reveal[:]
	}
	next, err := reveal(p.config.Key, head.ChainID, number+1, node)
	if err != nil {
		return err
	}
	commitment := lock.RevealCommitment(number+1, node, next)
	message.Commitment = commitment[:]
	_, err = p.config.Chain.Submit(ctx, message)
	if errors.Is(err, ErrRefused) && asked.GetCommitted() && p.config.Former != nil {
		// It may have been committed before the account was replaced.
		former, failed := reveal(p.config.Former, head.ChainID, number, node)
		if failed != nil {
			return failed
		}
		message.Reveal = former[:]
		_, err = p.config.Chain.Submit(ctx, message)
	}
	if err == nil || errors.Is(err, ErrRefused) {
		p.answered = number // what was refused once is refused again
	}
	return err
}

// reveal is what a node with this key reveals in an epoch: nobody else can tell, and it is
// the same after a restart.
func reveal(key *wallet.Key, chainID string, epoch, node uint64) ([32]byte, error) {
	info := lock.H32("phrd/v1/reveal-of", []byte(chainID), lock.Uint(epoch), lock.Uint(node))
	secret := key.Bytes()
	defer clear(secret)
	drawn, err := hkdf.Key(sha256.New, secret, nil, string(info[:]), 32)
	if err != nil {
		return [32]byte{}, fmt.Errorf("derive a reveal: %w", err)
	}
	return [32]byte(drawn), nil
}

// read returns the digests of all challenges of this node, empty where a leaf is lost or
// was not read in time. An error says that it may be read yet.
func (p *Prover) read(ctx context.Context, until time.Time, node uint64, asked *storagev1.QueryChallengesResponse) ([][]byte, error) {
	challenges := asked.GetProofs()[0].GetChallenges()
	digests, errs := make([][]byte, len(challenges)), make([]error, len(challenges))
	reading, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	var group sync.WaitGroup
	for i, c := range challenges {
		group.Go(func() { digests[i], errs[i] = p.digest(reading, asked.GetEpoch().GetSeed(), node, c) })
	}
	group.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	late := !time.Now().Before(until)
	for i, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, blob.ErrClosed), !isLost(err) && !late:
			return nil, err
		default:
			p.config.Log.Warn("copy can't be proven", "object", challenges[i].GetObject(), "leaf", challenges[i].GetLeaf(), "reason", err)
		}
	}
	return digests, nil
}

// digest reads a leaf and what travels with its object, and hashes them as a node's answer.
func (p *Prover) digest(ctx context.Context, seed []byte, node uint64, c *storagev1.Challenge) ([]byte, error) {
	answer, err := p.object(ctx, c.GetObject())
	if err != nil {
		return nil, err
	}
	o, err := parseObject(answer.GetObject())
	if err != nil {
		return nil, err
	}
	return o.digest(ctx, p.config.Store, seed, node, c.GetLeaf())
}

// object asks the chain for an object; the error is blob.ErrNotFound when it keeps it no
// more.
func (p *Prover) object(ctx context.Context, cid string) (*storagev1.QueryObjectResponse, error) {
	answer, err := p.query.Object(ctx, &storagev1.QueryObjectRequest{Cid: cid})
	if status.Code(err) == codes.NotFound {
		return nil, fmt.Errorf("object %s: %w", cid, blob.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("ask for object %s: %w", cid, err)
	}
	return answer, nil
}

// digest hashes a leaf of the object, and the blocks beside it, as a node's answer.
func (o object) digest(ctx context.Context, store blob.Getter, seed []byte, node, leaf uint64) ([]byte, error) {
	if len(seed) != 32 {
		return nil, fmt.Errorf("seed of %d bytes", len(seed))
	}
	at := o.root
	if o.root.IsDag() {
		leaves, err := blob.Leaves(ctx, store, o.root, o.budget)
		if err != nil {
			return nil, err
		}
		if leaf >= uint64(len(leaves)) {
			return nil, fmt.Errorf("object %s has %d leaves, %d is asked for: %w", o.root, len(leaves), leaf, blob.ErrShape)
		}
		at = leaves[leaf].CID
	}
	block, err := store.Get(ctx, at)
	if err != nil {
		return nil, err
	}
	attached := make([][]byte, len(o.attached))
	for i, c := range o.attached {
		if attached[i], err = store.Get(ctx, c); err != nil {
			return nil, err
		}
	}
	digest := lock.HoldingDigest([32]byte(seed), node, o.root, leaf, block, attached...)
	return digest[:], nil
}

// check looks at the proofs of others in an epoch, and disputes what is wrong.
func (p *Prover) check(ctx context.Context, node, epoch uint64) error {
	var disputes []*storagev1.Dispute
	var looked []given
	var missed error
	proven := p.proven[epoch]
	for after := uint64(0); ; {
		page, err := p.query.Challenges(ctx, &storagev1.QueryChallengesRequest{Epoch: epoch, After: after, Limit: pageSize})
		if status.Code(err) == codes.NotFound {
			return nil // a chain that was started anew knows no earlier epoch
		}
		if err != nil {
			return fmt.Errorf("list what was asked: %w", err)
		}
		if after == 0 {
			// Without a further proof there is nothing to look at.
			if proven = page.GetEpoch().GetProven(); proven == p.proven[epoch] {
				return nil
			}
		}
		for _, proof := range page.GetProofs() {
			this := given{epoch, proof.GetNode()}
			if !proof.GetGiven() || this.node == node || p.checked[this] {
				continue
			}
			wrong, err := p.judge(ctx, node, page.GetEpoch().GetSeed(), proof)
			if err != nil {
				missed = errors.Join(missed, err)
				continue
			}
			disputes, looked = append(disputes, wrong...), append(looked, this)
		}
		if after = page.GetNext(); after == 0 {
			break
		}
	}
	for batch := range slices.Chunk(disputes, maxDisputes) {
		if err := p.dispute(ctx, batch); err != nil {
			return err
		}
	}
	for _, this := range looked {
		p.checked[this] = true
	}
	if missed == nil {
		p.proven[epoch] = proven
	}
	return missed
}

// judge returns the digests of a proof that are wrong, of objects that this node holds too.
func (p *Prover) judge(ctx context.Context, node uint64, seed []byte, proof *storagev1.Proof) ([]*storagev1.Dispute, error) {
	var wrong []*storagev1.Dispute
	for i, c := range proof.GetChallenges() {
		if len(c.GetDigest()) == 0 || slices.Contains(c.GetDisputers(), node) {
			continue
		}
		answer, err := p.object(ctx, c.GetObject())
		if errors.Is(err, blob.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if answer.GetObject().GetChangedIn() >= proof.GetEpoch() {
			continue // it may have been over a block that is gone
		}
		if !slices.ContainsFunc(answer.GetCopies(), func(c *storagev1.Copy) bool {
			return c.GetNode() == node && c.GetStatus() == storagev1.CopyStatus_COPY_STATUS_HELD
		}) {
			continue
		}
		o, err := parseObject(answer.GetObject())
		if err != nil {
			return nil, err
		}
		digest, err := o.digest(ctx, p.config.Store, seed, proof.GetNode(), c.GetLeaf())
		switch {
		case err == nil:
		case isLost(err):
			// Who can't read its own copy has nothing to say about another one's.
			p.config.Log.Warn("another node's proof can't be checked", "object", c.GetObject(), "node", proof.GetNode(), "reason", err)
			continue
		default:
			return nil, err
		}
		if !bytes.Equal(digest, c.GetDigest()) {
			p.config.Log.Warn("another node's proof is wrong", "object", c.GetObject(), "leaf", c.GetLeaf(), "node", proof.GetNode())
			wrong = append(wrong, &storagev1.Dispute{Epoch: proof.GetEpoch(), Accused: proof.GetNode(), Index: uint32(i)})
		}
	}
	return wrong, nil
}

// dispute tells the chain what is wrong.
func (p *Prover) dispute(ctx context.Context, disputes []*storagev1.Dispute) error {
	result, err := p.config.Chain.Submit(ctx, &storagev1.MsgDisputeProofs{Node: p.config.Chain.Account(), Disputes: disputes})
	if errors.Is(err, ErrRefused) {
		p.config.Log.Warn("disputes were refused", "disputes", len(disputes), "reason", err)
		return nil // and would be again
	}
	if err != nil {
		return fmt.Errorf("dispute %d digests: %w", len(disputes), err)
	}
	var response storagev1.MsgDisputeProofsResponse
	if err := result.Response(&response); err != nil {
		return err
	}
	for i, r := range response.GetResults() {
		if r.GetOutcome() != auditv1.Outcome_OUTCOME_OK {
			p.config.Log.Warn("dispute was refused", "node", disputes[i].GetAccused(), "epoch", disputes[i].GetEpoch(), "reason", r.GetReason())
		}
	}
	return nil
}
