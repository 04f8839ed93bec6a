package phr

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/seal"
)

// File is a version that was unlocked. It is read block by block from whichever hospital has them; every byte that comes
// out was checked. Its methods may be called at the same time.
type File struct {
	// Ref of the version.
	Ref Ref
	// Name and MediaType of the file. A name is data that somebody else chose, never a path.
	Name, MediaType string
	// Created and Modified as the file had them; the zero value where it had none.
	Created, Modified time.Time
	// Size in bytes.
	Size uint64

	object  *seal.Object
	root    lock.CID     // of the object
	network lock.Network // that it is of
}

// WaitForRelease waits until the holders have given the shares for an unlock. It returns ErrNotApproved and ErrEnded at
// once, and ErrNotReleased when the context ends first.
func (c *Client) WaitForRelease(ctx context.Context, unlock string) (Unlock, error) {
	var last Unlock
	err := poll(ctx, func(ctx context.Context) (bool, error) {
		u, err := c.Unlock(ctx, unlock)
		if err != nil {
			return false, err
		}
		last = u
		switch u.Status {
		case accessv1.UnlockStatus_UNLOCK_STATUS_RELEASED:
			return true, nil
		case accessv1.UnlockStatus_UNLOCK_STATUS_APPROVED:
			return false, nil
		case accessv1.UnlockStatus_UNLOCK_STATUS_PROPOSED:
			waits, err := c.isDelayed(ctx, u)
			if err != nil || waits {
				return false, err
			}
			return false, fmt.Errorf("unlock %s waits for signatures: %w", unlock, ErrNotApproved)
		case accessv1.UnlockStatus_UNLOCK_STATUS_ENDORSED:
			return false, fmt.Errorf("unlock %s waits for signatures: %w", unlock, ErrNotApproved)
		}
		return false, fmt.Errorf("unlock %s: %s: %w", unlock, u.Status, ErrEnded)
	})
	if err != nil && ctx.Err() != nil {
		return last, fmt.Errorf("unlock %s: not enough holders have given their shares: %w: %w", unlock, err, ErrNotReleased)
	}
	return last, err
}

// Open opens a version of an unlock whose session this program holds: where that waits for its owner alone and a consent covers it, it
// approves it by the consent; then it waits for the release until the context ends,
// checks every share against its holder's public share, joins them to the network's half, takes the owner's half from the
// capsule, and opens the version's key and manifest. The ref may be left out (the zero value) where the unlock names one
// version only.
//
// Errors are ErrSession, ErrNotApproved, ErrNotReleased, ErrEnded, ErrProposal, ErrBlock, ErrCommitment and those of
// package seal. The context bounds opening, not the reading that follows.
func (c *Client) Open(ctx context.Context, unlock string, ref Ref) (*File, error) {
	o, err := c.unlocked(ctx, unlock)
	if err != nil {
		return nil, err
	}
	place := slices.IndexFunc(o.u.versions, func(v *lockedVersion) bool { return v.ref == ref })
	if ref == (Ref{}) && len(o.u.versions) == 1 {
		place = 0
	}
	if place < 0 {
		return nil, fmt.Errorf("unlock %s does not name version %s: %w", unlock, ref, ErrRef)
	}
	return c.openVersion(ctx, o, place)
}

// unlocked is an unlock of this program with both halves of the keys of its versions, in the proposal's order.
type unlocked struct {
	u      *checkedUnlock
	halves []*seal.Half
	k      []lock.Point
}

// unlocked waits for the release of an unlock and takes both halves of its versions' keys.
func (c *Client) unlocked(ctx context.Context, unlock string) (*unlocked, error) {
	session, err := c.session(unlock)
	if err != nil {
		return nil, err
	}
	if err := c.consented(ctx, unlock); err != nil {
		return nil, err
	}
	if _, err := c.WaitForRelease(ctx, unlock); err != nil {
		if errors.Is(err, ErrEnded) {
			err = errors.Join(err, c.forget(unlock))
		}
		return nil, err
	}
	o := &unlocked{}
	// A gateway that shows wrong shares, holders or locks is passed over for another one.
	err = c.tryWhile(ctx, func(err error) bool {
		return elsewhere(err) || errors.Is(err, ErrProposal) || errors.Is(err, lock.ErrShares)
	},
		func(ctx context.Context, d *door) error {
			var err error
			if o.u, err = c.checkUnlock(ctx, d, unlock); err != nil {
				return err
			}
			combined, err := c.combine(ctx, d, session, o.u)
			o.k = combined.K
			return err
		})
	if err != nil {
		return nil, err
	}
	o.halves, err = c.ownHalves(ctx, session, o.u)
	return o, err
}

