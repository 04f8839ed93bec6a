package phr

import (
	"context"
	"time"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
)

// HandOver says until when a patient's wallet is somebody else's. The patient, officers, and accounts that are nobody's yet may ask; the error
// is ErrNotFound where the wallet is the patient's own.
func (c *Client) HandOver(ctx context.Context, patient string) (*accessv1.HandOver, error) {
	answer, err := accessv1.NewQueryClient(c).HandOver(ctx, &accessv1.QueryHandOverRequest{Patient: patient})
	return answer.GetHandOver(), err
}

// SetHandOver says when the client's wallet ends, because the client has it for somebody else: whole seconds, at most 25 years ahead. It can be
// set again, earlier, and not taken back. Everybody who runs a hospital's server sees it: the first of a month tells less than a birthday.
func (c *Client) SetHandOver(ctx context.Context, on time.Time) (Receipt, error) {
	msg := &accessv1.MsgSetHandOver{Owner: c.key.Address(), On: untilText(on)}
	return c.send(ctx, c.amino, gasBase, msg, &accessv1.MsgSetHandOverResponse{})
}

// untilText is a time as a wallet shows it, nothing for the zero time.
func untilText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Until is until when the account acts for the patient, the zero time where it is the patient's own.
func (r Recovery) Until() time.Time {
	if r.GetUntil() == 0 {
		return time.Time{}
	}
	return time.Unix(r.GetUntil(), 0).UTC()
}
