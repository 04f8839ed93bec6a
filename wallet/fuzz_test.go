package wallet_test

import (
	"errors"
	"testing"

	"github.com/phrd/phrd/wallet"
)

func FuzzParseAddress(f *testing.F) {
	f.Add(wallet.FormatAddress(make([]byte, wallet.AddressSize)))
	f.Add("phrd1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnyhhm8d")
	f.Add("cosmos1qqqsyqcyq5rqwzqfpg9scrgwpugpzysn0u3mr2")
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := wallet.ParseAddress(text)
		if err != nil {
			if !errors.Is(err, wallet.ErrAddress) {
				t.Fatal(err)
			}
			return
		}
		if wallet.FormatAddress(raw) != text {
			t.Fatalf("%q is written %q", text, wallet.FormatAddress(raw))
		}
	})
}
