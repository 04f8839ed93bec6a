package access

import (
	"time"

	"github.com/phrd/phrd/lock"
)

// ParseTime reads a time in the one form in which a wallet shows it: RFC 3339, UTC, whole seconds. It answers ErrInvalidExpiry.
func ParseTime(text string) (int64, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || TimeText(t.Unix()) != text || t.Unix() <= 0 {
		return 0, ErrInvalidExpiry.Wrapf("%q: want a time like 2026-01-31T08:00:00Z", text)
	}
	return t.Unix(), nil
}

// TimeText is a time, unix seconds, as a wallet shows it.
func TimeText(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// ParseUntil is ParseTime, where no text stands for 0.
func ParseUntil(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	return ParseTime(text)
}

// untilText is the reverse of ParseUntil.
func untilText(unix int64) string {
	if unix == 0 {
		return ""
	}
	return TimeText(unix)
}

// whyNotDue answers the reason why a hand-over can't be due at a time, or nothing.
func whyNotDue(due, now int64) string {
	switch {
	case due <= now:
		return ReasonTooEarly
	case due > now+MaxHandOverTime:
		return ReasonLifetimeTooLong
	}
	return ""
}

// WhyNotEarlier answers the reason why a hand-over that is due at that time can't take the place of this one, or nothing. Without a
// patient there was none before.
func (h *HandOver) WhyNotEarlier(due, now int64) string {
	if h.Patient != "" && !h.Closed && due > h.Due {
		return ReasonLaterHandOver
	}
	return whyNotDue(due, now)
}

// WhyNotUntil answers the reason why an account can't act for the patient until that time, or nothing: who has a child's wallet can't
// do so for longer than the child's hand-over says. 0 stands for the patient's own account.
func (h *HandOver) WhyNotUntil(until, now int64) string {
	if until == 0 {
		return ""
	}
	if h.Representative {
		return whyNotDue(until, now)
	}
	return h.WhyNotEarlier(until, now)
}

// AfterRecovery is what stands once an account acts for the patient until that time. For 0 nothing does.
func (h *HandOver) AfterRecovery(patient string, until int64) HandOver {
	isChild := h.Patient != "" && !h.Closed && !h.Representative
	return HandOver{Patient: patient, Due: until, Representative: !isChild}
}

// IsForHospitals says whether hospitals, and not guardians, approve who gets the wallet: it ended, a representative has it and may have
// named the guardians, or the patient takes it over from who has it.
func (h *HandOver) IsForHospitals(until int64) bool {
	return h.Closed || h.Representative || h.Patient != "" && until == 0
}

// BarsCancelling says whether who has the patient's wallet can't cancel a recovery: hospitals appointed them, and now the patient
// takes the account back.
func (h *HandOver) BarsCancelling(r *Recovery) bool {
	return h.Representative && r.Way == RECOVERY_WAY_HOSPITALS && r.Until == 0
}

// validate says what is wrong with a hand-over of the first state.
func (h *HandOver) validate() error {
	if _, err := lock.ParseCanonicalID(h.Patient); err != nil {
		return err
	}
	if h.Due <= 0 {
		return ErrInvalidExpiry.Wrapf("due at %d", h.Due)
	}
	return nil
}
