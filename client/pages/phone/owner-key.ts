/** Pages from plain http get an app key: whoever can alter the page on its way could take an owner's key along. */
export function mayHoldOwnerKey(): boolean {
  return isSecureContext
}
