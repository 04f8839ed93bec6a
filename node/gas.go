package node

import (
	"google.golang.org/protobuf/proto"

	consortiumv1 "github.com/phrd/phrd/api/phrd/consortium/v1"
	custodyv1 "github.com/phrd/phrd/api/phrd/custody/v1"
	recordsv1 "github.com/phrd/phrd/api/phrd/records/v1"
	storagev1 "github.com/phrd/phrd/api/phrd/storage/v1"
)

const (
	// maxGas is the most that a message of a node asks for. The network allows twice as much.
	maxGas = 10_000_000
	// baseGas covers the signature, the account and one entry of the log.
	baseGas = 300_000
	// byteGas is what each byte of a message costs at most, counted twice: once as part of
	// the transaction, once as written to the state.
	byteGas = 50
	// itemGas covers one element of a batch: the state it reads and writes, and its entry.
	itemGas = 90_000
	// digestGas covers one challenge in the proof that is read and written.
	digestGas = 10_000
	// verdictGas covers a copy that is taken from a node and placed elsewhere.
	verdictGas = 250_000
	// shareGas covers one share with its proof and its entry, and a release by it in the
	// largest committee.
	shareGas = 300_000
	// pointGas covers one point of a share: to verify it, and the version that it stands for
	// in the entries and the unlock.
	pointGas = 10_000
	// largestShareGas covers a share with as many points as an unlock has at most.
	largestShareGas = shareGas + 64*(pointGas+40*byteGas)
)

// gasFor returns the gas that a message asks for. It is a matter of the message's type and
// size alone: since nothing is paid, too much costs only room in a block.
func gasFor(message proto.Message) uint64 {
	gas := uint64(baseGas) + byteGas*uint64(proto.Size(message))
	switch m := message.(type) {
	case *storagev1.MsgConfirmCopies:
		gas += itemGas * uint64(len(m.GetObjects()))
	case *storagev1.MsgReportLostCopies:
		gas += itemGas * uint64(len(m.GetObjects()))
	case *storagev1.MsgSubmitProofs:
		for _, digest := range m.GetDigests() {
			gas += digestGas
			if len(digest) == 0 {
				gas += verdictGas
			}
		}
	case *storagev1.MsgDisputeProofs:
		gas += (itemGas + verdictGas) * uint64(len(m.GetDisputes()))
	case *storagev1.MsgAttestErasures:
		gas += itemGas * uint64(len(m.GetNumbers()))
	case *recordsv1.MsgReportAccess:
		gas += itemGas * uint64(len(m.GetReports()))
	case *consortiumv1.MsgReportSessions:
		gas += itemGas * uint64(len(m.GetReports()))
	case *custodyv1.MsgSubmitShares:
		for _, s := range m.GetShares() {
			gas += shareGas + pointGas*uint64(len(s.GetPoints()))
		}
	}
	return min(gas, maxGas)
}
