/** Every command, in the order of help. */
import type { Command } from '../command.ts'
import { blobGet } from './blob-get.ts'
import { blobPut } from './blob-put.ts'
import { configShow } from './config-show.ts'
import { devices, devicesRenew, devicesRevoke, devicesVouch } from './devices.ts'
import { explain } from './explain.ts'
import { get } from './get.ts'
import { groups, groupsAdd, groupsCreate, groupsForget, groupsRemove, groupsRole } from './groups.ts'
import { help } from './help.ts'
import { importFile } from './import.ts'
import { init } from './init.ts'
import { invite, inviteAccept, inviteCancel } from './invite.ts'
import { lease, leaseEnd, leaseGuest } from './lease.ts'
import { neighbours, neighboursEnd } from './neighbours.ts'
import { node, nodeAllow, nodeRevoke } from './node.ts'
import { offer, offerMake, offerWithdraw } from './offer.ts'
import { pair } from './pair.ts'
import { passphraseRemove, passphraseSet } from './passphrase.ts'
import { paths } from './paths.ts'
import { place } from './place.ts'
import { put } from './put.ts'
import { quota } from './quota.ts'
import { readers, readersApprove, readersRemove } from './readers.ts'
import { recover } from './recover.ts'
import { recoveryNew } from './recovery-new.ts'
import { recoveryShares } from './recovery-shares.ts'
import { schemaApply } from './schema-apply.ts'
import { schemaCheck } from './schema-check.ts'
import { search } from './search.ts'
import { start } from './start.ts'
import { status } from './status.ts'
import { stop } from './stop.ts'
import { tokens, tokensGrant, tokensRevoke } from './tokens.ts'
import { verify } from './verify.ts'
import { view } from './view.ts'

export const commands: readonly Command[] = [
  init,
  start,
  stop,
  status,
  neighbours,
  neighboursEnd,
  invite,
  inviteAccept,
  inviteCancel,
  offer,
  offerMake,
  offerWithdraw,
  quota,
  lease,
  leaseEnd,
  leaseGuest,
  place,
  pair,
  devices,
  devicesRevoke,
  devicesRenew,
  devicesVouch,
  node,
  nodeRevoke,
  nodeAllow,
  groups,
  groupsCreate,
  groupsAdd,
  groupsRole,
  groupsRemove,
  groupsForget,
  tokens,
  tokensGrant,
  tokensRevoke,
  readers,
  readersApprove,
  readersRemove,
  recover,
  recoveryNew,
  recoveryShares,
  passphraseSet,
  passphraseRemove,
  schemaCheck,
  schemaApply,
  put,
  get,
  blobPut,
  blobGet,
  view,
  search,
  explain,
  importFile,
  verify,
  configShow,
  paths,
  help,
]
