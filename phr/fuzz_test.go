package phr_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/phrd/phrd/lock"
	"github.com/phrd/phrd/phr"
)

// FuzzParseInvitation changes what is under the checksum, which hides it from chance.
func FuzzParseInvitation(f *testing.F) {
	body := func(i phr.Invitation) []byte {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(i.String(), "phrd1"))
		require.NoError(f, err)
		return b[:len(b)-4]
	}
	whole := phr.Invitation{ChainID: "phrd-1", Network: lock.Network{1}, Expires: time.Unix(1_800_000_000, 0)}
	f.Add(body(whole))
	whole.Doors = []phr.Door{{Gateway: "https://gw.example.org:8443", Fingerprint: strings.Repeat("ab", 32), Hospital: 2}}
	f.Add(body(whole))
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		i, err := phr.ParseInvitation("phrd1" + base64.RawURLEncoding.EncodeToString(append(body, sum[:4]...)))
		if err != nil {
			require.ErrorIs(t, err, phr.ErrInvitation)
			return
		}
		again, err := phr.ParseInvitation(i.String())
		require.NoError(t, err)
		require.Equal(t, i, again)
	})
}

func FuzzParseRef(f *testing.F) {
	f.Add("00000000000000000000000000U")
	f.Add(phr.Ref{Record: lock.ID{1}, Version: 3}.String())
	f.Add("/1")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := phr.ParseRef(text)
		if err != nil {
			require.ErrorIs(t, err, phr.ErrRef)
			return
		}
		require.True(t, strings.HasPrefix(strings.ToUpper(text), r.Record.String()))
		if r.Version != 0 {
			again, err := phr.ParseRef(r.String())
			require.NoError(t, err)
			require.Equal(t, r, again)
		}
	})
}

func FuzzParseFingerprint(f *testing.F) {
	f.Add(strings.Repeat("ab", 32))
	f.Add(strings.Repeat("AB", 31))
	f.Fuzz(func(t *testing.T, text string) {
		if pin, err := phr.ParseFingerprint(text); err == nil {
			require.Equal(t, strings.ToLower(text), hex.EncodeToString(pin))
		}
	})
}