// combine joins the holders' shares to the network's half of every version of an unlock.
func (c *Client) combine(ctx context.Context, conn grpc.ClientConnInterface, session *lock.Session, u *checkedUnlock) (lock.Combined, error) {
	if !u.proposal.B.Equal(session.B()) {
		return lock.Combined{}, fmt.Errorf("unlock %s was proposed by another session: %w", u.GetId(), ErrSession)
	}
	release := lock.Release{Network: c.network, Unlock: u.id, Generation: u.generation}
	for _, v := range u.proposal.Versions {
		release.M = append(release.M, v.M)
	}
	return c.combineRelease(ctx, conn, session, release, u.key)
}

// combineRelease joins the holders' shares of a key to its half of every point of a release.
func (c *Client) combineRelease(
	ctx context.Context, conn grpc.ClientConnInterface, session *lock.Session, release lock.Release, key *custodyv1.Key,
) (lock.Combined, error) {
	unlock := hex.EncodeToString(release.Unlock[:])
	q := custodyv1.NewQueryClient(conn)
	answer, err := q.Shares(ctx, &custodyv1.QuerySharesRequest{Unlock: unlock})
	if err != nil {
		return lock.Combined{}, err
	}
	shares, epochs := parseShares(answer.GetShares())
	var committees []lock.Committee
	for _, epoch := range epochs {
		committee, err := committeeOf(ctx, q, key, epoch)
		if err != nil {
			return lock.Combined{}, err
		}
		committees = append(committees, committee)
	}
	combined, err := session.Combine(release, committees, shares)
	if err != nil {
		return lock.Combined{}, fmt.Errorf("unlock %s: %w", unlock, err)
	}
	return combined, nil
}

// parseShares reads shares and lists their epochs. What is no share cannot count and is left out.
func parseShares(given []*custodyv1.Share) (shares []lock.Share, epochs []uint64) {
	for _, s := range given {
		share := lock.Share{Epoch: s.GetShareEpoch(), Index: s.GetIndex(), Proof: s.GetProof()}
		for _, encoded := range s.GetPoints() {
			point, err := lock.ParsePoint(encoded)
			if err != nil {
				break
			}
			share.D = append(share.D, point)
		}
		if len(share.D) != len(s.GetPoints()) || share.Epoch == 0 {
			continue
		}
		shares = append(shares, share)
		epochs = append(epochs, share.Epoch)
	}
	slices.Sort(epochs)
	return shares, slices.Compact(epochs)
}

// committeeOf is who holds the key in an epoch.
func committeeOf(ctx context.Context, q custodyv1.QueryClient, key *custodyv1.Key, epoch uint64) (lock.Committee, error) {
	answer, err := q.Holders(ctx, &custodyv1.QueryHoldersRequest{Kind: key.GetKind(), Generation: key.GetGeneration(), ShareEpoch: epoch})
	if err != nil {
		return lock.Committee{}, err
	}
	// The chain keeps the threshold of the active epoch; that of an earlier one follows from its committee.
	n := uint64(len(answer.GetHolders()))
	committee := lock.Committee{Epoch: epoch, Threshold: 2*n/3 + 1}
	if key.GetKind() == custodyv1.KeyKind_KEY_KIND_EMERGENCY {
		committee.Threshold = max(committee.Threshold+1, (5*n+5)/6)
	}
	if epoch == key.GetShareEpoch() {
		committee.Threshold = key.GetThreshold()
	}
	for _, h := range answer.GetHolders() {
		x, err := lock.ParsePoint(h.GetPublicShare())
		if err != nil {
			return committee, fmt.Errorf("public share of holder %d: %w", h.GetIndex(), err)
		}
		committee.Holders = append(committee.Holders, lock.Holder{Index: h.GetIndex(), X: x})
	}
	return committee, nil
}

