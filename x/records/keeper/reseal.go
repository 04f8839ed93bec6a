package keeper

import (
	"bytes"
	"context"

	"cosmossdk.io/collections"

	"github.com/phrd/phrd/x/audit"
	"github.com/phrd/phrd/x/records"
)

// ReplaceEnvelopes gives versions other envelopes under the lock that they have. The chain does
// not see what is in them: whoever reads one checks it against the lock.
func (s msgServer) ReplaceEnvelopes(ctx context.Context, msg *records.MsgReplaceEnvelopes) (*records.MsgReplaceEnvelopesResponse, error) {
	if err := msg.Validate(); err != nil {
		return nil, err
	}
	boxes, err := msg.Boxes()
	if err != nil {
		return nil, err
	}
	o, err := s.ofOwner(ctx, msg.Owner, audit.KindResealed, msg.Versions)
	if err != nil {
		return nil, err
	}
	e := newEnvelopes{hospital: msg.Hospital, cids: msg.Envelopes, sizes: msg.EnvelopeSizes, ownKeys: msg.OwnKeys}
	var epoch uint64
	if o.reason == "" {
		if o.reason = whyNotReseal(o.versions, msg.U); o.reason == "" {
			if o.reason, epoch, err = s.whyNotTake(ctx, o.versions, e); err != nil {
				return nil, err
			}
		}
	}
	if o.reason == "" {
		if o.reason, err = s.whyNotBoxes(ctx, msg.Owner, o.versions, headersOf(o.versions), boxes); err != nil {
			return nil, err
		}
	}
	if o.reason != "" {
		return &records.MsgReplaceEnvelopesResponse{Outcome: audit.OUTCOME_REFUSED, Reason: o.reason}, s.refuse(ctx, o.entry, o.reason)
	}
	if err := s.take(ctx, o.versions, e); err != nil {
		return nil, err
	}
	for i, v := range o.versions {
		if err := s.replace(ctx, envelopeBlock(v, v.Envelope), e.cids[i]); err != nil {
			return nil, err
		}
		v.Envelope, v.SealedEpoch = e.cids[i], epoch
		if v.Box, err = s.useBox(ctx, boxes, i, v.Box, v.Header.Patient); err != nil {
			return nil, err
		}
		if err := s.versions.Set(ctx, collections.Join(o.refs[i].Record.Bytes(), v.Version), v); err != nil {
			return nil, err
		}
	}
	return &records.MsgReplaceEnvelopesResponse{Outcome: audit.OUTCOME_OK}, s.accept(ctx, o.entry)
}

// headersOf are the headers of versions.
func headersOf(versions []records.Version) []records.Header {
	headers := make([]records.Header, len(versions))
	for i, v := range versions {
		headers[i] = v.Header
	}
	return headers
}

// whyNotReseal demands that the envelopes are for the locks that the versions have.
func whyNotReseal(versions []records.Version, points [][]byte) string {
	for i, v := range versions {
		if !bytes.Equal(v.Header.U, points[i]) {
			return records.ReasonLockReplaced
		}
	}
	return ""
}
