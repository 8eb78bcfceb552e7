export { checkAppLog, checkOwnerLog } from './admission.ts'
export type { PairingParties } from './exchange.ts'
export { pairingLimits } from './limits.ts'
export type { PairingOffer } from './link.ts'
export { pairingLink, parsePairingLink } from './link.ts'
export type { PairingMessage, PairingRole } from './messages.ts'
export { decodePairingMessage, encodePairingMessage } from './messages.ts'
export type {
  BurntReason,
  NodePairing,
  NodePairingAction,
  NodePairingEvent,
  NodePairingPorts,
  NodePairingStep,
  NodePhase,
} from './node-state.ts'
export { nodePairingStart } from './node-state.ts'
export { failedMessage, stepNodePairing } from './node.ts'
export type {
  PhonePairing,
  PhonePairingAction,
  PhonePairingEvent,
  PhonePairingPorts,
  PhonePairingStep,
} from './phone.ts'
export { startPhonePairing, stepPhonePairing } from './phone.ts'