// ownHalves takes the owner's halves of an unlock's versions from the capsule, or from what was sealed for who was granted a consent.
func (c *Client) ownHalves(ctx context.Context, session *lock.Session, u *checkedUnlock) ([]*seal.Half, error) {
	if u.GetEmergency() != "" {
		return c.emergencyHalves(ctx, session, u)
	}
	if u.GetApproval().GetConsent() != 0 {
		return c.grantedHalves(ctx, session, u)
	}
	cid, err := lock.ParseRawCID(u.GetApproval().GetCapsule())
	if err != nil {
		return nil, fmt.Errorf("capsule: %w", err)
	}
	var capsule []byte
	// The owner hands it in right after the approval; the shares may be faster.
	err = poll(ctx, func(ctx context.Context) (bool, error) {
		capsule, err = c.unlockBlock(ctx, u.GetId(), cid)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("the owner's capsule is not there yet: %w: %w", err, ErrNotReleased)
	}
	if err != nil {
		return nil, fmt.Errorf("capsule: %w", err)
	}
	return seal.OpenCapsule(session.Key(), c.network, u.id, askedAll(u), capsule)
}

// dataKey is a version's data key, and where its ciphertext is.
type dataKey struct {
	source *versionSource
	ref    seal.Ref
	dek    seal.DEK
}

// dataKey joins both halves of a version's key.
func (c *Client) dataKey(ctx context.Context, o *unlocked, place int) (dataKey, error) {
	v := o.u.versions[place]
	source := &versionSource{client: c, ref: v.ref, unlock: o.u.GetId()}
	envelope, err := source.envelope(ctx, v)
	if err != nil {
		return dataKey{}, fmt.Errorf("envelope of %s: %w", v.ref, err)
	}
	dek, err := envelope.Unlock(v.header, o.halves[place], o.k[place])
	if err != nil {
		return dataKey{}, fmt.Errorf("version %s: %w: %w", v.ref, err, ErrCommitment)
	}
	return dataKey{source, envelope.Ref(v.header), dek}, nil
}

// envelope reads the envelope of a version. Its owner may have replaced it since the version was read, under the same lock.
func (s *versionSource) envelope(ctx context.Context, v *lockedVersion) (*seal.Envelope, error) {
	block, err := s.Get(ctx, v.header.Envelope)
	if errors.Is(err, ErrNotFound) {
		now, asked := s.client.Version(ctx, v.ref)
		if asked != nil || now.GetEnvelope() == v.header.Envelope.String() {
			return nil, errors.Join(err, asked)
		}
		if v.header.Envelope, err = lock.ParseRawCID(now.GetEnvelope()); err != nil {
			return nil, err
		}
		block, err = s.Get(ctx, v.header.Envelope)
	}
	if err != nil {
		return nil, err
	}
	return v.header.OpenEnvelope(block)
}

// openVersion joins both halves to the version's key and opens its manifest.
func (c *Client) openVersion(ctx context.Context, o *unlocked, place int) (*File, error) {
	v := o.u.versions[place]
	opened, err := c.dataKey(ctx, o, place)
	if err != nil {
		return nil, err
	}
	object, err := seal.OpenObject(ctx, opened.source, opened.ref, opened.dek)
	if err != nil {
		return nil, fmt.Errorf("version %s: %w", v.ref, err)
	}
	m := object.Manifest()
	f := &File{Ref: v.ref, Name: m.Name, MediaType: m.MediaType, Size: object.Size(), object: object, root: v.header.Object, network: c.network}
	if m.Created != 0 {
		f.Created = time.Unix(int64(m.Created), 0)
	}
	if m.Modified != 0 {
		f.Modified = time.Unix(int64(m.Modified), 0)
	}
	return f, nil
}

// WriteTo writes the whole file to w, several blocks ahead of what w has taken, and returns how many bytes were written.
// progress may be nil.
func (f *File) WriteTo(ctx context.Context, w io.Writer, progress Progress) (int64, error) {
	return f.copy(ctx, w, 0, f.Size, progress)
}

// WriteRange writes length bytes from offset on to w; it reads no more blocks than hold them. A range that reaches
// beyond the end is an error that is io.ErrUnexpectedEOF, before anything is read.
func (f *File) WriteRange(ctx context.Context, w io.Writer, offset, length uint64, progress Progress) (int64, error) {
	if offset > f.Size || length > f.Size-offset {
		return 0, fmt.Errorf("%d bytes from %d of a file of %d: %w", length, offset, f.Size, io.ErrUnexpectedEOF)
	}
	return f.copy(ctx, w, offset, length, progress)
}

func (f *File) copy(ctx context.Context, w io.Writer, offset, length uint64, progress Progress) (int64, error) {
	r := f.object.Reader(ctx, offset, length)
	defer r.Close()
	n, err := io.Copy(&toldWriter{w: w, tell: progress.of(StageOpen, length)}, r)
	if err == nil && uint64(n) != length {
		err = fmt.Errorf("%d of %d bytes: %w", n, length, io.ErrUnexpectedEOF)
	}
	return n, err
}

// Range reads length bytes from offset on, for a caller that takes them as it likes; it must be closed.
func (f *File) Range(ctx context.Context, offset, length uint64) io.ReadCloser {
	return f.object.Reader(ctx, offset, length)
}

// At reads at any offset; the context ends its reads.
func (f *File) At(ctx context.Context) io.ReaderAt { return f.object.At(ctx) }

// toldWriter tells how much was written.
type toldWriter struct {
	w    io.Writer
	tell func(uint64)
	done uint64
}

// Write implements io.Writer.
func (t *toldWriter) Write(p []byte) (int, error) {
	n, err := t.w.Write(p)
	t.done += uint64(n)
	if t.tell != nil {
		t.tell(t.done)
	}
	return n, err
}
