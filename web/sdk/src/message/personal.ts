import type { DescMessage } from '@bufbuild/protobuf'
import { file_phrd_access_v1_tx } from '../generated/phrd/access/v1/tx_pb.js'
import { file_phrd_consortium_v1_tx } from '../generated/phrd/consortium/v1/tx_pb.js'
import { file_phrd_records_v1_tx } from '../generated/phrd/records/v1/tx_pb.js'
import { getOption } from '@bufbuild/protobuf'
import { signer } from '../generated/cosmos/msg/v1/msg_pb.js'

// What is signed by a server, or carried out by a vote of the members.
const notPeople = ['node', 'authority']

/** directOnly are the messages of people that are not flat: programs sign them, and no wallet shows them. */
export const directOnly: readonly string[] = ['phrd.consortium.v1.MsgSubmitProposal', 'phrd.records.v1.MsgStoreVersions']

/** personalMessages are those that people sign, by the signer that their protos name. */
export const personalMessages: readonly DescMessage[] = [file_phrd_access_v1_tx, file_phrd_consortium_v1_tx, file_phrd_records_v1_tx]
  .flatMap((file) => file.messages)
  .filter((message) => {
    const [who, ...others] = getOption(message, signer)
    return who !== undefined && others.length === 0 && !notPeople.includes(who)
  })
