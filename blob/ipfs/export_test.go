package ipfs

import (
	"bufio"
	"bytes"

	"github.com/phrd/phrd/lock"
)

// ReadRequest reads what a peer asks for on a stream.
func ReadRequest(b []byte) ([]lock.CID, error) {
	return readRequest(bufio.NewReader(bytes.NewReader(b)))
}
