package doctor

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	"github.com/phrd/phrd/phr"
)

type holder = custodyv1.Holder

// expiresSoon is how long before its end a certificate should be replaced.
const expiresSoon = 30 * 24 * time.Hour

// reachable: other hospitals reach every port of this one, and find its own server there.
func (f *facts) reachable() Result {
	const remedy = "open the port in the firewall and the router for the other hospitals, and compare the address with the one of this server"
	switch {
	case f.Server == nil:
		return f.stopped()
	case len(f.doors()) == 0:
		return ok("there is no other hospital that could call")
	case f.Reach == nil:
		return unknown("run this with the keys of an admin: --passphrase-file, --from", "other hospitals call only for an admin")
	case f.ReachErr != nil:
		return unknown("", "no hospital could be asked to call: %v", f.ReachErr)
	}
	asked, wrong, errs := judgeReach(f.Reaches)
	switch {
	case len(asked) == 0:
		return unknown("run this again when another hospital answers", "no hospital called: %v", errors.Join(errs...))
	case len(wrong) > 0:
		return fail(remedy, "%s", strings.Join(wrong, "; "))
	}
	return ok("comet, libp2p and gateway are reached from %s", strings.Join(asked, ", "))
}

// judgeReach names the hospitals that called, and tells what they did not find.
func judgeReach(all []phr.Reach) (asked, wrong []string, errs []error) {
	for _, r := range all {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.From.Name, r.Err))
			continue
		}
		asked = append(asked, r.From.Name)
		for _, p := range r.Ports {
			switch {
			case !p.Answers:
				wrong = append(wrong, fmt.Sprintf("%s does not reach %s at %s", r.From.Name, p.Port, p.Address))
			case !p.Known:
				wrong = append(wrong, fmt.Sprintf("%s finds another server than this one for %s at %s", r.From.Name, p.Port, p.Address))
			}
		}
	}
	return asked, wrong, errs
}

// certificate: it is valid for a while, and its key is the one that others pin.
func (f *facts) certificate() Result {
	c, err := f.Home.Certificate()
	if err != nil {
		return fail("replace it, or restore it from the backup", "%v", err)
	}
	fingerprint := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	if f.Server != nil && f.Server.Own != nil && !bytes.Equal(fingerprint[:], f.Server.Own.GetGatewayFingerprint()) {
		return fail("put the old key back, or tell the network of the new one: `phrd hospital update`; until then nobody of the other hospitals connects",
			"its key is %s, the others expect %s", fingerprintText(fingerprint[:]), fingerprintText(f.Server.Own.GetGatewayFingerprint()))
	}
	until := c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case f.At.After(c.NotAfter):
		return fail("replace it, with the same key where you can: then nothing else changes", "it ended on %s", until)
	case c.NotAfter.Sub(f.At) < expiresSoon:
		return warn("replace it, with the same key where you can: then nothing else changes", "it ends on %s", until)
	case f.Server == nil:
		return ok("valid until %s; whether the others expect its key was not checked", until)
	}
	return ok("valid until %s, and its key is the one that the others expect", until)
}

// versions: all hospitals run the same program.
func (f *facts) versions() Result {
	answered, away := f.answered()
	if len(f.Others) == 0 {
		return ok("this is %s; there is no other hospital to compare with", f.Version)
	}
	if len(answered) == 0 {
		return unknown("run this again when another hospital answers", "no other hospital's gateway answers: %s", strings.Join(away, ", "))
	}
	var differ []string
	for _, o := range answered {
		if o.Told.Version != f.Version {
			differ = append(differ, fmt.Sprintf("%s runs %s", o.Name, o.Told.Version))
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return warn("agree on a version; docs/operate.md tells how to upgrade", "this is %s, and %s", f.Version, strings.Join(differ, ", "))
	}
	if len(away) > 0 {
		return ok("%d hospitals run %s as well; no answer from %s", len(answered), f.Version, strings.Join(away, ", "))
	}
	return ok("all %d other hospitals run %s as well", len(answered), f.Version)
}
