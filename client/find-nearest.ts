import { Identities } from './identity/identities.ts'
import { Nearest } from './nearest.ts'
import type { NearestOptions } from './nearest.ts'
import { defaultCrypto } from './random.ts'
import type { Transport } from './transport.ts'

/** As soon as one member has answered. Rejects with UNREACHABLE when none does. */
export async function findNearest(
  options: Omit<NearestOptions, 'identities'> & Partial<Pick<NearestOptions, 'identities'>>,
): Promise<Nearest> {
  const { crypto = defaultCrypto() } = options
  const identities = options.identities ?? ((from: Transport) => new Identities(crypto, () => from))
  const nearest = new Nearest({ ...options, crypto, identities })
  try {
    await nearest.start()
    return nearest
  } catch (error) {
    await nearest.close()
    throw error
  }
}
