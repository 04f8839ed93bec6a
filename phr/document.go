package phr

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// sameButFee checks that a wallet signed the document that it was given: wallets may set the fee, and nothing else. The
// error is ErrDocument.
func sameButFee(want, got []byte) error {
	a, err := withoutFee(want)
	if err != nil {
		return fmt.Errorf("own document: %w", err)
	}
	b, err := withoutFee(got)
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrDocument)
	}
	if !bytes.Equal(a, b) {
		return ErrDocument
	}
	return nil
}

// withoutFee is the document in one form, keys sorted, without its fee.
func withoutFee(document []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return nil, fmt.Errorf("sign document: %w", err)
	}
	delete(fields, "fee")
	sorted := make(map[string]any, len(fields))
	for name, raw := range fields {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, fmt.Errorf("sign document: %s: %w", name, err)
		}
		sorted[name] = value
	}
	return json.Marshal(sorted)
}
