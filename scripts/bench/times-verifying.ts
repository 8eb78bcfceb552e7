/** On the machine for which targets in seconds were given: signatures of 300 B that libsodium verifies on one thread. */
const verifiesPerS = 24_500

/**
 * What so many seconds are there, as a share of the time that verifying so many signatures takes: the same target on a machine that is
 * slower today, and a harder one on a faster.
 */
export function timesVerifying(seconds: number, signatures: number): number {
  return (seconds * verifiesPerS) / signatures
}
