package phr

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	queryv1 "cosmossdk.io/api/cosmos/base/query/v1beta1"

	accessv1 "github.com/phrd/phrd/api/phrd/access/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	"github.com/phrd/phrd/lock"
)

// AllClinicians stands in a grant where every clinician of the hospital may ask.
const AllClinicians = "all clinicians"

// Grant is what a patient consents to: these clinicians may open these records for this purpose until then, at most so often a day, and
// need an officer's endorsement for it, but no approval. Everything stands in the log, each use too.
type Grant struct {
	// Hospital is the number of the hospital whose clinicians may ask.
	Hospital uint64
	// Staff is the address of the one clinician who may; the clinician's program has published a vault. Empty for a ward or all clinicians.
	Staff string
	// Ward whose clinicians may ask, 1 to 65535; 0 where Staff is given, or for all clinicians.
	Ward uint32
	// Classes of records, those to come included; none where Records are named.
	Classes []recordsv1.Class
	// Records that may be opened, at most 64; none where Classes are named.
	Records []lock.ID
	// Purpose is an HL7 v3 ActReason code; others are not covered.
	Purpose string
	// Until is the end, at most two years ahead.
	Until time.Time
	// UsesADay is how many unlocks it stands in for at most on one day, UTC: 1 to 1000.
	UsesADay uint32
}

// Consent is a grant with what became of it.
type Consent struct {
	*accessv1.Consent
	// Status at the newest block.
	Status accessv1.ConsentStatus
}

// To is who may ask, as a wallet shows it.
func (c Consent) To() string { return to(c.GetStaff(), c.GetWard()) }

func to(staff string, ward uint32) string {
	switch {
	case staff != "":
		return staff
	case ward != 0:
		return fmt.Sprintf("ward %d", ward)
	}
	return AllClinicians
}

// What may be opened, as a wallet shows it: words of classes or ids of records.
func (c Consent) What() []string {
	what := slices.Clone(c.GetRecords())
	for _, class := range c.GetClasses() {
		what = append(what, classWord(class))
	}
	slices.Sort(what)
	return what
}

func classWord(c recordsv1.Class) string {
	return strings.ToLower(strings.TrimPrefix(c.String(), "CLASS_"))
}

// Covers tells whether a record may be opened under the consent.
func (c Consent) Covers(r *recordsv1.Record) bool {
	if r.GetPatient() != c.GetPatient() {
		return false
	}
	return slices.Contains(c.GetClasses(), r.GetClass()) || slices.Contains(c.GetRecords(), r.GetId())
}

// GrantConsent signs a consent and returns its number. What is stored from now on is sealed for those to whom it was granted; for what is
// there already, see [Client.SealConsented]. The error is *Refused where the chain does not take it.
func (c *Client) GrantConsent(ctx context.Context, g Grant) (uint64, error) {
	member, err := c.Member(ctx, g.Hospital)
	if err != nil {
		return 0, fmt.Errorf("hospital %d: %w", g.Hospital, err)
	}
	msg := &accessv1.MsgGrantConsent{
		Owner: c.key.Address(), Hospital: member.GetName(), Member: g.Hospital, To: to(g.Staff, g.Ward), Purpose: g.Purpose,
		Until: g.Until.UTC().Truncate(time.Second).Format(time.RFC3339), UsesADay: g.UsesADay,
	}
	for _, class := range g.Classes {
		msg.What = append(msg.What, classWord(class))
	}
	for _, record := range g.Records {
		msg.What = append(msg.What, record.String())
	}
	slices.Sort(msg.What)
	msg.What = slices.Compact(msg.What)
	answer := &accessv1.MsgGrantConsentResponse{}
	_, err = c.send(ctx, c.amino, gasFor(len(msg.What)), msg, answer)
	return answer.Consent, err
}

// WithdrawConsent ends a consent from this block on: nothing more is approved by it, and the unlocks that it approved end. Whoever was to
// open versions still has a half of their keys; until the patient's program has locked these anew, see [Client.Relock], opening them
// is refused, not impossible.
func (c *Client) WithdrawConsent(ctx context.Context, number uint64) (Receipt, error) {
	msg := &accessv1.MsgWithdrawConsent{Owner: c.key.Address(), Consent: number}
	return c.send(ctx, c.amino, gasFor(maxEnded), msg, &accessv1.MsgWithdrawConsentResponse{})
}

// maxEnded is how many unlocks a withdrawal ends at once.
const maxEnded = 8

// Consent is a consent by its number; ErrNotFound where there is none that the account may see.
func (c *Client) Consent(ctx context.Context, number uint64) (Consent, error) {
	answer, err := accessv1.NewQueryClient(c).Consent(ctx, &accessv1.QueryConsentRequest{Number: number})
	return Consent{answer.GetConsent(), answer.GetStatus()}, err
}

// ConsentFilter says whose consents are wanted: exactly one of Patient, Staff and Hospital.
type ConsentFilter struct {
	// Patient is the number of who granted them, Staff the address of the clinician to whom they were granted.
	Patient, Staff string
	// Hospital is the member's number of those granted to one of its wards, or for ward 0 to all its clinicians.
	Hospital uint64
	Ward     uint32
	// Status to match; the zero value matches all.
	Status accessv1.ConsentStatus
}

// Consents lists consents, newest first.
func (c *Client) Consents(ctx context.Context, f ConsentFilter) iter.Seq2[Consent, error] {
	return pages(ctx, func(ctx context.Context, page *queryv1.PageRequest) ([]Consent, *queryv1.PageResponse, error) {
		answer, err := accessv1.NewQueryClient(c).Consents(ctx, &accessv1.QueryConsentsRequest{
			Patient: f.Patient, Staff: f.Staff, Hospital: f.Hospital, Ward: f.Ward, Status: f.Status, Pagination: page,
		})
		found := make([]Consent, len(answer.GetConsents()))
		for i, a := range answer.GetConsents() {
			found[i] = Consent{a.GetConsent(), a.GetStatus()}
		}
		return found, answer.GetPagination(), err
	})
}

// OwnConsents lists the consents that the account granted, or that were granted to it, its wards and its hospital.
func (c *Client) OwnConsents(ctx context.Context, status accessv1.ConsentStatus) ([]Consent, error) {
	who, err := c.principalNow(ctx)
	if err != nil {
		return nil, err
	}
	filters := []ConsentFilter{{Patient: who.GetPatient(), Status: status}}
	if who.GetPatient() == "" {
		filters = []ConsentFilter{{Staff: who.GetAddress(), Status: status}, {Hospital: who.GetHospital(), Status: status}}
		for _, ward := range who.GetWards() {
			filters = append(filters, ConsentFilter{Hospital: who.GetHospital(), Ward: ward, Status: status})
		}
	}
	var all []Consent
	for _, f := range filters {
		found, err := collect(c.Consents(ctx, f))
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}
