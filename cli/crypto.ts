/**
 * The command's crypto provider: an import signs thousands of records a second, which the portable one cannot. It is
 * the node's own, beside `start` and the config the only thing of the daemon that the command takes.
 */
export { loadCrypto } from '../daemon/crypto/index.ts'
